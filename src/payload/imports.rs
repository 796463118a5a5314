//! Bounds on files of definitions, looked at before the libraries read them: these follow public imports on every path,
//! and build large tables for the smallest definition.

use std::collections::HashMap;

/// Files that a file of the user's may import, itself included, and files of a set.
pub(super) const MAX_FILES: usize = 10_000;

/// Paths through public imports from all files. Real ones have a few.
const MAX_PATHS: u64 = 100_000;

/// Messages, fields, enums, values and all else that a set defines. The largest known ones have some hundred thousand.
const MAX_DEFINITIONS: usize = 1_000_000;

/// Which files import which.
#[derive(Debug, Default)]
pub(super) struct Imports {
    files: HashMap<String, File>,
}

#[derive(Debug)]
struct File {
    public: Vec<String>,
    /// Paths through public imports that begin here.
    paths: Paths,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paths {
    Uncounted,
    /// They are being counted: who comes here again has gone in a circle.
    Open,
    Counted(u64),
}

impl Imports {
    /// Adds a file with what it imports publicly; false if there are too many.
    pub(super) fn add(&mut self, name: &str, public: Vec<String>) -> bool {
        self.files.insert(name.to_owned(), File { public, paths: Paths::Uncounted });
        self.files.len() <= MAX_FILES
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Why the imports can't be followed, if so.
    pub(super) fn check(mut self) -> Result<(), String> {
        let mut names: Vec<String> = self.files.keys().cloned().collect();
        names.sort_unstable();
        let mut all = 0u64;
        for name in names {
            self.count(&name)?;
            if let Some(File { paths: Paths::Counted(paths), .. }) = self.files.get(&name) {
                all = all.saturating_add(*paths);
            }
            if all > MAX_PATHS {
                return Err(
                    "public imports lead to the same files on too many paths; import each file where it is \
                            used"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// Counts the paths from a file, depth first without recursion, as chains may be long.
    fn count(&mut self, name: &str) -> Result<(), String> {
        let mut stack = vec![name.to_owned()];
        while let Some(name) = stack.last() {
            let Some(file) = self.files.get(name) else {
                stack.pop();
                continue;
            };
            match file.paths {
                Paths::Counted(_) => {
                    stack.pop();
                }
                Paths::Uncounted => {
                    let public = file.public.clone();
                    for next in &public {
                        if self.files.get(next).is_some_and(|next| next.paths == Paths::Open) || next == name
                        {
                            return Err(format!("{next} imports itself, by way of {name}"));
                        }
                    }
                    if let Some(file) = self.files.get_mut(name) {
                        file.paths = Paths::Open;
                    }
                    stack.extend(public);
                }
                Paths::Open => {
                    let through = |next: &String| match self.files.get(next).map(|next| next.paths) {
                        Some(Paths::Counted(paths)) => paths,
                        _ => 0,
                    };
                    let paths = file.public.iter().map(through).fold(1, u64::saturating_add);
                    if let Some(name) = stack.pop()
                        && let Some(file) = self.files.get_mut(&name)
                    {
                        file.paths = Paths::Counted(paths);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a message of `descriptor.proto` holds.
#[derive(Clone, Copy)]
enum Holder {
    Set,
    File,
    Message,
    Enum,
    Service,
}

impl Holder {
    /// What a field holds that is a definition; None inside if nothing more is looked for in it.
    fn definition(self, field: u64) -> Option<Option<Self>> {
        Some(match (self, field) {
            (Self::Set, 1) => Some(Self::File),
            (Self::File, 4) | (Self::Message, 3) => Some(Self::Message),
            (Self::File, 5) | (Self::Message, 4) => Some(Self::Enum),
            (Self::File, 6) => Some(Self::Service),
            // imports, extensions; fields, ranges, oneofs, reserved names
            (Self::File, 3 | 7) | (Self::Message, 2 | 5 | 6 | 8 | 9 | 10) => None,
            (Self::Enum, 2 | 4 | 5) | (Self::Service, 2) => None,
            _ => return None,
        })
    }
}

/// Refuses a set that defines more than anybody needs. What is broken is left to who decodes it.
pub(super) fn check_size(set: &[u8]) -> Result<(), String> {
    let (mut files, mut definitions) = (0, 0);
    let mut parts = vec![(Holder::Set, set)];
    while let Some((holder, mut rest)) = parts.pop() {
        while let Some((field, value)) = next_field(&mut rest) {
            let Some(inside) = value.and_then(|_| holder.definition(field)) else { continue };
            definitions += 1;
            files += usize::from(matches!(holder, Holder::Set));
            if files > MAX_FILES {
                return Err(format!("the set has more than {MAX_FILES} files"));
            }
            if definitions > MAX_DEFINITIONS {
                return Err(format!("the set has more than {MAX_DEFINITIONS} definitions"));
            }
            parts.extend(inside.zip(value));
        }
    }
    Ok(())
}

/// The number of the next field, and its bytes if it has a length.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = varint(rest)?;
    let length = match key & 7 {
        0 => {
            varint(rest)?;
            return Some((key >> 3, None));
        }
        1 => 8,
        2 => usize::try_from(varint(rest)?).ok()?,
        5 => 4,
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((key >> 3, (key & 7 == 2).then_some(value)))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(usize, Vec<usize>)]) -> Imports {
        let mut imports = Imports::default();
        for (name, public) in files {
            imports.add(&name.to_string(), public.iter().map(usize::to_string).collect());
        }
        imports
    }

    #[test]
    fn paths_are_counted_without_being_walked() {
        let chain = |reach: usize| {
            let files: Vec<_> = (0..200).map(|n| (n, (n + 1..(n + 1 + reach).min(200)).collect())).collect();
            imports(&files).check()
        };
        chain(0).unwrap();
        chain(1).unwrap();
        assert!(chain(30).unwrap_err().contains("too many paths"));
        let long: Vec<_> = (0..MAX_FILES).map(|n| (n, Vec::new())).collect();
        imports(&long).check().unwrap();
    }

    #[test]
    fn circles_are_refused() {
        for files in [vec![(0, vec![0])], vec![(0, vec![1]), (1, vec![2]), (2, vec![0])]] {
            assert!(imports(&files).check().unwrap_err().contains("imports itself"));
        }
        imports(&[(0, vec![1, 2]), (1, vec![3]), (2, vec![3]), (3, vec![7])]).check().unwrap();
    }

    #[test]
    fn sets_with_too_much_are_refused_before_they_are_decoded() {
        check_size(super::super::load::FOXGLOVE).unwrap();
        check_size(&b"\x0a\x00".repeat(MAX_FILES)).unwrap();
        assert!(check_size(&b"\x0a\x00".repeat(MAX_FILES + 1)).unwrap_err().contains("10000 files"));
        let messages = b"\x22\x00".repeat(MAX_DEFINITIONS);
        let mut set = vec![0x0a];
        let mut length = messages.len();
        while length >= 0x80 {
            set.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
            length >>= 7;
        }
        set.push(u8::try_from(length).unwrap());
        set.extend(messages);
        assert!(check_size(&set).unwrap_err().contains("definitions"));
        for broken in
            [&b"\x0a"[..], b"\x0a\xff", b"\x0a\x05\x22", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            check_size(broken).unwrap();
        }
    }
}
