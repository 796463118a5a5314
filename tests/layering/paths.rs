//! The paths that a Rust file names (`use` trees spelled out, inline paths), comments, texts and tests left out.

/// Each path as its names; `use a::{b, c::*}` gives `a b` and `a c *`.
pub(crate) fn paths(source: &str) -> Vec<Vec<String>> {
    let tokens = without_tests(&tokens(source));
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // `use<>` names what an opaque type captures
        let is_import = tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| next != "<");
        if is_import {
            at = use_tree(&tokens, at + 1, &[], &mut paths);
        } else if is_name(&tokens[at]) {
            let (path, next) = inline_path(&tokens, at);
            paths.push(path);
            at = next;
        } else {
            at += 1;
        }
    }
    paths
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn inline_path(tokens: &[String], mut at: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[at].clone()];
    at += 1;
    while at + 1 < tokens.len() && tokens[at] == "::" && is_name(&tokens[at + 1]) {
        path.push(tokens[at + 1].clone());
        at += 2;
    }
    (path, at)
}

/// Reads one tree; returns where it ends.
fn use_tree(tokens: &[String], mut at: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = use_tree(tokens, at, &path, paths);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            // the new name is no path
            "as" => at += 2,
            "," | "}" | ";" => break,
            token => {
                path.push(token.to_owned());
                at += 1;
            }
        }
    }
    paths.push(path);
    at
}

/// Names, `::`, and single characters.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_comment(&chars, i);
        } else if c == '"' {
            i = after_text(&chars, i);
        } else if let Some(end) = after_raw_text(&chars, i) {
            i = end;
        } else if c == '\'' {
            // 'x' and '\n' are characters, 'a is a lifetime
            if at(i + 1) == '\\' {
                i += 3;
                while i < chars.len() && chars[i] != '\'' {
                    i += 1;
                }
                i += 1;
            } else {
                i += if at(i + 2) == '\'' { 3 } else { 1 };
            }
        } else if c.is_alphanumeric() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            tokens.push(chars[start..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    tokens
}

fn after_comment(chars: &[char], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (i, depth) = (i + 2, depth + 1),
            ('*', Some('/')) => (i, depth) = (i + 2, depth - 1),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn after_text(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The end of `r"…"`, `br#"…"#` and the like, if one begins here.
fn after_raw_text(chars: &[char], start: usize) -> Option<usize> {
    if start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_') {
        return None;
    }
    let mut i = start;
    if matches!(chars[i], 'b' | 'c') {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return None;
    }
    i += 1;
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    i += 1;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(i)
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    while at < tokens.len() {
        if tokens[at..].iter().take(mark.len()).eq(mark.iter()) {
            at = after_item(tokens, at + mark.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// An item ends with its first block, or with a semicolon before that.
fn after_item(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0;
    // `use a::{b};` has braces and still ends with the semicolon
    let is_use = tokens.get(at).is_some_and(|token| token == "use");
    while at < tokens.len() {
        let token = tokens[at].as_str();
        at += 1;
        match token {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && token == "}" && !is_use {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}
