//! Waits until the disk has what was written, on a thread of its own: that may take minutes.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::time::Instant;

use super::super::SinkError;

/// The end of what is waited for.
pub(crate) struct Syncing(Receiver<Result<(), SinkError>>);

/// Whether the disk has a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// It has all of it.
    Yes,
    /// The system has all of it, and was still writing when it was no longer waited for.
    NotYet,
}

/// Starts the thread. It ends when the sender is dropped.
pub(super) fn start() -> std::io::Result<(Sender<(File, PathBuf)>, Syncing)> {
    let (files, finished) = channel::<(File, PathBuf)>();
    let (outcome, waiting) = sync_channel(1);
    std::thread::Builder::new().name("recorder-sync".into()).spawn(move || {
        let mut all = Ok(());
        for (file, path) in finished {
            if let Err(error) = sync(&file, &path) {
                let error = SinkError::Write { path, reason: error.to_string() };
                tracing::error!("{error}");
                all = all.and(Err(error));
            }
        }
        // whoever started it may have given up waiting
        outcome.send(all).ok();
    })?;
    Ok((files, Syncing(waiting)))
}

/// The file, and its name in the folder.
fn sync(file: &File, path: &Path) -> std::io::Result<()> {
    let unless_impossible = |outcome: std::io::Result<()>| match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        outcome => outcome,
    };
    unless_impossible(file.sync_all())?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // a folder that can't be read can't be synced either, and elsewhere than on Unix none can
    match File::open(folder) {
        Ok(folder) if cfg!(unix) => unless_impossible(folder.sync_all()),
        _ => Ok(()),
    }
}

impl Syncing {
    /// Waits until then.
    pub(crate) fn wait(self, deadline: Instant) -> Result<OnDisk, SinkError> {
        match self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(outcome) => outcome.map(|()| OnDisk::Yes),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(OnDisk::NotYet),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_disk_is_waited_for_until_the_deadline() {
        let (files, syncing) = start().unwrap();
        let begin = Instant::now();
        assert_eq!(syncing.wait(begin + Duration::from_millis(20)).unwrap(), OnDisk::NotYet);
        assert!(begin.elapsed() >= Duration::from_millis(20));
        drop(files);
    }

    #[test]
    fn files_and_their_folders_are_synced_and_what_cannot_be_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (files, syncing) = start().unwrap();
        files.send((File::create(&path).unwrap(), path)).unwrap();
        // where the folder has been removed
        files.send((tempfile::tempfile().unwrap(), "/no/such/folder/b".into())).unwrap();
        drop(files);
        assert_eq!(syncing.wait(Instant::now() + Duration::from_secs(20)).unwrap(), OnDisk::Yes);
    }
}
