//! What the robot's instruments tell: messages for point clouds, pictures, GPS, plots.

use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

use super::camera::view::{CENTRE, FOCAL, HEIGHT, MOUNT, View, WIDTH};
use super::lidar::{BEAMS, Hit, RANGE, beam_azimuth};
use super::simulation::Simulation;
use super::story::{Level, Line};
use super::track::Point;
use super::world::Shape;
use crate::demo::messages::{about, bytes, colour, fields, origin, pose, time};

/// As `foxglove.PointCloud`.
pub(crate) fn cloud(hits: &[Hit], at: Timestamp) -> Value {
    let mut data = Vec::with_capacity(16 * hits.len());
    for Hit { point, intensity } in hits {
        point.iter().chain([intensity]).for_each(|part| data.extend_from_slice(&part.to_le_bytes()));
    }
    json!({
        "timestamp": time(at), "frame_id": "lidar", "pose": origin(), "point_stride": 16,
        "fields": fields(["x", "y", "z", "intensity"], "FLOAT32", 4), "data": bytes(&data),
    })
}

/// As `foxglove.LaserScan`.
pub(crate) fn scan(ranges: &[f64], at: Timestamp) -> Value {
    // what nothing is hit in is left out by viewers if it is not a number that they can draw
    let ranges: Vec<Value> =
        ranges.iter().map(|range| if *range < RANGE { (*range).into() } else { "Infinity".into() }).collect();
    json!({
        "timestamp": time(at), "frame_id": "bumper", "pose": origin(),
        "start_angle": beam_azimuth(0), "end_angle": beam_azimuth(BEAMS - 1), "ranges": ranges,
    })
}

/// As `foxglove.CompressedImage`.
pub(crate) fn image(jpeg: &[u8], at: Timestamp) -> Value {
    json!({"timestamp": time(at), "frame_id": "camera", "format": "jpeg", "data": bytes(jpeg)})
}

/// The camera, as `foxglove.CameraCalibration`.
pub(crate) fn calibration(at: Timestamp) -> Value {
    let [f, cx, cy] = [FOCAL, CENTRE[0], CENTRE[1]].map(f64::from);
    json!({
        "timestamp": time(at), "frame_id": "camera", "width": WIDTH, "height": HEIGHT,
        "distortion_model": "plumb_bob", "D": [0.0, 0.0, 0.0, 0.0, 0.0],
        "K": [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0], "R": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "P": [f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    })
}

/// Something that the camera recognises: its name, colour, place, half its width, its height.
struct Seen {
    name: String,
    tint: [f64; 3],
    point: Point,
    half: f64,
    height: f64,
}

/// How far the camera recognises things, in metres, and how many.
const RECOGNISES: f64 = 38.0;
const MOST_BOXES: usize = 7;

/// Boxes round what the camera recognises, as `foxglove.ImageAnnotations`.
pub(crate) fn annotations(simulation: &Simulation, at: Timestamp) -> Value {
    let world = &simulation.world;
    let seen =
        |name: &str, tint, point, half, height| Seen { name: name.to_owned(), tint, point, half, height };
    let mut all: Vec<Seen> = Vec::new();
    all.extend(world.trees.iter().map(|tree| {
        let name = if tree.shape == Shape::Pine { "pine" } else { "tree" };
        seen(name, [0.45, 0.85, 0.40], tree.point, tree.radius, tree.height)
    }));
    all.extend(
        world.houses.iter().map(|house| seen("house", [0.45, 0.75, 1.0], house.point, 4.2, house.heights[1])),
    );
    all.extend(world.cones.iter().map(|cone| seen("cone", [1.0, 0.60, 0.20], *cone, 0.25, 0.6)));
    all.extend(
        world.mailboxes.iter().map(|mailbox| seen("mailbox", [1.0, 0.85, 0.25], mailbox.point, 0.28, 1.3)),
    );
    all.extend(simulation.fox.iter().map(|fox| seen("fox", [1.0, 0.35, 0.55], fox.point(world), 0.5, 0.85)));
    let view = View::of(&simulation.vehicle);
    let mut near: Vec<_> = all
        .into_iter()
        .filter_map(|seen| {
            let [right, _, ahead] = view.seen([seen.point[0], seen.point[1], 0.0]).map(f64::from);
            let (x, y) = (f64::from(CENTRE[0]) + f64::from(FOCAL) * right / ahead, f64::from(CENTRE[1]));
            let scale = f64::from(FOCAL) / ahead;
            let edges = [
                (x - seen.half * scale).max(1.0),
                (y + (MOUNT[2] - seen.height) * scale).max(1.0),
                (x + seen.half * scale).min(WIDTH as f64 - 1.0),
                (y + MOUNT[2] * scale).min(HEIGHT as f64 - 1.0),
            ];
            let is_within = (2.0..RECOGNISES).contains(&ahead) && x > 4.0 && x < WIDTH as f64 - 4.0;
            is_within.then_some((ahead, edges, seen))
        })
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.truncate(MOST_BOXES);
    let (mut points, mut texts, mut cones_are_named) = (Vec::new(), Vec::new(), false);
    for (ahead, [left, top, right, bottom], Seen { name, tint, .. }) in near {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        let corners: Vec<_> = corners.iter().map(|(x, y)| json!({"x": x, "y": y})).collect();
        points.push(json!({
            "timestamp": time(at), "type": "LINE_LOOP", "points": corners, "outline_color": colour(tint, 1.0),
            "fill_color": colour(tint, 0.08), "thickness": 1.5,
        }));
        // a row of cones is named once
        if name == "cone" && std::mem::replace(&mut cones_are_named, true) {
            continue;
        }
        texts.push(json!({
            "timestamp": time(at), "position": {"x": left, "y": (top - 2.0).max(10.0)},
            "text": format!("{name} {ahead:.0} m"), "font_size": 9.0, "text_color": colour([1.0; 3], 1.0),
            "background_color": colour(tint.map(|part| 0.45 * part), 0.75),
        }));
    }
    json!({"points": points, "texts": texts})
}

/// Where the world lies: the robot drives in the Circus Maximus in Rome, where chariots did. Latitude and longitude of the
/// middle in degrees, and the direction of the x axis in radians from east.
const MIDDLE: [f64; 2] = [41.8859, 12.4857];
const AXIS: f64 = -0.70;

/// As `foxglove.LocationFix`.
pub(crate) fn fix(simulation: &Simulation, at: Timestamp) -> Value {
    /// Metres for one degree of latitude.
    const DEGREE: f64 = 111_195.0;
    let vehicle = &simulation.vehicle;
    let (sin, cos) = AXIS.sin_cos();
    let [x, y] = vehicle.point;
    let (east, north) = (cos * x - sin * y, sin * x + cos * y);
    let latitude = MIDDLE[0] + north / DEGREE;
    let longitude = MIDDLE[1] + east / (DEGREE * MIDDLE[0].to_radians().cos());
    let (way_north, way_east) = (vehicle.heading + AXIS).sin_cos();
    let variance = 0.8 * 0.8;
    json!({
        "timestamp": time(at), "frame_id": "gps", "latitude": latitude, "longitude": longitude, "altitude": 21.0,
        "position_covariance": [variance, 0.0, 0.0, 0.0, variance, 0.0, 0.0, 0.0, 4.0 * variance],
        "position_covariance_type": "DIAGONAL_KNOWN",
        "velocity": {"x": vehicle.speed * way_east, "y": vehicle.speed * way_north, "z": 0.0},
    })
}

/// As `foxglove.Log`.
pub(crate) fn log(line: &Line, at: Timestamp) -> Value {
    let level = match line.level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    };
    json!({"timestamp": time(at), "level": level, "message": line.message, "name": line.name})
}

