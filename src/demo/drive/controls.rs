//! What viewers can do with the robot: parameters, services, and topics on which they publish.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use foxglove_bridge::hub::capability::parameters::{ParameterAccess, ParameterChange, ParameterSpec};
use foxglove_bridge::hub::capability::publish::ClientPublish;
use foxglove_bridge::hub::{ClientId, Hub};
use foxglove_bridge::protocol::{ClientChannel, ClientChannelId, ParameterValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::lock;
use super::simulation::{Lamp, Simulation, Sky};
use crate::demo::Running;
use crate::demo::services::{self, Answer};

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

/// `/drive/honk`, `/drive/reset` and `/drive/set_goal`.
pub(super) fn services(hub: &Hub, robot: &Arc<Mutex<Simulation>>) -> anyhow::Result<Running> {
    /// A point of the map, in metres.
    #[derive(Deserialize)]
    struct Goal {
        x: f64,
        y: f64,
    }
    const NOTHING: &str = r#"{"type":"object"}"#;
    const GOAL: &str = r#"{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}}}"#;
    const ANSWER: &str =
        r#"{"type":"object","properties":{"success":{"type":"boolean"},"message":{"type":"string"}}}"#;
    let registry = hub.provide_services()?;
    let add = |name: &str, service_type: &str, request: &str, call: fn(&mut Simulation, Value) -> Answer| {
        let robot = robot.clone();
        services::add(&registry, name, service_type, [request, ANSWER], move |asked| {
            call(&mut lock(&robot), asked)
        })
    };
    Ok(Box::new([
        add("/drive/honk", "drive/Honk", NOTHING, |robot, _| {
            robot.honk();
            Ok(json!({"success": true, "message": "honk!"}))
        })?,
        add("/drive/reset", "drive/Reset", NOTHING, |robot, _| {
            robot.reset();
            Ok(json!({"success": true, "message": "back at the start"}))
        })?,
        add("/drive/set_goal", "drive/SetGoal", GOAL, |robot, asked| {
            // what viewers show of a call that fails is an answer that says so
            let Ok(Goal { x, y }) = serde_json::from_value(asked) else {
                return Ok(json!({"success": false, "message": "x and y are needed, in metres on the map"}));
            };
            let ahead = robot.set_goal([x, y]);
            Ok(json!({"success": true, "message": format!("{ahead:.0} m ahead")}))
        })?,
    ]))
}

/// Takes what viewers publish to lead the robot, or to send it somewhere.
pub(super) struct Commands {
    robot: Arc<Mutex<Simulation>>,
    /// Ids are unique within one client.
    topics: Mutex<HashMap<(ClientId, ClientChannelId), Wish>>,
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// `geometry_msgs/Twist`: drive like this for a moment.
    Lead,
    /// `geometry_msgs/PoseStamped`, `PoseWithCovarianceStamped` or `PointStamped`: go there.
    GoTo,
}

impl Wish {
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

impl Commands {
    pub(super) fn new(robot: &Arc<Mutex<Simulation>>) -> Self {
        Self { robot: robot.clone(), topics: Mutex::default() }
    }
}

impl ClientPublish for Commands {
    fn encodings(&self) -> Vec<String> {
        vec!["json".to_owned()]
    }

    fn advertise(&self, client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        let wish = Wish::of(&channel.topic).filter(|_| channel.encoding == "json");
        let wish = wish
            .ok_or("of JSON, /cmd_vel, /goal_pose, /move_base_simple/goal, /initialpose and /clicked_point are taken")?;
        lock(&self.topics).insert((client, channel.id), wish);
        Ok(())
    }

    fn unadvertise(&self, client: ClientId, channel: ClientChannelId) {
        lock(&self.topics).remove(&(client, channel));
    }

    fn message(&self, client: ClientId, channel: ClientChannelId, payload: Bytes) {
        let Some(wish) = lock(&self.topics).get(&(client, channel)).copied() else { return };
        let message = serde_json::from_slice(&payload).map_err(|error| error.to_string());
        let done = message.and_then(|message| wish.carry_out(&mut lock(&self.robot), &message));
        if let Err(error) = done {
            tracing::warn!("a message of a viewer can't be used: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::drive::simulation::Mode;

    #[test]
    fn what_viewers_publish_is_carried_out() {
        let mut robot = Simulation::new();
        let twist =
            json!({"linear": {"x": 2.0, "y": 0.0, "z": 0.0}, "angular": {"x": 0.0, "y": 0.0, "z": 0.3}});
        Wish::Lead.carry_out(&mut robot, &twist).unwrap();
        assert!(matches!(robot.mode, Mode::Led(_)));
        let goal = json!({"pose": {"position": {"x": 40.0, "y": -26.0, "z": 0.0}}});
        Wish::GoTo.carry_out(&mut robot, &goal).unwrap();
        let [x, y] = robot.goal_point().unwrap();
        assert!((x - 40.0).hypot(y + 26.0) < 6.0, "{x} {y}");
        let pose = json!({"pose": {"pose": goal["pose"], "covariance": []}});
        Wish::GoTo.carry_out(&mut robot, &pose).unwrap();
        assert!(Wish::GoTo.carry_out(&mut robot, &json!({})).is_err());
        let point = json!({"point": {"x": -40.0, "y": 21.0}});
        Wish::GoTo.carry_out(&mut robot, &point).unwrap();
        assert!(robot.goal_point().unwrap()[0] < 0.0);
        assert!(Wish::Lead.carry_out(&mut robot, &json!({"linear": {}})).unwrap_err().contains("/linear/x"));
        assert_eq!(Wish::of("/cmd_vel"), Some(Wish::Lead));
        assert_eq!(Wish::of("/chatter"), None);
    }
}
