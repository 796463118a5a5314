//! The flags that say how JSON lines are read, of `serve` and of `info`.

use clap::Args;

use super::{flags, one};
use crate::cli::config::Setting;

#[derive(Debug, Args)]
#[command(next_help_heading = "JSON lines")]
pub(crate) struct LineArgs {
    /// Topic of JSON lines that name none; an object without topic, op, data and data_base64 is itself the data
    #[arg(long, value_name = "TOPIC")]
    default_topic: Option<String>,
    /// Schema of topics whose JSON lines name none, as in /log=foxglove.Log, or /imu=imu.json with a JSON Schema;
    /// the topic may be a pattern; repeatable
    #[arg(long, value_name = "TOPIC=NAME")]
    schema: Vec<String>,
    /// What JSON whose type is known becomes: protobuf, or json with a JSON Schema [default: protobuf]
    #[arg(long, value_name = "protobuf|json")]
    json_as: Option<String>,
    /// File with types that JSON can have besides foxglove.*: .proto, or a descriptor set (.desc, .binpb);
    /// repeatable
    #[arg(long, value_name = "FILE")]
    proto: Vec<String>,
    /// Folder in which .proto files find what they import; repeatable
    #[arg(long, value_name = "FOLDER")]
    proto_path: Vec<String>,
    /// Take each whole line, a JSON object, as a message on the default topic
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    raw: Option<String>,
    /// Read comma separated values: the first line names the fields of messages on the default topic
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    csv: Option<String>,
    /// Field that holds the time of whole lines (see --raw, --csv), as in header.stamp [default: none, the time of arrival counts]
    #[arg(long, value_name = "FIELD")]
    time_field: Option<String>,
    /// What times in JSON lines count that are plain numbers [default: by their size]
    #[arg(long, value_name = "s|ms|us|ns")]
    time_unit: Option<String>,
    /// What NaN and Infinity in JSON lines become: null, a string, or a reason to skip the line [default: null]
    #[arg(long, value_name = "null|string|reject")]
    nan: Option<String>,
    /// Exit with code 2 at the first bad line, and don't skip it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    strict: Option<String>,
    /// Longest line that is read [default: 32MiB]
    #[arg(long, value_name = "BYTES")]
    max_line: Option<String>,
}

impl LineArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> impl Iterator<Item = Setting> + use<> {
        flags([
            ("default-topic", one(&self.default_topic)),
            ("schema", self.schema.clone()),
            ("raw", one(&self.raw)),
            ("csv", one(&self.csv)),
            ("time-field", one(&self.time_field)),
            ("time-unit", one(&self.time_unit)),
            ("nan", one(&self.nan)),
            ("strict", one(&self.strict)),
            ("max-line", one(&self.max_line)),
            ("json-as", one(&self.json_as)),
            ("proto", self.proto.clone()),
            ("proto-path", self.proto_path.clone()),
        ])
    }
}
