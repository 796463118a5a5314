//! What stands still: road, trees, houses, cones. The same at every start.

use super::ground::{GROUND, Ground};
use super::track::{Point, Track};

/// Half the width of the road, in metres.
pub(crate) const HALF_ROAD: f64 = 3.5;

/// How far from the middle of the road the ground is free of trees and houses.
pub(crate) const FREE: f64 = 7.5;

/// The middle of the right lane.
const LANE: f64 = -1.7;

/// Where the right lane is closed, as parts of a lap.
const WORKS: [f64; 2] = [0.60, 0.665];

/// Corners of the road.
const CORNERS: [Point; 16] = [
    [-78.0, -22.0],
    [-40.0, -28.0],
    [0.0, -20.0],
    [40.0, -27.0],
    [80.0, -24.0],
    [106.0, -16.0],
    [114.0, 2.0],
    [105.0, 20.0],
    [80.0, 27.0],
    [40.0, 20.0],
    [0.0, 28.0],
    [-40.0, 21.0],
    [-78.0, 27.0],
    [-105.0, 19.0],
    [-114.0, 0.0],
    [-106.0, -17.0],
];

/// Red, green and blue, each from 0 to 1.
pub(crate) type Colour = [f64; 3];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Round,
    Pine,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree {
    pub(crate) point: Point,
    pub(crate) shape: Shape,
    pub(crate) height: f64,
    /// Of the crown.
    pub(crate) radius: f64,
    pub(crate) colour: Colour,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct House {
    pub(crate) point: Point,
    /// Where its door looks.
    pub(crate) heading: f64,
    /// Half its depth (along the heading) and half its width.
    pub(crate) half: [f64; 2],
    /// Of the walls, and of the ridge.
    pub(crate) heights: [f64; 2],
    pub(crate) wall: Colour,
    pub(crate) roof: Colour,
}

impl House {
    /// A point given by metres before its middle, to the left of it, as the door looks.
    pub(crate) fn at(&self, forward: f64, left: f64) -> Point {
        let (sin, cos) = self.heading.sin_cos();
        [self.point[0] + cos * forward - sin * left, self.point[1] + sin * forward + cos * left]
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Mailbox {
    /// Where the robot stops, as distance along the lane.
    pub(crate) along: f64,
    pub(crate) point: Point,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) road: Track,
    pub(crate) ground: Ground,
    /// The middle of the lane that the robot follows.
    pub(crate) lane: Track,
    pub(crate) trees: Vec<Tree>,
    pub(crate) houses: Vec<House>,
    pub(crate) cones: Vec<Point>,
    pub(crate) mailboxes: Vec<Mailbox>,
}

impl World {
    pub(crate) fn new() -> Self {
        let road = Track::round(&CORNERS);
        let lane = road.shifted(|along| lane_offset(along / road.length, road.length));
        let (mut mailboxes, mut houses) = (Vec::new(), Vec::new());
        for (part, wall, roof) in HOUSES {
            let place = road.at(part * road.length);
            let point = place.beside(-5.2);
            mailboxes.push(Mailbox { along: lane.nearest(point).along, point });
            let heading = place.heading + std::f64::consts::FRAC_PI_2;
            let (half, heights) = ([3.2, 4.2], [3.4, 5.8]);
            houses.push(House { point: place.beside(-15.0), heading, half, heights, wall, roof });
        }
        let trees = trees(&road, &houses);
        let cones = cones(&road);
        let ground = Ground::new(&road);
        Self { road, ground, lane, trees, houses, cones, mailboxes }
    }
}

/// Where houses stand, as parts of a lap; walls and roofs.
const HOUSES: [(f64, Colour, Colour); 5] = [
    (0.10, [0.93, 0.86, 0.74], [0.72, 0.30, 0.24]),
    (0.27, [0.80, 0.87, 0.90], [0.30, 0.38, 0.50]),
    (0.48, [0.95, 0.80, 0.66], [0.56, 0.27, 0.25]),
    (0.73, [0.85, 0.90, 0.80], [0.38, 0.42, 0.36]),
    (0.88, [0.96, 0.91, 0.82], [0.80, 0.42, 0.22]),
];

/// How far to the left of the road's middle the lane is, by the part of a lap.
fn lane_offset(part: f64, length: f64) -> f64 {
    let swerve = 16.0 / length;
    let smooth = |t: f64| {
        let t = t.clamp(0.0, 1.0);
        t * t * (3.0 - 2.0 * t)
    };
    let away = smooth((part - WORKS[0] + swerve) / swerve) - smooth((part - WORKS[1]) / swerve);
    LANE + away * 3.1
}

fn cones(road: &Track) -> Vec<Point> {
    let [start, end] = WORKS.map(|part| part * road.length);
    let count = ((end - start) / 3.4) as usize;
    let mut cones: Vec<_> = (0..=count).map(|i| road.at(start + i as f64 * 3.4).beside(-0.9)).collect();
    cones.extend([(start - 2.2, -1.8), (start - 4.4, -2.8)].map(|(along, left)| road.at(along).beside(left)));
    cones
}

fn trees(road: &Track, houses: &[House]) -> Vec<Tree> {
    const GREENS: [Colour; 5] =
        [[0.30, 0.50, 0.24], [0.38, 0.57, 0.27], [0.25, 0.44, 0.27], [0.47, 0.60, 0.26], [0.74, 0.52, 0.22]];
    const TREES: usize = 110;
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut trees: Vec<Tree> = Vec::with_capacity(TREES);
    while trees.len() < TREES {
        let point = GROUND.map(|half| random.between(3.0 - half, half - 3.0));
        let shape = if random.between(0.0, 1.0) < 0.35 { Shape::Pine } else { Shape::Round };
        let height = random.between(4.0, 7.5);
        let radius = if shape == Shape::Pine { 0.24 * height } else { 0.30 * height };
        let green = GREENS[random.below(GREENS.len())];
        let colour = if shape == Shape::Pine { [0.17, 0.37, 0.27] } else { green };
        let gap = |other: Point| (other[0] - point[0]).hypot(other[1] - point[1]);
        let is_free = road.nearest(point).left.abs() > FREE + radius
            && houses.iter().all(|house| gap(house.point) > 7.5 + radius)
            // from a mailbox one sees the house
            && houses.iter().all(|house| gap(house.at(7.0, 0.0)) > 4.0 + radius)
            && trees.iter().all(|tree| gap(tree.point) > tree.radius + radius + 0.6);
        if is_free {
            trees.push(Tree { point, shape, height, radius, colour });
        }
    }
    trees
}

/// Numbers that look random and are the same each time (xorshift64*).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() >> 33) as usize % count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_is_free_and_can_be_driven() {
        let world = World::new();
        for tree in &world.trees {
            assert!(world.road.nearest(tree.point).left.abs() > FREE + tree.radius);
        }
        for house in &world.houses {
            for corner in [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]] {
                let point = house.at(corner[0] * house.half[0], corner[1] * house.half[1]);
                assert!(world.road.nearest(point).left.abs() > FREE, "{point:?}");
            }
        }
        for place in world.lane.samples() {
            assert!(place.curvature.abs() < 1.0 / 9.0, "a radius of {} m", 1.0 / place.curvature);
            assert!(world.road.nearest(place.point).left.abs() < HALF_ROAD - 1.0);
            let nearest =
                world.cones.iter().map(|cone| (cone[0] - place.point[0]).hypot(cone[1] - place.point[1]));
            assert!(nearest.fold(f64::MAX, f64::min) > 1.4, "a cone in the way at {:?}", place.point);
        }
        for place in world.road.samples() {
            assert!(place.point.iter().zip(GROUND).all(|(at, half)| at.abs() < half - 10.0));
        }
    }

    #[test]
    fn mailboxes_are_in_order_along_the_lane() {
        let world = World::new();
        assert!(world.mailboxes.is_sorted_by(|a, b| a.along < b.along), "{:?}", world.mailboxes);
    }
}
