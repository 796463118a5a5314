//! Bodies that a laser beam hits.

use super::simulation::Simulation;
use super::track::Point;
use super::world::{House, Shape, World};

/// Above the ground, as the third coordinate.
pub(crate) type Point3 = [f64; 3];

/// A body that stands on the ground.
#[derive(Debug, Clone)]
pub(crate) enum Solid {
    /// Upright, from the ground to a height.
    Cylinder {
        point: Point,
        radius: f64,
        height: f64,
    },
    Sphere {
        middle: Point3,
        radius: f64,
    },
    /// What is behind all of these planes: normal and distance from the origin.
    Convex(Vec<(Point3, f64)>),
}

/// A solid, with a circle around it.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) point: Point,
    pub(crate) reach: f64,
    /// How well it reflects, from 0 to 1.
    pub(crate) brightness: f64,
    solid: Solid,
}

/// All bodies of the world that do not move.
pub(crate) fn standing(world: &World) -> Vec<Body> {
    let mut bodies = Vec::new();
    for tree in &world.trees {
        let trunk = Solid::Cylinder { point: tree.point, radius: 0.22, height: 0.6 * tree.height };
        bodies.push(Body { point: tree.point, reach: 0.22, brightness: 0.25, solid: trunk });
        let balls: &[(f64, f64)] = match tree.shape {
            Shape::Round => &[(1.0, 1.0)],
            // a cone, in rough
            Shape::Pine => &[(1.4, 1.0), (2.2, 0.75), (2.9, 0.5)],
        };
        for (up, size) in balls {
            let middle = match tree.shape {
                Shape::Round => tree.height - tree.radius,
                Shape::Pine => tree.radius * up,
            };
            let radius = tree.radius * size;
            let solid = Solid::Sphere { middle: [tree.point[0], tree.point[1], middle], radius };
            bodies.push(Body { point: tree.point, reach: radius, brightness: 0.55, solid });
        }
    }
    bodies.extend(world.houses.iter().map(house));
    bodies.extend(world.cones.iter().map(|cone| post(*cone, 0.16, 0.55, 1.0)));
    bodies.extend(world.mailboxes.iter().map(|mailbox| post(mailbox.point, 0.22, 1.2, 0.9)));
    bodies
}

/// What moves.
pub(crate) fn moving(simulation: &Simulation) -> Option<Body> {
    simulation.fox.map(|fox| post(fox.point(&simulation.world), 0.35, 0.6, 0.7))
}

fn post(point: Point, radius: f64, height: f64, brightness: f64) -> Body {
    Body { point, reach: radius, brightness, solid: Solid::Cylinder { point, radius, height } }
}

fn house(house: &House) -> Body {
    let (sin, cos) = house.heading.sin_cos();
    let [x, y] = house.point;
    let plane = |normal: Point3, at: Point3| (normal, normal.iter().zip(at).map(|(n, a)| n * a).sum::<f64>());
    let [deep, wide] = house.half;
    let [eaves, ridge] = house.heights;
    let mut planes = vec![
        plane([cos, sin, 0.0], [x + cos * deep, y + sin * deep, 0.0]),
        plane([-cos, -sin, 0.0], [x - cos * deep, y - sin * deep, 0.0]),
        plane([-sin, cos, 0.0], [x - sin * wide, y + cos * wide, 0.0]),
        plane([sin, -cos, 0.0], [x + sin * wide, y - cos * wide, 0.0]),
    ];
    // the ridge runs along the front
    let (slope, length) = (ridge - eaves, (ridge - eaves).hypot(deep));
    for side in [1.0, -1.0] {
        let normal = [side * cos * slope / length, side * sin * slope / length, deep / length];
        planes.push(plane(normal, [x, y, ridge]));
    }
    Body { point: house.point, reach: deep.hypot(wide), brightness: 0.8, solid: Solid::Convex(planes) }
}

impl Body {
    /// How far along a ray, given by origin and unit direction, the body begins.
    pub(crate) fn hit(&self, origin: Point3, way: Point3) -> Option<f64> {
        match &self.solid {
            Solid::Cylinder { point, radius, height } => {
                let (dx, dy) = (origin[0] - point[0], origin[1] - point[1]);
                let square = way[0] * way[0] + way[1] * way[1];
                let far = first_root(square, dx * way[0] + dy * way[1], dx * dx + dy * dy - radius * radius)?;
                (0.0..=*height).contains(&(origin[2] + far * way[2])).then_some(far)
            }
            Solid::Sphere { middle, radius } => {
                let from = [0, 1, 2].map(|axis| origin[axis] - middle[axis]);
                let dot = |a: Point3, b: Point3| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                first_root(1.0, dot(from, way), dot(from, from) - radius * radius)
            }
            Solid::Convex(planes) => {
                let (mut enters, mut leaves) = (0.0f64, f64::MAX);
                for (normal, distance) in planes {
                    let dot = |v: Point3| normal.iter().zip(v).map(|(n, v)| n * v).sum::<f64>();
                    let (before, speed) = (distance - dot(origin), dot(way));
                    if speed < 0.0 {
                        enters = enters.max(before / speed);
                    } else if speed > 0.0 {
                        leaves = leaves.min(before / speed);
                    } else if before < 0.0 {
                        return None;
                    }
                }
                (enters > 0.0 && enters < leaves).then_some(enters)
            }
        }
    }
}

/// The first positive root of `a t² + 2 b t + c`.
fn first_root(a: f64, b: f64, c: f64) -> Option<f64> {
    let root = (b * b - a * c).max(-1.0);
    (root >= 0.0 && a > 0.0).then(|| (-b - root.sqrt()) / a).filter(|far| *far > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beams_hit_what_is_before_them() {
        let ahead = [1.0, 0.0, 0.0];
        let cylinder = post([10.0, 0.0], 1.0, 2.0, 1.0);
        assert_eq!(cylinder.hit([0.0, 0.0, 1.0], ahead), Some(9.0));
        assert_eq!(cylinder.hit([0.0, 0.0, 3.0], ahead), None, "it passes over");
        assert_eq!(cylinder.hit([20.0, 0.0, 1.0], ahead), None, "it lies behind");
        let solid = Solid::Sphere { middle: [10.0, 0.0, 1.0], radius: 2.0 };
        let sphere = Body { point: [10.0, 0.0], reach: 2.0, brightness: 1.0, solid };
        assert_eq!(sphere.hit([0.0, 0.0, 1.0], ahead), Some(8.0));
    }

    #[test]
    fn a_house_has_walls_and_a_roof() {
        let world = World::new();
        let house = world.houses[0];
        let body = super::house(&house);
        let [x, y] = house.at(20.0, 0.0);
        let way = [-house.heading.cos(), -house.heading.sin(), 0.0];
        let wall = body.hit([x, y, 1.0], way).unwrap();
        assert!((wall - (20.0 - house.half[0])).abs() < 1e-9, "{wall}");
        let roof = body.hit([x, y, house.heights[1] - 0.1], way).unwrap();
        assert!(roof > 19.5 && roof < 20.0, "{roof}");
        assert_eq!(body.hit([x, y, house.heights[1] + 0.1], way), None);
    }
}
