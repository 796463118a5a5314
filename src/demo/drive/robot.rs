//! The robot as viewers see it: its frames, and the body that is fixed to them.

use std::f64::consts::{FRAC_PI_2, PI};

use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

use super::camera::view;
use super::lidar;
use super::simulation::Simulation;
use super::vehicle::{WHEEL, WHEELBASE};
use crate::demo::messages::{Rotation, about, colour, point, pose, rotation, then, time};

/// Half the distance between the wheels of an axle, in metres.
const HALF_TRACK: f64 = 0.62;

/// Names of the wheels, with where they are: ahead of the rear axle, to the left.
const WHEELS: [(&str, f64, f64); 4] = [
    ("wheel_front_left", WHEELBASE, HALF_TRACK),
    ("wheel_front_right", WHEELBASE, -HALF_TRACK),
    ("wheel_rear_left", 0.0, HALF_TRACK),
    ("wheel_rear_right", 0.0, -HALF_TRACK),
];

/// From ahead, left, up to the camera's right, down, ahead.
pub(crate) const OPTICAL: Rotation = [-0.5, 0.5, -0.5, 0.5];

const WHITE: [f64; 3] = [0.95, 0.94, 0.91];
const ORANGE: [f64; 3] = [0.95, 0.49, 0.13];
const DARK: [f64; 3] = [0.16, 0.17, 0.20];
const GLASS: [f64; 3] = [0.22, 0.34, 0.42];

fn transform(at: Timestamp, parent: &str, child: &str, moved: [f64; 3], turned: Rotation) -> Value {
    json!({
        "timestamp": time(at), "parent_frame_id": parent, "child_frame_id": child,
        "translation": point(moved), "rotation": rotation(turned),
    })
}

/// The frames that move, as `foxglove.FrameTransforms`: the robot on the map, and its wheels.
pub(crate) fn frames(simulation: &Simulation, at: Timestamp) -> Value {
    let vehicle = &simulation.vehicle;
    // what the wheels tell drifts from where the robot is
    let (x, y) = (0.6 * (simulation.time / 47.0).sin(), 0.4 * (simulation.time / 31.0).sin());
    let turned = 0.01 * (simulation.time / 59.0).sin();
    let (sin, cos) = turned.sin_cos();
    let (dx, dy) = (vehicle.point[0] - x, vehicle.point[1] - y);
    let in_odom = [cos * dx + sin * dy, cos * dy - sin * dx, 0.0];
    let mut frames = vec![
        transform(at, "map", "odom", [x, y, 0.0], about(2, turned)),
        transform(at, "odom", "base_link", in_odom, about(2, vehicle.heading - turned)),
    ];
    for (name, ahead, left) in WHEELS {
        let steered = if ahead > 0.0 { vehicle.steering } else { 0.0 };
        let turned = then(about(2, steered), about(1, vehicle.rolled));
        frames.push(transform(at, "base_link", name, [ahead, left, WHEEL], turned));
    }
    json!({"transforms": frames})
}

/// The frames of what is mounted on the robot, as `foxglove.FrameTransforms`.
pub(crate) fn mounts(at: Timestamp) -> Value {
    let mount = |name: &str, moved, turned| transform(at, "base_link", name, moved, turned);
    let level = about(2, 0.0);
    json!({"transforms": [
        mount("lidar", lidar::MOUNT, level),
        mount("bumper", lidar::BUMPER, level),
        mount("camera", view::MOUNT, OPTICAL),
        mount("gps", [0.2, 0.0, 1.4], level),
        mount("imu", [0.85, 0.0, 0.5], level),
    ]})
}

