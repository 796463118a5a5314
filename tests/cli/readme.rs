//! What the README and the help show is run as it is printed, on the recording of `testdata/`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Commands on `drive.mcap` alone, of the README and of the help.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let helps = [&["--help"][..], &["serve", "--help"], &["info", "--help"]];
    let helps = helps.map(|arguments| super::stdout(&super::run(arguments, &[])));
    let texts = [readme, helps.concat()].join("\n");
    let lines = texts.lines().map(str::trim).filter(|line| {
        let of_drive = ["serve", "info"].map(|command| format!("foxglove-bridge {command} drive.mcap"));
        of_drive.iter().any(|command| line.starts_with(command)) && !line.contains(['|', '&', '<'])
    });
    // help says what a command does after blanks, the README after a #
    let of_line = |line: &str| line.split("  ").next().unwrap_or_default().to_owned();
    let mut commands: Vec<String> = lines.map(of_line).collect();
    commands.sort();
    commands.dedup();
    commands
}

/// Runs a command until it serves, or to its end; what it said.
fn said(command: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    let arguments = command.strip_prefix("foxglove-bridge").unwrap();
    let port = if arguments.starts_with(" serve") { "--port 0" } else { "" };
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec '{}'{arguments} {port}", program.display())])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while stderr.read_line(&mut said).unwrap() > 0 && !said.contains("Lichtblick") {}
    if port.is_empty() {
        stderr.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{command}: {said}");
    } else {
        assert!(said.contains("Serving drive.mcap ("), "{command}: {said}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    said
}

#[test]
fn the_commands_that_are_shown_work_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["testdata/drive.mcap", "config/foxglove-bridge.toml"].map(Path::new) {
        std::fs::copy(Path::new(ROOT).join(file), folder.path().join(file.file_name().unwrap())).unwrap();
    }
    let commands = commands();
    assert!(commands.len() >= 12, "{commands:?}");
    for command in commands {
        let said = said(&command, folder.path());
        assert!(!said.contains("WARN"), "{command}: {said}");
        // what one has written the next does not replace
        std::fs::remove_file(folder.path().join("rover.urdf")).ok();
    }
}