/// As `foxglove.PoseInFrame`.
pub(crate) fn position(simulation: &Simulation, at: Timestamp) -> Value {
    let [x, y] = simulation.vehicle.point;
    json!({
        "timestamp": time(at), "frame_id": "map", "pose": pose([x, y, 0.0], about(2, simulation.vehicle.heading)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_lie_within_the_picture_and_a_fox_is_recognised() {
        let mut simulation = Simulation::new();
        let mut foxes = 0;
        for _ in 0..400 {
            (0..20).for_each(|_| simulation.step());
            let found = annotations(&simulation, Timestamp(1));
            for corner in
                found["points"].as_array().unwrap().iter().flat_map(|one| one["points"].as_array().unwrap())
            {
                let [x, y] = ["x", "y"].map(|axis| corner[axis].as_f64().unwrap());
                assert!((0.0..=WIDTH as f64).contains(&x) && (0.0..=HEIGHT as f64).contains(&y), "{corner}");
            }
            let texts = found["texts"].as_array().unwrap();
            foxes += usize::from(texts.iter().any(|text| text["text"].as_str().unwrap().starts_with("fox")));
        }
        assert!(foxes > 15, "{foxes} pictures with a fox");
    }

    #[test]
    fn the_fix_stays_in_the_circus() {
        let mut simulation = Simulation::new();
        for _ in 0..180 {
            (0..60).for_each(|_| simulation.step());
            let fix = fix(&simulation, Timestamp(1));
            let [latitude, longitude] = ["latitude", "longitude"].map(|name| fix[name].as_f64().unwrap());
            // 621 m long, 118 m wide
            assert!((latitude - MIDDLE[0]).abs() < 0.0012 && (longitude - MIDDLE[1]).abs() < 0.0015, "{fix}");
        }
    }

    #[test]
    fn a_cloud_has_four_floats_for_each_point() {
        let hit = Hit { point: [1.0, 2.0, 3.0], intensity: 0.5 };
        let cloud = cloud(&[hit, hit], Timestamp(1_500_000_000));
        assert_eq!(cloud["data"].as_str().unwrap().len(), 44);
        assert_eq!(cloud["fields"][3], json!({"name": "intensity", "offset": 12, "type": "FLOAT32"}));
        assert_eq!(cloud["timestamp"], json!({"sec": 1, "nsec": 500_000_000}));
    }
}