/// The body, as a `foxglove.SceneUpdate` that is sent once: it moves with its frames.
pub(crate) fn body(at: Timestamp) -> Value {
    let cube = |place, size, tint| json!({"pose": pose(place, about(2, 0.0)), "size": point(size), "color": colour(tint, 1.0)});
    let ball = |place, size, tint| json!({"pose": pose(place, about(2, 0.0)), "size": point([size; 3]), "color": colour(tint, 1.0)});
    let upright = |place, size, top: f64, tint| {
        json!({
            "pose": pose(place, about(2, 0.0)), "size": point(size), "bottom_scale": 1.0, "top_scale": top,
            "color": colour(tint, 1.0),
        })
    };
    let front = 0.85 + 1.3;
    let chassis = json!({
        "timestamp": time(at), "frame_id": "base_link", "id": "chassis", "frame_locked": true,
        "cubes": [
            cube([0.85, 0.0, 0.32], [2.5, 1.0, 0.14], DARK),
            cube([0.85, 0.0, 0.62], [2.6, 1.12, 0.5], WHITE),
            cube([0.85, 0.0, 0.62], [2.62, 1.14, 0.12], ORANGE),
            cube([0.72, 0.0, 1.04], [1.56, 1.0, 0.36], GLASS),
            cube([0.72, 0.0, 1.25], [1.66, 1.1, 0.08], WHITE),
            cube([0.72, 0.0, 1.30], [1.66, 0.16, 0.03], ORANGE),
            cube([front, 0.0, 0.36], [0.1, 1.1, 0.2], DARK),
            cube([0.85 - 1.3, 0.42, 0.74], [0.06, 0.16, 0.12], [0.85, 0.12, 0.12]),
            cube([0.85 - 1.3, -0.42, 0.74], [0.06, 0.16, 0.12], [0.85, 0.12, 0.12]),
            // the camera
            cube([1.5, 0.0, 1.34], [0.12, 0.18, 0.12], DARK),
        ],
        "spheres": [
            ball([front, 0.40, 0.70], 0.24, [1.0, 0.93, 0.62]),
            ball([front, -0.40, 0.70], 0.24, [1.0, 0.93, 0.62]),
            ball([-0.2, 0.42, 2.02], 0.10, ORANGE),
        ],
        "cylinders": [
            upright([0.75, 0.0, 1.38], [0.34, 0.34, 0.16], 0.9, DARK),
            upright([0.75, 0.0, 1.53], [0.30, 0.30, 0.14], 1.0, [0.30, 0.62, 0.66]),
            upright([0.75, 0.0, 1.63], [0.32, 0.32, 0.06], 0.8, DARK),
            upright([-0.2, 0.42, 1.65], [0.03, 0.03, 0.75], 1.0, DARK),
        ],
    });
    let wheels = WHEELS.iter().map(|(name, ..)| wheel(at, name));
    json!({"entities": std::iter::once(chassis).chain(wheels).collect::<Vec<_>>()})
}

/// A wheel with spokes, so that one sees it turn.
fn wheel(at: Timestamp, name: &str) -> Value {
    let lying = about(0, FRAC_PI_2);
    let disc = |wide: f64, thick: f64, tint| {
        json!({
            "pose": pose([0.0; 3], lying), "size": point([wide, wide, thick]), "bottom_scale": 1.0,
            "top_scale": 1.0, "color": colour(tint, 1.0),
        })
    };
    let spoke = |i: u32| {
        let turned = about(1, PI * f64::from(i) / 3.0);
        json!({
            "pose": pose([0.0; 3], turned), "size": point([1.3 * WHEEL, 0.25, 0.07]), "color": colour(ORANGE, 1.0),
        })
    };
    json!({
        "timestamp": time(at), "frame_id": name, "id": name, "frame_locked": true,
        "cylinders": [disc(2.0 * WHEEL, 0.22, DARK), disc(1.3 * WHEEL, 0.235, [0.82, 0.83, 0.85])],
        "cubes": [spoke(0), spoke(1), spoke(2)],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::demo::drive::simulation::STEP;

    fn all(simulation: &Simulation) -> Vec<Value> {
        let sets = [frames(simulation, Timestamp(1)), mounts(Timestamp(1))];
        sets.iter().flat_map(|set| set["transforms"].as_array().unwrap().clone()).collect()
    }

    #[test]
    fn the_frames_are_one_tree_that_holds_all_that_is_used() {
        let transforms = all(&Simulation::new());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let parents: BTreeMap<String, String> =
            transforms.iter().map(|t| (text(&t["child_frame_id"]), text(&t["parent_frame_id"]))).collect();
        assert_eq!(parents.len(), transforms.len(), "a frame with two parents");
        let used = body(Timestamp(1))["entities"].as_array().unwrap().clone();
        let used = used.iter().map(|entity| text(&entity["frame_id"])).chain(parents.keys().cloned());
        for frame in used {
            let mut above = frame.clone();
            for _ in 0..5 {
                above = parents.get(&above).cloned().unwrap_or(above);
            }
            assert_eq!(above, "map", "{frame} hangs in the air");
        }
    }

    #[test]
    fn frames_never_jump() {
        let mut simulation = Simulation::new();
        let mut before = all(&simulation);
        for _ in 0..(40.0 / STEP) as usize {
            simulation.step();
            let now = all(&simulation);
            for (a, b) in before.iter().zip(&now) {
                let part = |value: &Value, set: &str, axis: &str| value[set][axis].as_f64().unwrap();
                let moved =
                    ["x", "y", "z"].map(|axis| part(a, "translation", axis) - part(b, "translation", axis));
                let dot: f64 = ["x", "y", "z", "w"]
                    .map(|axis| part(a, "rotation", axis) * part(b, "rotation", axis))
                    .iter()
                    .sum();
                let length: f64 = moved.iter().map(|moved| moved * moved).sum();
                assert!(length.sqrt() < 0.12, "{b} at {}", simulation.time);
                // the wheels turn by 0.3 rad at most
                assert!(dot.abs() > 0.98, "{a} {b} at {}", simulation.time);
            }
            before = now;
        }
    }
}
