//! A road that is a closed curve, by the distance along it.

use std::f64::consts::{PI, TAU};

/// A point in the plane of the map, in metres.
pub(crate) type Point = [f64; 2];

/// Samples of a curve: enough for half a metre each.
const SAMPLES: usize = 1024;

/// Length over which corners are made round, in metres.
const ROUNDING: f64 = 7.0;

/// A closed curve, run counter-clockwise.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    samples: Vec<Place>,
    /// Cosine and sine of their headings.
    ways: Vec<[f64; 2]>,
    /// In metres.
    pub(crate) length: f64,
}

/// A place on a track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) point: Point,
    /// Of the direction of travel, in radians from the x axis.
    pub(crate) heading: f64,
    /// In 1/m; positive to the left.
    pub(crate) curvature: f64,
}

impl Place {
    /// The point so many metres to the left.
    pub(crate) fn beside(&self, left: f64) -> Point {
        let (sin, cos) = self.heading.sin_cos();
        [self.point[0] - left * sin, self.point[1] + left * cos]
    }
}

/// Where a point is, seen from a track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Beside {
    /// Distance along the track of its nearest place.
    pub(crate) along: f64,
    /// Metres to the left of it.
    pub(crate) left: f64,
}

impl Track {
    /// A smooth curve near these corners.
    pub(crate) fn round(corners: &[Point]) -> Self {
        let mut points = even(&spline(corners)).0;
        let half = {
            let (_, length) = even(&points);
            (ROUNDING / 2.0 / (length / SAMPLES as f64)).round() as usize
        };
        for _ in 0..3 {
            points = averaged(&points, half);
        }
        Self::through(&points)
    }

    /// The curve so many metres to the left of this one, as a function of the distance along it.
    pub(crate) fn shifted(&self, left: impl Fn(f64) -> f64) -> Self {
        let step = self.length / SAMPLES as f64;
        let points: Vec<_> =
            self.samples.iter().enumerate().map(|(i, place)| place.beside(left(i as f64 * step))).collect();
        Self::through(&points)
    }

    fn through(points: &[Point]) -> Self {
        let (points, length) = even(points);
        let step = length / SAMPLES as f64;
        let at = |i: usize| points[i % SAMPLES];
        let headings: Vec<f64> = (0..SAMPLES)
            .map(|i| {
                let (before, after) = (at(i + SAMPLES - 1), at(i + 1));
                (after[1] - before[1]).atan2(after[0] - before[0])
            })
            .collect();
        let samples = (0..SAMPLES)
            .map(|i| {
                let (before, after) = (headings[(i + SAMPLES - 1) % SAMPLES], headings[(i + 1) % SAMPLES]);
                let curvature = turn(after - before) / (2.0 * step);
                Place { point: points[i], heading: headings[i], curvature }
            })
            .collect();
        let ways = headings.iter().map(|heading| [heading.cos(), heading.sin()]).collect();
        Self { samples, ways, length }
    }

    /// The place at a distance from the start, which may be of any lap.
    pub(crate) fn at(&self, along: f64) -> Place {
        let position = along.rem_euclid(self.length) / self.length * SAMPLES as f64;
        let (index, part) = (position as usize % SAMPLES, position.fract());
        let (a, b) = (self.samples[index], self.samples[(index + 1) % SAMPLES]);
        let between = |a: f64, b: f64| a + part * (b - a);
        Place {
            point: [between(a.point[0], b.point[0]), between(a.point[1], b.point[1])],
            heading: turn(a.heading + part * turn(b.heading - a.heading)),
            curvature: between(a.curvature, b.curvature),
        }
    }

    /// The place of the track that is nearest to a point.
    pub(crate) fn nearest(&self, point: Point) -> Beside {
        let squared =
            |place: &Place| (place.point[0] - point[0]).powi(2) + (place.point[1] - point[1]).powi(2);
        let nearest =
            (0..SAMPLES).min_by(|a, b| squared(&self.samples[*a]).total_cmp(&squared(&self.samples[*b])));
        self.beside(nearest.unwrap_or(0), point)
    }

    /// Where a point is, that is near a sample.
    pub(crate) fn beside(&self, sample: usize, point: Point) -> Beside {
        let (place, [cos, sin]) = (self.samples[sample].point, self.ways[sample]);
        let (dx, dy) = (point[0] - place[0], point[1] - place[1]);
        let along = sample as f64 * self.length / SAMPLES as f64 + cos * dx + sin * dy;
        Beside { along: self.wrapped(along), left: cos * dy - sin * dx }
    }

