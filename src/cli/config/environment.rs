//! Settings of the environment, and variables that were meant as settings.

use foxglove_bridge::internals::nearest;

use super::keys::{self, Key, PREFIX};
use super::{Origin, Setting};

/// Variables that are no keys of the file.
const OTHER_VARIABLES: [&str; 2] = ["FOXGLOVE_BRIDGE_CONFIG", "FOXGLOVE_BRIDGE_LOG_FORMAT"];

/// A variable of the environment; what of it is no text is replaced.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The settings made by environment variables, `FOXGLOVE_BRIDGE_` and the key in capitals.
///
/// `variable` reads one variable. An empty one counts as not set, as compose files pass on unset variables.
pub(crate) fn environment_settings(variable: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for key in keys::KEYS {
        if let Some(text) = variable(&key.variable()).filter(|text| !text.is_empty()) {
            let values = if key.list { keys::split_list(&text) } else { vec![text] };
            settings.push(Setting { key, values, origin: Origin::Environment });
        }
    }
    settings
}

/// Variables that look like settings and are none, with what was meant. Those that Kubernetes makes for a service of this
/// name are left alone.
pub(crate) fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let known: Vec<String> =
        keys::KEYS.iter().map(Key::variable).chain(OTHER_VARIABLES.map(str::to_owned)).collect();
    let visible: Vec<String> = keys::KEYS.iter().filter(|key| !key.hidden).map(Key::variable).collect();
    let of_service = |rest: &str| {
        rest.starts_with("SERVICE_HOST")
            || rest.starts_with("SERVICE_PORT")
            || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut unknown: Vec<String> = names
        .into_iter()
        .filter(|name| {
            !known.contains(name) && name.strip_prefix(PREFIX).is_some_and(|rest| !of_service(rest))
        })
        .collect();
    unknown.sort();
    let warning = |name: String| {
        let rest = &name[PREFIX.len()..];
        let candidates = visible.iter().map(String::as_str).chain(OTHER_VARIABLES);
        let nearest = nearest(rest, candidates.map(|candidate| &candidate[PREFIX.len()..]));
        let hint =
            nearest.map_or_else(|| "see --help".to_owned(), |meant| format!("did you mean {PREFIX}{meant}?"));
        format!("{name}: there is no such setting; {hint}")
    };
    unknown.into_iter().map(warning).collect()
}
