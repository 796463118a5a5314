//! What others wrote, for people: names, addresses and headers as they can be shown on a terminal and in a log.

use std::fmt::{self, Write as _};

/// At most so many characters of what others wrote are repeated in a line.
pub const SHORT: usize = 200;

/// At most so many of a longer text, for example of the reason of an error.
pub(crate) const LONG: usize = 400;

/// The first `limit` characters of a text, with `…` if it has more. Those that control a terminal, end a line or change
/// the direction of the text are escaped, as in `\u{1b}`.
pub fn printable(text: &str, limit: usize) -> Printable<'_> {
    Printable { text, limit }
}

/// See [`printable`].
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a> {
    text: &'a str,
    limit: usize,
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        for c in chars.by_ref().take(self.limit) {
            match c {
                c if is_harmless(c) => f.write_char(c)?,
                '\n' | '\r' | '\t' => write!(f, "{}", c.escape_default())?,
                c => write!(f, "{}", c.escape_unicode())?,
            }
        }
        if chars.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

/// Whether a character only shows itself.
pub fn is_harmless(c: char) -> bool {
    // marks that turn text around, and invisible ones that end lines
    let turns = matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    !c.is_control() && !turns
}

/// A number of things: `1 bad line`, `2 bad lines`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A size with one digit after the point: `562.1 kB`.
pub fn bytes(size: u64) -> String {
    let mut value = size as f64;
    if size < 1000 {
        return format!("{size} B");
    }
    let mut text = String::new();
    for unit in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        // below this, one digit after the point rounds up to 1000.0 of the unit
        if value < 999.95 || unit == "TB" {
            write!(text, "{value:.1} {unit}").ok();
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_four_digits_at_most() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(562_088), "562.1 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(25_000_000_000), "25.0 GB");
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
    }

    fn shown(text: &str) -> String {
        printable(text, 10).to_string()
    }

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        assert_eq!(shown("a\x1b[31mb"), "a\\u{1b}[31mb");
        assert_eq!(shown("a\nb\r\x07\u{9b}"), "a\\nb\\r\\u{7}\\u{9b}");
        assert_eq!(shown("\u{202e}mcap"), "\\u{202e}mcap");
        assert_eq!(shown("Müller 车"), "Müller 车");
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(shown("0123456789"), "0123456789");
        assert_eq!(shown("0123456789a"), "0123456789…");
        assert_eq!(printable(&"é".repeat(1_000_000), SHORT).to_string().chars().count(), SHORT + 1);
    }
}
