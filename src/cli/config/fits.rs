//! Which options fit to what is served. One that does not is an error if it is a flag; from a file or the environment,
//! which may be meant for many sources, it is left out with a warning.

use std::path::Path;

use foxglove_bridge::input::listen::Listener;
use foxglove_bridge::playback::TimeShift;

use super::{ConfigError, ServeOptions, Setting, is_live};

/// What is served, as far as that decides which options mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Served {
    /// Files and folders that are named.
    files: bool,
    /// Whether a file that is named can hold JSON lines.
    lines_files: bool,
    stdin: bool,
    sockets: bool,
    follow: bool,
    /// Recordings have the times of now.
    shift: bool,
    record: bool,
    /// What is recorded can have several files.
    split: bool,
}

impl Served {
    fn of(options: &ServeOptions) -> Self {
        let sources = || options.sources.iter();
        let stdin = sources().any(|spec| spec == "-");
        let sockets = sources().any(Listener::is_meant);
        let named = || sources().filter(|spec| !is_live(spec)).map(Path::new);
        let is_mcap = |path: &Path| path.extension().is_some_and(|name| name.eq_ignore_ascii_case("mcap"));
        let files = named().next().is_some();
        let lines_files = named().any(|path| !is_mcap(path) && !path.is_dir());
        let shift = options.playback.shift != TimeShift::Off;
        let follow = options.live.follow && files;
        let (record, split) = (options.record.is_some(), options.split.is_split());
        Self { files, lines_files, stdin, sockets, follow, shift, record, split }
    }

    fn recordings(self) -> bool {
        self.files && !self.follow
    }

    /// Input that is sent. Beside a recording with its own times stdin gives commands alone.
    fn live(self) -> bool {
        self.live_stdin() || self.sockets || self.follow
    }

    fn live_stdin(self) -> bool {
        self.stdin && (self.shift || !self.recordings())
    }

    /// Stdin and nothing else: it can be played by log time.
    fn stdin_alone(self) -> bool {
        self.stdin && !(self.files || self.sockets)
    }

    fn lines(self) -> bool {
        self.stdin || self.sockets || self.lines_files
    }
}

/// What an option needs, and why it means nothing without it.
struct Rule {
    keys: &'static [&'static str],
    fits: fn(Served) -> bool,
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        keys: &["start", "end", "playback-duration", "order"],
        fits: Served::recordings,
        why: "it is for recordings; live input is served once, as it comes",
    },
    Rule {
        keys: &["shift"],
        fits: Served::recordings,
        why: "it is for recordings; live input has the times of now already",
    },
    Rule {
        keys: &["rate", "start-paused", "start-on", "start-on-clients", "at-end", "skip-gaps", "loop"],
        fits: |served| served.recordings() || served.stdin_alone(),
        why: "it is for what is played: recordings, or stdin alone; other live input is sent as it comes",
    },
    Rule {
        keys: &["paced"],
        fits: Served::stdin_alone,
        why: "it is for stdin alone; recordings are played by log time anyway, other live input is sent as it comes",
    },
    Rule { keys: &["live"], fits: Served::live_stdin, why: "it is for an MCAP stream on stdin (-)" },
    Rule {
        keys: &["on-eof"],
        fits: Served::live,
        why: "it is for live input; for the end of a recording there is --at-end",
    },
    Rule {
        keys: &["keep", "save-dir", "save-after"],
        fits: Served::live,
        why: "it is for live input, which is gone once it was sent; a recording is there already",
    },
    Rule {
        keys: &["follow"],
        fits: |served| served.files,
        why: "it is for files that still grow (.mcap, .jsonl); name one, or leave it out",
    },
    Rule {
        keys: &["from-start"],
        fits: |served| served.follow,
        why: "it is for files that are followed (--follow)",
    },
    Rule {
        keys: &["call-timeout"],
        fits: |served| served.stdin || served.sockets,
        why: "it is for services that programs provide on stdin (-) and on sockets",
    },
    Rule {
        keys: &["max-writers"],
        fits: |served| served.sockets,
        why: "it is for tcp-listen:// and unix-listen://",
    },
    Rule {
        keys: &["split-size", "split-duration", "max-files", "disk-budget"],
        fits: |served| served.record,
        why: "it is for what is recorded (--record)",
    },
    Rule {
        keys: &["max-files"],
        fits: |served| served.split,
        why: "it is for a recording of several files (--split-size, --split-duration, --disk-budget)",
    },
    Rule {
        keys: &[
            "default-topic",
            "schema",
            "json-as",
            "proto",
            "proto-path",
            "raw",
            "csv",
            "time-field",
            "time-unit",
            "nan",
            "strict",
            "max-line",
        ],
        fits: Served::lines,
        why: "it is for JSON lines: on stdin (-), on sockets, in .jsonl files",
    },
];

