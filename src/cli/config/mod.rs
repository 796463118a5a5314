//! What `serve` is told: defaults, a TOML file, the environment and flags, merged once into plain structs.
//!
//! Every option is a key ([`keys::KEYS`]) with one parser, wherever its value comes from. [`build`] starts
//! from [`ServeOptions::default`], the only place that knows defaults, and applies settings in the order
//! file, environment, flag; the last one wins. After that no code looks at flags.

use foxglove_bridge::source::RecordingOptions;
use foxglove_bridge::source::json_lines::{JsonLinesOptions, LineForm};
use foxglove_bridge::time::TimeSpec;

mod address;
mod environment;
mod error;
pub(crate) mod file;
mod fits;
mod keep;
pub(crate) mod keys;
mod options;
mod param;
pub(crate) mod service;
mod setting;
pub(crate) mod size;
mod sources;
pub(crate) mod split;
mod table;
mod values;

pub(crate) use environment::{environment_settings, unknown_variables, variable};
pub(crate) use error::ConfigError;
pub(crate) use file::file_settings;
pub(crate) use keep::Kept;
pub(crate) use options::{AssetOptions, ServeOptions, WebOptions};
pub(crate) use setting::{Origin, Setting};
pub(crate) use sources::{check_files, is_live};

/// The outcome of [`build`].
#[derive(Debug)]
pub(crate) struct Built {
    /// What is to be done.
    pub(crate) options: ServeOptions,
    /// Settings that were left out, and why.
    pub(crate) warnings: Vec<String>,
}

/// Merges settings into options: flag over environment over file over default, in whatever order they come. What does
/// not fit to what is served is left out, or an error if it is a flag.
pub(crate) fn build(mut settings: Vec<Setting>) -> Result<Built, ConfigError> {
    // stable: within one origin the later setting wins
    settings.sort_by_key(|setting| setting.origin.strength());
    if applied(&settings)?.sources.is_empty() {
        return Err(ConfigError::NoSource);
    }
    let warnings = fits::fit(&mut settings)?;
    let mut options = applied(&settings)?;
    check_range(&options.recording, &settings)?;
    check_lines(&options.json_lines, &settings)?;
    // a rate that was asked for on the spot; that of a file may be meant for recordings
    let rate = |setting: &Setting| setting.key.name == "rate" && setting.origin.strength() > 0;
    options.live.paced |= !options.live.immediate && settings.iter().any(rate);
    Ok(Built { options, warnings })
}

/// The same for a command that serves no source: of the settings those of these keys alone.
pub(crate) fn build_without_source(
    keys: &[&str],
    mut settings: Vec<Setting>,
) -> Result<ServeOptions, ConfigError> {
    settings.retain(|setting| keys.contains(&setting.key.name));
    settings.sort_by_key(|setting| setting.origin.strength());
    applied(&settings)
}

/// The defaults with these settings, the strongest last.
fn applied(settings: &[Setting]) -> Result<ServeOptions, ConfigError> {
    let mut options = ServeOptions::default();
    for setting in settings {
        setting
            .key
            .apply(&mut options, &setting.values)
            .map_err(|reason| ConfigError::Value { setting: setting.to_string(), reason })?;
    }
    Ok(options)
}

/// Refuses an end before the start where that can be told without the recording.
fn check_range(recording: &RecordingOptions, settings: &[Setting]) -> Result<(), ConfigError> {
    let reversed = match (recording.start, recording.end) {
        (Some(TimeSpec::At(start)), Some(TimeSpec::At(end))) => end < start,
        (Some(TimeSpec::FromStart(start)), Some(TimeSpec::FromStart(end))) => end < start,
        _ => false,
    };
    if !reversed {
        return Ok(());
    }
    let text = |name: &str| {
        let last = settings.iter().rev().find(|setting| setting.key.name == name);
        last.map(|setting| setting.values.join(" ")).unwrap_or_default()
    };
    Err(ConfigError::EndBeforeStart { start: text("start"), end: text("end") })
}

/// Refuses options that mean nothing without another.
fn check_lines(options: &JsonLinesOptions, settings: &[Setting]) -> Result<(), ConfigError> {
    let JsonLinesOptions { form, default_topic, time_field, .. } = options;
    let key = match form {
        LineForm::Keyed if time_field.is_some() => "time-field",
        LineForm::Keyed | LineForm::Commands => return Ok(()),
        LineForm::Raw => "raw",
        LineForm::Csv => "csv",
    };
    if default_topic.is_none() {
        let why = "the topic of messages that are whole lines";
        let set = settings.iter().rev().find(|setting| setting.key.name == key);
        let setting = set.map_or_else(|| format!("--{key}"), ToString::to_string);
        return Err(ConfigError::Missing { setting, needed: "default-topic", why });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
