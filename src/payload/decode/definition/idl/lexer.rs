//! Tokens of IDL.

use crate::payload::decode::error::DefinitionError;

/// Bytes of a name with its scopes.
const LONGEST_NAME: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, also one with `::` in it or before it.
    Name(String),
    /// A number, as it is written.
    Number(String),
    /// A string or a character; what it says is not needed.
    Text,
    Sign(char),
}

/// All tokens, each with its line. Comments, lines of the preprocessor, and those between the parts of a `ros2idl` are left
/// out.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, DefinitionError> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    let mut begins_line = true;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\n' => 1,
            c if c.is_whitespace() => c.len_utf8(),
            '#' | '=' if begins_line => to_end_of_line(rest),
            _ if begins_line && rest.starts_with("IDL:") => to_end_of_line(rest),
            '/' if rest.starts_with("//") => to_end_of_line(rest),
            '/' if rest.starts_with("/*") => match rest[2..].find("*/") {
                Some(end) => end + 4,
                None => return Err(DefinitionError::at(line, "a comment that does not end")),
            },
            '"' | '\'' => match end_of_text(rest, c) {
                Some(end) => {
                    tokens.push((Token::Text, line));
                    end
                }
                None => return Err(DefinitionError::at(line, "a text that does not end")),
            },
            c if c.is_alphabetic() || c == '_' || is_scoped(rest) => {
                let length = name(rest);
                if length > LONGEST_NAME {
                    return Err(DefinitionError::at(line, "a name that is too long"));
                }
                tokens.push((Token::Name(rest[..length].to_owned()), line));
                length
            }
            c if c.is_ascii_digit() => {
                let length =
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
                tokens.push((Token::Number(rest[..length].to_owned()), line));
                length
            }
            c => {
                tokens.push((Token::Sign(c), line));
                c.len_utf8()
            }
        };
        let (passed, after) = rest.split_at(length);
        line += passed.matches('\n').count();
        begins_line = passed == "\n" || (begins_line && c.is_whitespace());
        rest = after;
    }
    Ok(tokens)
}

fn to_end_of_line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Length of a text with its quotes.
fn end_of_text(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(place + 1),
            _ => {}
        }
    }
    None
}

/// Whether a name with `::` before it begins here.
fn is_scoped(text: &str) -> bool {
    text.strip_prefix("::").is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// Length of a name with its scopes.
fn name(text: &str) -> usize {
    let mut length = 0;
    loop {
        if is_scoped(&text[length..]) {
            length += 2;
        } else if length > 0 {
            return length;
        }
        let part = &text[length..];
        length += part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len());
    }
}
