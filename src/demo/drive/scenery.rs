//! The world that stands still as viewers see it, sent once: a scene in three dimensions, and a map from above.

use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

use super::ground::GROUND;
use super::simulation::START;
use super::world::{Colour, HALF_ROAD, House, Shape, World};
use crate::demo::messages::{about, bytes, colour, fields, origin, point, pose, time};

/// Cells of the map for one metre.
const CELLS: f64 = 2.0;

/// All things, as a `foxglove.SceneUpdate`.
pub(crate) fn scene(world: &World, at: Timestamp) -> Value {
    let entity = |id: &str, mut parts: Value| {
        parts["id"] = id.into();
        parts["timestamp"] = time(at);
        parts["frame_id"] = "map".into();
        parts
    };
    json!({"entities": [
        entity("ground", ground(world)),
        entity("trees", trees(world)),
        entity("houses", houses(world)),
        entity("cones", cones(world)),
        entity("mailboxes", mailboxes(world)),
    ]})
}

/// A strip along the road between two distances from its middle, as triangles.
fn strip(world: &World, left: [f64; 2], height: f64, tint: Colour, shown: impl Fn(usize) -> bool) -> Value {
    let samples = world.road.samples();
    let mut points = Vec::new();
    for (i, place) in samples.iter().enumerate().filter(|(i, _)| shown(*i)) {
        let next = samples[(i + 1) % samples.len()];
        let corner = |beside: [f64; 2]| point([beside[0], beside[1], height]);
        let [a, b] = [left[0], left[1]].map(|left| corner(place.beside(left)));
        let [c, d] = [left[0], left[1]].map(|left| corner(next.beside(left)));
        points.extend([a.clone(), c.clone(), b.clone(), b, c, d]);
    }
    json!({"pose": origin(), "points": points, "color": colour(tint, 1.0)})
}

fn ground(world: &World) -> Value {
    let white = [0.93, 0.93, 0.90];
    let line = HALF_ROAD - 0.25;
    let start = (START * world.road.samples().len() as f64) as usize;
    let grass = [2.0 * GROUND[0], 2.0 * GROUND[1], 0.2];
    json!({
        "cubes": [{
            "pose": pose([0.0, 0.0, -0.16], about(2, 0.0)), "size": point(grass),
            "color": colour([0.40, 0.54, 0.31], 1.0),
        }],
        "triangles": [
            strip(world, [HALF_ROAD + 0.45, -HALF_ROAD - 0.45], -0.04, [0.64, 0.58, 0.46], |_| true),
            strip(world, [HALF_ROAD, -HALF_ROAD], -0.02, [0.33, 0.34, 0.37], |_| true),
            strip(world, [line + 0.08, line - 0.08], 0.0, white, |_| true),
            strip(world, [0.08 - line, -line - 0.08], 0.0, white, |_| true),
            strip(world, [0.08, -0.08], 0.0, white, |i| i % 12 < 6),
            strip(world, [line, -line], 0.0, white, |i| (start..start + 2).contains(&i)),
        ],
    })
}

fn trees(world: &World) -> Value {
    let (mut cylinders, mut spheres) = (Vec::new(), Vec::new());
    let cylinder = |at, wide: f64, high: f64, top: f64, tint| {
        json!({
            "pose": pose(at, about(2, 0.0)), "size": point([wide, wide, high]), "bottom_scale": 1.0, "top_scale": top,
            "color": colour(tint, 1.0),
        })
    };
    for tree in &world.trees {
        let ([x, y], height, radius) = (tree.point, tree.height, tree.radius);
        let trunk = 0.6 * height;
        cylinders.push(cylinder([x, y, trunk / 2.0], 0.09 * height, trunk, 0.7, [0.42, 0.32, 0.24]));
        match tree.shape {
            Shape::Round => {
                for (dx, dy, up, size, light) in
                    [(-0.4, 0.2, 0.75, 1.4, 0.9), (0.4, -0.2, 0.8, 1.35, 1.0), (0.0, 0.0, 1.15, 1.8, 1.08)]
                {
                    let at = [x + dx * radius, y + dy * radius, height - 2.0 * radius + up * radius];
                    let tint = tree.colour.map(|part| (part * light).min(1.0));
                    spheres.push(json!({
                        "pose": pose(at, about(2, 0.0)), "size": point([size * radius; 3]), "color": colour(tint, 1.0),
                    }));
                }
            }
            Shape::Pine => {
                for (low, high, wide) in [(0.16, 0.58, 2.0), (0.38, 0.78, 1.56), (0.60, 1.0, 1.08)] {
                    let at = [x, y, (low + high) / 2.0 * height];
                    cylinders.push(cylinder(at, wide * radius, (high - low) * height, 0.0, tree.colour));
                }
            }
        }
    }
    json!({"cylinders": cylinders, "spheres": spheres})
}

