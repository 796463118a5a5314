//! Which child frames a message of transforms places.
//!
//! A viewer keeps one transform for each child frame, so that the last message of a topic alone is not what a late viewer
//! needs: several publishers, or several messages of one, place different frames. Known are `tf2_msgs/TFMessage` and
//! `tf/tfMessage` of ROS 1, `tf2_msgs/msg/TFMessage` in CDR, and `foxglove.FrameTransform` and `foxglove.FrameTransforms` as
//! protobuf and as JSON.
//!
//! Pure, and for any bytes: nothing is allocated by a length that a payload claims.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;

use crate::model::Channel;

/// Names of child frames, each once.
pub(crate) type Frames<'a> = BTreeSet<Cow<'a, str>>;

/// Frames in one message, and frames of one topic that are kept; robots have some hundreds.
pub(crate) const MAX_FRAMES: usize = 10_000;

/// Translation and rotation of a transform of ROS: seven numbers of 8 bytes.
const ROS_TRANSFORM: usize = 7 * 8;

/// How the payloads of a channel of transforms are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transforms {
    /// `tf2_msgs/TFMessage` or `tf/tfMessage` of ROS 1.
    Ros1,
    /// `tf2_msgs/msg/TFMessage` in CDR, version 1, in the byte order that the payload says.
    Cdr,
    /// `foxglove.FrameTransform` or `foxglove.FrameTransforms` as protobuf.
    Protobuf(Count),
    /// The same as JSON, in the field names of the protobuf definitions.
    Json(Count),
}

/// How many transforms a message of a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// It is one.
    One,
    /// It has a list of them.
    Many,
}

impl Transforms {
    /// How the payloads of a channel are to be read, if they are transforms.
    pub(crate) fn of(channel: &Channel) -> Option<Self> {
        let name = channel.schema.as_ref()?.name.as_str();
        let count = match name {
            "foxglove.FrameTransform" => Some(Count::One),
            "foxglove.FrameTransforms" => Some(Count::Many),
            _ => None,
        };
        match (channel.message_encoding.as_str(), name) {
            ("ros1", "tf2_msgs/TFMessage" | "tf/tfMessage") => Some(Self::Ros1),
            ("cdr", "tf2_msgs/msg/TFMessage") => Some(Self::Cdr),
            ("protobuf", _) => count.map(Self::Protobuf),
            ("json", _) => count.map(Self::Json),
            _ => None,
        }
    }

    /// The child frames of a payload. None are found in one that is damaged, or that has more than [`MAX_FRAMES`].
    pub(crate) fn child_frames(self, payload: &[u8]) -> Frames<'_> {
        let mut frames = Frames::new();
        let found = match self {
            Self::Ros1 => ros1(payload, &mut frames),
            Self::Cdr => cdr(payload, &mut frames),
            Self::Protobuf(Count::One) => protobuf_one(payload, &mut frames),
            Self::Protobuf(Count::Many) => protobuf_many(payload, &mut frames),
            Self::Json(Count::One) => json_one(payload, &mut frames),
            Self::Json(Count::Many) => json_many(payload, &mut frames),
        };
        if found.is_none() {
            frames.clear();
        }
        frames
    }
}

/// Adds a frame; None if there are too many.
fn add<'a>(frames: &mut Frames<'a>, name: Cow<'a, str>) -> Option<()> {
    frames.insert(name);
    (frames.len() <= MAX_FRAMES).then_some(())
}

/// A list of `geometry_msgs/TransformStamped`, little-endian and without padding.
fn ros1<'a>(payload: &'a [u8], frames: &mut Frames<'a>) -> Option<()> {
    let mut rest = payload;
    for _ in 0..ros1_length(&mut rest)? {
        // seq and stamp of the header
        rest = rest.get(4 + 8..)?;
        ros1_string(&mut rest)?;
        let child = ros1_string(&mut rest)?;
        rest = rest.get(ROS_TRANSFORM..)?;
        add(frames, String::from_utf8_lossy(child))?;
    }
    rest.is_empty().then_some(())
}

