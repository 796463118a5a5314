//! A picture in the making: shapes with smooth edges.

/// Red, green and blue, each from 0 to 1.
pub(crate) type Rgb = [f32; 3];

/// A point of the picture in pixels, from its upper left corner to the right and down.
pub(crate) type Pixel = [f32; 2];

/// How far shapes reach over their edges, in pixels, so that no gap shows between neighbours.
const OVERLAP: f32 = 0.2;

#[derive(Debug)]
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pixels: Vec<Rgb>,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0; 3]; width * height] }
    }

    /// The pixels of a row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [Rgb] {
        &mut self.pixels[row * self.width..][..self.width]
    }

    /// Three bytes for each pixel, row by row.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // a float becomes the nearest byte there is
        self.pixels.iter().flatten().map(|part| (part * 255.0 + 0.5) as u8).collect()
    }

    /// Fills a convex polygon.
    pub(crate) fn polygon(&mut self, corners: &[Pixel], colour: Rgb, opacity: f32) {
        let count = corners.len();
        let area: f32 = (0..count)
            .map(|i| {
                let (a, b) = (corners[i], corners[(i + 1) % count]);
                a[0] * b[1] - b[0] * a[1]
            })
            .sum();
        if count < 3 || area.abs() < 0.02 {
            return;
        }
        // distance to an edge: a x + b y + c, positive within
        let edges: Vec<[f32; 3]> = (0..count)
            .filter_map(|i| {
                let (a, b) = (corners[i], corners[(i + 1) % count]);
                let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                let length = dx.hypot(dy) * area.signum();
                (length.abs() > 1e-4).then(|| [-dy / length, dx / length, (dy * a[0] - dx * a[1]) / length])
            })
            .collect();
        self.fill(bounds(corners, 1.0), |[x, y]| {
            let inside = edges.iter().map(|[a, b, c]| a * x + b * y + c).fold(f32::MAX, f32::min);
            Some((colour, opacity * (inside + 0.5 + OVERLAP).clamp(0.0, 1.0)))
        });
    }

    /// Fills an ellipse whose colour depends on the place in it, as if in a circle of radius 1.
    pub(crate) fn ellipse(
        &mut self,
        middle: Pixel,
        radii: Pixel,
        opacity: f32,
        colour: impl Fn(Pixel) -> Rgb,
    ) {
        let corners =
            [[middle[0] - radii[0], middle[1] - radii[1]], [middle[0] + radii[0], middle[1] + radii[1]]];
        let smaller = radii[0].min(radii[1]).max(0.5);
        self.fill(bounds(&corners, 1.0), |[x, y]| {
            let place = [(x - middle[0]) / radii[0], (y - middle[1]) / radii[1]];
            let square = place[0] * place[0] + place[1] * place[1];
            let inside = (1.0 - square.sqrt()) * smaller + 0.5;
            (inside > 0.0).then(|| (colour(place), opacity * inside.min(1.0)))
        });
    }

    /// Mixes colours into a rectangle: `[left, top, right, bottom]`, cut to the picture.
    fn fill(&mut self, [left, top, right, bottom]: [f32; 4], shade: impl Fn(Pixel) -> Option<(Rgb, f32)>) {
        let within = |at: f32, end: usize| at.clamp(0.0, end as f32) as usize;
        let columns = within(left, self.width)..within(right, self.width);
        for y in within(top, self.height)..within(bottom, self.height) {
            let row = y * self.width;
            for x in columns.clone() {
                if let Some((colour, opacity)) = shade([x as f32 + 0.5, y as f32 + 0.5]) {
                    let pixel = &mut self.pixels[row + x];
                    *pixel = mix(*pixel, colour, opacity);
                }
            }
        }
    }
}

/// The rectangle round some points, with a margin.
fn bounds(points: &[Pixel], margin: f32) -> [f32; 4] {
    let low = |axis: usize| points.iter().map(|point| point[axis]).fold(f32::MAX, f32::min) - margin;
    let high = |axis: usize| points.iter().map(|point| point[axis]).fold(f32::MIN, f32::max) + margin + 1.0;
    [low(0), low(1), high(0), high(1)]
}

/// From one colour (0) to another (1).
pub(crate) fn mix(a: Rgb, b: Rgb, part: f32) -> Rgb {
    [0, 1, 2].map(|i| a[i] + part * (b[i] - a[i]))
}

/// A colour, lit.
pub(crate) fn lit(a: Rgb, light: Rgb) -> Rgb {
    [0, 1, 2].map(|i| (a[i] * light[i]).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(canvas: &Canvas) -> f32 {
        canvas.pixels.iter().map(|pixel| pixel[0]).sum()
    }

    #[test]
    fn shapes_cover_their_area() {
        let white = [1.0; 3];
        let mut canvas = Canvas::new(100, 80);
        // either way round
        canvas.polygon(&[[10.0, 10.0], [50.0, 10.0], [50.0, 40.0], [10.0, 40.0]], white, 1.0);
        canvas.polygon(&[[60.0, 40.0], [90.0, 40.0], [90.0, 10.0]], white, 1.0);
        assert!((sum(&canvas) - 1200.0 - 450.0).abs() < 50.0, "{}", sum(&canvas));
        let mut canvas = Canvas::new(100, 80);
        canvas.ellipse([50.0, 40.0], [30.0, 20.0], 1.0, |_| white);
        assert!((sum(&canvas) - std::f32::consts::PI * 600.0).abs() < 30.0, "{}", sum(&canvas));
    }

    #[test]
    fn what_lies_outside_is_cut() {
        let mut canvas = Canvas::new(10, 10);
        canvas.polygon(&[[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]], [1.0; 3], 1.0);
        canvas.ellipse([-50.0, 1e7], [3.0, f32::MAX], 1.0, |_| [0.0; 3]);
        assert!((sum(&canvas) - 100.0).abs() < 1e-3);
        assert_eq!(canvas.bytes(), [255; 300]);
    }
}
