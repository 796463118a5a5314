//! What the ground is at a point: found in a table, since cameras and lasers ask for each pixel and beam.

use super::track::{Beside, Point, Track};

/// Half of the ground's extent along x and y.
pub(crate) const GROUND: Point = [140.0, 56.0];

/// Points farther from the road than this are just grass; in metres.
const NEAR: f64 = 8.0;

/// Cells of a metre, each with the sample of the road that is nearest to its middle.
#[derive(Debug)]
pub(crate) struct Ground {
    cells: Vec<Option<u16>>,
}

impl Ground {
    pub(crate) fn new(road: &Track) -> Self {
        let mut nearest = vec![(NEAR, None); width() * height()];
        for (sample, place) in (0u16..).zip(road.samples()) {
            let [x, y] = [0, 1].map(|axis| (place.point[axis] + GROUND[axis] - NEAR) as usize);
            let reach = 2 * NEAR as usize + 1;
            for row in y..(y + reach).min(height()) {
                for column in x..(x + reach).min(width()) {
                    let middle = [column as f64 + 0.5 - GROUND[0], row as f64 + 0.5 - GROUND[1]];
                    let gap = (middle[0] - place.point[0]).hypot(middle[1] - place.point[1]);
                    let cell = &mut nearest[row * width() + column];
                    if gap < cell.0 {
                        *cell = (gap, Some(sample));
                    }
                }
            }
        }
        Self { cells: nearest.into_iter().map(|(_, sample)| sample).collect() }
    }

    /// Where a point is, if it is near the road.
    pub(crate) fn beside(&self, road: &Track, point: Point) -> Option<Beside> {
        let within = point.iter().zip(GROUND).all(|(at, half)| at.abs() < half);
        let cell = |point: Point| {
            let [column, row] = [0, 1].map(|axis| (point[axis] + GROUND[axis]) as usize);
            self.cells[row * width() + column]
        };
        let sample = if within { cell(point)? } else { return None };
        Some(road.beside(usize::from(sample), point))
    }
}

fn width() -> usize {
    2 * GROUND[0] as usize
}

fn height() -> usize {
    2 * GROUND[1] as usize
}

#[cfg(test)]
mod tests {
    use crate::demo::drive::world::World;

    #[test]
    fn the_table_agrees_with_the_road() {
        let World { road, ground, .. } = World::new();
        for along in 0..500 {
            for left in [-6.5, -3.5, 0.0, 2.0, 6.0] {
                let point = road.at(f64::from(along)).beside(left);
                let found = ground.beside(&road, point).unwrap();
                assert!((found.left - left).abs() < 0.1, "{left} at {along}: {found:?}");
            }
        }
        assert_eq!(ground.beside(&road, [0.0, 0.0]), None);
        assert_eq!(ground.beside(&road, [1e6, -1e6]), None);
    }
}
