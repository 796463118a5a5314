//! Where a camera is, and where in its picture points of the world are.

use super::canvas::Pixel;
use crate::demo::drive::solid::Point3;
use crate::demo::drive::vehicle::Vehicle;

/// Size of the picture in pixels.
pub(crate) const WIDTH: usize = 480;
pub(crate) const HEIGHT: usize = 270;

/// Focal length and principal point, in pixels.
pub(crate) const FOCAL: f32 = 330.0;
pub(crate) const CENTRE: Pixel = [240.0, 118.0];

/// Where the camera is, ahead of the rear axle and above the ground, in metres.
pub(crate) const MOUNT: Point3 = [1.5, 0.0, 1.3];

/// Nearer than this, in metres, nothing is drawn.
pub(super) const NEAREST: f32 = 0.3;

/// A camera that looks ahead, level with the ground.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    point: [f64; 2],
    pub(super) heading: f32,
    sin: f64,
    cos: f64,
}

impl View {
    pub(crate) fn of(vehicle: &Vehicle) -> Self {
        let (sin, cos) = vehicle.heading.sin_cos();
        let point = vehicle.on_map([MOUNT[0], MOUNT[1]]);
        Self { point, heading: vehicle.heading as f32, sin, cos }
    }

    /// Metres to the right of the camera, below it, and ahead: the optical frame.
    pub(crate) fn seen(&self, [x, y, z]: Point3) -> [f32; 3] {
        let (dx, dy) = (x - self.point[0], y - self.point[1]);
        let ahead = self.cos * dx + self.sin * dy;
        let left = self.cos * dy - self.sin * dx;
        [-left as f32, (MOUNT[2] - z) as f32, ahead as f32]
    }

    /// The point of the ground that is so far ahead and to the right.
    pub(super) fn ground(&self, right: f32, ahead: f32) -> [f64; 2] {
        let (left, ahead) = (-f64::from(right), f64::from(ahead));
        [
            self.point[0] + self.cos * ahead - self.sin * left,
            self.point[1] + self.sin * ahead + self.cos * left,
        ]
    }

    /// A polygon of the world in the picture, without what lies behind the camera.
    pub(super) fn polygon(&self, corners: &[Point3]) -> Vec<Pixel> {
        let seen: Vec<_> = corners.iter().map(|corner| self.seen(*corner)).collect();
        let mut pixels = Vec::with_capacity(seen.len() + 1);
        for (i, a) in seen.iter().enumerate() {
            let b = &seen[(i + 1) % seen.len()];
            if a[2] >= NEAREST {
                pixels.push(project(*a));
            }
            if (a[2] >= NEAREST) != (b[2] >= NEAREST) {
                let part = (NEAREST - a[2]) / (b[2] - a[2]);
                let cut = [0, 1, 2].map(|axis| a[axis] + part * (b[axis] - a[axis]));
                pixels.push(project([cut[0], cut[1], NEAREST]));
            }
        }
        pixels
    }
}

fn project([right, down, ahead]: [f32; 3]) -> Pixel {
    [CENTRE[0] + FOCAL * right / ahead, CENTRE[1] + FOCAL * down / ahead]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_where_a_camera_sees_them() {
        let vehicle =
            Vehicle { point: [10.0, 20.0], heading: std::f64::consts::FRAC_PI_2, ..Vehicle::default() };
        let view = View::of(&vehicle);
        // ahead is along y, right along x
        let pixel = |point| project(view.seen(point));
        assert_eq!(pixel([10.0, 20.0 + MOUNT[0] + 33.0, MOUNT[2]]), CENTRE);
        let [x, y] = pixel([13.0, 20.0 + MOUNT[0] + 33.0, 0.3]);
        assert!((x - CENTRE[0] - 30.0).abs() < 0.01 && (y - CENTRE[1] - 10.0).abs() < 0.01, "{x} {y}");
        assert!(view.seen([10.0, 0.0, 1.0])[2] < 0.0, "it lies behind");
        let [x, y] = view.ground(3.0, 33.0);
        assert!((x - 13.0).abs() < 1e-6 && (y - 20.0 - MOUNT[0] - 33.0).abs() < 1e-6);
    }

    #[test]
    fn a_polygon_that_reaches_behind_the_camera_is_cut() {
        let view = View::of(&Vehicle::default());
        let strip = [[-50.0, -1.0, 0.0], [50.0, -1.0, 0.0], [50.0, 1.0, 0.0], [-50.0, 1.0, 0.0]];
        assert_eq!(view.polygon(&strip).len(), 4);
        assert!(view.polygon(&[[-5.0, 0.0, 0.0], [-6.0, 1.0, 0.0], [-6.0, 0.0, 0.0]]).is_empty());
    }
}
