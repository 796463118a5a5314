//! What the library only knows as its own options, by the flags that set them.

use foxglove_bridge::source::Hint;

/// The end of a sentence about something that can't be used.
pub(super) fn with_flags(hint: Hint) -> &'static str {
    match hint {
        Hint::DefaultTopic => "--default-topic /t names one",
        Hint::WholeLines => "--raw --default-topic /t takes whole lines as messages",
        Hint::Csv => "--csv --default-topic /t reads comma separated values",
        Hint::MaxLine => "--max-line allows more",
        Hint::Nan => "--nan says what becomes of them",
        Hint::TimeUnit => "--time-unit says what the number counts",
        Hint::TimeField => "--time-field names it",
        Hint::Types => "--proto FILE adds types",
    }
}