    /// A distance that is less than a lap beside the track, as one on it.
    fn wrapped(&self, along: f64) -> f64 {
        if along < 0.0 {
            along + self.length
        } else if along >= self.length {
            along - self.length
        } else {
            along
        }
    }

    /// How far it is from one distance to another, the shorter way; negative: back.
    pub(crate) fn way(&self, from: f64, to: f64) -> f64 {
        (to - from + self.length / 2.0).rem_euclid(self.length) - self.length / 2.0
    }

    pub(crate) fn samples(&self) -> &[Place] {
        &self.samples
    }
}

/// An angle, as one between -π and π.
pub(crate) fn turn(angle: f64) -> f64 {
    (angle + PI).rem_euclid(TAU) - PI
}

/// A closed Catmull-Rom spline through corners.
fn spline(corners: &[Point]) -> Vec<Point> {
    const PARTS: usize = 64;
    let count = corners.len();
    let mut points = Vec::with_capacity(count * PARTS);
    for i in 0..count {
        let [a, b, c, d] = [0, 1, 2, 3].map(|k| corners[(i + count + k - 1) % count]);
        for part in 0..PARTS {
            let t = part as f64 / PARTS as f64;
            points.push([0, 1].map(|axis| {
                let (a, b, c, d) = (a[axis], b[axis], c[axis], d[axis]);
                let (linear, square, cube) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
                0.5 * (2.0 * b + t * (linear + t * (square + t * cube)))
            }));
        }
    }
    points
}

/// Points at even distances on a closed polyline, and its length.
fn even(points: &[Point]) -> (Vec<Point>, f64) {
    let sides = || points.iter().zip(points.iter().cycle().skip(1));
    let length_of = |(a, b): (&Point, &Point)| (b[0] - a[0]).hypot(b[1] - a[1]);
    let length: f64 = sides().map(length_of).sum();
    let step = length / SAMPLES as f64;
    let (mut found, mut passed) = (Vec::with_capacity(SAMPLES), 0.0);
    for (a, b) in sides() {
        let side = length_of((a, b));
        while found.len() < SAMPLES && found.len() as f64 * step < passed + side {
            let part = (found.len() as f64 * step - passed) / side;
            found.push([0, 1].map(|axis| a[axis] + part * (b[axis] - a[axis])));
        }
        passed += side;
    }
    (found, length)
}

/// Each point as the mean of those around it.
fn averaged(points: &[Point], half: usize) -> Vec<Point> {
    let count = points.len();
    let mean = |i: usize, axis: usize| {
        (0..=2 * half).map(|k| points[(i + count + k - half) % count][axis]).sum::<f64>()
            / (2 * half + 1) as f64
    };
    (0..count).map(|i| [mean(i, 0), mean(i, 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Track {
        Track::round(&[[-50.0, -50.0], [50.0, -50.0], [50.0, 50.0], [-50.0, 50.0]])
    }

    #[test]
    fn a_track_is_closed_and_smooth() {
        let track = square();
        let step = track.length / 1000.0;
        for i in 0..1000 {
            let (a, b) = (track.at(i as f64 * step), track.at((i + 1) as f64 * step));
            let gap = (a.point[0] - b.point[0]).hypot(a.point[1] - b.point[1]);
            assert!((gap - step).abs() < 0.01 * step, "a gap of {gap} at {i}");
            assert!(turn(b.heading - a.heading).abs() < 0.03, "a corner at {i}");
        }
    }

    #[test]
    fn what_is_beside_a_track_is_found_there() {
        let track = square();
        for along in [0.0, 30.0, 111.1, track.length - 0.1] {
            for left in [-6.0, 0.0, 5.0] {
                let found = track.nearest(track.at(along).beside(left));
                assert!(track.way(along, found.along).abs() < 0.1, "{along} {left} {found:?}");
                assert!((found.left - left).abs() < 0.05, "{along} {left} {found:?}");
            }
        }
        assert!((track.way(track.length - 1.0, 2.0) - 3.0).abs() < 1e-9);
        assert!((track.way(2.0, track.length - 1.0) + 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_shifted_track_lies_beside() {
        let track = square();
        let shifted = track.shifted(|_| -2.0);
        assert!((shifted.length - track.length - 2.0 * TAU).abs() < 0.1, "a lap outside is longer");
        assert!((track.nearest(shifted.at(40.0).point).left + 2.0).abs() < 0.01);
    }
}
