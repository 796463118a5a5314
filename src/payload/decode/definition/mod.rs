//! Definitions of messages in the languages of ROS and of the OMG, and what decoding needs of them.

mod build;
mod idl;
mod layout;
mod rosmsg;

use super::error::DefinitionError;
use crate::model::Schema;

pub(super) use layout::{Element, Enum, Layout, Scalar, Type};

/// Longest definition that is read; real ones have up to some hundred kB.
const LONGEST: usize = 16 << 20;

/// Which ROS a definition is of: they differ in `byte`, times and empty messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Ros1,
    Ros2,
}

/// Reads `ros1msg` or `ros2msg`.
pub(super) fn ros(schema: &Schema, dialect: Dialect) -> Result<Layout, DefinitionError> {
    rosmsg::layout(&schema.name, &text(schema)?, dialect)
}

/// Reads `ros2idl` or `omgidl`.
pub(super) fn idl(schema: &Schema) -> Result<Layout, DefinitionError> {
    idl::layout(&schema.name, &text(schema)?)
}

fn text(schema: &Schema) -> Result<String, DefinitionError> {
    if schema.data.len() > LONGEST {
        let length = schema.data.len();
        return Err(DefinitionError::new(format!(
            "has {length} bytes, more than the {LONGEST} that are read"
        )));
    }
    Ok(String::from_utf8_lossy(&schema.data).into_owned())
}
