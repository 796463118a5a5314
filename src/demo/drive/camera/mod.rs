//! What the robot's camera sees: sky, hills and ground pixel by pixel, then things from far to near.

use self::canvas::{Canvas, Rgb, lit, mix};
use self::palette::Palette;
use self::textures::Textures;
use self::view::{CENTRE, FOCAL, HEIGHT, MOUNT, WIDTH};
use super::simulation::{Lamp, START, Simulation};
use super::track::turn;
use super::world::{HALF_ROAD, World};

pub(crate) mod canvas;
mod palette;
mod textures;
mod things;
pub(crate) mod view;

use view::View;

/// Farther than this the ground is grass alone, in metres.
const PLAIN: f32 = 140.0;

/// Length of a dash of the middle line and the gap after it, in metres.
const DASH: f64 = 6.0;

#[derive(Debug)]
pub(crate) struct Camera {
    textures: Textures,
}

impl Camera {
    pub(crate) fn new() -> Self {
        Self { textures: Textures::new() }
    }

    /// The picture of this moment: [`WIDTH`] by [`HEIGHT`] pixels of three bytes.
    pub(crate) fn picture(&self, simulation: &Simulation) -> Vec<u8> {
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        let scene = Scene {
            view: View::of(&simulation.vehicle),
            palette: Palette::of(simulation.settings.sky),
            lamp: simulation.settings.lamp,
            time: simulation.time as f32,
        };
        scene.sky(&mut canvas, &self.textures);
        scene.ground(&mut canvas, &self.textures, &simulation.world);
        scene.things(&mut canvas, simulation);
        scene.bonnet(&mut canvas);
        canvas.bytes()
    }
}

/// What all parts of one picture share.
struct Scene {
    view: View,
    palette: Palette,
    lamp: Lamp,
    time: f32,
}

impl Scene {
    fn sky(&self, canvas: &mut Canvas, textures: &Textures) {
        struct Column {
            hills: [f32; 2],
            /// Of the clouds' panorama.
            clouds: f32,
            /// Azimuth from the sun, squared.
            from_sun: f32,
        }
        let palette = &self.palette;
        let columns: Vec<Column> = (0..WIDTH)
            .map(|column| {
                let azimuth = self.view.heading - ((column as f32 + 0.5 - CENTRE[0]) / FOCAL).atan();
                let from_sun = turn(f64::from(azimuth - palette.stands[0])) as f32;
                Column {
                    hills: textures.hills(azimuth),
                    clouds: textures::column(azimuth + self.time * 0.0012),
                    from_sun: from_sun * from_sun,
                }
            })
            .collect();
        let hills = [([0.34, 0.47, 0.56], 0.85), ([0.27, 0.44, 0.34], 0.6)].map(|(colour, far)| {
            mix(lit(colour, palette.light(0.0)), palette.haze, palette.fading_of_hills(far))
        });
        for row in 0..(CENTRE[1] as usize + 1).min(HEIGHT) {
            let elevation = (CENTRE[1] - row as f32 - 0.5) / FOCAL;
            let height = (elevation / 0.36).clamp(0.0, 1.0);
            let sky = mix(palette.horizon, palette.zenith, height.powf(0.7));
            let above_sun = (elevation - palette.stands[1]).powi(2);
            for (pixel, column) in canvas.row(row).iter_mut().zip(&columns) {
                let covered = column.hills.map(|hill| ((hill - elevation) * FOCAL + 0.5).clamp(0.0, 1.0));
                let mut colour = sky;
                if covered[0].max(covered[1]) < 1.0 {
                    let away = (column.from_sun + above_sun).sqrt();
                    let glow = (0.045 / (away + 0.02)).min(1.0);
                    colour = mix(colour, palette.disc, 0.55 * glow * glow);
                    let cloud = palette.clouds * textures.cloud(column.clouds, elevation);
                    colour = mix(colour, palette.cloud, 0.85 * cloud);
                    let disc = ((0.03 - away) * FOCAL + 0.5).clamp(0.0, 1.0);
                    colour = mix(colour, palette.disc, disc * (1.0 - 0.8 * cloud));
                }
                *pixel = mix(mix(colour, hills[0], covered[0]), hills[1], covered[1]);
            }
        }
        if palette.stars > 0.0 {
            self.stars(canvas, textures);
        }
    }

