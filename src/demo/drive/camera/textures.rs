//! Noise, for clouds, hills and grass: made once.

use crate::demo::drive::world::Random;

/// Columns of the panorama; as many as fit round the horizon.
const AROUND: usize = 1024;
const ROWS: usize = 96;

/// Side of the tile of grass, in cells; a power of two.
const TILE: usize = 128;

#[derive(Debug)]
pub(super) struct Textures {
    clouds: Vec<f32>,
    hills: [Vec<f32>; 2],
    tile: Vec<f32>,
    stars: Vec<(f32, f32, f32)>,
}

impl Textures {
    pub(super) fn new() -> Self {
        let mut random = Random(0xC0FF_EE00_1234_5678);
        let mut noise = |columns: usize, rows: usize| -> Vec<f32> {
            (0..columns * rows).map(|_| random.between(0.0, 1.0) as f32).collect()
        };
        let octaves: Vec<_> =
            [(16, 4), (32, 8), (64, 16), (128, 32)].map(|(c, r)| (c, r, noise(c, r))).into();
        let cloud = |x: f32, y: f32| {
            let mut sum = 0.0;
            for (octave, (columns, rows, values)) in octaves.iter().enumerate() {
                let (x, y) = (x * *columns as f32, y * *rows as f32);
                sum += smooth(values, *columns, *rows, x, y)
                    * 0.5f32.powi(i32::try_from(octave).unwrap_or(9) + 1);
            }
            ((sum - 0.46) * 4.0).clamp(0.0, 1.0)
        };
        let clouds = (0..ROWS * AROUND)
            .map(|i| cloud((i % AROUND) as f32 / AROUND as f32, (i / AROUND) as f32 / ROWS as f32))
            .collect();
        let hill = |waves: [(f32, f32); 5], height: f32| -> Vec<f32> {
            let at = |i: usize| {
                let azimuth = i as f32 / AROUND as f32 * std::f32::consts::TAU;
                let sum: f32 =
                    waves.iter().map(|(times, phase)| (azimuth * times + phase).sin() / times.sqrt()).sum();
                (height * (1.0 + 0.45 * sum)).max(0.0)
            };
            (0..AROUND).map(at).collect()
        };
        let hills = [
            hill([(2.0, 0.3), (3.0, 1.9), (7.0, 4.0), (11.0, 0.5), (17.0, 2.0)], 0.075),
            hill([(3.0, 2.2), (5.0, 0.7), (8.0, 3.1), (13.0, 5.0), (23.0, 1.0)], 0.038),
        ];
        let tile = noise(TILE, TILE);
        let mut stars = Vec::new();
        for _ in 0..260 {
            let [azimuth, elevation, size] = [(0.0, std::f64::consts::TAU), (0.06, 0.6), (0.35, 1.0)]
                .map(|(low, high)| random.between(low, high) as f32);
            stars.push((azimuth, elevation, size));
        }
        Self { clouds, hills, tile, stars }
    }

    /// How much cloud there is, from 0 to 1, in a column of the panorama and at an elevation in radians.
    pub(super) fn cloud(&self, column: f32, elevation: f32) -> f32 {
        let row = ((elevation * 150.0).max(0.0) as usize).min(ROWS - 1);
        let (left, part) = (column as usize, column.fract());
        let value = |column: usize| self.clouds[row * AROUND + column % AROUND];
        let fade = (elevation * 9.0).clamp(0.0, 1.0);
        fade * (value(left) + part * (value(left + 1) - value(left)))
    }

    /// The elevations of both ranges of hills at an azimuth, the farther one first.
    pub(super) fn hills(&self, azimuth: f32) -> [f32; 2] {
        let x = column(azimuth);
        let (left, part) = (x as usize, x.fract());
        [0, 1].map(|range| {
            let value = |column: usize| self.hills[range][column % AROUND];
            value(left) + part * (value(left + 1) - value(left))
        })
    }

    /// Grain of the ground at a point, in cells: from 0 to 1.
    pub(super) fn grain(&self, x: f32, y: f32) -> f32 {
        // both become positive
        let (x, y) = (x + (TILE * 8) as f32, y + (TILE * 8) as f32);
        let (left, top) = (x as usize % TILE, y as usize % TILE);
        let (a, b) = (x.fract(), y.fract());
        let value = |dx: usize, dy: usize| self.tile[((top + dy) % TILE) * TILE + (left + dx) % TILE];
        let upper = value(0, 0) + a * (value(1, 0) - value(0, 0));
        let lower = value(0, 1) + a * (value(1, 1) - value(0, 1));
        upper + b * (lower - upper)
    }

    /// Azimuth, elevation and brightness.
    pub(super) fn stars(&self) -> &[(f32, f32, f32)] {
        &self.stars
    }
}

/// The column of the panorama at an azimuth in radians.
pub(super) fn column(azimuth: f32) -> f32 {
    azimuth.rem_euclid(std::f32::consts::TAU) / std::f32::consts::TAU * (AROUND as f32 - 0.001)
}

/// Values between those of a grid that repeats.
fn smooth(values: &[f32], columns: usize, rows: usize, x: f32, y: f32) -> f32 {
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (left, top, a, b) = (x as usize, y as usize, ease(x.fract()), ease(y.fract()));
    let value = |dx: usize, dy: usize| values[((top + dy) % rows) * columns + (left + dx) % columns];
    let upper = value(0, 0) + a * (value(1, 0) - value(0, 0));
    let lower = value(0, 1) + a * (value(1, 1) - value(0, 1));
    upper + b * (lower - upper)
}
