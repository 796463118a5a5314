//! Definitions of protobuf types: reading them, looking up what encoding needs, and passing them on to viewers.

use std::collections::HashSet;
use std::fmt;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};

mod plan;
mod well_known;

use super::imports::{Imports, check_size};

pub(super) use well_known::WellKnown;

/// Files of definitions that refer to each other.
#[derive(Debug, Clone)]
pub(super) struct Pool(DescriptorPool);

impl Pool {
    /// Reads a `FileDescriptorSet`; `base` has files that it may import without containing them.
    pub(super) fn decode(set: &[u8], base: Option<&Self>) -> Result<Self, String> {
        check(set)?;
        let mut pool = base.map_or_else(DescriptorPool::new, |base| base.0.clone());
        pool.decode_file_descriptor_set(set).map_err(|error| error.to_string())?;
        Ok(Self(pool))
    }

    /// All types.
    pub(super) fn messages(&self) -> impl Iterator<Item = Message> + '_ {
        self.0.all_messages().filter(|message| !message.is_map_entry()).map(Message)
    }
}

/// Refuses what prost-reflect would take too long or too much memory for, and files in a syntax that it does not know,
/// where it would panic.
fn check(set: &[u8]) -> Result<(), String> {
    check_size(set)?;
    let set = FileDescriptorSet::decode(set).map_err(|error| error.to_string())?;
    let mut imports = Imports::default();
    for file in &set.file {
        imports.add(file.name(), public_imports(file));
    }
    imports.check()?;
    match set.file.iter().find(|file| !matches!(file.syntax(), "" | "proto2" | "proto3")) {
        Some(file) => {
            Err(format!("{}: syntax '{}' is not known, only proto2 and proto3", file.name(), file.syntax()))
        }
        None => Ok(()),
    }
}

/// The files that a file imports for those who import it.
pub(super) fn public_imports(file: &FileDescriptorProto) -> Vec<String> {
    let name = |index: &i32| file.dependency.get(usize::try_from(*index).ok()?).cloned();
    file.public_dependency.iter().filter_map(name).collect()
}

/// A type.
#[derive(Clone)]
pub(super) struct Message(MessageDescriptor);

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Message {
    /// Its full name.
    pub(super) fn name(&self) -> &str {
        self.0.full_name()
    }

    /// Whether both have the same fields; types of fields are compared by name alone.
    pub(super) fn is_defined_like(&self, other: &Self) -> bool {
        self.0.descriptor_proto() == other.0.descriptor_proto()
    }

    /// A `FileDescriptorSet` of the files that the type needs, each after those it imports, without comments.
    pub(super) fn descriptor_set(&self) -> Vec<u8> {
        let mut set = Vec::new();
        for file in imports_first(self.0.parent_file()) {
            let definition = file.file_descriptor_proto();
            let bytes = if definition.source_code_info.is_some() {
                let mut definition = definition.clone();
                definition.source_code_info = None;
                definition.encode_to_vec()
            } else {
                file.encode_to_vec()
            };
            // field 1 of the set, bytes with a length
            prost_reflect::prost::encoding::bytes::encode(1, &bytes, &mut set);
        }
        set
    }
}

/// A file and all that it imports, each after its own imports.
fn imports_first(file: FileDescriptor) -> Vec<FileDescriptor> {
    // no recursion: how long a chain of imports is, the user's files decide
    let mut sorted = Vec::new();
    let mut met = HashSet::from([file.name().to_owned()]);
    let mut open = vec![(file.clone(), file.dependencies().collect::<Vec<_>>())];
    while let Some((file, imports)) = open.last_mut() {
        match imports.pop() {
            Some(import) if met.insert(import.name().to_owned()) => {
                let its_imports = import.dependencies().collect();
                open.push((import, its_imports));
            }
            Some(_) => {}
            None => {
                sorted.push(file.clone());
                open.pop();
            }
        }
    }
    sorted
}
