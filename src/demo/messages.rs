//! Parts that messages of the schemas `foxglove.*` share, as the JSON that handles take.

use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};

/// A time.
pub(crate) fn time(at: Timestamp) -> Value {
    json!({"sec": at.nanos() / 1_000_000_000, "nsec": at.nanos() % 1_000_000_000})
}

pub(crate) fn point([x, y, z]: [f64; 3]) -> Value {
    json!({"x": x, "y": y, "z": z})
}

/// A rotation, as x, y, z and w.
pub(crate) type Rotation = [f64; 4];

/// A rotation about one axis (0: x, 1: y, 2: z) by an angle in radians.
pub(crate) fn about(axis: usize, angle: f64) -> Rotation {
    let (sin, cos) = (angle / 2.0).sin_cos();
    let mut rotation = [0.0, 0.0, 0.0, cos];
    rotation[axis] = sin;
    rotation
}

/// One rotation, and then another one within the frame that it makes.
pub(crate) fn then([ax, ay, az, aw]: Rotation, [bx, by, bz, bw]: Rotation) -> Rotation {
    [
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    ]
}

pub(crate) fn rotation([x, y, z, w]: Rotation) -> Value {
    json!({"x": x, "y": y, "z": z, "w": w})
}

pub(crate) fn pose(at: [f64; 3], turned: Rotation) -> Value {
    json!({"position": point(at), "orientation": rotation(turned)})
}

/// Where nothing is moved nor turned.
pub(crate) fn origin() -> Value {
    pose([0.0; 3], about(2, 0.0))
}

/// A colour, of parts from 0 to 1.
pub(crate) fn colour([r, g, b]: [f64; 3], opacity: f64) -> Value {
    json!({"r": r, "g": g, "b": b, "a": opacity})
}

/// Bytes, as JSON has them.
pub(crate) fn bytes(data: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(data)
}

/// Fields of packed elements, one after the other; the types by their names.
pub(crate) fn fields<const N: usize>(names: [&str; N], numeric_type: &str, size: usize) -> Value {
    let fields = names.iter().enumerate();
    fields.map(|(i, name)| json!({"name": name, "offset": i * size, "type": numeric_type})).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use super::*;

    #[test]
    fn rotations_follow_each_other() {
        // to the left, then nose up: x goes to y, and then up
        let both = then(about(2, FRAC_PI_2), about(1, -FRAC_PI_2));
        let half = 0.5;
        let expected = [half, -half, half, half];
        assert!(both.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{both:?}");
    }
}
