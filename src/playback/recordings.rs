//! A recording that is played, for whoever asks the hub about recordings.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::hub::capability::recording::{ReadSeek, RecordedFile, Recordings};
use crate::model::{Batch, ChannelId, Timeline};
use crate::source::Overview;
use crate::time::{TimeRange, Timestamp};

/// What the names of files end with, so that viewers take them.
const EXTENSION: &str = ".mcap";

/// The files of a recording under names that are unique among them, and what its [`Overview`] answers.
pub(super) struct Played {
    overview: Arc<dyn Overview>,
    files: Vec<(String, PathBuf)>,
}

impl Played {
    pub(super) fn new(overview: Arc<dyn Overview>) -> Self {
        let files = named(overview.files());
        Self { overview, files }
    }
}

/// The names under which the files of a recording are offered over HTTP while it plays (`/files/NAME`), in the order in
/// which they play.
pub fn offered_files(of: &dyn Overview) -> Vec<String> {
    named(of.files()).into_iter().map(|(name, _)| name).collect()
}

/// Files under names that are unique among them, and end as viewers want.
fn named(paths: Vec<PathBuf>) -> Vec<(String, PathBuf)> {
    let mut taken = HashSet::new();
    let mut name = |path: &Path| {
        let stem = stem(path);
        let numbered = (2u64..).map(|number| format!("{stem}-{number}{EXTENSION}"));
        let mut names = std::iter::once(format!("{stem}{EXTENSION}")).chain(numbered);
        names.find(|name| taken.insert(name.clone())).unwrap_or_default()
    };
    paths.into_iter().map(|path| (name(&path), path)).collect()
}

/// The name of a file without its extension, if that is the usual one.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) =
        name.split_at_checked(name.len().saturating_sub(EXTENSION.len())).unwrap_or((&name, ""));
    if extension.eq_ignore_ascii_case(EXTENSION) { stem.to_owned() } else { name.into_owned() }
}

impl Recordings for Played {
    fn files(&self) -> Vec<RecordedFile> {
        self.files.iter().filter_map(|(name, path)| RecordedFile::look(name, path).ok()).collect()
    }

    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        let known = self.files.iter().find(|(known, _)| known == name);
        let (name, path) = known.ok_or(io::ErrorKind::NotFound)?;
        RecordedFile::open(name, path)
    }

    fn timeline(&self, within: TimeRange, bins: usize) -> Result<Timeline, String> {
        Ok(self.overview.timeline_within(within, bins.max(1)))
    }

    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, String> {
        self.overview.latest(channel, at).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;

    struct Files(Vec<PathBuf>);

    impl Overview for Files {
        fn files(&self) -> Vec<PathBuf> {
            self.0.clone()
        }

        fn timeline_within(&self, _within: TimeRange, _bins: usize) -> Timeline {
            Timeline::default()
        }

        fn latest(&self, _channel: ChannelId, _at: Timestamp) -> Result<Batch, SourceError> {
            Ok(Batch::default())
        }
    }

    fn names(paths: &[&str]) -> Vec<String> {
        offered_files(&Files(paths.iter().map(PathBuf::from).collect()))
    }

    #[test]
    fn names_are_unique_and_end_as_viewers_want() {
        let paths = ["a/run.mcap", "b/run.mcap", "run-2.MCAP", "run", "é", "x.bag", "é.mcap"];
        let expected =
            ["run.mcap", "run-2.mcap", "run-2-2.mcap", "run-3.mcap", "é.mcap", "x.bag.mcap", "é-2.mcap"];
        assert_eq!(names(&paths), expected);
    }

    #[test]
    fn what_is_not_in_the_table_or_gone_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.mcap"), "abc").unwrap();
        std::fs::write(path("secret"), "abc").unwrap();
        std::fs::create_dir(path("d.mcap")).unwrap();
        let played = Played::new(Arc::new(Files(["a.mcap", "gone.mcap", "d.mcap"].map(path).to_vec())));
        assert_eq!(
            played.files().iter().map(|file| (&*file.name, file.size)).collect::<Vec<_>>(),
            [("a.mcap", 3)]
        );
        let mut text = String::new();
        let (file, mut read) = played.open("a.mcap").unwrap();
        read.read_to_string(&mut text).unwrap();
        assert_eq!((file.size, text.as_str()), (3, "abc"));
        for name in ["gone.mcap", "d.mcap", "secret", "secret.mcap", "../a.mcap", ""] {
            let error = played.open(name).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{name}");
        }
    }
}
