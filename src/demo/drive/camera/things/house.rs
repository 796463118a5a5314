//! Houses, face by face.

use super::{Scene, rgb};
use crate::demo::drive::camera::canvas::{Canvas, Rgb, mix};
use crate::demo::drive::solid::Point3;
use crate::demo::drive::world::House;

impl Scene {
    pub(super) fn house(&self, canvas: &mut Canvas, house: &House, ahead: f32) {
        let [deep, wide] = house.half;
        let [eaves, ridge] = house.heights;
        let at = |forward: f64, left: f64, up: f64| -> Point3 {
            let [x, y] = house.at(forward, left);
            [x, y, up]
        };
        let over = 0.35;
        let slope = (ridge - eaves) / deep;
        let low = eaves - over * slope;
        let front =
            [at(deep, -wide, 0.0), at(deep, wide, 0.0), at(deep, wide, eaves), at(deep, -wide, eaves)];
        let back =
            [at(-deep, wide, 0.0), at(-deep, -wide, 0.0), at(-deep, -wide, eaves), at(-deep, wide, eaves)];
        let gable = |side: f64| {
            [
                at(side * deep, side * wide, 0.0),
                at(-side * deep, side * wide, 0.0),
                at(-side * deep, side * wide, eaves),
                at(0.0, side * wide, ridge),
                at(side * deep, side * wide, eaves),
            ]
        };
        let roof = |side: f64| {
            [
                at(side * (deep + over), -side * (wide + over), low),
                at(side * (deep + over), side * (wide + over), low),
                at(0.0, side * (wide + over), ridge),
                at(0.0, -side * (wide + over), ridge),
            ]
        };
        let (wall, tiles) = (rgb(house.wall), rgb(house.roof));
        // the near faces hide the others
        for face in [&front[..], &back] {
            self.face(canvas, face, wall, ahead);
        }
        for side in [1.0, -1.0] {
            self.face(canvas, &gable(side), wall, ahead);
        }
        if self.is_before(&front) {
            let pane = |left: f64, half: f64, low: f64, high: f64| {
                [
                    at(deep, left - half, low),
                    at(deep, left + half, low),
                    at(deep, left + half, high),
                    at(deep, left - half, high),
                ]
            };
            for left in [-2.6, 2.6] {
                self.face(canvas, &pane(left, 0.85, 0.9, 2.5), [0.97, 0.96, 0.92], ahead);
                self.window(canvas, &pane(left, 0.72, 1.03, 2.37), ahead);
            }
            self.face(canvas, &pane(0.0, 0.65, 0.0, 2.3), mix(tiles, [0.2; 3], 0.35), ahead);
        }
        for side in [1.0, -1.0] {
            self.face(canvas, &roof(side), tiles, ahead);
        }
    }

    /// Whether a face is seen from its outer side, from which its corners run counter-clockwise.
    fn is_before(&self, corners: &[Point3]) -> bool {
        let [a, b, c] = [0, 1, 2].map(|i| self.view.seen(corners[i]));
        let (u, v) = ([0, 1, 2].map(|i| b[i] - a[i]), [0, 1, 2].map(|i| c[i] - a[i]));
        let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        normal.iter().zip(a).map(|(n, a)| n * a).sum::<f32>() < 0.0
    }

    fn face(&self, canvas: &mut Canvas, corners: &[Point3], colour: Rgb, ahead: f32) {
        if !self.is_before(corners) {
            return;
        }
        let [a, b, c] = [corners[0], corners[1], corners[2]];
        let (u, v) = ([0, 1, 2].map(|i| b[i] - a[i]), [0, 1, 2].map(|i| c[i] - a[i]));
        let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        let length = normal.iter().map(|n| n * n).sum::<f64>().sqrt().max(1e-9);
        let (sin, cos) = f64::from(self.palette.stands[0]).sin_cos();
        let turned = ((normal[0] * cos + normal[1] * sin) * 0.8 + normal[2] * 0.6) / length;
        let middle = self.view.seen(a)[0];
        let colour = self.shaded(colour, turned as f32, middle, ahead.max(1.0));
        canvas.polygon(&self.view.polygon(corners), colour, 1.0);
    }

    /// Glass, that shines at night.
    fn window(&self, canvas: &mut Canvas, corners: &[Point3], ahead: f32) {
        let glass = self.shaded([0.45, 0.58, 0.68], 0.0, self.view.seen(corners[0])[0], ahead.max(1.0));
        let glow = self.palette.far([1.0, 0.82, 0.45], 0.6 * ahead);
        canvas.polygon(&self.view.polygon(corners), mix(glass, glow, self.palette.windows), 1.0);
    }
}
