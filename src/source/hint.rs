//! Which option makes usable what can't be used without it.

/// An option of those who read lines: what it is for. [`Hint::in_library`] names the field of
/// [`JsonLinesOptions`](super::json_lines::JsonLinesOptions) or [`TypeOptions`](crate::payload::TypeOptions); a program
/// says how its users set it, by [`JsonLines::with_hints`](super::json_lines::JsonLines::with_hints).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A topic for lines that name none.
    DefaultTopic,
    /// Whole lines as messages, on a default topic.
    WholeLines,
    /// Lines of comma separated values.
    Csv,
    /// Longer lines.
    MaxLine,
    /// What becomes of NaN and Infinity.
    Nan,
    /// What plain numbers count.
    TimeUnit,
    /// Where the time stands.
    TimeField,
    /// Files that define types.
    Types,
    /// Messages of a recording with the times at which they are sent.
    Shift,
}

/// What is said for a hint, as the end of a sentence.
pub type Hints = fn(Hint) -> &'static str;

impl Hint {
    /// What an embedder can do.
    pub fn in_library(self) -> &'static str {
        match self {
            Self::DefaultTopic => "default_topic names one",
            Self::WholeLines => "with default_topic whole lines are messages on it",
            Self::Csv => "the form Csv reads comma separated values",
            Self::MaxLine => "max_line allows more",
            Self::Nan => "nan says what becomes of them",
            Self::TimeUnit => "time_unit says what the number counts",
            Self::TimeField => "time_field says which",
            Self::Types => "proto adds types",
            Self::Shift => "messages fit beside a recording that is sent with the times of now",
        }
    }
}
