//! `demo protobuf`: messages of the schemas that viewers draw, sent as protobuf. What is logged is their JSON mapping.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

use super::messages::{about, colour, point, pose, rotation, time};
use super::{Running, Ticker};

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let scene = hub.channel("/scene").builtin("foxglove.SceneUpdate")?;
    let frames = hub.channel("/tf").builtin("foxglove.FrameTransforms")?;
    let log = hub.channel("/log").builtin("foxglove.Log")?;
    let mut count = 0u32;
    let ticker = Ticker::start(Duration::from_millis(40), move || {
        let (now, seconds) = (Timestamp::now(), f64::from(count) / 25.0);
        frames.log_at(now, &turntable(seconds, now));
        scene.log_at(now, &cubes(seconds, now));
        if count.is_multiple_of(125) {
            let message = format!("{seconds:.0} s have passed");
            log.log_at(
                now,
                &json!({"timestamp": time(now), "level": "INFO", "name": "demo", "message": message}),
            );
        }
        count += 1;
    })?;
    Ok(Box::new(ticker))
}

/// A frame that turns.
fn turntable(seconds: f64, now: Timestamp) -> Value {
    json!({"transforms": [{
        "timestamp": time(now), "parent_frame_id": "root", "child_frame_id": "turntable",
        "translation": point([0.0, 0.0, 1.0]), "rotation": rotation(about(2, 0.5 * seconds)),
    }]})
}

/// Cubes in that frame, in all colours.
fn cubes(seconds: f64, now: Timestamp) -> Value {
    const CUBES: u32 = 12;
    let cubes = (0..CUBES).map(|i| {
        let part = f64::from(i) / f64::from(CUBES);
        let (sin, cos) = (std::f64::consts::TAU * part).sin_cos();
        let height = 0.4 * (2.0 * seconds + 12.0 * part).sin();
        let tint =
            [0.0, 1.0, 2.0].map(|third| 0.6 + 0.35 * (std::f64::consts::TAU * (part + third / 3.0)).cos());
        let place = pose([2.0 * cos, 2.0 * sin, height], about(2, std::f64::consts::TAU * part));
        json!({"pose": place, "size": point([0.5; 3]), "color": colour(tint, 1.0)})
    });
    let text = json!({
        "pose": pose([0.0; 3], about(2, 0.0)), "billboard": true, "font_size": 0.5, "text": format!("{seconds:.1} s"),
        "color": colour([1.0, 1.0, 1.0], 1.0),
    });
    json!({"entities": [{
        "timestamp": time(now), "frame_id": "turntable", "id": "cubes", "frame_locked": true,
        "cubes": cubes.collect::<Vec<_>>(), "texts": [text],
    }]})
}
