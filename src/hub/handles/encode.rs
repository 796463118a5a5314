//! From a program's own messages to payloads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use crate::payload::MessageType;

/// Turns messages of one channel into payloads.
pub trait Encode: Send + Sync {
    /// What is logged.
    type Message: ?Sized;

    /// Appends the payload to `out`, or says why there is none.
    fn encode(&self, message: &Self::Message, out: &mut Vec<u8>) -> Result<(), String>;
}

/// Messages as JSON.
pub struct Json<T: ?Sized>(pub(super) PhantomData<fn(&T)>);

impl<T: Serialize + ?Sized> Encode for Json<T> {
    type Message = T;

    fn encode(&self, message: &T, out: &mut Vec<u8>) -> Result<(), String> {
        serde_json::to_writer(out, message).map_err(|error| error.to_string())
    }
}

/// Messages of a built-in schema, as protobuf.
pub struct Builtin<T: ?Sized> {
    pub(super) message: Arc<MessageType>,
    pub(super) of: PhantomData<fn(&T)>,
}

impl<T: Serialize + ?Sized> Encode for Builtin<T> {
    type Message = T;

    fn encode(&self, message: &T, out: &mut Vec<u8>) -> Result<(), String> {
        let json = serde_json::to_string(message).map_err(|error| error.to_string())?;
        self.message.encode(&json, out).map(|_zone| ()).map_err(|error| error.to_string())
    }
}

/// Payloads as they are.
#[derive(Debug)]
pub struct Raw;

impl Encode for Raw {
    type Message = [u8];

    fn encode(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(message);
        Ok(())
    }
}

impl<T: ?Sized> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}

impl<T: ?Sized> fmt::Debug for Builtin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Builtin").field(&self.message.schema().name).finish()
    }
}
