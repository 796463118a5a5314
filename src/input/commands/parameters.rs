//! Parameters that lines set, and what clients make of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::{Map, Value};

use super::calls::InputId;
use crate::hub::capability::parameters::{ChangedBy, ParameterChange, ParameterStore};
use crate::hub::lock;
use crate::input::printer::Printer;
use crate::protocol::{Parameter, ParameterType, ParameterValue};

/// Sets parameters of a hub, and knows who set them last.
pub(super) struct Parameters {
    store: ParameterStore,
    owners: Owners,
}

type Owners = Arc<Mutex<BTreeMap<String, Owner>>>;

/// Who set a parameter last, and where changes of it go.
struct Owner {
    input: InputId,
    to: Option<Printer>,
}

impl Parameters {
    /// Changes that clients make go to who set the parameter last.
    pub(super) fn new(store: ParameterStore) -> Self {
        let owners = Owners::default();
        let of_listener = Arc::downgrade(&owners);
        store.on_change(move |change| {
            let Some(owners) = of_listener.upgrade() else { return };
            let owners = lock(&owners);
            let to = owners.get(&change.parameter.name).and_then(|owner| owner.to.as_ref());
            if let Some((to, line)) = to.zip(change_line(change)) {
                to.print(line);
            }
        });
        Self { store, owners }
    }

    /// Sets a parameter for an input, which hears of changes if it says where.
    pub(super) fn set(
        &self,
        (input, to): (InputId, Option<&Printer>),
        name: String,
        value: Value,
        parameter_type: Option<String>,
    ) -> Result<(), String> {
        let mut fields =
            Map::from_iter([("name".to_owned(), name.clone().into()), ("value".to_owned(), value)]);
        fields.extend(parameter_type.map(|parameter_type| ("type".to_owned(), parameter_type.into())));
        let parameter = Parameter::from_json(fields.into());
        let parameter = parameter.map_err(|error| format!("parameter {name}: {error}"))?;
        // first, so that it hears of whatever comes after
        let before = lock(&self.owners).insert(name.clone(), Owner { input, to: to.cloned() });
        self.store.set_or_declare(parameter).map_err(|error| {
            let mut owners = lock(&self.owners);
            // unless another input has set it meanwhile
            if owners.get(&name).is_some_and(|owner| owner.input == input) {
                match before {
                    Some(before) => drop(owners.insert(name, before)),
                    None => drop(owners.remove(&name)),
                }
            }
            error.to_string()
        })
    }

    /// Removes a parameter that this input set last.
    pub(super) fn remove(&self, input: InputId, name: &str) -> Result<(), String> {
        let mut owners = lock(&self.owners);
        if owners.get(name).is_none_or(|owner| owner.input != input) {
            return Err(format!("parameter {name} was not set here; only who has set it can remove it"));
        }
        if self.store.is_handled(name) {
            return Err(format!("parameter {name} is the server's own; it can be set, but not removed"));
        }
        owners.remove(name);
        drop(owners);
        self.store.remove(name);
        Ok(())
    }

    /// An input has ended; what it has set stays.
    pub(super) fn end_input(&self, input: InputId) {
        lock(&self.owners).retain(|_name, owner| owner.input != input);
    }
}

/// `{"op":"set_parameter"}`.
#[derive(Serialize)]
struct ChangeLine<'a> {
    op: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: &'a Option<ParameterValue>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    parameter_type: Option<ParameterType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove: Option<bool>,
    client: u64,
}

/// The line that tells of a change by a client; None of one by the program.
pub(in crate::input) fn change_line(change: &ParameterChange) -> Option<Vec<u8>> {
    let ChangedBy::Client(client) = change.by else { return None };
    let Parameter { name, parameter_type, value } = &change.parameter;
    let line = ChangeLine {
        op: "set_parameter",
        name,
        value,
        parameter_type: *parameter_type,
        remove: value.is_none().then_some(true),
        client: client.token(),
    };
    serde_json::to_vec(&line).ok()
}
