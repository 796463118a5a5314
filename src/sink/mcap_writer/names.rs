//! Names of the files of a recording.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::{SinkError, TIME, path_at};
use crate::time::Timestamp;

/// Gives one name after the other.
#[derive(Debug)]
pub(super) enum Names {
    /// There is one file.
    One(PathBuf),
    /// `run-0001.mcap`, `run-0002.mcap` and so on.
    Numbered {
        template: PathBuf,
        /// Of the last one that was given.
        last: u32,
    },
}

impl Names {
    /// For files that are numbered: refuses if there are some of an earlier run, among which those of this one would be
    /// lost sight of, or find no name later.
    pub(super) fn numbered(template: &Path) -> Result<Self, SinkError> {
        let is_taken = |path: &PathBuf| path.file_name().is_some_and(|name| has_number(name, template));
        let folder = template.parent().filter(|folder| !folder.as_os_str().is_empty());
        let has_time = template.to_str().is_some_and(|template| template.contains(TIME));
        // a folder that can't be read is told when the file is made
        let there = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
        let there = there.map(|entry| template.with_file_name(entry.file_name()));
        match there.filter(|_| !has_time).filter(is_taken).min() {
            Some(taken) => Err(SinkError::Exists(taken)),
            None => Ok(Self::Numbered { template: template.to_owned(), last: 0 }),
        }
    }

    /// The name of the next file, which begins at a time.
    pub(super) fn next(&mut self, now: Timestamp) -> PathBuf {
        match self {
            Self::One(path) => path_at(path, now),
            Self::Numbered { template, last } => {
                *last += 1;
                let path = path_at(template, now);
                let mut name = path.file_stem().unwrap_or_default().to_owned();
                name.push(format!("-{last:04}"));
                if let Some(extension) = path.extension() {
                    name.push(".");
                    name.push(extension);
                }
                path.with_file_name(name)
            }
        }
    }
}

/// Whether this is the name of a file of this template.
fn has_number(name: &OsStr, template: &Path) -> bool {
    let (name, template_extension) = (Path::new(name), template.extension());
    let stems = name.file_stem().and_then(OsStr::to_str).zip(template.file_stem().and_then(OsStr::to_str));
    let number = stems.and_then(|(stem, template)| stem.strip_prefix(template)?.strip_prefix('-'));
    name.extension() == template_extension
        && number.is_some_and(|number| number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_261_600_123_456_789);

    #[test]
    fn files_are_numbered_each_with_its_own_time() {
        let folder = tempfile::tempdir().unwrap();
        let next = |names: &mut Names| names.next(NOW).file_name().unwrap().to_str().unwrap().to_owned();
        let mut names = Names::numbered(&folder.path().join("run.2.mcap")).unwrap();
        assert_eq!([next(&mut names), next(&mut names)], ["run.2-0001.mcap", "run.2-0002.mcap"]);
        let mut names = Names::numbered(&folder.path().join("run-{time}")).unwrap();
        assert_eq!(next(&mut names), "run-2026-01-01T10-00-00Z-0001");
        let mut names = Names::Numbered { template: "r.mcap".into(), last: 9999 };
        assert_eq!(next(&mut names), "r-10000.mcap");
        assert_eq!(
            Names::One("run-{time}.mcap".into()).next(NOW),
            Path::new("run-2026-01-01T10-00-00Z.mcap")
        );
    }

    #[test]
    fn files_of_an_earlier_run_are_found_whatever_their_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "run.mcap",
            "run-1.mcap",
            "run-0001.bag",
            "run-000x.mcap",
            "brun-0001.mcap",
            "run-0001-0001.mcap",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let template = folder.path().join("run.mcap");
        Names::numbered(&template).unwrap();
        fs::write(folder.path().join("run-10007.mcap"), "").unwrap();
        fs::write(folder.path().join("run-0007.mcap"), "").unwrap();
        let error = Names::numbered(&template).unwrap_err().to_string();
        assert!(error.contains("run-0007.mcap: exists already"), "{error}");
    }
}
