//! The TOML file: the same keys as the flags, values as numbers, texts or lists, errors with their line.

use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, Reads};
use super::{ConfigError, Origin, Setting, is_live, table};
use foxglove_bridge::internals::{SHORT, nearest, printable};

/// The largest file of settings: far more than all keys with long lists.
const LARGEST_FILE: u64 = 1 << 20;

/// The settings of a TOML file.
pub(crate) fn file_settings(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let failed = |source| ConfigError::File { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let length = file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > LARGEST_FILE {
        return Err(failed(std::io::Error::other(format!(
            "has more than {} MiB, which is no file of settings",
            LARGEST_FILE >> 20
        ))));
    }
    settings(&text, path)
}

/// The settings in the text of a file; `path` is for error messages.
pub(super) fn settings(text: &str, path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let line_at = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_at(span.start)),
        reason: syntax(error.message(), error.span().map_or(0, |span| span.start), text),
    })?;
    let mut settings = Vec::new();
    for (name, value) in table.get_ref() {
        let line = line_at(name.span().start);
        let key = Key::find(name.get_ref()).ok_or_else(|| ConfigError::UnknownKey {
            path: path.to_owned(),
            line,
            key: name.get_ref().to_string(),
            hint: hint(name.get_ref()),
        })?;
        let mut setting =
            Setting { key, values: Vec::new(), origin: Origin::File { path: path.to_owned(), line } };
        match values(value.get_ref(), key, path) {
            Ok(values) => {
                setting.values = values.into_iter().map(|value| beside(path, key.reads, value)).collect();
            }
            Err(reason) => return Err(ConfigError::Value { setting: setting.to_string(), reason }),
        }
        settings.push(setting);
    }
    // a table has no order of its own; within a file the later line wins
    settings.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(settings)
}

/// What the parser says, and the line; what it says alone may be far from what is wrong.
fn syntax(said: &str, at: usize, text: &str) -> String {
    let start = text.get(..at).unwrap_or(text).rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let said = said.trim_end().replace('\n', ", ");
    format!(
        "'{}' can't be read: {said}; write one key a line, and texts in quotes: port = 8765, host = \"0.0.0.0\"",
        printable(line.trim(), SHORT)
    )
}

/// A value with the files that it names beside the settings file, unless their paths are absolute.
fn beside(file: &Path, reads: Reads, value: String) -> String {
    let joined = |path: &str| folder(file).join(path).to_string_lossy().into_owned();
    match reads {
        Reads::Whole if !is_live(&value) => joined(&value),
        Reads::AfterEquals => match value.split_once('=') {
            Some((prefix, path)) => format!("{prefix}={}", joined(path)),
            None => value,
        },
        Reads::JsonAfterEquals => match value.rsplit_once('=') {
            Some((topic, path)) if path.ends_with(".json") => format!("{topic}={}", joined(path)),
            _ => value,
        },
        Reads::Whole | Reads::Nothing => value,
    }
}

/// A value as texts for the key's parser.
fn values(value: &DeValue<'_>, key: &Key, path: &Path) -> Result<Vec<String>, String> {
    match value {
        DeValue::Array(items) if key.list => {
            items.iter().map(|item| one(item.get_ref(), key, path)).collect()
        }
        value => Ok(vec![one(value, key, path)?]),
    }
}

fn one(value: &DeValue<'_>, key: &Key, path: &Path) -> Result<String, String> {
    Ok(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
        DeValue::Integer(_) => return Err("is not written in decimal".to_owned()),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => return Err("takes one value, not a list".to_owned()),
        DeValue::Table(table) if key.tables => table::json(table, folder(path))?,
        DeValue::Table(_) => return Err("takes a value, not a table".to_owned()),
    })
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The key that was probably meant, or all keys.
fn hint(unknown: &str) -> String {
    let visible = || KEYS.iter().filter(|key| !key.hidden);
    match nearest(unknown, visible().map(|key| key.name)) {
        Some(name) => format!("did you mean '{name}'?"),
        None => {
            let names: Vec<_> = visible().map(|key| key.name).collect();
            format!("the keys are {}", names.join(", "))
        }
    }
}
