//! What others wrote, fit for a log line or a terminal: one line, no control characters, not too long.
//!
//! Topics, names of schemas and the content of lines come from writers that may be broken or hostile: a newline would
//! forge a log line, an escape sequence would command the terminal, a mark of direction would turn text around.

use std::fmt::{self, Display, Write};

/// Characters that are shown; more say nothing new.
const LONGEST: usize = 400;

/// A text of others as it may be shown; see the module's documentation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    text: &'a str,
    longest: usize,
}

/// A text as it may be shown, cut after some hundred characters.
pub(crate) fn shown(text: &str) -> Shown<'_> {
    Shown { text, longest: LONGEST }
}

/// The same, cut after this many characters.
pub(crate) fn shown_up_to(text: &str, longest: usize) -> Shown<'_> {
    Shown { text, longest }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text.chars();
        for character in rest.by_ref().take(self.longest) {
            match character {
                '\n' | '\r' | '\t' => Display::fmt(&character.escape_default(), f)?,
                hidden if is_hidden(hidden) => Display::fmt(&hidden.escape_unicode(), f)?,
                plain => f.write_char(plain)?,
            }
        }
        if rest.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

/// Whether a character moves, hides or turns what stands around it.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || character == '\u{feff}'
}

/// A number of things: `1 bad line`, `2 bad lines`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_leave_its_line_is_escaped() {
        let topic = "/a\nERROR all is lost\r\u{1b}[2J\u{9b}\u{202e}x\u{2028}\u{feff}";
        let expected = r"/a\nERROR all is lost\r\u{1b}[2J\u{9b}\u{202e}x\u{2028}\u{feff}";
        assert_eq!(shown(topic).to_string(), expected);
        assert_eq!(shown("/grüße/\"1\"").to_string(), "/grüße/\"1\"", "all else stays");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shown_up_to("äöü", 3).to_string(), "äöü");
        assert_eq!(shown_up_to("äöüß", 3).to_string(), "äöü…");
        assert_eq!(shown(&"x".repeat(1 << 20)).to_string().chars().count(), LONGEST + 1);
    }

    #[test]
    fn one_thing_is_no_plural() {
        let told = [0, 1, 2].map(|number| counted(number, "bad line"));
        assert_eq!(told, ["0 bad lines", "1 bad line", "2 bad lines"]);
    }

    proptest! {
        #[test]
        fn no_control_character_is_left(text in any::<String>()) {
            prop_assert!(!shown(&text).to_string().chars().any(char::is_control));
        }
    }
}
