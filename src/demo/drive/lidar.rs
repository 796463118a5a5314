//! A laser scanner on the robot's roof: beams in rings, all round.

use super::ground::GROUND;
use super::simulation::{Simulation, Sky};
use super::solid::{self, Body, Point3};
use super::track::Point;
use super::world::{HALF_ROAD, Random, World};

/// Where the scanner is, ahead of the rear axle and above the ground, in metres.
pub(crate) const MOUNT: Point3 = [0.75, 0.0, 1.55];

/// Beams of one ring.
pub(crate) const BEAMS: usize = 360;

/// Elevations of the rings, in degrees.
const RINGS: [f64; 16] =
    [-24.0, -18.0, -14.0, -11.0, -8.5, -6.5, -5.0, -3.5, -2.0, -0.5, 1.5, 4.0, 7.0, 10.0, 13.0, 16.0];

/// Where the flat scanner is: in the bumper, low enough for cones.
pub(crate) const BUMPER: Point3 = [2.15, 0.0, 0.35];

/// How far it sees, in metres; in fog.
pub(crate) const RANGE: f64 = 45.0;
const RANGE_IN_FOG: f64 = 18.0;

/// Something that a beam hit, in the scanner's frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) point: [f32; 3],
    /// From 0 to 1.
    pub(crate) intensity: f32,
}

/// The scanner, and the bodies that it may see.
#[derive(Debug)]
pub(crate) struct Lidar {
    bodies: Vec<Body>,
    random: Random,
}

impl Lidar {
    pub(crate) fn new(world: &World) -> Self {
        Self { bodies: solid::standing(world), random: Random(0x1234_5678_9ABC_DEF1) }
    }

    /// One turn of all rings.
    pub(crate) fn points(&mut self, simulation: &Simulation) -> Vec<Hit> {
        self.turn(simulation, MOUNT, &RINGS).into_iter().flatten().map(|(_, hit)| hit).collect()
    }

    /// One turn of the scanner in the bumper, from behind over the right: distances in metres, [`RANGE`] where nothing
    /// is hit.
    pub(crate) fn ranges(&mut self, simulation: &Simulation) -> Vec<f64> {
        let hits = self.turn(simulation, BUMPER, &[0.0]);
        hits.into_iter().map(|hit| hit.map_or(RANGE, |(far, _)| far)).collect()
    }

    fn turn(&mut self, simulation: &Simulation, mount: Point3, rings: &[f64]) -> Vec<Option<(f64, Hit)>> {
        let range = if simulation.settings.sky == Sky::Fog { RANGE_IN_FOG } else { RANGE };
        let vehicle = &simulation.vehicle;
        let [x, y] = vehicle.on_map([mount[0], mount[1]]);
        let origin = [x, y, mount[2]];
        let fox = solid::moving(simulation);
        let near: Vec<&Body> = self
            .bodies
            .iter()
            .chain(&fox)
            .filter(|body| gap(body.point, [x, y]) < range + body.reach)
            .collect();
        let mut hits = Vec::with_capacity(BEAMS * rings.len());
        for beam in 0..BEAMS {
            let azimuth = beam_azimuth(beam);
            let (sin, cos) = (vehicle.heading + azimuth).sin_cos();
            // bodies that the vertical plane of this azimuth cuts
            let cut: Vec<&Body> = near
                .iter()
                .copied()
                .filter(|body| {
                    let (dx, dy) = (body.point[0] - x, body.point[1] - y);
                    (cos * dy - sin * dx).abs() < body.reach && cos * dx + sin * dy > -body.reach
                })
                .collect();
            for elevation in rings {
                let (up, flat) = elevation.to_radians().sin_cos();
                let way = [cos * flat, sin * flat, up];
                let hit = nearest(&cut, origin, way, &simulation.world).filter(|(far, _)| *far < range);
                hits.push(hit.map(|(far, brightness)| {
                    let far = far + self.random.between(-0.015, 0.015);
                    let (sin, cos) = azimuth.sin_cos();
                    let point = [far * cos * flat, far * sin * flat, far * up].map(|at| at as f32);
                    let intensity = (brightness * (1.0 - 0.6 * far / range)) as f32;
                    (far, Hit { point, intensity })
                }));
            }
        }
        hits
    }
}

/// The angle of a beam, from behind counter-clockwise.
pub(crate) fn beam_azimuth(beam: usize) -> f64 {
    std::f64::consts::TAU * beam as f64 / BEAMS as f64 - std::f64::consts::PI
}

/// The nearest thing that a beam hits, and how bright that is: a body, or the ground.
fn nearest(bodies: &[&Body], origin: Point3, way: Point3, world: &World) -> Option<(f64, f64)> {
    let hits = bodies.iter().filter_map(|body| Some((body.hit(origin, way)?, body.brightness)));
    let body = hits.min_by(|a, b| a.0.total_cmp(&b.0));
    let ground =
        (way[2] < 0.0).then(|| -origin[2] / way[2]).filter(|far| body.is_none_or(|(hit, _)| *far < hit));
    let Some(far) = ground else { return body };
    let point = [origin[0] + far * way[0], origin[1] + far * way[1]];
    let within = point.iter().zip(GROUND).all(|(at, half)| at.abs() < half);
    let left = world.ground.beside(&world.road, point).map_or(f64::MAX, |beside| beside.left.abs());
    let brightness = if (left - HALF_ROAD).abs() < 0.2 {
        0.9
    } else if left < HALF_ROAD {
        0.12
    } else {
        0.35
    };
    within.then_some((far, brightness))
}

fn gap(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_lie_within_bounds() {
        let mut simulation = Simulation::new();
        let mut lidar = Lidar::new(&simulation.world);
        for _ in 0..20 {
            (0..300).for_each(|_| simulation.step());
            let points = lidar.points(&simulation);
            assert!((1500..=BEAMS * RINGS.len()).contains(&points.len()), "{} points", points.len());
            for Hit { point: [x, y, z], intensity } in points {
                let far = f64::from(x).hypot(f64::from(y));
                assert!(far < RANGE + 0.1 && (0.0..=1.0).contains(&intensity), "{far} {intensity}");
                let height = f64::from(z) + MOUNT[2];
                assert!((-0.1..9.0).contains(&height), "{height} m above the ground");
            }
        }
    }

    #[test]
    fn a_scan_sees_cones_and_fog_shortens_it() {
        let mut simulation = Simulation::new();
        let mut lidar = Lidar::new(&simulation.world);
        let cone = simulation.world.road.nearest(simulation.world.cones[0]).along;
        while simulation.world.road.nearest(simulation.vehicle.point).along < cone - 8.0 {
            simulation.step();
        }
        let [x, y] = simulation.vehicle.in_own_frame(simulation.world.cones[0]);
        let (azimuth, far) = (y.atan2(x - BUMPER[0]), (x - BUMPER[0]).hypot(y));
        let ranges = lidar.ranges(&simulation);
        let seen = (0..BEAMS)
            .any(|beam| (beam_azimuth(beam) - azimuth).abs() < 0.05 && (ranges[beam] - far).abs() < 0.3);
        assert!(seen, "no cone at {azimuth} rad, {far} m");
        simulation.settings.sky = Sky::Fog;
        let ranges = lidar.ranges(&simulation);
        assert!(ranges.iter().all(|range| *range == RANGE || *range < RANGE_IN_FOG + 0.1));
    }
}
