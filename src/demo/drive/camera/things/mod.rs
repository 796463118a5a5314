//! What stands and walks in the world, in the picture: trees, cones, mailboxes, flags.

use super::Scene;
use super::canvas::{Canvas, Pixel, Rgb, lit, mix};
use super::view::{CENTRE, FOCAL, NEAREST};
use crate::demo::drive::simulation::Simulation;
use crate::demo::drive::solid::Point3;
use crate::demo::drive::story::Fox;
use crate::demo::drive::track::Point;
use crate::demo::drive::world::{Colour, House, Shape, Tree};

mod fox;
mod house;

/// Farther things are not drawn, in metres.
const FARTHEST: f32 = 170.0;

enum Thing<'a> {
    Tree(&'a Tree),
    House(&'a House),
    Cone(Point),
    Mailbox(Point),
    Fox(&'a Fox),
    Flag,
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
            add(fox.point(world), 0.0, Thing::Fox(fox));
        }
        if let Some(point) = simulation.goal_point() {
            add(point, 0.0, Thing::Flag);
        }
        places.sort_by(|a, b| b.ahead.total_cmp(&a.ahead));
        for Place { thing, right, ahead } in places {
            match thing {
                Thing::House(house) => self.house(canvas, house, ahead),
                _ if ahead < 1.0 => {}
                Thing::Tree(tree) => self.tree(canvas, tree, right, ahead),
                Thing::Cone(point) => self.cone(canvas, point, right, ahead),
                Thing::Mailbox(point) => self.mailbox(canvas, point, right, ahead),
                Thing::Fox(fox) => self.fox(canvas, fox, right, ahead),
                Thing::Flag => self.flag(canvas, right, ahead),
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
                    let [dark, bright] = [-0.75, 1.0].map(|turned| self.shaded(green, turned, right, ahead));
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
