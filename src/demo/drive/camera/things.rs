//! Trees, houses, cones and the fox, in the picture.

use super::canvas::{Canvas, Pixel, Rgb, lit, mix};
use super::view::{CENTRE, FOCAL, NEAREST};
use super::Scene;
use crate::demo::drive::simulation::Simulation;
use crate::demo::drive::solid::Point3;
use crate::demo::drive::story::Fox;
use crate::demo::drive::track::Point;
use crate::demo::drive::world::{Colour, House, Shape, Tree};

/// Farther things are not drawn, in metres.
const FARTHEST: f32 = 170.0;

enum Thing<'a> {
    Tree(&'a Tree),
    House(&'a House),
    Cone(Point),
    Mailbox(Point),
    Fox(&'a Fox, Point),
    Flag(Point),
}

/// One thing, with the scale that its distance gives it.
struct Place<'a> {
    thing: Thing<'a>,
    right: f32,
    ahead: f32,
}

impl Scene {
    /// Draws what stands and walks in the world, from far to near.
    pub(super) fn things(&self, canvas: &mut Canvas, simulation: &Simulation) {
        let world = &simulation.world;
        let mut places = Vec::new();
        let mut add = |point: Point, reach: f32, thing| {
            let [right, _, ahead] = self.view.seen([point[0], point[1], 0.0]);
            let beside = right.abs() - reach > ahead.max(0.0) * (CENTRE[0] / FOCAL) + 1.0;
            if ahead + reach > NEAREST && ahead < FARTHEST && !beside {
                places.push(Place { thing, right, ahead });
            }
        };
        world.trees.iter().for_each(|tree| add(tree.point, 0.0, Thing::Tree(tree)));
        world.houses.iter().for_each(|house| add(house.point, 6.0, Thing::House(house)));
        world.cones.iter().for_each(|cone| add(*cone, 0.0, Thing::Cone(*cone)));
        world.mailboxes.iter().for_each(|mailbox| add(mailbox.point, 0.0, Thing::Mailbox(mailbox.point)));
        if let Some(fox) = &simulation.fox {
            let point = fox.point(world);
            add(point, 0.0, Thing::Fox(fox, point));
        }
        if let Some(point) = simulation.goal_point() {
            add(point, 0.0, Thing::Flag(point));
        }
        places.sort_by(|a, b| b.ahead.total_cmp(&a.ahead));
        for Place { thing, right, ahead } in places {
            match thing {
                Thing::House(house) => self.house(canvas, house, ahead),
                _ if ahead < 1.0 => {}
                Thing::Tree(tree) => self.tree(canvas, tree, right, ahead),
                Thing::Cone(point) => self.cone(canvas, point, right, ahead),
                Thing::Mailbox(point) => self.mailbox(canvas, point, right, ahead),
                Thing::Fox(fox, _) => self.fox(canvas, fox, right, ahead),
                Thing::Flag(_) => self.flag(canvas, right, ahead),
            }
        }
    }

    /// A colour as it looks at a place, on a face that is turned to the sun so far.
    fn shaded(&self, colour: Rgb, turned: f32, right: f32, ahead: f32) -> Rgb {
        let light = self.lit_by(self.palette.light(turned), right, ahead);
        self.palette.far(lit(colour, light), ahead)
    }

    fn shadow(&self, canvas: &mut Canvas, point: Point, radius: f64) {
        let corners: Vec<Point3> = (0..12)
            .map(|i| {
                let (sin, cos) = (f64::from(i) * std::f64::consts::TAU / 12.0).sin_cos();
                [point[0] + radius * cos, point[1] + radius * sin, 0.0]
            })
            .collect();
        let pixels = self.view.polygon(&corners);
        let ahead = self.view.seen([point[0], point[1], 0.0])[2];
        let dark = self.palette.far([0.10, 0.14, 0.14], ahead);
        canvas.polygon(&pixels, dark, 0.38 * (-ahead / 60.0).exp());
    }

    fn tree(&self, canvas: &mut Canvas, tree: &Tree, right: f32, ahead: f32) {
        self.shadow(canvas, tree.point, tree.radius * 0.9);
        let place = Upright { right, ahead };
        let (height, radius) = (tree.height as f32, tree.radius as f32);
        let bark = self.shaded([0.40, 0.30, 0.22], -0.2, right, ahead);
        canvas.polygon(&place.trapeze(0.0, 0.6 * height, 0.05 * height, 0.03 * height), bark, 1.0);
        let green = rgb(tree.colour);
        match tree.shape {
            Shape::Round => {
                let sway = 0.03 * (self.time * 0.9 + tree.point[0] as f32).sin();
                let balls = [(-0.45, 0.75, 0.70), (0.48, 0.80, 0.66), (sway, 1.15, 0.92)];
                for (side, up, size) in balls {
                    let middle = place.pixel(side * radius, height - 2.0 * radius + up * radius);
                    let round = radius * size * place.scale();
                    let [dark, bright] =
                        [-0.75, 1.0].map(|turned| self.shaded(green, turned, right, ahead));
                    canvas.ellipse(middle, [round, round], 1.0, |[x, y]| {
                        let ball = (1.0 - x * x - y * y).max(0.0).sqrt();
                        mix(dark, bright, (0.48 + 0.30 * x - 0.42 * y + 0.18 * ball).clamp(0.0, 1.0))
                    });
                }
            }
            Shape::Pine => {
                for (low, high, wide) in [(0.16, 0.58, 1.0), (0.38, 0.78, 0.78), (0.60, 1.0, 0.54)] {
                    for (side, turned) in [(-1.0, -0.5), (1.0, 0.6)] {
                        let tip = place.pixel(0.0, high * height);
                        let foot = place.pixel(0.0, low * height - 0.05 * radius);
                        let out = place.pixel(side * wide * radius, low * height);
                        let colour = self.shaded(green, turned, right, ahead);
                        canvas.polygon(&[tip, foot, out], colour, 1.0);
                    }
                }
            }
        }
    }

    fn house(&self, canvas: &mut Canvas, house: &House, ahead: f32) {
        let [deep, wide] = house.half;
        let [eaves, ridge] = house.heights;
        let at = |forward: f64, left: f64, up: f64| -> Point3 {
            let [x, y] = house.at(forward, left);
            [x, y, up]
        };
        let over = 0.35;
        let slope = (ridge - eaves) / deep;
        let low = eaves - over * slope;
        let front = [at(deep, -wide, 0.0), at(deep, wide, 0.0), at(deep, wide, eaves), at(deep, -wide, eaves)];
        let back = [at(-deep, wide, 0.0), at(-deep, -wide, 0.0), at(-deep, -wide, eaves), at(-deep, wide, eaves)];
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
                [at(deep, left - half, low), at(deep, left + half, low), at(deep, left + half, high), at(deep, left - half, high)]
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

    fn cone(&self, canvas: &mut Canvas, point: Point, right: f32, ahead: f32) {
        self.shadow(canvas, point, 0.3);
        let place = Upright { right, ahead };
        let [orange, white, foot] = [[0.98, 0.42, 0.10], [0.97, 0.97, 0.95], [0.20, 0.20, 0.22]]
            .map(|colour| self.shaded(colour, 0.5, right, ahead));
        canvas.polygon(&place.trapeze(0.0, 0.05, 0.24, 0.24), foot, 1.0);
        canvas.polygon(&place.trapeze(0.05, 0.6, 0.17, 0.03), orange, 1.0);
        canvas.polygon(&place.trapeze(0.25, 0.40, 0.119, 0.081), white, 1.0);
    }

    fn mailbox(&self, canvas: &mut Canvas, point: Point, right: f32, ahead: f32) {
        self.shadow(canvas, point, 0.3);
        let place = Upright { right, ahead };
        let [post, yellow, slot] = [[0.45, 0.36, 0.28], [0.98, 0.78, 0.15], [0.25, 0.22, 0.18]]
            .map(|colour| self.shaded(colour, 0.4, right, ahead));
        canvas.polygon(&place.trapeze(0.0, 0.85, 0.06, 0.06), post, 1.0);
        canvas.polygon(&place.trapeze(0.85, 1.2, 0.24, 0.24), yellow, 1.0);
        let top = place.pixel(0.0, 1.2);
        canvas.ellipse(top, [0.24 * place.scale(), 0.1 * place.scale()], 1.0, |_| yellow);
        canvas.polygon(&place.trapeze(1.06, 1.1, 0.15, 0.15), slot, 1.0);
    }

    fn fox(&self, canvas: &mut Canvas, fox: &Fox, right: f32, ahead: f32) {
        let place = Upright { right, ahead };
        let [orange, dark, white, black] =
            [[0.95, 0.49, 0.13], [0.72, 0.33, 0.08], [0.98, 0.95, 0.90], [0.10, 0.08, 0.08]]
                .map(|colour| self.shaded(colour, 0.6, right, ahead));
        let ball = |canvas: &mut Canvas, side: f32, up: f32, wide: f32, high: f32, colour: Rgb| {
            let scale = place.scale();
            canvas.ellipse(place.pixel(side, up), [wide * scale, high * scale], 1.0, |_| colour);
        };
        let ear = |canvas: &mut Canvas, side: f32, up: f32| {
            let corners = [(-0.07, 0.0), (0.07, 0.0), (0.0, 0.17)].map(|(dx, dy)| place.pixel(side + dx, up + dy));
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

    fn flag(&self, canvas: &mut Canvas, right: f32, ahead: f32) {
        let place = Upright { right, ahead };
        let pole = self.shaded([0.9, 0.9, 0.9], 0.5, right, ahead);
        let cloth = self.shaded([0.86, 0.20, 0.45], 0.6, right, ahead);
        canvas.polygon(&place.trapeze(0.0, 2.4, 0.04, 0.04), pole, 1.0);
        let wave = 0.06 * (self.time * 4.0).sin();
        let corners = [(0.0, 2.4), (0.9, 2.15 + wave), (0.0, 1.8)].map(|(side, up)| place.pixel(side, up));
        canvas.polygon(&corners, cloth, 1.0);
    }
}

/// A place on the ground with what stands on it, turned to the camera.
struct Upright {
    right: f32,
    ahead: f32,
}

impl Upright {
    /// Pixels for a metre.
    fn scale(&self) -> f32 {
        FOCAL / self.ahead
    }

    fn pixel(&self, side: f32, up: f32) -> Pixel {
        let down = super::MOUNT[2] as f32 - up;
        [CENTRE[0] + (self.right + side) * self.scale(), CENTRE[1] + down * self.scale()]
    }

    /// Between two heights, with half the width at each.
    fn trapeze(&self, low: f32, high: f32, wide: f32, narrow: f32) -> [Pixel; 4] {
        [(-wide, low), (wide, low), (narrow, high), (-narrow, high)].map(|(side, up)| self.pixel(side, up))
    }
}

fn rgb(colour: Colour) -> Rgb {
    colour.map(|part| part as f32)
}
