//! Figures for plots, as JSON.

use serde::Serialize;

use super::simulation::{Lamp, Mode, Reason, Simulation};

/// How the robot drives.
#[derive(Debug, Serialize)]
pub(crate) struct Motion {
    speed_kmh: f64,
    acceleration: f64,
    steering_degrees: f64,
    heading_degrees: f64,
    odometer: f64,
    x: f64,
    y: f64,
}

/// JSON Schema of [`Motion`].
pub(crate) const MOTION: &str = r#"{"type":"object","properties":{
    "speed_kmh":{"type":"number"},"acceleration":{"type":"number","description":"m/s²"},
    "steering_degrees":{"type":"number","description":"positive: left"},"heading_degrees":{"type":"number"},
    "odometer":{"type":"number","description":"m"},"x":{"type":"number"},"y":{"type":"number"}}}"#;

impl Motion {
    pub(crate) fn of(simulation: &Simulation) -> Self {
        let vehicle = &simulation.vehicle;
        Self {
            speed_kmh: 3.6 * vehicle.speed,
            acceleration: vehicle.acceleration,
            steering_degrees: vehicle.steering.to_degrees(),
            heading_degrees: vehicle.heading.to_degrees(),
            odometer: vehicle.odometer,
            x: vehicle.point[0],
            y: vehicle.point[1],
        }
    }
}

/// What the robot is about.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    mode: &'static str,
    battery_percent: f64,
    lap: f64,
    next_stop_metres: f64,
    lamp: bool,
    fox: bool,
}

/// JSON Schema of [`State`].
pub(crate) const STATE: &str = r#"{"type":"object","properties":{
    "mode":{"type":"string"},"battery_percent":{"type":"number"},"lap":{"type":"number"},
    "next_stop_metres":{"type":"number"},"lamp":{"type":"boolean"},"fox":{"type":"boolean"}}}"#;

impl State {
    pub(crate) fn of(simulation: &Simulation) -> Self {
        let mode = match simulation.mode {
            Mode::Alone => "drives",
            Mode::Led(_) => "is led",
            Mode::Waits(_, Reason::Letter(_)) => "delivers",
            Mode::Waits(_, Reason::Goal) => "waits at the goal",
            Mode::Waits(_, Reason::Charge) => "charges",
        };
        Self {
            mode,
            battery_percent: 100.0 * simulation.battery,
            lap: (simulation.along / simulation.world.lane.length).floor() + 1.0,
            next_stop_metres: simulation.metres_to_stop(),
            lamp: simulation.settings.lamp == Lamp::On,
            fox: simulation.fox.is_some(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Axes {
    x: f64,
    y: f64,
    z: f64,
}

/// Acceleration in m/s², with that of gravity, and turning in rad/s.
#[derive(Debug, Serialize)]
pub(crate) struct Imu {
    linear_acceleration: Axes,
    angular_velocity: Axes,
}

/// JSON Schema of [`Imu`].
pub(crate) const IMU: &str = r#"{"type":"object","properties":{
    "linear_acceleration":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"},"z":{"type":"number"}}},
    "angular_velocity":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"},"z":{"type":"number"}}}}}"#;

impl Imu {
    pub(crate) fn of(simulation: &Simulation) -> Self {
        let (vehicle, now) = (&simulation.vehicle, simulation.time);
        // the road shakes it
        let shake =
            |pitch: f64| 0.04 * vehicle.speed.abs() * (now * pitch).sin() * (now * 0.61 * pitch).cos();
        Self {
            linear_acceleration: Axes {
                x: vehicle.acceleration + shake(71.0),
                y: vehicle.speed * vehicle.yaw_rate() + shake(83.0),
                z: 9.81 + 2.0 * shake(97.0),
            },
            angular_velocity: Axes { x: 0.1 * shake(61.0), y: 0.1 * shake(53.0), z: vehicle.yaw_rate() },
        }
    }
}
