//! What changes in the scene: the way ahead, a goal, the fox, the horn. What is gone is deleted.

use std::collections::BTreeSet;
use std::f64::consts::FRAC_PI_2;

use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

use super::simulation::{Mode, Reason, Simulation};
use super::story::Fox;
use super::world::World;
use crate::demo::messages::{about, colour, origin, point, pose, time};

const VIOLET: [f64; 3] = [0.86, 0.20, 0.45];
const BLUE: [f64; 3] = [0.20, 0.62, 0.95];
const YELLOW: [f64; 3] = [1.0, 0.84, 0.30];

/// Entities that viewers have.
#[derive(Debug, Default)]
pub(crate) struct Live {
    shown: BTreeSet<&'static str>,
}

impl Live {
    /// What has changed, as a `foxglove.SceneUpdate`.
    pub(crate) fn update(&mut self, simulation: &Simulation, at: Timestamp) -> Value {
        let mut entities = vec![("plan", "map", plan(simulation)), ("label", "base_link", label(simulation))];
        entities.extend(simulation.goal_point().map(|goal| ("goal", "map", flag(goal))));
        entities.extend(
            simulation.fox.map(|found| ("fox", "map", fox(&found, &simulation.world, simulation.time))),
        );
        let honks = simulation.horn > 0.0;
        entities.extend(honks.then(|| ("horn", "base_link", horn(simulation.horn))));
        let now: BTreeSet<_> = entities.iter().map(|(id, ..)| *id).collect();
        let deletions: Vec<_> = self
            .shown
            .difference(&now)
            .map(|id| json!({"timestamp": time(at), "type": "MATCHING_ID", "id": id}))
            .collect();
        self.shown = now;
        let entities: Vec<_> = entities
            .into_iter()
            .map(|(id, frame, mut parts)| {
                parts["id"] = id.into();
                parts["frame_id"] = frame.into();
                parts["timestamp"] = time(at);
                parts["frame_locked"] = true.into();
                parts
            })
            .collect();
        json!({"deletions": deletions, "entities": entities})
    }
}

/// The way ahead, as a `foxglove.PosesInFrame`.
pub(crate) fn poses(simulation: &Simulation, at: Timestamp) -> Value {
    let plan = simulation.plan();
    let poses = plan.windows(2).map(|pair| {
        let heading = (pair[1][1] - pair[0][1]).atan2(pair[1][0] - pair[0][0]);
        pose([pair[0][0], pair[0][1], 0.1], about(2, heading))
    });
    json!({"timestamp": time(at), "frame_id": "map", "poses": poses.collect::<Vec<_>>()})
}

fn plan(simulation: &Simulation) -> Value {
    let plan = simulation.plan();
    let points: Vec<_> = plan.iter().map(|[x, y]| point([*x, *y, 0.06])).collect();
    json!({"lines": [{
        "type": "LINE_STRIP", "pose": origin(), "thickness": 0.3, "scale_invariant": false, "points": points,
        "color": colour(BLUE, 1.0),
    }]})
}

/// A word over the robot.
fn label(simulation: &Simulation) -> Value {
    let speed = format!("{:.0} km/h", 3.6 * simulation.vehicle.speed.abs());
    let text = match simulation.mode {
        Mode::Alone if simulation.fox.is_some() && simulation.vehicle.speed < 0.5 => "after you".to_owned(),
        Mode::Alone => speed,
        Mode::Led(_) => format!("led: {speed}"),
        Mode::Waits(_, Reason::Letter(_)) => "mail!".to_owned(),
        Mode::Waits(_, Reason::Goal) => "here I am".to_owned(),
        Mode::Waits(_, Reason::Charge) => format!("charging: {:.0} %", 100.0 * simulation.battery),
    };
    json!({"texts": [{
        "pose": pose([0.7, 0.0, 2.5], about(2, 0.0)), "billboard": true, "font_size": 0.55,
        "color": colour([1.0, 1.0, 1.0], 1.0), "text": text,
    }]})
}

fn flag([x, y]: [f64; 2]) -> Value {
    let upright = |at, wide: f64, high: f64, tint| {
        json!({
            "pose": pose(at, about(2, 0.0)), "size": point([wide, wide, high]), "bottom_scale": 1.0, "top_scale": 1.0,
            "color": colour(tint, 1.0),
        })
    };
    json!({
        "cylinders": [upright([x, y, 1.2], 0.08, 2.4, [0.9; 3]), upright([x, y, 0.02], 1.6, 0.04, VIOLET)],
        "cubes": [{
            "pose": pose([x + 0.45, y, 2.1], about(2, 0.0)), "size": point([0.9, 0.05, 0.55]), "color": colour(VIOLET, 1.0),
        }],
    })
}

