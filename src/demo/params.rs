//! `demo params`: parameters of every type. Viewers see them, and set them within their bounds.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::capability::parameters::{ChangedBy, ParameterAccess, ParameterSpec};
use foxglove_bridge::protocol::{Parameter, ParameterType, ParameterValue};

use super::{Running, Ticker};

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let parameters = hub.parameters()?;
    parameters.declare(ParameterSpec::new("flag", true))?;
    parameters.declare(ParameterSpec::new("count", 42).range(0.0..=100.0))?;
    parameters.declare(ParameterSpec::float64("gain", 2.5).range(0.0..=10.0))?;
    parameters.declare(ParameterSpec::new("mode", "auto").choices(["auto", "manual", "off"]))?;
    parameters.declare(ParameterSpec::new("text", "set me"))?;
    parameters.declare(ParameterSpec::new("numbers", vec![1, 2, 3]))?;
    parameters.declare(floats("floats", [0.5, 1.5, 2.5]))?;
    let object = [("x", 1.into()), ("label", "a place".into())].map(|(name, value)| (name.to_owned(), value));
    parameters.declare(ParameterSpec::new("object", ParameterValue::Object(object.into())))?;
    parameters.declare(ParameterSpec::byte_array("bytes", b"foxglove"))?;
    parameters.declare(ParameterSpec::new("optional", "remove me").access(ParameterAccess::SetOrRemove))?;
    parameters.declare(ParameterSpec::new("serial_number", "FB-0001").access(ParameterAccess::ReadOnly))?;
    // these change by themselves
    parameters.declare(ParameterSpec::new("uptime_seconds", 0).access(ParameterAccess::ReadOnly))?;
    parameters.declare(ParameterSpec::float64("temperature", 20.0).access(ParameterAccess::ReadOnly))?;
    parameters.on_change(|change| {
        if let ChangedBy::Client(_) = change.by {
            tracing::info!("a client has set {}", change.parameter.name);
        }
    });
    let mut seconds = 0u32;
    let ticker = Ticker::start(Duration::from_secs(1), move || {
        let warm = 20.0 + 2.0 * (f64::from(seconds) / 10.0).sin();
        let set = parameters
            .set("uptime_seconds", i64::from(seconds))
            .and_then(|()| parameters.set_float64("temperature", warm));
        if let Err(error) = set {
            tracing::error!("{error}");
        }
        seconds += 1;
    })?;
    Ok(Box::new(ticker))
}

/// A list of floats, which stays one when a viewer writes them without a fraction.
fn floats<const N: usize>(name: &str, values: [f64; N]) -> Parameter {
    let value = ParameterValue::Array(values.into_iter().filter_map(ParameterValue::float).collect());
    Parameter { name: name.to_owned(), parameter_type: Some(ParameterType::Float64Array), value: Some(value) }
}
