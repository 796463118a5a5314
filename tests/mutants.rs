//! Files with bits, bytes and lengths changed: the program reads what is left of them, or refuses them. It never aborts
//! for want of memory, never panics and never hangs, whether they are named or piped in.
//!
//! `MUTANTS=3000` makes more than the few that are made by default, `MUTANTS_SEED=7` makes others.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Address space of the program, in KiB: 3 GiB, less than a length of four bytes can claim.
const ADDRESS_SPACE: &str = "3145728";

/// No file that is changed here takes longer, on however busy a computer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Larger files would make the test slow.
const LARGEST: u64 = 600_000;

/// Numbers that depend on the seed alone (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at.max(1)),
            2 => {
                let inserted: Vec<u8> =
                    (0..=random.below(20)).map(|_| random.next().to_le_bytes()[0]).collect();
                bytes.splice(at..at, inserted);
            }
            3 => drop(bytes.drain(at..(at + 1 + random.below(40)).min(bytes.len()))),
            4 => {
                let values = [u32::MAX, u32::MAX / 2, 1 << 30, 0, u32::try_from(random.below(1000)).unwrap()];
                put(bytes, at, &values[random.below(5)].to_le_bytes());
            }
            _ => {
                let values = [u64::MAX, u64::MAX / 2, 1 << 30, 1 << 40, random.next() % 1000];
                put(bytes, at, &values[random.below(5)].to_le_bytes());
            }
        }
        if bytes.is_empty() {
            bytes.push(0x89);
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let end = (at + value.len()).min(bytes.len());
    bytes[at..end].copy_from_slice(&value[..end - at]);
}

/// Small recordings of the repository, and of the shared folder where it is.
fn recordings() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = folder.read_dir() else { return };
        for entry in entries.map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "mcap")
                && entry.metadata().unwrap().len() <= LARGEST
            {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(&root.join("testdata"), &mut found);
    collect(&root.join("../shared/data"), &mut found);
    found.sort();
    found
}

/// Runs the program on a file, within the address space and the time; what it does wrong.
fn fault(arguments: &[&str], piped: Option<&Path>, folder: &Path) -> Option<String> {
    let log = folder.join("log");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")]);
    command.arg(env!("CARGO_BIN_EXE_foxglove-bridge")).args(arguments);
    command.stdin(piped.map_or_else(Stdio::null, |file| File::open(file).unwrap().into()));
    let mut child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > TIMEOUT {
            child.kill().unwrap();
            child.wait().unwrap();
            return Some(format!("{arguments:?} hangs"));
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let fine =
        matches!(status.code(), Some(0 | 2 | 4)) && !said.contains("panicked") && !said.contains("fault of");
    (!fine).then(|| format!("{arguments:?}: {status}: {said}"))
}

/// What is wrong with how the program reads a file: named, played and piped.
fn faults(path: &Path, folder: &Path) -> Vec<String> {
    let name = path.to_str().unwrap();
    let fast = ["-p", "0", "--no-progress", "-q", "-r", "max", "--start-on", "launch"];
    let runs = [
        fault(&["info", name], None, folder),
        fault(&[&["serve", name, "--at-end", "exit"], &fast[..]].concat(), None, folder),
        fault(&[&["serve", "-", "--on-eof", "exit"], &fast[..]].concat(), Some(path), folder),
    ];
    runs.into_iter().flatten().collect()
}

/// A recording with a record whose last four bytes claim a length of 4 GiB, then one with a message.
fn claiming(opcode: u8, before: &[u8]) -> Vec<u8> {
    let record = |opcode: u8, body: &[u8]| [&[opcode][..], &(body.len() as u64).to_le_bytes(), body].concat();
    let channel = [&[1, 0, 0, 0][..], &text("/a"), &text("json"), &[0; 4]].concat();
    let records = [
        record(1, &[0; 8]),
        record(opcode, &[before, &u32::MAX.to_le_bytes()].concat()),
        record(4, &channel),
        record(5, &[&[1, 0][..], &[0; 20], b"{}"].concat()),
        record(15, &[0; 4]),
        record(2, &[0; 20]),
    ];
    let magic = b"\x89MCAP0\r\n";
    [&magic[..], &records.concat(), magic].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat()
}

#[test]
fn a_length_that_is_claimed_is_not_allocated() {
    let channel = [&[1, 0, 0, 0][..], &text("/a"), &text("json")].concat();
    let chunk = [&[0; 16][..], &u64::MAX.to_le_bytes(), &[0; 4]].concat();
    let huge_chunk = [&[0; 16][..], &(3u64 << 30).to_le_bytes(), &[0; 4], &text("zstd"), &[255; 4]].concat();
    let cases: [(u8, &[u8]); 13] = [
        (1, b""),
        (1, &text("ros2")),
        (3, &[1, 0]),
        (3, &[&[1, 0][..], &text("name"), &text("ros2msg")].concat()),
        (4, &[1, 0, 0, 0]),
        (4, &channel),
        (6, &chunk),
        (6, &huge_chunk),
        (7, &[1, 0]),
        (9, &[0; 16]),
        (11, &[0; 42]),
        (12, b""),
        (12, &text("name")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claim.mcap");
    let mut found = Vec::new();
    for (opcode, before) in cases {
        std::fs::write(&path, claiming(opcode, before)).unwrap();
        found.extend(faults(&path, folder.path()).iter().map(|fault| format!("opcode {opcode}: {fault}")));
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    for name in ["string_4gib.mcap", "abort_39_bytes.mcap", "abort_5537_bytes.mcap"] {
        let path = shared.join(name);
        if path.is_file() {
            found.extend(faults(&path, folder.path()));
        }
    }
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn whatever_is_changed_in_a_recording_it_is_read_or_refused() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let (count, seed) = (number("MUTANTS", 150), number("MUTANTS_SEED", 1));
    let recordings = recordings();
    assert!(!recordings.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(u64::wrapping_mul(seed, 0x9E37_79B9_7F4A_7C15) | 1);
    let mut found = Vec::new();
    for number in 0..count {
        let original = &recordings[random.below(recordings.len())];
        let mut bytes = std::fs::read(original).unwrap();
        mutate(&mut bytes, &mut random);
        let path = folder.path().join("mutant.mcap");
        std::fs::write(&path, &bytes).unwrap();
        for fault in faults(&path, folder.path()) {
            let kept = std::env::temp_dir().join(format!("mutant-{seed}-{number}.mcap"));
            std::fs::write(&kept, &bytes).unwrap();
            found.push(format!("{} of {}: {fault}", kept.display(), original.display()));
        }
    }
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}
