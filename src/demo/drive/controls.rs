//! What viewers can do with the robot: parameters, services, and topics on which they publish.

use std::sync::{Arc, Mutex};

use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::capability::parameters::{ParameterAccess, ParameterChange, ParameterSpec};
use foxglove_bridge::hub::capability::services::ServiceHandle;
use foxglove_bridge::protocol::ParameterValue;
use serde_json::Value;

use super::lock;
use super::simulation::{Lamp, Simulation, Sky};
use crate::demo::services::{DONE, Done};

/// `drive.max_speed`, `drive.sky`, `drive.lamp` and a name that can only be read.
pub(super) fn parameters(hub: &Hub, robot: &Arc<Mutex<Simulation>>) -> anyhow::Result<()> {
    let parameters = hub.parameters()?;
    let settings = lock(robot).settings;
    parameters.declare(ParameterSpec::float64("drive.max_speed", settings.max_speed).range(1.0..=12.0))?;
    parameters.declare(ParameterSpec::new("drive.sky", "day").choices(Sky::ALL.map(|(name, _)| name)))?;
    parameters.declare(ParameterSpec::new("drive.lamp", false))?;
    parameters.declare(ParameterSpec::new("drive.robot", "Reynard").access(ParameterAccess::ReadOnly))?;
    let robot = robot.clone();
    parameters.on_change(move |ParameterChange { parameter, .. }| {
        let settings = &mut lock(&robot).settings;
        let Some(value) = &parameter.value else { return };
        match (parameter.name.as_str(), value) {
            ("drive.max_speed", speed) => settings.max_speed = speed.as_f64().unwrap_or(settings.max_speed),
            ("drive.sky", ParameterValue::String(sky)) => {
                settings.sky = Sky::named(sky).unwrap_or(settings.sky)
            }
            ("drive.lamp", ParameterValue::Bool(on)) => {
                settings.lamp = if *on { Lamp::On } else { Lamp::Off }
            }
            _ => {}
        }
    });
    Ok(())
}

/// `/drive/honk`, `/drive/reset` and `/drive/set_goal`, until what is returned is dropped.
pub(super) fn services(hub: &Hub, robot: &Arc<Mutex<Simulation>>) -> anyhow::Result<[ServiceHandle; 3]> {
    const GOAL: &str = r#"{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}}}"#;
    let service = |name: &str| hub.service(name).response_schema("Done", DONE);
    let [honks, resets, goes] = [(); 3].map(|()| robot.clone());
    Ok([
        service("/drive/honk").json(move |_: Value| {
            lock(&honks).honk();
            Ok::<_, String>(Done::well("honk!"))
        })?,
        service("/drive/reset").json(move |_: Value| {
            lock(&resets).reset();
            Ok::<_, String>(Done::well("back at the start"))
        })?,
        service("/drive/set_goal").request_schema("Goal", GOAL).json(move |goal: Value| {
            let number = |name: &str| goal[name].as_f64();
            Ok::<_, String>(match (number("x"), number("y")) {
                (Some(x), Some(y)) => Done::well(format!("{:.0} m ahead", lock(&goes).set_goal([x, y]))),
                _ => Done::refused("x and y are needed, in metres on the map"),
            })
        })?,
    ])
}

/// Takes what viewers publish to lead the robot, or to send it somewhere.
pub(super) fn publishing(hub: &Hub, robot: &Arc<Mutex<Simulation>>) -> anyhow::Result<()> {
    let robot = robot.clone();
    hub.on_publish(["json"], move |_client, channel, payload| {
        let Some(command) = Command::of(&channel.topic) else {
            return tracing::debug!("the robot does not know what {} is for", channel.topic);
        };
        let message = serde_json::from_slice(&payload).map_err(|error| error.to_string());
        if let Err(error) = message.and_then(|message| command.carry_out(&mut lock(&robot), &message)) {
            tracing::warn!("a message of a viewer on {} can't be used: {error}", channel.topic);
        }
    })?;
    Ok(())
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    /// `geometry_msgs/Twist`: drive like this for a moment.
    Lead,
    /// `geometry_msgs/PoseStamped`, `PoseWithCovarianceStamped` or `PointStamped`: go there.
    GoTo,
}

impl Command {
    fn of(topic: &str) -> Option<Self> {
        match topic.trim_start_matches('/') {
            "cmd_vel" => Some(Self::Lead),
            "goal_pose" | "move_base_simple/goal" | "initialpose" | "clicked_point" => Some(Self::GoTo),
            _ => None,
        }
    }

    fn carry_out(self, robot: &mut Simulation, message: &Value) -> Result<(), String> {
        let number = |pointer: &str| {
            message
                .pointer(pointer)
                .and_then(Value::as_f64)
                .ok_or_else(|| format!("there is no number at {pointer}"))
        };
        match self {
            Self::Lead => robot.lead(number("/linear/x")?, number("/angular/z")?),
            Self::GoTo => {
                let places = ["/pose/pose/position", "/pose/position", "/point"];
                let place = places.into_iter().find(|place| message.pointer(place).is_some());
                let place = place.ok_or("there is neither a pose nor a point")?;
                robot.set_goal([number(&format!("{place}/x"))?, number(&format!("{place}/y"))?]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::demo::drive::simulation::Mode;

    #[test]
    fn what_viewers_publish_is_carried_out() {
        let mut robot = Simulation::new();
        let twist =
            json!({"linear": {"x": 2.0, "y": 0.0, "z": 0.0}, "angular": {"x": 0.0, "y": 0.0, "z": 0.3}});
        Command::Lead.carry_out(&mut robot, &twist).unwrap();
        assert!(matches!(robot.mode, Mode::Led(_)));
        let goal = json!({"pose": {"position": {"x": 40.0, "y": -26.0, "z": 0.0}}});
        Command::GoTo.carry_out(&mut robot, &goal).unwrap();
        let [x, y] = robot.goal_point().unwrap();
        assert!((x - 40.0).hypot(y + 26.0) < 6.0, "{x} {y}");
        let pose = json!({"pose": {"pose": goal["pose"], "covariance": []}});
        Command::GoTo.carry_out(&mut robot, &pose).unwrap();
        assert!(Command::GoTo.carry_out(&mut robot, &json!({})).is_err());
        let point = json!({"point": {"x": -40.0, "y": 21.0}});
        Command::GoTo.carry_out(&mut robot, &point).unwrap();
        assert!(robot.goal_point().unwrap()[0] < 0.0);
        assert!(
            Command::Lead.carry_out(&mut robot, &json!({"linear": {}})).unwrap_err().contains("/linear/x")
        );
        assert_eq!(Command::of("/cmd_vel"), Some(Command::Lead));
        assert_eq!(Command::of("/chatter"), None);
    }
}
