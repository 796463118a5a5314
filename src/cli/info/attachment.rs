//! An attachment, copied out of a recording.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use foxglove_bridge::internals::{SHORT, printable};
use foxglove_bridge::source::json_lines::is_file_of_lines;
use foxglove_bridge::source::{AttachmentCrc, Attachments};

use super::Bars;
use super::input::STDIN;
use crate::cli::args::InfoArgs;
use crate::cli::{Failure, printed, report};

/// Copies the attachment that is wanted to a new file or to stdout.
pub(super) fn copy(args: &InfoArgs, wanted: &str, bars: &mut Bars<'_>) -> Result<(), Failure> {
    let [file] = args.files.as_slice() else {
        return Err(Failure::Input(anyhow!("--attachment is of one recording; name one")));
    };
    if file == Path::new(STDIN) || is_file_of_lines(file) {
        let file = file.display();
        return Err(Failure::Input(anyhow!("{file}: --attachment is for an .mcap file")));
    }
    let name = file.display().to_string();
    let attachments = Attachments::open(file, &mut bars.of(&name)).map_err(|e| Failure::Input(e.into()))?;
    let names: Vec<&str> = attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    let chosen = choose(&names, wanted).map_err(|reason| Failure::Input(anyhow!("{name}: {reason}")))?;
    if let Some(warning) = &chosen.warning {
        tracing::warn!("{name}: {warning}");
    }
    let output = args.output.as_deref().filter(|output| *output != Path::new("-"));
    let crc = match output {
        Some(path) => to_file(&attachments, chosen.number, path)?,
        None => to_stdout(&attachments, chosen.number)?,
    };
    if crc == Some(AttachmentCrc::Differs) {
        let wanted = printable(wanted, SHORT);
        let text = format!("{name}: attachment {wanted} is damaged (CRC); it is written as it is");
        report(&Failure::Input(anyhow!(text)), bars.log);
        return Err(Failure::Damaged);
    }
    Ok(())
}

fn to_file(attachments: &Attachments, number: usize, path: &Path) -> Result<Option<AttachmentCrc>, Failure> {
    let shown = path.display();
    let mut file = File::create_new(path).map_err(|error| {
        Failure::Input(match error.kind() {
            ErrorKind::AlreadyExists => {
                anyhow!("{shown}: exists already and is not overwritten; choose another name")
            }
            _ => anyhow::Error::from(error).context(format!("{shown}: can't be created")),
        })
    })?;
    let copied = attachments.copy(number, &mut file).with_context(|| format!("{shown}: copying failed"));
    if copied.is_err() {
        // half an attachment would be taken for a whole one
        std::fs::remove_file(path).ok();
    }
    copied.map(Some).map_err(Failure::Runtime)
}

/// None if nobody reads it.
fn to_stdout(attachments: &Attachments, number: usize) -> Result<Option<AttachmentCrc>, Failure> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        let reason = "an attachment is not written to a terminal; name a file with -o, or pipe it";
        return Err(Failure::Input(anyhow!(reason)));
    }
    match attachments.copy(number, &mut stdout).and_then(|crc| stdout.flush().map(|()| crc)) {
        Ok(crc) => Ok(Some(crc)),
        Err(error) => printed(Err(error)).map(|_gone| None),
    }
}

/// The attachment that is meant.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    number: usize,
    warning: Option<String>,
}

/// Finds the attachment that is meant: by its name, of several the first; or by its name and which of them it is,
/// `NAME#2`. The error says what there is.
fn choose(names: &[&str], wanted: &str) -> Result<Chosen, String> {
    let of_name = |name: &str| -> Vec<usize> {
        (0..).zip(names).filter(|(_, other)| **other == name).map(|(number, _)| number).collect()
    };
    let shown = |name: &str| printable(name, SHORT).to_string();
    let same = of_name(wanted);
    if let Some(number) = same.first() {
        let warning = (same.len() > 1).then(|| {
            let (count, name) = (same.len(), shown(wanted));
            format!("{count} attachments are called {name}; this is the first, {name}#2 is the next")
        });
        return Ok(Chosen { number: *number, warning });
    }
    let numbered =
        wanted.rsplit_once('#').and_then(|(name, place)| Some((name, place.parse::<usize>().ok()?)));
    if let Some((name, place)) = numbered {
        let same = of_name(name);
        if let Some(number) = place.checked_sub(1).and_then(|place| same.get(place)) {
            return Ok(Chosen { number: *number, warning: None });
        }
        if !same.is_empty() {
            let (count, name) = (same.len(), shown(name));
            return Err(format!("there is no attachment {}; {count} are called {name}", shown(wanted)));
        }
    }
    let wanted = shown(wanted);
    if names.is_empty() {
        return Err(format!("there is no attachment {wanted}; the recording has none"));
    }
    let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    Err(format!("there is no attachment {wanted}; there are: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_found_by_name_and_place() {
        let names = ["a.txt", "b", "a.txt", "b#1", "a.txt"];
        let number = |wanted: &str| choose(&names, wanted).map(|chosen| chosen.number);
        assert_eq!(number("b"), Ok(1));
        assert_eq!(number("a.txt#2"), Ok(2));
        assert_eq!(number("a.txt#3"), Ok(4));
        assert_eq!(number("b#1"), Ok(3), "a whole name counts first");
        let first = choose(&names, "a.txt").unwrap();
        assert_eq!(first.number, 0);
        assert!(first.warning.unwrap().contains("3 attachments are called a.txt"));
        assert_eq!(choose(&names, "a.txt#1").unwrap().warning, None);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let names = ["a.txt", "b\u{1b}", "a.txt"];
        assert!(choose(&names, "c").unwrap_err().ends_with("there are: a.txt, b\\u{1b}, a.txt"));
        for wanted in ["a.txt#0", "a.txt#3"] {
            assert!(choose(&names, wanted).unwrap_err().ends_with("2 are called a.txt"), "{wanted}");
        }
        assert!(choose(&[], "c").unwrap_err().ends_with("has none"));
    }
}
