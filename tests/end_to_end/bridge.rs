//! The program as it is run by a user.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A file of `testdata/`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// A server; killed when dropped.
pub(crate) struct Bridge {
    child: Child,
    pub(crate) port: u16,
}

impl Bridge {
    /// Runs `serve` with nothing on stdin.
    pub(crate) fn serve(arguments: &[&str]) -> Self {
        Self::start(arguments, Stdio::null())
    }

    /// Runs `serve` with a pipe on stdin.
    pub(crate) fn piped(arguments: &[&str]) -> Self {
        Self::start(arguments, Stdio::piped())
    }

    fn start(arguments: &[&str], stdin: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOXGLOVE_BRIDGE_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--port", "0", "--no-progress"]).args(arguments);
        let mut child = command.env_remove("RUST_LOG").stdin(stdin).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address =
            |line: String| line.trim().strip_prefix("WebSocket")?.rsplit(':').next()?.trim().parse().ok();
        let port = lines.by_ref().find_map(address).expect("the program did not listen");
        // read on, so that it never waits for its log
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    /// The other end of its stdin.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks it to end, as a service manager does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
