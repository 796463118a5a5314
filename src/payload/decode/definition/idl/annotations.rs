//! Annotations, such as `@key` and `@optional`: those that matter to decoding.

use super::lexer::Token;
use super::{Parser, Result, integer};

/// What the annotations before a definition say.
#[derive(Default)]
pub(super) struct Annotations {
    pub(super) unsupported: Option<&'static str>,
    pub(super) is_appendable: bool,
    pub(super) value: Option<i64>,
}

impl Parser<'_> {
    pub(super) fn annotations(&mut self) -> Result<Annotations> {
        let mut found = Annotations::default();
        while self.takes('@') {
            let name = self.name()?;
            let start = self.at;
            if self.takes('(') {
                let mut open = 1;
                while open > 0 {
                    match self.peek() {
                        Some(Token::Sign('(')) => open += 1,
                        Some(Token::Sign(')')) => open -= 1,
                        Some(_) => {}
                        None => return self.error("')'"),
                    }
                    self.at += 1;
                }
            }
            let within = &self.tokens[start..self.at];
            let says = |word: &str| {
                within
                    .iter()
                    .any(|(token, _)| matches!(token, Token::Name(name) if name.eq_ignore_ascii_case(word)))
            };
            let says_false = says("FALSE");
            match name {
                "optional" if !says_false => found.unsupported = Some("an optional member"),
                "mutable" => found.unsupported = Some("a mutable type"),
                "bit_bound" => found.unsupported = Some("an enum with @bit_bound"),
                "extensibility" if says("MUTABLE") => found.unsupported = Some("a mutable type"),
                "extensibility" if says("APPENDABLE") => found.is_appendable = true,
                "appendable" => found.is_appendable = true,
                "value" => {
                    let number = within.iter().find_map(|(token, _)| match token {
                        Token::Number(number) => integer(number),
                        _ => None,
                    });
                    let is_negative = within.iter().any(|(token, _)| *token == Token::Sign('-'));
                    found.value = number.map(|number| if is_negative { -number } else { number });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