fn houses(world: &World) -> Value {
    let (mut cubes, mut triangles) = (Vec::new(), Vec::new());
    for house in &world.houses {
        let [deep, wide] = house.half;
        let [eaves, ridge] = house.heights;
        let mut cube = |ahead: f64, left: f64, up: f64, size, tint| {
            let [x, y] = house.at(ahead, left);
            cubes.push(json!({
                "pose": pose([x, y, up], about(2, house.heading)), "size": point(size), "color": colour(tint, 1.0),
            }));
        };
        cube(0.0, 0.0, eaves / 2.0, [2.0 * deep, 2.0 * wide, eaves], house.wall);
        cube(deep, 0.0, 1.15, [0.06, 1.3, 2.3], house.roof.map(|part| 0.7 * part));
        for left in [-2.6, 2.6] {
            cube(deep, left, 1.7, [0.06, 1.7, 1.6], [0.97, 0.96, 0.92]);
            cube(deep + 0.01, left, 1.7, [0.08, 1.44, 1.34], [0.45, 0.58, 0.68]);
        }
        cube(-1.2, 1.8, ridge - 0.1, [0.6, 0.6, 1.4], [0.55, 0.40, 0.36]);
        triangles.push(roof(house));
        triangles.push(gables(house));
    }
    json!({"cubes": cubes, "triangles": triangles})
}

fn corner(house: &House, ahead: f64, left: f64, up: f64) -> Value {
    let [x, y] = house.at(ahead, left);
    point([x, y, up])
}

/// Both slopes, which are seen from below as well.
fn roof(house: &House) -> Value {
    let [deep, wide] = house.half.map(|half| half + 0.35);
    let [eaves, ridge] = house.heights;
    let low = eaves - 0.35 * (ridge - eaves) / house.half[0];
    let mut points = Vec::new();
    for side in [1.0, -1.0] {
        let [a, b] = [-wide, wide].map(|left| corner(house, side * deep, side * left, low));
        let [c, d] = [wide, -wide].map(|left| corner(house, 0.0, side * left, ridge));
        points.extend([a.clone(), b.clone(), c.clone(), a.clone(), c.clone(), d.clone()]);
        points.extend([a.clone(), c.clone(), b, a, d, c]);
    }
    json!({"pose": origin(), "points": points, "color": colour(house.roof, 1.0)})
}

/// The walls below the roof's ends.
fn gables(house: &House) -> Value {
    let [deep, wide] = house.half;
    let [eaves, ridge] = house.heights;
    let mut points = Vec::new();
    for side in [1.0, -1.0] {
        let left = side * wide;
        let [a, b] = [deep, -deep].map(|ahead| corner(house, side * ahead, left, eaves));
        points.extend([a, corner(house, 0.0, left, ridge), b]);
    }
    json!({"pose": origin(), "points": points, "color": colour(house.wall, 1.0)})
}

fn cones(world: &World) -> Value {
    let upright = |[x, y]: [f64; 2], up: f64, wide: f64, high: f64, top: f64, tint| {
        json!({
            "pose": pose([x, y, up], about(2, 0.0)), "size": point([wide, wide, high]), "bottom_scale": 1.0,
            "top_scale": top, "color": colour(tint, 1.0),
        })
    };
    let orange = [0.98, 0.42, 0.10];
    let cones = world.cones.iter().flat_map(|at| {
        [
            upright(*at, 0.02, 0.48, 0.05, 1.0, [0.20, 0.20, 0.22]),
            upright(*at, 0.32, 0.34, 0.56, 0.15, orange),
            upright(*at, 0.34, 0.26, 0.15, 0.7, [0.97, 0.97, 0.95]),
        ]
    });
    json!({"cylinders": cones.collect::<Vec<_>>()})
}

