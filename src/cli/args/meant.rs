//! What was probably meant by arguments that don't exist here: those of other programs, and a file without a command.

use std::path::Path;

use clap::CommandFactory;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;

/// Flags of `rosbag`, `mcap`, `foxglove_bridge` and their like, and what they are called here.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("--address", "--host"),
    ("--bind", "--host"),
    ("--listen", "--host"),
    ("--speed", "--rate"),
    ("--playback-rate", "--rate"),
    ("--start-offset", "--start +12.5s"),
    ("--offset", "--start +12.5s"),
    ("--start-time", "--start"),
    ("--end-time", "--end"),
    ("--duration", "--playback-duration"),
    ("--topics", "--topic"),
    ("--repeat", "--loop"),
    ("--pause", "--start-paused"),
    ("--output", "--record"),
];

/// Commands of other programs, and what they are called here.
const OTHER_COMMANDS: &[(&str, &str)] = &[
    ("replay", "serve"),
    ("run", "serve"),
    ("start", "serve"),
    ("stream", "serve"),
    ("show", "info"),
    ("inspect", "info"),
    ("doctor", "info --check"),
    ("list", "info"),
];

/// The answer with what was meant, if that is known.
pub(crate) fn with_what_was_meant(mut answer: clap::Error) -> clap::Error {
    let text = |kind: ContextKind, answer: &clap::Error| match answer.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    match answer.kind() {
        ErrorKind::UnknownArgument => {
            let Some(given) = text(ContextKind::InvalidArg, &answer) else { return answer };
            let name = given.split('=').next().unwrap_or_default();
            let is_of = |command: &str| {
                matches!(
                    answer.get(ContextKind::Usage),
                    Some(ContextValue::StyledStr(usage)) if usage.to_string().contains(command)
                )
            };
            if is_of(" param ") && given.contains("://") {
                let tip = format!("the address goes first: foxglove-bridge param {given} list");
                answer.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
                return answer;
            }
            let of_serve = is_of(" serve ");
            let meant = OTHER_NAMES.iter().find(|(other, _)| of_serve && *other == name);
            if let Some((_, meant)) = meant {
                answer.insert(ContextKind::SuggestedArg, ContextValue::String((*meant).to_owned()));
                answer.remove(ContextKind::Suggested);
                // clap's own shows what it would have suggested
                let mut cli = Cli::command();
                cli.build();
                if let Some(serve) = cli.find_subcommand_mut("serve") {
                    answer.insert(ContextKind::Usage, ContextValue::StyledStr(serve.render_usage()));
                }
            }
        }
        ErrorKind::InvalidSubcommand => {
            let Some(given) = text(ContextKind::InvalidSubcommand, &answer) else { return answer };
            let command = OTHER_COMMANDS.iter().find(|(other, _)| *other == given);
            let meant = match command {
                Some((_, meant)) => vec![(*meant).to_owned()],
                None if is_source(&given) => vec![format!("serve {given}"), format!("info {given}")],
                None => return answer,
            };
            answer.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(meant));
        }
        _ => {}
    }
    answer
}

/// Whether it looks like something that can be served, and not like a command.
fn is_source(text: &str) -> bool {
    text == "-"
        || text.contains("://")
        || text.contains('.')
        || text.contains('/')
        || Path::new(text).exists()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn said(arguments: &[&str]) -> String {
        let words = ["foxglove-bridge"].iter().chain(arguments);
        with_what_was_meant(Cli::try_parse_from(words).unwrap_err()).render().to_string()
    }

    #[test]
    fn flags_of_other_programs_are_answered_with_those_of_this_one() {
        for (other, meant) in OTHER_NAMES {
            let text = said(&["serve", "a.mcap", other, "x"]);
            assert!(text.contains(&format!("'{other}'")) && text.contains(&format!("'{meant}'")), "{text}");
            let flag = meant.split(' ').next().unwrap();
            let mut command = Cli::command();
            command.build();
            let serve = command.find_subcommand("serve").unwrap();
            assert!(serve.get_arguments().any(|a| a.get_long() == flag.strip_prefix("--")), "{flag}");
        }
        let text = said(&["serve", "a.mcap", "--speed=2"]);
        assert!(
            text.contains("'--rate'") && text.contains("Usage: foxglove-bridge serve [OPTIONS]"),
            "{text}"
        );
        assert!(!said(&["info", "a.mcap", "--speed"]).contains("--rate"));
    }

    #[test]
    fn an_address_after_the_action_is_answered_with_the_order() {
        let text = said(&["param", "list", "ws://robot:8765"]);
        assert!(
            text.contains("the address goes first: foxglove-bridge param ws://robot:8765 list"),
            "{text}"
        );
    }

    #[test]
    fn a_file_without_a_command_is_answered_with_the_commands() {
        let text = said(&["drive.mcap"]);
        assert!(text.contains("serve drive.mcap") && text.contains("info drive.mcap"), "{text}");
        assert!(!said(&["frobnicate"]).contains("serve frobnicate"));
    }

    #[test]
    fn commands_of_other_programs_are_answered_with_those_of_this_one() {
        for (other, meant) in OTHER_COMMANDS {
            let text = said(&[other, "a.mcap"]);
            assert!(text.contains(&format!("'{other}'")) && text.contains(&format!("'{meant}'")), "{text}");
            assert!(Cli::command().find_subcommand(meant.split(' ').next().unwrap()).is_some(), "{meant}");
        }
    }
}
