//! What a member is: its type, bounds and lengths.

use super::super::build::{DEEPEST, Named};
use super::super::layout::Scalar;
use super::lexer::Token;
use super::{Parser, Result, integer, scoped};
use crate::payload::decode::error::DefinitionError;

impl Parser<'_> {
    /// A type; `depth` counts those around it.
    pub(super) fn kind(&mut self, depth: usize) -> Result<Named> {
        let line = self.line();
        if depth > DEEPEST {
            return Err(DefinitionError::at(line, format!("more than {DEEPEST} types within each other")));
        }
        let scalar = |scalar| Ok(Named::Scalar(scalar));
        match self.name()? {
            "boolean" => scalar(Scalar::Bool),
            "octet" | "uint8" | "char" => scalar(Scalar::Uint8),
            "int8" => scalar(Scalar::Int8),
            "short" | "int16" => scalar(Scalar::Int16),
            "uint16" => scalar(Scalar::Uint16),
            "int32" => scalar(Scalar::Int32),
            "uint32" => scalar(Scalar::Uint32),
            "int64" => scalar(Scalar::Int64),
            "uint64" => scalar(Scalar::Uint64),
            "float" => scalar(Scalar::Float32),
            "double" => scalar(Scalar::Float64),
            "long" if self.takes_name("double") => Ok(Named::Unsupported("long double")),
            "long" if self.takes_name("long") => scalar(Scalar::Int64),
            "long" => scalar(Scalar::Int32),
            "unsigned" => match self.name()? {
                "short" => scalar(Scalar::Uint16),
                "long" if self.takes_name("long") => scalar(Scalar::Uint64),
                "long" => scalar(Scalar::Uint32),
                _ => {
                    self.at -= 1;
                    self.error("short or long")
                }
            },
            "string" => {
                self.bound()?;
                Ok(Named::String)
            }
            "wstring" => {
                self.bound()?;
                Ok(Named::Unsupported("wstring, which each middleware writes in its own way"))
            }
            "wchar" => Ok(Named::Unsupported("wchar, which each middleware writes in its own way")),
            "any" => Ok(Named::Unsupported("any")),
            what @ ("map" | "fixed") => {
                self.in_brackets()?;
                Ok(Named::Unsupported(if what == "map" { "a map" } else { "a fixed-point number" }))
            }
            "sequence" => {
                self.expect('<')?;
                self.annotations()?;
                let element = self.kind(depth + 1)?;
                if self.takes(',') {
                    self.number()?;
                }
                self.expect('>')?;
                Ok(Named::Sequence(Box::new(element)))
            }
            name => Ok(Named::Other(name.to_owned())),
        }
    }

    /// `<9>` or nothing.
    fn bound(&mut self) -> Result<()> {
        if self.takes('<') {
            self.number()?;
            self.expect('>')?;
        }
        Ok(())
    }

    /// `<…>`, whatever is in it.
    fn in_brackets(&mut self) -> Result<()> {
        self.expect('<')?;
        let mut open = 1;
        while open > 0 {
            match self.peek() {
                Some(Token::Sign('<')) => open += 1,
                Some(Token::Sign('>')) => open -= 1,
                Some(_) => {}
                None => return self.error("'>'"),
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The lengths after a name: `[3][4]` is three arrays of four.
    pub(super) fn arrays(&mut self, kind: Named) -> Result<Named> {
        let mut lengths = Vec::new();
        while self.takes('[') {
            if lengths.len() >= DEEPEST {
                return self.error("an end of the lengths");
            }
            let number = self.number()?;
            let Ok(length) = usize::try_from(number) else { return self.error("a length before this") };
            lengths.push(length);
            self.expect(']')?;
        }
        Ok(lengths.into_iter().rev().fold(kind, |kind, length| Named::Array(Box::new(kind), length)))
    }

    /// An integer, or the constant of a name.
    pub(super) fn number(&mut self) -> Result<i64> {
        let is_negative = self.takes('-');
        let value = match self.peek() {
            Some(Token::Number(text)) => integer(text),
            Some(Token::Name(name)) => {
                scoped(|name| self.constants.get(name).copied(), name, &self.full_name(""))
            }
            _ => None,
        };
        let Some(value) = value else { return self.error("a whole number") };
        self.at += 1;
        Ok(if is_negative { -value } else { value })
    }
}