fn mailboxes(world: &World) -> Value {
    let (mut cubes, mut texts) = (Vec::new(), Vec::new());
    for (number, mailbox) in (1..).zip(&world.mailboxes) {
        let ([x, y], turned) = (mailbox.point, about(2, world.lane.at(mailbox.along).heading));
        let mut cube = |up: f64, size, tint| {
            cubes.push(
                json!({"pose": pose([x, y, up], turned), "size": point(size), "color": colour(tint, 1.0)}),
            );
        };
        cube(0.42, [0.1, 0.1, 0.85], [0.45, 0.36, 0.28]);
        cube(1.03, [0.46, 0.34, 0.36], [0.98, 0.78, 0.15]);
        texts.push(json!({
            "pose": pose([x, y, 1.7], about(2, 0.0)), "billboard": true, "font_size": 0.6,
            "color": colour([0.98, 0.85, 0.40], 1.0), "text": format!("No. {number}"),
        }));
    }
    json!({"cubes": cubes, "texts": texts})
}

/// The map from above, as a `foxglove.Grid` of colours.
pub(crate) fn map(world: &World, at: Timestamp) -> Value {
    let [columns, rows] = GROUND.map(|half| (2.0 * half * CELLS) as usize);
    let mut cells = vec![[203, 221, 186, 255]; columns * rows];
    let middle = |cell: usize, half: f64| (cell as f64 + 0.5) / CELLS - half;
    for row in 0..rows {
        for column in 0..columns {
            let at = [middle(column, GROUND[0]), middle(row, GROUND[1])];
            let Some(beside) = world.ground.beside(&world.road, at) else { continue };
            let cell = &mut cells[row * columns + column];
            match beside.left.abs() {
                left if left < 0.3 => *cell = [255, 255, 255, 255],
                left if left < HALF_ROAD => *cell = [158, 163, 173, 255],
                left if left < HALF_ROAD + 0.7 => *cell = [120, 124, 132, 255],
                _ => {}
            }
        }
    }
    let mut paint = |[x, y]: [f64; 2], reach: f64, tint: [u8; 4], inside: &dyn Fn([f64; 2]) -> bool| {
        let cell = |at: f64, half: f64, end: usize| (((at + half) * CELLS).max(0.0) as usize).min(end);
        for row in cell(y - reach, GROUND[1], rows)..cell(y + reach + 1.0, GROUND[1], rows) {
            for column in cell(x - reach, GROUND[0], columns)..cell(x + reach + 1.0, GROUND[0], columns) {
                if inside([middle(column, GROUND[0]), middle(row, GROUND[1])]) {
                    cells[row * columns + column] = tint;
                }
            }
        }
    };
    for tree in &world.trees {
        let gap = |at: [f64; 2]| (at[0] - tree.point[0]).hypot(at[1] - tree.point[1]);
        paint(tree.point, tree.radius, [118, 160, 104, 255], &|at| gap(at) < tree.radius);
    }
    for house in &world.houses {
        let [red, green, blue] = house.roof.map(|part| (part * 255.0) as u8);
        let (sin, cos) = house.heading.sin_cos();
        let inside = |at: [f64; 2]| {
            let (dx, dy) = (at[0] - house.point[0], at[1] - house.point[1]);
            (cos * dx + sin * dy).abs() < house.half[0] && (cos * dy - sin * dx).abs() < house.half[1]
        };
        paint(house.point, 6.0, [red, green, blue, 255], &inside);
    }
    for cone in &world.cones {
        paint(*cone, 0.5, [250, 107, 26, 255], &|at| (at[0] - cone[0]).hypot(at[1] - cone[1]) < 0.45);
    }
    json!({
        "timestamp": time(at), "frame_id": "map", "pose": pose([-GROUND[0], -GROUND[1], 0.0], about(2, 0.0)),
        "column_count": columns, "cell_size": {"x": 1.0 / CELLS, "y": 1.0 / CELLS},
        "row_stride": 4 * columns, "cell_stride": 4,
        "fields": fields(["red", "green", "blue", "alpha"], "UINT8", 1), "data": bytes(cells.as_flattened()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scene_and_the_map_are_of_moderate_size() {
        let world = World::new();
        let scene = scene(&world, Timestamp(1)).to_string();
        assert!((50_000..2_000_000).contains(&scene.len()), "{} bytes", scene.len());
        let map = map(&world, Timestamp(1));
        let columns = map["column_count"].as_u64().unwrap();
        assert_eq!(map["row_stride"], 4 * columns);
        let bytes = 4 * columns * (2.0 * GROUND[1] * CELLS) as u64;
        assert_eq!(map["data"].as_str().unwrap().len() as u64, bytes.div_ceil(3) * 4);
    }
}
