//! The colours of a time of day.

use super::canvas::{Rgb, mix};
use crate::demo::drive::simulation::Sky;

#[derive(Debug)]
pub(super) struct Palette {
    /// Of the sky, above and at the horizon.
    pub(super) zenith: Rgb,
    pub(super) horizon: Rgb,
    /// What far things fade into, and at what distance in metres.
    pub(super) haze: Rgb,
    pub(super) clear: f32,
    /// How much of that they fade at most.
    pub(super) fades: f32,
    /// How much light falls on what is in the shade, and from the sun.
    pub(super) shade: Rgb,
    pub(super) sun: Rgb,
    /// How much of the clouds is seen, and their colour.
    pub(super) clouds: f32,
    pub(super) cloud: Rgb,
    /// Of the disc in the sky; where it stands: azimuth and elevation in radians.
    pub(super) disc: Rgb,
    pub(super) stands: [f32; 2],
    pub(super) stars: f32,
    /// How bright windows are by themselves.
    pub(super) windows: f32,
}

impl Palette {
    pub(super) fn of(sky: Sky) -> Self {
        match sky {
            Sky::Day => Self {
                zenith: [0.25, 0.52, 0.86],
                horizon: [0.78, 0.89, 0.96],
                haze: [0.76, 0.86, 0.93],
                clear: 150.0,
                fades: 0.62,
                shade: [0.58, 0.62, 0.70],
                sun: [0.50, 0.46, 0.38],
                clouds: 0.9,
                cloud: [1.0, 1.0, 1.0],
                disc: [1.0, 0.97, 0.85],
                stands: [0.9, 0.50],
                stars: 0.0,
                windows: 0.0,
            },
            Sky::Evening => Self {
                zenith: [0.25, 0.28, 0.52],
                horizon: [0.99, 0.66, 0.40],
                haze: [0.88, 0.60, 0.47],
                clear: 110.0,
                fades: 0.62,
                shade: [0.46, 0.40, 0.50],
                sun: [0.56, 0.36, 0.18],
                clouds: 0.8,
                cloud: [0.98, 0.62, 0.52],
                disc: [1.0, 0.84, 0.55],
                stands: [0.5, 0.13],
                stars: 0.0,
                windows: 0.8,
            },
            Sky::Night => Self {
                zenith: [0.03, 0.05, 0.13],
                horizon: [0.10, 0.15, 0.27],
                haze: [0.08, 0.12, 0.21],
                clear: 90.0,
                fades: 0.72,
                shade: [0.15, 0.18, 0.28],
                sun: [0.07, 0.09, 0.13],
                clouds: 0.25,
                cloud: [0.16, 0.20, 0.32],
                disc: [0.95, 0.95, 0.88],
                stands: [1.2, 0.32],
                stars: 1.0,
                windows: 1.0,
            },
            Sky::Fog => Self {
                zenith: [0.74, 0.77, 0.79],
                horizon: [0.80, 0.82, 0.83],
                haze: [0.80, 0.82, 0.83],
                clear: 22.0,
                fades: 1.0,
                shade: [0.72, 0.74, 0.76],
                sun: [0.08, 0.08, 0.08],
                clouds: 0.0,
                cloud: [0.8; 3],
                disc: [0.86, 0.86, 0.84],
                stands: [0.9, 0.45],
                stars: 0.0,
                windows: 0.5,
            },
        }
    }

    /// How much light falls on a face that is turned to the sun so far: from -1 to 1.
    pub(super) fn light(&self, turned: f32) -> Rgb {
        let sun = 0.5 + 0.5 * turned;
        [0, 1, 2].map(|i| self.shade[i] + sun * self.sun[i])
    }

    /// How much of a colour is lost at a distance in metres, from 0 to 1.
    pub(super) fn fading(&self, distance: f32) -> f32 {
        self.fades * (1.0 - (-(distance / self.clear).powi(2)).exp())
    }

    /// The same of hills that on a clear day lose so much.
    pub(super) fn fading_of_hills(&self, on_a_clear_day: f32) -> f32 {
        self.fades * (1.0 - (1.0 - on_a_clear_day) * (self.clear / 150.0))
    }

    /// A colour as it looks from a distance in metres.
    pub(super) fn far(&self, colour: Rgb, distance: f32) -> Rgb {
        mix(colour, self.haze, self.fading(distance))
    }
}
