//! From what the user named, files and folders, to the recordings that are meant.
//!
//! A folder stands for all `.mcap` files in it, by name, numbers in names by their value (`bag_2` before `bag_10`), as
//! recorders name the parts of a split recording. Hidden files and subfolders are left out.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::SourceError;

/// A recording to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    /// The user named the folder, not the file.
    pub(super) in_folder: bool,
}

/// The recordings that are meant, each once, in the order in which they were named.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) files: Vec<NamedFile>,
    /// For people: the file's or the folder's name, or the first one's and how many more there are.
    pub(super) name: String,
    pub(super) warnings: Vec<String>,
}

/// Finds the recordings. Only folders are looked into; whether a named file exists is for whoever opens it to see.
pub(super) fn named(specs: &[impl AsRef<Path>]) -> Result<Named, SourceError> {
    let mut named = Named::default();
    let mut seen = BTreeSet::new();
    for spec in specs {
        let path = spec.as_ref();
        let found: Vec<_> = if path.is_dir() {
            let found = in_folder(path, &mut named.warnings)?;
            found.into_iter().map(|path| NamedFile { path, in_folder: true }).collect()
        } else {
            vec![NamedFile { path: path.to_owned(), in_folder: false }]
        };
        for file in found {
            // a file that does not exist is reported when it is opened
            if identity(&file.path).is_none_or(|identity| seen.insert(identity)) {
                named.files.push(file);
            } else {
                let shown = file.path.display();
                named.warnings.push(format!("{shown} is named more than once; it is played once"));
            }
        }
    }
    named.name = match (specs, named.files.as_slice()) {
        ([folder], [NamedFile { in_folder: true, .. }, ..]) => folder_name(folder.as_ref()),
        (_, [file]) => file_name(&file.path),
        (_, [first, rest @ ..]) => format!("{} and {} more", file_name(&first.path), rest.len()),
        (_, []) => String::new(),
    };
    Ok(named)
}

/// The last part of a path, for people.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string())
}

/// A folder's own name, also that of `.` and `..`.
fn folder_name(path: &Path) -> String {
    path.canonicalize().map_or_else(|_error| file_name(path), |path| file_name(&path))
}

/// How parts of recordings are compressed as a whole, by the end of their names, and what undoes it.
const COMPRESSED: [(&str, &str); 8] = [
    ("zst", "zstd -d"),
    ("zstd", "zstd -d"),
    ("gz", "gunzip"),
    ("lz4", "lz4 -d"),
    ("xz", "xz -d"),
    ("bz2", "bunzip2"),
    ("zip", "unzip"),
    ("7z", "7z x"),
];

/// Recordings of other formats, by the end of their names.
const CONVERTIBLE: [&str; 2] = ["db3", "bag"];

/// What undoes the compression of a recording with this name; None for other names.
fn decompressor(name: &str) -> Option<&'static str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let is_recording = stem.len() > 5 && stem.as_bytes()[stem.len() - 5..].eq_ignore_ascii_case(b".mcap");
    let known = COMPRESSED.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    known.filter(|_| is_recording).map(|(_, command)| *command)
}

fn is_convertible(extension: &OsStr) -> bool {
    CONVERTIBLE.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The name of a recording without its extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(stem, _)| stem)
}

/// How a recording of another format is named once it is converted.
fn converted(name: &str) -> String {
    format!("{}.mcap", stem(name))
}

/// What converts a recording of another format: of ROS 1 the file, of ROS 2 the folder with its description.
fn converter(folder: &Path, name: &str) -> String {
    let is_ros1 = name.to_ascii_lowercase().ends_with(".bag");
    let (from, to) = if is_ros1 {
        (folder.join(name), folder.join(stem(name)))
    } else {
        let folder = folder.components().as_path();
        // `.` has no name to begin with
        let to = folder.file_name().map_or("converted".into(), |_name| format!("{}_mcap", folder.display()));
        (folder.to_owned(), PathBuf::from(to))
    };
    format!("rosbags-convert --src {} --dst {} --dst-storage mcap", from.display(), to.display())
}