    fn stars(&self, canvas: &mut Canvas, textures: &Textures) {
        for (index, (azimuth, elevation, brightness)) in textures.stars().iter().enumerate() {
            let turned = turn(f64::from(self.view.heading - azimuth)) as f32;
            if turned.abs() > 0.9 || *elevation < textures.hills(*azimuth)[0] {
                continue;
            }
            let pixel = [CENTRE[0] + FOCAL * turned.tan(), CENTRE[1] - FOCAL * elevation];
            let twinkle = 0.75 + 0.25 * (self.time * 2.0 + index as f32).sin();
            canvas
                .ellipse(pixel, [0.8, 0.8], brightness * twinkle * self.palette.stars, |_| [1.0, 0.98, 0.9]);
        }
    }

    fn ground(&self, canvas: &mut Canvas, textures: &Textures, world: &World) {
        let palette = &self.palette;
        let camera = MOUNT[2] as f32;
        for row in CENTRE[1] as usize..HEIGHT {
            let down = row as f32 + 0.5 - CENTRE[1];
            let ahead = camera * FOCAL / down.max(0.3);
            // what one pixel covers, in metres
            let (wide, deep) = (ahead / FOCAL, ahead * ahead / (camera * FOCAL));
            let fine = (1.0 - wide * 12.0).clamp(0.0, 1.0);
            let (light, fading) = (palette.light(0.5), palette.fading(ahead));
            for (column, pixel) in canvas.row(row).iter_mut().enumerate() {
                let right = (column as f32 + 0.5 - CENTRE[0]) * wide;
                let [x, y] = self.view.ground(right, ahead);
                let colour = if ahead < PLAIN {
                    let coarse = textures.grain(x as f32 * 0.22, y as f32 * 0.22);
                    let grain = if fine > 0.0 {
                        fine * (textures.grain(x as f32 * 4.0, y as f32 * 4.0) - 0.5)
                    } else {
                        0.0
                    };
                    let grass = mix([0.36, 0.55, 0.25], [0.52, 0.64, 0.31], coarse);
                    let grass = grass.map(|part| part * (1.0 + 0.22 * grain));
                    match world.ground.beside(&world.road, [x, y]) {
                        Some(beside) => {
                            let shares =
                                Shares { across: wide.max(0.4 * deep * slant(right, ahead)), along: deep };
                            road(grass, grain, beside.left as f32, beside.along, world.road.length, &shares)
                        }
                        None => grass,
                    }
                } else {
                    [0.44, 0.59, 0.28]
                };
                *pixel = mix(lit(colour, self.lit_by(light, right, ahead)), palette.haze, fading);
            }
        }
    }

    /// The robot's own front, at the lower edge.
    fn bonnet(&self, canvas: &mut Canvas) {
        let light = self.palette.light(0.7);
        let [dark, bright] = [[0.70, 0.72, 0.73], [0.98, 0.97, 0.94]].map(|colour| lit(colour, light));
        let stripe = lit([0.95, 0.49, 0.13], light);
        let (middle, radii) = ([CENTRE[0], HEIGHT as f32 + 16.0], [150.0, 34.0]);
        canvas.ellipse(middle, radii, 1.0, |[x, y]| {
            let stripe_ends = ((0.13 - x.abs()) * 40.0).clamp(0.0, 1.0);
            mix(mix(bright, dark, (1.0 + y) * 1.2), stripe, stripe_ends)
        });
    }

    /// The light at a place, with that of the lamps.
    fn lit_by(&self, light: Rgb, right: f32, ahead: f32) -> Rgb {
        if self.lamp == Lamp::Off {
            return light;
        }
        let beam = (-(right / (0.9 + 0.34 * ahead)).powi(2)).exp() / (1.0 + (ahead / 15.0).powi(2));
        let lamp = [1.0, 0.93, 0.76].map(|part: f32| part * beam * 0.9);
        [0, 1, 2].map(|i| (light[i] + lamp[i]).min(1.15))
    }
}

