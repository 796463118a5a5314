//! Types from definitions in a text, and what their messages become.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use prost_reflect::{DescriptorPool, DynamicMessage};

use super::{JsonAs, MessageType, TypeOptions, Types};

mod builtin;
mod decoding;
mod mapping;
mod own_types;
mod properties;
mod viewer_json;

/// Every kind of field.
const EVERYTHING: &str = r#"
syntax = "proto3";
package test;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "foxglove/Vector3.proto";

enum Color { NONE = 0; RED = 1; DARK_BLUE = -7; }

message Everything {
  double a_double = 1;
  float a_float = 2;
  int32 an_int32 = 3;
  int64 an_int64 = 4;
  uint32 a_uint32 = 5;
  uint64 a_uint64 = 6;
  sint32 a_sint32 = 7;
  sint64 a_sint64 = 8;
  fixed32 a_fixed32 = 9;
  fixed64 a_fixed64 = 10;
  sfixed32 an_sfixed32 = 11;
  sfixed64 an_sfixed64 = 12;
  bool a_bool = 13;
  string a_string = 14;
  bytes some_bytes = 15;
  Color color = 16;
  Everything child = 17;
  optional int32 maybe = 18;
  oneof choice { string text = 19; int32 number = 20; Everything other = 21; }

  repeated sint64 numbers = 30;
  repeated int32 unpacked = 31 [packed = false];
  repeated string strings = 32;
  repeated Everything children = 33;
  repeated Color colors = 34;
  map<string, sfixed32> by_name = 35;
  map<sint64, Everything> by_number = 36;
  map<bool, bytes> by_flag = 37;

  google.protobuf.Timestamp time = 50;
  google.protobuf.Duration duration = 51;
  repeated google.protobuf.Duration durations = 52;
  google.protobuf.Any any = 53;
  google.protobuf.Struct struct = 54;
  google.protobuf.Value value = 55;
  google.protobuf.ListValue list = 56;
  google.protobuf.DoubleValue double_value = 57;
  google.protobuf.UInt64Value uint64_value = 58;
  google.protobuf.StringValue string_value = 59;
  google.protobuf.FieldMask mask = 60;
  google.protobuf.Empty empty = 61;
  foxglove.Vector3 vector = 62;
  int32 camelName = 63 [json_name = "renamed"];
}
"#;

/// Types of a user who gave these files, by name and text, as `--proto`.
struct Own {
    _folder: tempfile::TempDir,
    options: TypeOptions,
}

impl Own {
    fn files(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = TypeOptions::default();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            options.proto.push(path);
        }
        Self { _folder: folder, options }
    }

    /// Only these of the files are named by `--proto`.
    fn naming(mut self, names: &[&str]) -> Self {
        self.options.proto.retain(|path| names.iter().any(|name| path.ends_with(name)));
        self
    }

    fn load(&self) -> Types {
        Types::load(&self.options).unwrap()
    }

    /// What is wrong with the files, without their folder.
    fn error(&self) -> String {
        let text = Types::load(&self.options).unwrap_err().to_string();
        text.replace(&format!("{}/", self._folder.path().display()), "")
    }

    fn path(&self, name: &str) -> PathBuf {
        self._folder.path().join(name)
    }
}

fn everything(json_as: JsonAs) -> Arc<MessageType> {
    static BOTH: LazyLock<[Types; 2]> = LazyLock::new(|| {
        [JsonAs::Protobuf, JsonAs::Json].map(|json_as| {
            let mut own = Own::files(&[("everything.proto", EVERYTHING)]);
            own.options.json_as = json_as;
            own.load()
        })
    });
    BOTH[usize::from(json_as == JsonAs::Json)].find("test.Everything").unwrap()
}

fn builtin(name: &str) -> Arc<MessageType> {
    static TYPES: LazyLock<Types> = LazyLock::new(|| Types::load(&TypeOptions::default()).unwrap());
    TYPES.find(name).unwrap()
}

fn encoded(message_type: &MessageType, json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    message_type.encode(json, &mut out).unwrap();
    out
}

fn error(message_type: &MessageType, json: &str) -> String {
    let mut out = b"before".to_vec();
    let error = message_type.encode(json, &mut out).unwrap_err().to_string();
    assert_eq!(out, b"before", "an error leaves what was there");
    error
}

/// The payload as another implementation reads it, by the schema that goes with it; back in JSON.
fn decoded(message_type: &MessageType, payload: &[u8]) -> serde_json::Value {
    serde_json::to_value(decode(message_type, payload)).unwrap()
}

fn decode(message_type: &MessageType, payload: &[u8]) -> DynamicMessage {
    let pool = DescriptorPool::decode(message_type.schema().data.as_ref()).unwrap();
    let message = pool.get_message_by_name(&message_type.schema().name).unwrap();
    DynamicMessage::decode(message, payload).unwrap()
}