/// Why a folder has nothing to play, and what is in it instead.
fn nothing_in_folder(folder: &Path, compressed: &[(String, &str)], convertible: &[String]) -> String {
    let first = "there is no .mcap file in this folder (its subfolders don't count)";
    let more = |count: usize| if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    if let Some((name, command)) = compressed.first() {
        let more = more(compressed.len());
        return format!("{first}, but {name}{more}, compressed; decompress first with '{command}'");
    }
    if let Some(name) = convertible.first() {
        let more = more(convertible.len());
        let convert = converter(folder, name);
        return format!("{first}, but {name}{more}; convert first with '{convert}' (pip install rosbags)");
    }
    format!("{first}; name the files or their folder")
}

/// A part that is left out is warned of: a gap in the timeline would look like one of the recorder.
fn in_folder(folder: &Path, warnings: &mut Vec<String>) -> Result<Vec<PathBuf>, SourceError> {
    let io = |error| SourceError::Io { name: folder.display().to_string(), error };
    let mut names = Vec::new();
    let (mut compressed, mut convertible) = (Vec::new(), Vec::new());
    for entry in folder.read_dir().map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let (shown, path) = (name.to_string_lossy().into_owned(), folder.join(&name));
        let is_recording = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mcap"));
        if shown.starts_with('.') || !path.is_file() {
            continue;
        }
        if is_recording {
            names.push((shown, path));
        } else if let Some(command) = decompressor(&shown) {
            compressed.push((shown, command));
        } else if path.extension().is_some_and(is_convertible) {
            convertible.push(shown);
        }
    }
    compressed.sort_by(|(one, _), (other, _)| natural(one, other));
    convertible.sort_by(|one, other| natural(one, other));
    if names.is_empty() {
        let reason = nothing_in_folder(folder, &compressed, &convertible);
        return Err(SourceError::Unusable { name: folder.display().to_string(), reason });
    }
    // decompressed or converted beside it, it may be there already
    let is_missing = |mcap: &str| !names.iter().any(|(name, _)| name == mcap);
    compressed.retain(|(shown, _)| is_missing(stem(shown)));
    convertible.retain(|shown| is_missing(&converted(shown)));
    warnings.extend(compressed.iter().map(|(shown, command)| {
        format!("{shown} is compressed and is left out; decompress it first with '{command}'")
    }));
    warnings.extend(convertible.iter().map(|shown| {
        let convert = converter(folder, shown);
        format!("{shown} is no MCAP file and is left out; convert it first with '{convert}'")
    }));
    names.sort_by(|(one, _), (other, _)| natural(one, other));
    Ok(names.into_iter().map(|(_, path)| path).collect())
}

/// What two names of one file have in common, links included.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// Compares names as people do: runs of digits by their value.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one, other);
    while let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (take_digits(&mut a), take_digits(&mut b));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
            x.cmp(&y)
        };
        if order.is_ne() {
            return order;
        }
    }
    // names that differ in leading zeros only
    a.len().cmp(&b.len()).then_with(|| one.cmp(other))
}

