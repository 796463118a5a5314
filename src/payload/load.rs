//! Reads the files that define the user's types.
//!
//! Each file is read on its own, with what it imports, so that files of the same name in different folders don't
//! meet. Imports of `foxglove/*.proto` and `google/protobuf/*.proto` need no files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::file::{
    ChainFileResolver, DescriptorSetFileResolver, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use super::TypeOptions;
use super::imports::{Imports, MAX_FILES};
use super::protobuf::{Message, Pool, public_imports};
use crate::printable::{LONG, printable};

/// The schemas `foxglove.*`; `foxglove/README.md` says where from.
pub(super) const FOXGLOVE: &[u8] = include_bytes!("foxglove/descriptors.binpb");

/// Largest compiled descriptor set; the largest known ones have a few MB.
const MAX_DESCRIPTOR_SET: u64 = 64 << 20;

/// All types by name: those of the user win over built-in ones.
pub(super) fn messages(options: &TypeOptions) -> Result<HashMap<String, Message>, TypesError> {
    let builtin = builtin()?;
    let mut messages: HashMap<_, _> = by_name(&builtin).collect();
    messages.extend(user_types(options, &builtin)?);
    Ok(messages)
}

/// The types of a pool by their names.
pub(super) fn by_name(pool: &Pool) -> impl Iterator<Item = (String, Message)> + '_ {
    pool.messages().map(|message| (message.name().to_owned(), message))
}

/// Why there are no types.
#[derive(Debug, thiserror::Error)]
pub enum TypesError {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder can't be read.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is too large to be what it should be.
    #[error("{}: has {size} bytes, more than the {MAX_DESCRIPTOR_SET} that are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        size: u64,
    },
    /// A definition that does not compile.
    #[error("{}: {reason}", path.display())]
    Definition {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
        /// Whether something that it imports is not found.
        import_missing: bool,
    },
    /// Neither kind of file.
    #[error("{}: neither a .proto file nor a descriptor set (.desc, .binpb, .bin, .fds, .pb)", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A type that two files define, each in its own way.
    #[error("'{name}' is defined differently by {} and {}; leave one of them out", first.display(), second.display())]
    Twice {
        /// Full name of the type.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The schemas that the program brings along can't be read.
    #[error("the built-in schemas are broken: {0}")]
    Builtin(String),
}

/// The option that an error is about; the field of [`TypeOptions`] has the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypesHint {
    /// A file in `proto`.
    Proto,
    /// A file in `proto`, and `proto_path` has to name the folder from which its imports start.
    ProtoImports,
    /// A folder in `proto_path`.
    ProtoPath,
}

impl TypesError {
    /// What the user can change; None if that is nothing.
    pub fn hint(&self) -> Option<TypesHint> {
        match self {
            Self::Folder { .. } => Some(TypesHint::ProtoPath),
            Self::Definition { import_missing: true, .. } => Some(TypesHint::ProtoImports),
            Self::File { .. }
            | Self::TooLarge { .. }
            | Self::Definition { .. }
            | Self::Kind { .. }
            | Self::Twice { .. } => Some(TypesHint::Proto),
            Self::Builtin(_) => None,
        }
    }
}

/// The schemas `foxglove.*`.
fn builtin() -> Result<Pool, TypesError> {
    Pool::decode(FOXGLOVE, None).map_err(TypesError::Builtin)
}

/// The types of all files by name; an error if two files don't agree on one.
fn user_types(options: &TypeOptions, builtin: &Pool) -> Result<HashMap<String, Message>, TypesError> {
    let mut found: HashMap<String, (Message, &Path)> = HashMap::new();
    for path in &options.proto {
        let pool = match extension(path).as_str() {
            "proto" => compile(path, &options.proto_path)?,
            "desc" | "binpb" | "bin" | "fds" | "pb" => read_set(path, builtin)?,
            _ => return Err(TypesError::Kind { path: path.clone() }),
        };
        for (name, message) in by_name(&pool) {
            if let Some((other, first)) = found.get(&name)
                && !message.is_defined_like(other)
            {
                let first = first.to_path_buf();
                return Err(TypesError::Twice { name, first, second: path.clone() });
            }
            found.entry(name).or_insert((message, path));
        }
    }
    Ok(found.into_iter().map(|(name, (message, _))| (name, message)).collect())
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

fn compile(path: &Path, proto_path: &[PathBuf]) -> Result<Pool, TypesError> {
    let definition = |reason| TypesError::Definition { path: path.to_owned(), reason, import_missing: false };
    let broken = |error: &protox::Error| TypesError::Definition {
        path: path.to_owned(),
        // its debug form is `file:line:column: what`, where it knows the place
        reason: printable(&format!("{error:?}"), LONG).to_string(),
        import_missing: error.is_file_not_found(),
    };
    // absolute, so that the file is found below its folder however both are written
    let file = path.canonicalize().map_err(|source| TypesError::File { path: path.to_owned(), source })?;
    let files = || resolver(&file, proto_path);
    check_imports(&files()?, &file).map_err(definition)?;
    let mut compiler = Compiler::with_file_resolver(files()?);
    compiler.include_imports(true);
    compiler.open_file(&file).map_err(|error| broken(&error))?;
    Pool::decode(&compiler.encode_file_descriptor_set(), None).map_err(definition)
}

/// Where a file and what it imports are looked for.
fn resolver(file: &Path, proto_path: &[PathBuf]) -> Result<ChainFileResolver, TypesError> {
    let mut files = ChainFileResolver::new();
    for folder in proto_path {
        let absolute = folder.canonicalize();
        let absolute = absolute.map_err(|source| TypesError::Folder { path: folder.clone(), source })?;
        files.add(IncludeFileResolver::new(absolute));
    }
    // the file's own folder, so that a single file needs no option
    files.add(IncludeFileResolver::new(file.parent().unwrap_or(file).to_owned()));
    let foxglove = DescriptorSetFileResolver::decode(FOXGLOVE);
    files.add(foxglove.map_err(|error| TypesError::Builtin(error.to_string()))?);
    files.add(GoogleFileResolver::new());
    Ok(files)
}

/// Refuses imports that the compiler would take too long for. What it refuses itself is left to it, with its words.
fn check_imports(files: &ChainFileResolver, file: &Path) -> Result<(), String> {
    let mut imports = Imports::default();
    let mut open: Vec<String> = files.resolve_path(file).into_iter().collect();
    while let Some(name) = open.pop() {
        if imports.has(&name) {
            continue;
        }
        let Ok(file) = files.open_file(&name) else { return Ok(()) };
        let file = file.file_descriptor_proto();
        if !imports.add(&name, public_imports(file)) {
            return Err(format!("it imports more than {MAX_FILES} files"));
        }
        open.extend(file.dependency.iter().cloned());
    }
    imports.check()
}

fn read_set(path: &Path, builtin: &Pool) -> Result<Pool, TypesError> {
    let file = |source| TypesError::File { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(file)?.len();
    if size > MAX_DESCRIPTOR_SET {
        return Err(TypesError::TooLarge { path: path.to_owned(), size });
    }
    let set = std::fs::read(path).map_err(file)?;
    // a set made without its imports may still need only those that are built in
    Pool::decode(&set, None).or_else(|reason| {
        Pool::decode(&set, Some(builtin)).map_err(|_error| TypesError::Definition {
            path: path.to_owned(),
            import_missing: false,
            reason: format!("{reason}; make the set with its imports: protoc --include_imports -o FILE"),
        })
    })
}
