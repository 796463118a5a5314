//! How the robot moves: a bicycle model whose speed and steering change gently.

use super::track::{Point, turn};

/// Between the axles, in metres.
pub(crate) const WHEELBASE: f64 = 1.7;

/// Radius of the wheels, in metres.
pub(crate) const WHEEL: f64 = 0.34;

/// The sharpest steering, in radians.
pub(crate) const MOST_STEERING: f64 = 0.6;

/// How fast it steers, in radians per second.
const STEERING_RATE: f64 = 1.2;

/// Limits of braking and of speeding up, in m/s².
const BRAKING: f64 = 3.0;
const SPEEDING_UP: f64 = 1.4;

/// How fast the acceleration changes, in m/s³.
const JERK: f64 = 6.0;

/// What the robot is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Command {
    /// In m/s; negative: back.
    pub(crate) speed: f64,
    /// Of the front wheels, in radians; positive: to the left.
    pub(crate) steering: f64,
}

/// The middle of the rear axle, on the ground, and how it moves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Vehicle {
    pub(crate) point: Point,
    pub(crate) heading: f64,
    pub(crate) speed: f64,
    pub(crate) acceleration: f64,
    pub(crate) steering: f64,
    /// How far the wheels have turned, in radians.
    pub(crate) rolled: f64,
    /// Metres since the start.
    pub(crate) odometer: f64,
}

impl Vehicle {
    /// How fast it turns, in radians per second.
    pub(crate) fn yaw_rate(&self) -> f64 {
        self.speed * self.steering.tan() / WHEELBASE
    }

    /// Moves on by a short time, in seconds.
    pub(crate) fn step(&mut self, command: Command, time: f64) {
        let change = (command.steering.clamp(-MOST_STEERING, MOST_STEERING) - self.steering) * 5.0;
        self.steering += change.clamp(-STEERING_RATE, STEERING_RATE) * time;
        let wanted = ((command.speed - self.speed) * 2.0).clamp(-BRAKING, SPEEDING_UP);
        self.acceleration += (wanted - self.acceleration).clamp(-JERK * time, JERK * time);
        let before = self.speed;
        self.speed += self.acceleration * time;
        if command.speed == 0.0 && (before * self.speed <= 0.0 || self.speed.abs() < 0.02) {
            (self.speed, self.acceleration) = (0.0, 0.0);
        }
        let way = self.speed * time;
        let heading = self.heading + self.yaw_rate() * time / 2.0;
        self.point = [self.point[0] + way * heading.cos(), self.point[1] + way * heading.sin()];
        self.heading = turn(self.heading + self.yaw_rate() * time);
        self.rolled = (self.rolled + way / WHEEL).rem_euclid(std::f64::consts::TAU);
        self.odometer += way.abs();
    }

    /// A point given by metres before it and to the left of it, on the map.
    pub(crate) fn on_map(&self, [forward, left]: Point) -> Point {
        let (sin, cos) = self.heading.sin_cos();
        [self.point[0] + cos * forward - sin * left, self.point[1] + sin * forward + cos * left]
    }

    /// A point of the map, by metres before the robot and to the left of it.
    pub(crate) fn in_own_frame(&self, point: Point) -> Point {
        let (sin, cos) = self.heading.sin_cos();
        let (dx, dy) = (point[0] - self.point[0], point[1] - self.point[1]);
        [cos * dx + sin * dy, cos * dy - sin * dx]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speeds_up_gently_and_stops() {
        let mut vehicle = Vehicle::default();
        for speed in [5.0, 0.0] {
            for _ in 0..600 {
                let before = vehicle;
                vehicle.step(Command { speed, steering: 0.0 }, 1.0 / 60.0);
                let change = (vehicle.speed - before.speed) * 60.0;
                assert!(change > -BRAKING - 0.01 && change < SPEEDING_UP + 0.01, "{change} m/s²");
            }
            assert!((vehicle.speed - speed).abs() < 0.01, "{}", vehicle.speed);
        }
        assert_eq!((vehicle.speed, vehicle.point[1]), (0.0, 0.0));
        assert!((vehicle.odometer - vehicle.point[0]).abs() < 1e-9);
    }

    #[test]
    fn it_drives_circles_of_the_radius_that_it_steers() {
        let (mut vehicle, steering) = (Vehicle::default(), 0.3f64);
        let radius = WHEELBASE / steering.tan();
        for _ in 0..6000 {
            vehicle.step(Command { speed: 2.0, steering }, 1.0 / 60.0);
            let from_middle = vehicle.point[0].hypot(vehicle.point[1] - radius);
            assert!((from_middle - radius).abs() < 0.6, "{from_middle} of {radius}");
        }
    }

    #[test]
    fn points_go_to_the_map_and_back() {
        let vehicle = Vehicle { point: [3.0, -2.0], heading: 2.0, ..Vehicle::default() };
        let [x, y] = vehicle.in_own_frame(vehicle.on_map([5.0, 1.0]));
        assert!((x - 5.0).abs() < 1e-9 && (y - 1.0).abs() < 1e-9);
    }
}
