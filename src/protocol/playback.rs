//! Playback control: a viewer asks for play, pause, speed and seeks; the server tells every client the state.

use super::binary::{Reader, put_sized};
use super::wire::DecodeError;
use crate::time::Timestamp;

pub(super) const PLAYBACK_STATE: u8 = 5;
pub(super) const PLAYBACK_CONTROL_REQUEST: u8 = 3;

/// What the server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaybackStatus {
    /// 0: time moves.
    Playing,
    /// 1: time stands, by request.
    Paused,
    /// 2: time stands, until data is there.
    Buffering,
    /// 3: time stands at the end of the data.
    Ended,
}

impl PlaybackStatus {
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8("status")? {
            0 => Ok(Self::Playing),
            1 => Ok(Self::Paused),
            2 => Ok(Self::Buffering),
            3 => Ok(Self::Ended),
            other => Err(reader.refuse("status", 1, format!("expected 0 to 3, found {other}"))),
        }
    }

    fn encode(self) -> u8 {
        match self {
            Self::Playing => 0,
            Self::Paused => 1,
            Self::Buffering => 2,
            Self::Ended => 3,
        }
    }
}

/// Sent to every client when playback changes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaybackState {
    /// What the server is doing.
    pub status: PlaybackStatus,
    /// Where playback is.
    pub current_time: Timestamp,
    /// Log time per wall time; 1 is real time. Finite.
    pub speed: f32,
    /// Whether this state follows from a seek, so that what was received before is void.
    pub did_seek: bool,
    /// Of the request that this answers. None, and empty on the wire, for a change that nobody asked for.
    pub request_id: Option<String>,
}

impl PlaybackState {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let mut reader = reader.of("playback state");
        Ok(Self {
            status: PlaybackStatus::decode(&mut reader)?,
            current_time: Timestamp(reader.u64("current time")?),
            speed: reader.finite_f32("speed")?,
            did_seek: reader.u8("did seek")? != 0,
            request_id: Some(reader.text("request id")?).filter(|id| !id.is_empty()),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![PLAYBACK_STATE, self.status.encode()];
        out.extend_from_slice(&self.current_time.0.to_le_bytes());
        out.extend_from_slice(&self.speed.to_le_bytes());
        out.push(u8::from(self.did_seek));
        put_sized(&mut out, self.request_id.as_deref().unwrap_or_default().as_bytes());
        out
    }
}

/// Whether time is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaybackCommand {
    /// 0: time moves.
    Play,
    /// 1: time stands.
    Pause,
}

impl PlaybackCommand {
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8("command")? {
            0 => Ok(Self::Play),
            1 => Ok(Self::Pause),
            other => Err(reader.refuse("command", 1, format!("expected 0 or 1, found {other}"))),
        }
    }

    fn encode(self) -> u8 {
        match self {
            Self::Play => 0,
            Self::Pause => 1,
        }
    }
}

/// A client asks for a state; the seek comes first, then the speed, then the command.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaybackControlRequest {
    /// Whether time is to move.
    pub command: PlaybackCommand,
    /// Log time per wall time; 1 is real time. Finite, but not checked to be above zero.
    pub speed: f32,
    /// Where to go first.
    pub seek: Option<Timestamp>,
    /// To be repeated in the answer.
    pub request_id: String,
}

impl PlaybackControlRequest {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let mut reader = reader.of("playback control request");
        let command = PlaybackCommand::decode(&mut reader)?;
        let speed = reader.finite_f32("speed")?;
        let has_seek = reader.u8("has seek")? != 0;
        let seek_time = Timestamp(reader.u64("seek time")?);
        let request_id = reader.text("request id")?;
        Ok(Self { command, speed, seek: has_seek.then_some(seek_time), request_id })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![PLAYBACK_CONTROL_REQUEST, self.command.encode()];
        out.extend_from_slice(&self.speed.to_le_bytes());
        out.push(u8::from(self.seek.is_some()));
        out.extend_from_slice(&self.seek.unwrap_or_default().0.to_le_bytes());
        put_sized(&mut out, self.request_id.as_bytes());
        out
    }
}