/// What one pixel covers of the road, in metres.
struct Shares {
    across: f32,
    along: f32,
}

/// How much a strip across the picture is foreshortened by looking along it.
fn slant(right: f32, ahead: f32) -> f32 {
    (right / ahead).abs().min(1.0)
}

/// The colour of the ground near the road.
fn road(grass: Rgb, grain: f32, left: f32, along: f64, length: f64, shares: &Shares) -> Rgb {
    // how much of a pixel lies within a distance of a line
    let within = |distance: f32, half: f32, share: f32| {
        let share = share.max(0.02);
        let over = ((half - distance) / share + 0.5).clamp(0.0, 1.0);
        // a line that is thinner than the pixel
        over * (2.0 * half / share).min(1.0)
    };
    let side = left.abs();
    let asphalt = [0.36, 0.37, 0.40].map(|part| part * (1.0 + 0.14 * grain));
    let mut colour = mix(grass, [0.66, 0.60, 0.46], within(side, HALF_ROAD as f32 + 0.45, shares.across));
    colour = mix(colour, asphalt, within(side, HALF_ROAD as f32, shares.across));
    let white = [0.93, 0.93, 0.90];
    colour = mix(colour, white, within((side - HALF_ROAD as f32 + 0.25).abs(), 0.07, shares.across));
    let dashes = (length / DASH).round();
    let place = (along / length * dashes).fract() as f32 - 0.25;
    let dash = within(place.abs() * DASH as f32, 0.25 * DASH as f32, shares.along);
    colour = mix(colour, white, dash * within(side, 0.07, shares.across));
    // the start, in checks
    let start = along as f32 - START as f32 * length as f32;
    if side < HALF_ROAD as f32 && (0.0..1.4).contains(&start) {
        let black = ((start / 0.7) as i32 + ((left + 7.0) / 0.7) as i32) % 2 == 0;
        let fade = (0.35 / shares.along.max(0.01)).min(1.0);
        colour = mix(colour, if black { [0.12; 3] } else { white }, 0.5 + 0.5 * fade);
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::drive::simulation::Sky;

    /// The mean of a rectangle of a picture: columns and rows.
    fn mean(picture: &[u8], columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> [f32; 3] {
        let mut sum = [0.0; 3];
        for row in rows.clone() {
            for column in columns.clone() {
                (0..3).for_each(|i| sum[i] += f32::from(picture[(row * WIDTH + column) * 3 + i]));
            }
        }
        sum.map(|part| part / (columns.len() * rows.len()) as f32)
    }

    #[test]
    fn the_sky_is_blue_and_the_road_is_grey() {
        let picture = Camera::new().picture(&Simulation::new());
        assert_eq!(picture.len(), WIDTH * HEIGHT * 3);
        let [red, _, blue] = mean(&picture, 0..WIDTH, 0..20);
        assert!(blue > red + 20.0, "{red} {blue}");
        let [red, green, blue] = mean(&picture, 200..280, 200..240);
        assert!((red - green).abs() < 15.0 && (green - blue).abs() < 20.0, "{red} {green} {blue}");
    }

    #[test]
    fn at_night_it_is_dark_and_a_lamp_helps() {
        let (camera, mut simulation) = (Camera::new(), Simulation::new());
        let mut road = |sky, lamp| {
            simulation.settings.sky = sky;
            simulation.settings.lamp = lamp;
            mean(&camera.picture(&simulation), 200..280, 190..240)[1]
        };
        let [day, night, lit] = [(Sky::Day, Lamp::Off), (Sky::Night, Lamp::Off), (Sky::Night, Lamp::On)]
            .map(|(sky, lamp)| road(sky, lamp));
        assert!(night < 0.5 * day && lit > 1.6 * night, "{day} {night} {lit}");
    }

    #[test]
    fn one_moment_always_looks_the_same() {
        let simulation = Simulation::new();
        assert!(Camera::new().picture(&simulation) == Camera::new().picture(&simulation));
    }
}
