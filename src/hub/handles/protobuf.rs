//! Channels of protobuf messages, with the definitions that viewers need.

use std::fmt;
use std::marker::PhantomData;

use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage};

use super::{ChannelBuilder, ChannelError, Encode, ProtobufChannel};
use crate::model::Schema;
use crate::payload;

/// Messages as protobuf.
pub struct Protobuf<T>(PhantomData<fn(&T)>);

impl<T: Message> Encode for Protobuf<T> {
    type Message = T;

    fn encode(&self, message: &T, out: &mut Vec<u8>) -> Result<(), String> {
        message.encode(out).map_err(|error| error.to_string())
    }
}

impl<T> fmt::Debug for Protobuf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protobuf")
    }
}

impl ChannelBuilder {
    /// Protobuf messages of a type that knows its definition, as `prost-reflect-build` makes them.
    pub fn protobuf<T: ReflectMessage + Default>(self) -> Result<ProtobufChannel<T>, ChannelError> {
        let schema = payload::protobuf_schema(&T::default().descriptor());
        self.of_schema(schema)
    }

    /// Protobuf messages of a type of which the definition is in a `FileDescriptorSet`, as `protoc --include_imports
    /// --descriptor_set_out` and `prost-build` write it; `name` is the full name there, for example `robot.Imu`.
    pub fn protobuf_in<T: Message>(
        self,
        descriptor_set: &[u8],
        name: &str,
    ) -> Result<ProtobufChannel<T>, ChannelError> {
        let schema = payload::protobuf_schema_in(descriptor_set, name)
            .map_err(|reason| ChannelError::Definition { name: name.to_owned(), reason })?;
        self.of_schema(schema)
    }

    /// Protobuf messages of a type that is known while the program runs.
    pub fn dynamic(
        self,
        descriptor: &MessageDescriptor,
    ) -> Result<ProtobufChannel<DynamicMessage>, ChannelError> {
        let schema = payload::protobuf_schema(descriptor);
        self.of_schema(schema)
    }

    fn of_schema<T: Message>(self, schema: Schema) -> Result<ProtobufChannel<T>, ChannelError> {
        self.open("protobuf", Some(schema), Protobuf(PhantomData))
    }
}
