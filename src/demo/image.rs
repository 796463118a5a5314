//! `demo image`: moving pictures, compressed (JPEG, 30 a second) and raw, with the camera's calibration, and annotations
//! that fit to what is seen.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

use super::messages::{bytes, colour, time};
use super::{Running, Ticker, jpeg};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// The raw picture is smaller: every fourth pixel of every fourth row.
const LESS: usize = 4;

/// Colours of the balls, of bytes.
const BALLS: [[u8; 3]; 4] = [[240, 120, 40], [60, 160, 230], [110, 190, 90], [200, 90, 170]];

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let compressed = hub.channel("/camera/image").builtin("foxglove.CompressedImage")?;
    let raw = hub.channel("/camera/raw").builtin("foxglove.RawImage")?;
    let calibration = hub.channel("/camera/calibration").builtin("foxglove.CameraCalibration")?;
    let annotations = hub.channel("/camera/annotations").builtin("foxglove.ImageAnnotations")?;
    let mut count = 0u32;
    let ticker =
        Ticker::start(Duration::from_nanos(1_000_000_000 / 30), move || {
            let (now, seconds) = (Timestamp::now(), f64::from(count) / 30.0);
            let raw_is_due = count.is_multiple_of(3) && raw.is_subscribed();
            count += 1;
            calibration.log_at(now, &calibrated(now));
            annotations.log_at(now, &circles(seconds, now));
            // pictures are expensive: none is drawn while nobody is subscribed
            if !compressed.is_subscribed() && !raw_is_due {
                return;
            }
            let picture = picture(seconds);
            if raw_is_due {
                raw.log_at(now, &raw_image(&picture, now));
            }
            if compressed.is_subscribed() {
                match jpeg::encode(&picture, WIDTH as u16, HEIGHT as u16, 85) {
                Ok(jpeg) => compressed.log_at(now, &json!({
                    "timestamp": time(now), "frame_id": "camera", "format": "jpeg", "data": bytes(&jpeg),
                })),
                Err(error) => tracing::error!("a picture can't be encoded: {error}"),
            }
            }
        })?;
    Ok(Box::new(ticker))
}

/// Where a ball is, in pixels, and its radius.
fn ball(number: usize, seconds: f64) -> [f64; 3] {
    let phase = seconds * (0.5 + 0.13 * number as f64) + 1.7 * number as f64;
    let x = WIDTH as f64 * (0.5 + 0.36 * phase.sin());
    let y = HEIGHT as f64 * (0.5 + 0.30 * (1.3 * phase + 0.5).sin());
    [x, y, 26.0 + 8.0 * (0.7 * phase).cos()]
}

/// Balls over stripes that drift: three bytes for each pixel.
fn picture(seconds: f64) -> Vec<u8> {
    let balls = [0, 1, 2, 3].map(|number| (ball(number, seconds), BALLS[number]));
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        let shade = y as f64 / HEIGHT as f64;
        for x in 0..WIDTH {
            let stripe = (x as f64 + y as f64 + 30.0 * seconds).rem_euclid(80.0) < 40.0;
            let light = if stripe { 10.0 } else { 0.0 };
            let mut pixel =
                [34.0 + 20.0 * shade + light, 44.0 + 26.0 * shade + light, 66.0 + 40.0 * shade + light];
            for ([ball_x, ball_y, radius], colour) in &balls {
                let (dx, dy) = ((x as f64 - ball_x) / radius, (y as f64 - ball_y) / radius);
                let square = dx * dx + dy * dy;
                if square < 1.2 {
                    let edge = ((1.0 - square.sqrt()) * radius + 0.5).clamp(0.0, 1.0);
                    let light = 0.75 + 0.35 * (1.0 - square).max(0.0).sqrt() - 0.2 * (dx + dy);
                    for (part, tint) in pixel.iter_mut().zip(colour) {
                        *part += edge * ((f64::from(*tint) * light).min(255.0) - *part);
                    }
                }
            }
            pixels.extend(pixel.map(|part| part as u8));
        }
    }
    pixels
}

fn raw_image(picture: &[u8], now: Timestamp) -> Value {
    let rows = picture.chunks_exact(3 * WIDTH).step_by(LESS);
    let small: Vec<u8> = rows.flat_map(|row| row.chunks_exact(3).step_by(LESS).flatten().copied()).collect();
    json!({
        "timestamp": time(now), "frame_id": "camera", "width": WIDTH / LESS, "height": HEIGHT / LESS,
        "encoding": "rgb8", "step": 3 * WIDTH / LESS, "data": bytes(&small),
    })
}

fn calibrated(now: Timestamp) -> Value {
    let (f, cx, cy) = (500.0, WIDTH as f64 / 2.0, HEIGHT as f64 / 2.0);
    json!({
        "timestamp": time(now), "frame_id": "camera", "width": WIDTH, "height": HEIGHT,
        "distortion_model": "plumb_bob", "D": [0.0, 0.0, 0.0, 0.0, 0.0],
        "K": [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0], "R": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "P": [f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    })
}

/// A circle round each ball, with its number.
fn circles(seconds: f64, now: Timestamp) -> Value {
    let (mut circles, mut texts) = (Vec::new(), Vec::new());
    for number in 0..BALLS.len() {
        let [x, y, radius] = ball(number, seconds);
        circles.push(json!({
            "timestamp": time(now), "position": {"x": x, "y": y}, "diameter": 2.0 * radius + 8.0, "thickness": 2.0,
            "outline_color": colour([1.0, 1.0, 1.0], 0.9),
        }));
        texts.push(json!({
            "timestamp": time(now), "position": {"x": x - radius, "y": y - radius - 6.0}, "font_size": 12.0,
            "text": format!("ball {}", number + 1), "text_color": colour([1.0, 1.0, 1.0], 1.0),
            "background_color": colour([0.0, 0.0, 0.0], 0.5),
        }));
    }
    json!({"circles": circles, "texts": texts})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_balls_are_where_the_circles_are() {
        for seconds in [0.0, 3.3, 100.0] {
            let picture = picture(seconds);
            let circles = circles(seconds, Timestamp(1));
            for (number, circle) in circles["circles"].as_array().unwrap().iter().enumerate() {
                let [x, y] = ["x", "y"].map(|axis| circle["position"][axis].as_f64().unwrap() as usize);
                let pixel = &picture[(y * WIDTH + x) * 3..][..3];
                // one ball may hide another
                let near = |colour: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(*b) < 60);
                assert!(BALLS.iter().any(near), "ball {number} at {seconds} s: {pixel:?}");
            }
        }
    }

    #[test]
    fn the_raw_picture_has_all_its_bytes() {
        let image = raw_image(&picture(1.0), Timestamp(1));
        let bytes = image["step"].as_u64().unwrap() * image["height"].as_u64().unwrap();
        assert_eq!(image["data"].as_str().unwrap().len() as u64, bytes.div_ceil(3) * 4);
    }
}