fn ros1_length(rest: &mut &[u8]) -> Option<u32> {
    let (length, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*length))
}

fn ros1_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(ros1_length(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

/// A list of `geometry_msgs/msg/TransformStamped`.
fn cdr<'a>(payload: &'a [u8], frames: &mut Frames<'a>) -> Option<()> {
    let mut cdr = Cdr::new(payload)?;
    for _ in 0..cdr.number()? {
        // the stamp of the header
        cdr.number()?;
        cdr.number()?;
        cdr.string()?;
        let child = cdr.string()?;
        cdr.align(8);
        cdr.take(ROS_TRANSFORM)?;
        add(frames, String::from_utf8_lossy(child))?;
    }
    Some(())
}

/// Reads plain CDR, version 1 (OMG DDSI-RTPS, 10.2): numbers are aligned to their size, from the end of the header on.
struct Cdr<'a> {
    body: &'a [u8],
    at: usize,
    is_little_endian: bool,
}

impl<'a> Cdr<'a> {
    fn new(payload: &'a [u8]) -> Option<Self> {
        let (header, body) = payload.split_first_chunk::<4>()?;
        let is_little_endian = match header[..2] {
            [0, 0] => false,
            [0, 1] => true,
            _ => return None,
        };
        Some(Self { body, at: 0, is_little_endian })
    }

    fn align(&mut self, size: usize) {
        self.at = self.at.next_multiple_of(size);
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.body.get(self.at..)?.get(..length)?;
        self.at += length;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4);
        let bytes = *self.take(4)?.first_chunk()?;
        Some(if self.is_little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// A string without the NUL at its end, which counts in its length. Some writers give an empty one the length 0.
    fn string(&mut self) -> Option<&'a [u8]> {
        match usize::try_from(self.number()?).ok()? {
            0 => Some(&[]),
            length => self.take(length)?.strip_suffix(&[0]),
        }
    }
}

/// Number of the field `child_frame_id` of `foxglove.FrameTransform`.
const CHILD_FRAME: u64 = 3;

/// Number of the field `transforms` of `foxglove.FrameTransforms`.
const TRANSFORMS: u64 = 1;

fn protobuf_one<'a>(payload: &'a [u8], frames: &mut Frames<'a>) -> Option<()> {
    let mut child: &[u8] = &[];
    // of a field that occurs again the last one counts
    each_field(payload, CHILD_FRAME, |name| {
        child = name;
        Some(())
    })?;
    add(frames, String::from_utf8_lossy(child))
}

fn protobuf_many<'a>(payload: &'a [u8], frames: &mut Frames<'a>) -> Option<()> {
    each_field(payload, TRANSFORMS, |transform| protobuf_one(transform, frames))
}

/// Visits each field of a number whose value has a length (<https://protobuf.dev/programming-guides/encoding/>).
fn each_field<'a>(
    mut rest: &'a [u8],
    number: u64,
    mut visit: impl FnMut(&'a [u8]) -> Option<()>,
) -> Option<()> {
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let length = match tag & 7 {
            0 => {
                varint(&mut rest)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)?).ok()?,
            5 => 4,
            // groups are not used
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(length)?;
        rest = after;
        if tag == number << 3 | 2 {
            visit(value)?;
        }
    }
    Some(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[derive(Deserialize)]
struct JsonTransform<'a> {
    #[serde(borrow)]
    child_frame_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct JsonTransforms<'a> {
    #[serde(borrow)]
    transforms: Vec<JsonTransform<'a>>,
}

fn json_one<'a>(payload: &'a [u8], frames: &mut Frames<'a>) -> Option<()> {
    let JsonTransform { child_frame_id } = serde_json::from_slice(payload).ok()?;
    add(frames, child_frame_id)
}

fn json_many<'a>(payload: &'a [u8], frames: &mut Frames<'a>) -> Option<()> {
    let JsonTransforms { transforms } = serde_json::from_slice(payload).ok()?;
    transforms.into_iter().try_for_each(|transform| add(frames, transform.child_frame_id))
}

#[cfg(test)]
mod tests;