/// Takes the digits that a text begins with, and gives them without leading zeros.
fn take_digits<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        folder
    }

    fn spec(path: &Path) -> String {
        path.to_str().unwrap().to_owned()
    }

    fn names(named: &Named) -> Vec<String> {
        named.files.iter().map(|file| file_name(&file.path)).collect()
    }

    #[test]
    fn a_folder_stands_for_its_recordings_by_the_value_of_their_numbers() {
        let folder = folder(&["bag_10.mcap", "bag_2.mcap", "bag_1.MCAP", ".hidden.mcap", "metadata.yaml"]);
        std::fs::create_dir(folder.path().join("sub.mcap")).unwrap();
        let found = named(&[spec(folder.path())]).unwrap();
        assert_eq!(names(&found), ["bag_1.MCAP", "bag_2.mcap", "bag_10.mcap"]);
        assert!(found.files.iter().all(|file| file.in_folder) && found.warnings.is_empty());
        assert_eq!(found.name, file_name(folder.path()));
        let inside = named(&[spec(&folder.path().join("."))]).unwrap();
        assert_eq!(inside.name, found.name);
    }

    #[test]
    fn a_folder_without_recordings_is_refused() {
        let folder = folder(&["a.bag", ".b.mcap"]);
        let error = named(&[spec(folder.path())]).unwrap_err().to_string();
        assert!(error.starts_with(&spec(folder.path())) && error.contains("no .mcap file"), "{error}");
    }

    #[test]
    fn parts_that_are_left_out_are_named() {
        let some =
            folder(&["part_0.mcap", "part_1.mcap.zstd", "part_2.mcap.gz", "part_0.mcap.zst", "a.txt.gz"]);
        for other in ["part_0.db3", "part_10.db3", "part_3.db3", "old.BAG", "notes.txt"] {
            std::fs::write(some.path().join(other), b"").unwrap();
        }
        let found = named(&[spec(some.path())]).unwrap();
        assert_eq!(names(&found), ["part_0.mcap"]);
        let at = spec(some.path());
        let folder_convert = format!("'rosbags-convert --src {at} --dst {at}_mcap --dst-storage mcap'");
        let wanted = [
            ("part_1.mcap.zstd ", "'zstd -d'"),
            ("part_2.mcap.gz ", "'gunzip'"),
            ("old.BAG ", &*format!("'rosbags-convert --src {at}/old.BAG --dst {at}/old --dst-storage mcap'")),
            ("part_3.db3 ", &*folder_convert),
            ("part_10.db3 ", &*folder_convert),
        ];
        assert_eq!(found.warnings.len(), wanted.len(), "{:?}", found.warnings);
        for (warning, (name, way_out)) in found.warnings.iter().zip(wanted) {
            assert!(warning.starts_with(name) && warning.ends_with(way_out), "{warning}");
        }
        for (files, word) in [
            (&["p_1.mcap.zst", "p_0.mcap.zst"][..], "but p_0.mcap.zst and 1 more, compressed"),
            (&["bag_0.db3", "metadata.yaml"], "_mcap --dst-storage mcap' (pip install rosbags)"),
            (&["a.bag"], "/a.bag --dst "),
            (&["notes.txt"], "name the files"),
        ] {
            let error = named(&[spec(folder(files).path())]).unwrap_err().to_string();
            assert!(error.contains("no .mcap file") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_is_converted_gets_a_folder_of_its_own() {
        let of = |folder: &str, name: &str| converter(Path::new(folder), name);
        assert_eq!(of("a/", "b.db3"), "rosbags-convert --src a --dst a_mcap --dst-storage mcap");
        assert_eq!(of(".", "b.db3"), "rosbags-convert --src . --dst converted --dst-storage mcap");
        assert_eq!(of("a", "b.bag"), "rosbags-convert --src a/b.bag --dst a/b --dst-storage mcap");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_is_named_twice_is_played_once() {
        let folder = folder(&["a.mcap", "b.mcap"]);
        std::os::unix::fs::symlink("a.mcap", folder.path().join("c.mcap")).unwrap();
        let found = named(&[spec(&folder.path().join("b.mcap")), spec(folder.path())]).unwrap();
        assert_eq!(names(&found), ["b.mcap", "a.mcap"]);
        assert_eq!(found.warnings.len(), 2);
        assert!(found.warnings[0].contains("b.mcap") && found.warnings[1].contains("c.mcap"));
        assert_eq!(found.name, "b.mcap and 1 more");
    }

    #[test]
    fn files_keep_the_order_in_which_they_are_named_also_those_that_are_missing() {
        let found = named(&["/no/b.mcap", "/no/a.mcap", "/no/c.mcap"]).unwrap();
        assert_eq!(names(&found), ["b.mcap", "a.mcap", "c.mcap"]);
        assert_eq!(found.name, "b.mcap and 2 more");
        assert_eq!(named(&["/no/a.mcap"]).unwrap().name, "a.mcap");
    }

    proptest! {
        #[test]
        fn names_with_numbers_sort_by_them(one in 0u32..20_000, other in 0u32..20_000, zeros in 0usize..4) {
            let padded = format!("bag_{}{one}.mcap", "0".repeat(zeros));
            let plain = format!("bag_{other}.mcap");
            prop_assume!(one != other);
            prop_assert_eq!(natural(&padded, &plain), one.cmp(&other));
        }

        #[test]
        fn the_order_of_names_is_an_order(mut names in prop::collection::vec("[a0-3é_]{0,6}", 3)) {
            names.sort_by(|one, other| natural(one, other));
            for (one, other) in [(0, 1), (1, 2), (0, 2)] {
                let (one, other) = (&names[one], &names[other]);
                prop_assert!(natural(one, other).is_le());
                prop_assert_eq!(natural(one, other), natural(other, one).reverse());
                prop_assert_eq!(natural(one, other).is_eq(), one == other);
            }
        }
    }
}
