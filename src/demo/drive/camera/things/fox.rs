//! The fox, sitting or walking.

use super::{Scene, Upright};
use crate::demo::drive::camera::canvas::{Canvas, Rgb};
use crate::demo::drive::story::Fox;

impl Scene {
    pub(super) fn fox(&self, canvas: &mut Canvas, fox: &Fox, right: f32, ahead: f32) {
        let place = Upright { right, ahead };
        let [orange, dark, white, black] =
            [[0.95, 0.49, 0.13], [0.72, 0.33, 0.08], [0.98, 0.95, 0.90], [0.10, 0.08, 0.08]]
                .map(|colour| self.shaded(colour, 0.6, right, ahead));
        let ball = |canvas: &mut Canvas, side: f32, up: f32, wide: f32, high: f32, colour: Rgb| {
            let scale = place.scale();
            canvas.ellipse(place.pixel(side, up), [wide * scale, high * scale], 1.0, |_| colour);
        };
        let ear = |canvas: &mut Canvas, side: f32, up: f32| {
            let corners =
                [(-0.07, 0.0), (0.07, 0.0), (0.0, 0.17)].map(|(dx, dy)| place.pixel(side + dx, up + dy));
            canvas.polygon(&corners, dark, 1.0);
        };
        if fox.sits() {
            // it looks at the camera
            ball(canvas, 0.32, 0.20, 0.20, 0.10, orange);
            ball(canvas, 0.47, 0.22, 0.08, 0.07, white);
            ball(canvas, 0.0, 0.26, 0.20, 0.27, orange);
            ball(canvas, 0.0, 0.27, 0.10, 0.18, white);
            [-0.11, 0.11].into_iter().for_each(|side| ear(canvas, side, 0.68));
            ball(canvas, 0.0, 0.60, 0.19, 0.15, orange);
            ball(canvas, 0.0, 0.55, 0.10, 0.08, white);
            ball(canvas, 0.0, 0.55, 0.03, 0.025, black);
            [-0.08, 0.08].into_iter().for_each(|side| ball(canvas, side, 0.63, 0.022, 0.026, black));
        } else {
            // it walks to the left of the picture
            let step = (self.time * 9.0).sin() * 0.06;
            for (side, lift) in [(-0.25, step), (-0.13, -step), (0.15, -step), (0.27, step)] {
                let leg = [(-0.03, 0.25), (0.03, 0.25), (0.03 + lift, 0.0), (-0.03 + lift, 0.0)]
                    .map(|(dx, up)| place.pixel(side + dx, up));
                canvas.polygon(&leg, dark, 1.0);
            }
            ball(canvas, 0.52, 0.36, 0.20, 0.08, orange);
            ball(canvas, 0.68, 0.38, 0.08, 0.06, white);
            ball(canvas, 0.0, 0.34, 0.36, 0.13, orange);
            ball(canvas, -0.20, 0.29, 0.14, 0.07, white);
            ear(canvas, -0.32, 0.55);
            ball(canvas, -0.38, 0.50, 0.14, 0.11, orange);
            ball(canvas, -0.50, 0.46, 0.09, 0.045, white);
            ball(canvas, -0.58, 0.46, 0.025, 0.025, black);
            ball(canvas, -0.41, 0.53, 0.02, 0.022, black);
        }
    }
}
