//! Pictures in messages. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Whether messages of a type hold a picture in the field `data`: those of Foxglove and ROS do.
pub(super) fn is_picture(schema_name: &str) -> bool {
    let (package, name) = match schema_name.rfind(['/', '.', ':']) {
        Some(at) => (&schema_name[..at], &schema_name[at + 1..]),
        None => ("", schema_name),
    };
    let package = package.split(['/', '.', ':']).next().unwrap_or_default();
    name == "CompressedImage" && matches!(package, "foxglove" | "foxglove_msgs" | "sensor_msgs")
}

/// The picture in a message that was decoded.
pub(super) fn data(json: &str) -> Result<Vec<u8>, String> {
    #[derive(Deserialize)]
    struct Picture<'a> {
        #[serde(borrow)]
        data: std::borrow::Cow<'a, str>,
    }
    let Picture { data } = serde_json::from_str(json).map_err(|error| format!("the message: {error}"))?;
    STANDARD.decode(&*data).map_err(|error| format!("the field data: {error}"))
}

/// The media type of a picture, by its first bytes; None if it is none that every browser shows.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Some("image/avif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_type_and_their_first_bytes() {
        for name in [
            "foxglove.CompressedImage",
            "sensor_msgs/CompressedImage",
            "sensor_msgs/msg/CompressedImage",
            "sensor_msgs::msg::CompressedImage",
            "foxglove_msgs/msg/CompressedImage",
        ] {
            assert!(is_picture(name), "{name}");
        }
        for name in [
            "",
            "CompressedImage",
            "my.CompressedImage",
            "foxglove.CompressedImageArray",
            "foxglove.RawImage",
        ] {
            assert!(!is_picture(name), "{name}");
        }
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n\0"), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(kind(b"\0\0\0\x1cftypavif"), Some("image/avif"));
        for other in [&b"<svg onload=alert(1)>"[..], b"<html>", b"GIF89a", b"", b"\0\0\0\x1cftypheic"] {
            assert_eq!(kind(other), None);
        }
    }

    #[test]
    fn the_picture_is_the_field_data() {
        assert_eq!(data(r#"{"format":"jpeg","data":"/9j/"}"#).unwrap(), [0xff, 0xd8, 0xff]);
        assert!(data(r#"{"format":"jpeg"}"#).unwrap_err().contains("missing field `data`"));
        assert!(data(r#"{"data":"?"}"#).unwrap_err().contains("the field data"));
    }
}
