//! A file that changes by a script: each time the source waits for it, the next step is done.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::made::Made;
use super::viewer::Viewer;
use crate::registry::Registry;
use crate::source::mcap::stream::follow::Wait;
use crate::source::{Follow, FollowOptions, SourceError, Stop};

/// What happens to the file while the source waits.
pub(super) enum Then {
    Append(Vec<u8>),
    /// Written at a place of the file, which has its size already.
    Write(usize, Vec<u8>),
    Size(u64),
    /// The same file with other content.
    Rewrite(Vec<u8>),
    /// Another file takes its place.
    Replace(Vec<u8>),
    Remove,
    Do(Box<dyn FnMut() + Send>),
    /// Waits for this many polls more.
    Nothing(u32),
}

impl Then {
    /// False if it is to be done again.
    fn happen(&mut self, path: &Path) -> bool {
        let open = || OpenOptions::new().write(true).open(path).unwrap();
        match self {
            Self::Append(bytes) => {
                OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
            }
            Self::Write(at, bytes) => {
                let mut all = fs::read(path).unwrap();
                all[*at..*at + bytes.len()].copy_from_slice(bytes);
                open().write_all(&all).unwrap();
            }
            Self::Size(size) => open().set_len(*size).unwrap(),
            Self::Rewrite(bytes) => fs::write(path, bytes).unwrap(),
            Self::Replace(bytes) => {
                let other = path.with_extension("new");
                fs::write(&other, bytes).unwrap();
                fs::rename(other, path).unwrap();
            }
            Self::Remove => fs::remove_file(path).unwrap(),
            Self::Do(work) => work(),
            Self::Nothing(polls) => {
                *polls -= 1;
                return *polls == 0;
            }
        }
        true
    }
}

/// A growing file in a folder of its own.
pub(super) struct Script {
    _folder: tempfile::TempDir,
    pub(super) path: PathBuf,
    pub(super) options: FollowOptions,
    pub(super) stop: Stop,
    steps: Vec<Then>,
}

impl Script {
    /// Begins with a file of this content, or without one.
    pub(super) fn of(content: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drive.mcap");
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        Self {
            _folder: folder,
            path,
            options: FollowOptions::default(),
            stop: Stop::new().unwrap(),
            steps: Vec::new(),
        }
    }

    pub(super) fn with_old_messages(mut self) -> Self {
        self.options.from_start = true;
        self
    }

    pub(super) fn then(mut self, step: Then) -> Self {
        self.steps.push(step);
        self
    }

    pub(super) fn append(self, made: &Made) -> Self {
        self.then(Then::Append(made.0.clone()))
    }

    pub(super) fn open(self) -> (Self, Result<Follow, SourceError>) {
        let (path, stop) = (self.path.clone(), self.stop.clone());
        let mut steps = self.steps.into_iter();
        let mut step = steps.next();
        let wait: Wait = Box::new(move |time| {
            assert!(time <= Duration::from_millis(250), "that is not live");
            match &mut step {
                Some(now) => {
                    if now.happen(&path) {
                        step = steps.next();
                    }
                }
                None => stop.stop(),
            }
        });
        let follow = Follow::open_with(
            &self.path,
            self.options.clone(),
            &Registry::default(),
            &self.stop,
            &mut |_| {},
            wait,
        );
        (Self { steps: Vec::new(), ..self }, follow)
    }

    /// Everything until the script is at its end.
    pub(super) fn play(self) -> Viewer {
        let (_files, follow) = self.open();
        Viewer::of(&mut follow.unwrap())
    }
}