fn horn(left: f64) -> Value {
    let size = 0.7 + 0.25 * (left * 14.0).sin();
    json!({"texts": [{
        "pose": pose([2.3, 0.0, 1.6], about(2, 0.0)), "billboard": true, "font_size": size,
        "color": colour(YELLOW, 1.0), "text": "HONK!",
    }]})
}

fn fox(fox: &Fox, world: &World, seconds: f64) -> Value {
    const ORANGE: [f64; 3] = [0.95, 0.49, 0.13];
    const CREAM: [f64; 3] = [0.98, 0.95, 0.90];
    const BROWN: [f64; 3] = [0.45, 0.22, 0.08];
    let ([x, y], heading) = (fox.point(world), fox.heading(world));
    let turned = about(2, heading);
    let (sin, cos) = heading.sin_cos();
    let place =
        |ahead: f64, left: f64, up: f64| [x + cos * ahead - sin * left, y + sin * ahead + cos * left, up];
    let ball = |at: [f64; 3], size: [f64; 3], tint| json!({"pose": pose(at, turned), "size": point(size), "color": colour(tint, 1.0)});
    let ear = |left: f64, up: f64, ahead: f64| {
        json!({
            "pose": pose(place(ahead, left, up), turned), "size": point([0.12, 0.12, 0.18]), "bottom_scale": 1.0,
            "top_scale": 0.0, "color": colour(BROWN, 1.0),
        })
    };
    if fox.sits() {
        return json!({
            "spheres": [
                ball(place(0.0, 0.0, 0.28), [0.38, 0.38, 0.56], ORANGE),
                ball(place(0.08, 0.0, 0.28), [0.28, 0.26, 0.44], CREAM),
                ball(place(0.08, 0.0, 0.66), [0.34, 0.32, 0.28], ORANGE),
                ball(place(0.24, 0.0, 0.62), [0.22, 0.13, 0.11], CREAM),
                ball(place(-0.22, 0.22, 0.14), [0.5, 0.2, 0.2], ORANGE),
                ball(place(-0.42, 0.30, 0.15), [0.2, 0.16, 0.16], CREAM),
            ],
            "cylinders": [ear(0.10, 0.84, 0.06), ear(-0.10, 0.84, 0.06)],
        });
    }
    let step = 0.08 * (seconds * 9.0).sin();
    let leg = |ahead: f64, left: f64, moved: f64| {
        json!({
            "pose": pose(place(ahead + moved, left, 0.13), turned), "size": point([0.07, 0.07, 0.26]),
            "bottom_scale": 1.0, "top_scale": 1.0, "color": colour(BROWN, 1.0),
        })
    };
    let tail = about(2, heading + 0.3 * (seconds * 3.0).sin() + FRAC_PI_2 * 2.0);
    json!({
        "spheres": [
            ball(place(0.0, 0.0, 0.36), [0.78, 0.30, 0.28], ORANGE),
            ball(place(0.40, 0.0, 0.50), [0.30, 0.28, 0.24], ORANGE),
            ball(place(0.54, 0.0, 0.46), [0.20, 0.11, 0.10], CREAM),
            json!({"pose": pose(place(-0.55, 0.0, 0.38), tail), "size": point([0.5, 0.18, 0.18]), "color": colour(ORANGE, 1.0)}),
            ball(place(-0.76, 0.0, 0.39), [0.2, 0.15, 0.15], CREAM),
        ],
        "cylinders": [
            ear(0.08, 0.66, 0.38), ear(-0.08, 0.66, 0.38),
            leg(0.25, 0.09, step), leg(0.25, -0.09, -step), leg(-0.25, 0.09, -step), leg(-0.25, -0.09, step),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_deleted_once() {
        let (mut live, mut simulation) = (Live::default(), Simulation::new());
        let ids = |set: &Value| -> Vec<String> {
            set.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
        };
        simulation.honk();
        let update = live.update(&simulation, Timestamp(1));
        assert!(ids(&update["entities"]).contains(&"horn".to_owned()), "{update}");
        let mut deleted = Vec::new();
        for _ in 0..200 {
            simulation.step();
            let update = live.update(&simulation, Timestamp(2));
            deleted.extend(ids(&update["deletions"]));
        }
        assert_eq!(deleted, ["horn"]);
    }
}