/// Two options that exclude each other.
struct Conflict {
    one: &'static str,
    other: &'static str,
    both: fn(&ServeOptions) -> bool,
    why: &'static str,
}

const CONFLICTS: &[Conflict] = &[
    Conflict {
        one: "live",
        other: "paced",
        both: |options| options.live.immediate && options.live.paced,
        why: "one sends input as it comes, the other by its log time",
    },
    Conflict {
        one: "loop",
        other: "at-end",
        both: |options| {
            options.playback.looping && options.playback.at_end != ServeOptions::default().playback.at_end
        },
        why: "with --loop the end never comes",
    },
];

/// Leaves out the settings that don't fit, and says which. `settings` are sorted, the strongest last.
pub(super) fn fit(settings: &mut Vec<Setting>) -> Result<Vec<String>, ConfigError> {
    let mut left_out = Vec::new();
    let served = Served::of(&super::applied(settings)?);
    for Rule { keys, fits, why } in RULES {
        if !fits(served) {
            leave_out(settings, &mut left_out, |setting| keys.contains(&setting.key.name), why)?;
        }
    }
    if super::applied(settings)?.keep.is_none() {
        let is_meant = |setting: &Setting| ["save-dir", "save-after"].contains(&setting.key.name);
        let why = "it is for what is kept of live input; say how much that is with --keep";
        leave_out(settings, &mut left_out, is_meant, why)?;
    }
    for Conflict { one, other, both, why } in CONFLICTS {
        if both(&super::applied(settings)?) {
            let strength = |name: &str| {
                let found = settings.iter().rev().find(|setting| setting.key.name == name);
                found.map_or(0, |setting| setting.origin.strength())
            };
            // of equals the second
            let (weaker, stronger) =
                if strength(one) < strength(other) { (one, other) } else { (other, one) };
            let why = format!("it and --{stronger} exclude each other: {why}; leave one out");
            leave_out(settings, &mut left_out, |setting| setting.key.name == *weaker, &why)?;
        }
    }
    Ok(left_out)
}

/// Leaves out the settings that are meant and change something; Err if one is a flag.
fn leave_out(
    settings: &mut Vec<Setting>,
    left_out: &mut Vec<String>,
    is_meant: impl Fn(&Setting) -> bool,
    why: &str,
) -> Result<(), ConfigError> {
    for setting in std::mem::take(settings) {
        if !(is_meant(&setting) && changes_something(&setting)) {
            settings.push(setting);
        } else if setting.origin == super::Origin::Flag {
            return Err(ConfigError::DoesNotFit { setting: setting.to_string(), why: why.to_owned() });
        } else {
            left_out.push(format!("{setting} is left out: {why}"));
        }
    }
    Ok(())
}

/// Whether it says something else than the default: `--loop=false` fits everywhere.
fn changes_something(setting: &Setting) -> bool {
    let mut options = ServeOptions::default();
    setting.key.apply(&mut options, &setting.values).is_ok() && options != ServeOptions::default()
}
