//! What is wrong with a file or a stream, place by place.

use std::fmt;

/// Said of what has a fault and no message.
pub(super) const NOTHING_TO_RECOVER: &str = "there is no message to recover";

/// The fault of a recorder that was stopped between two records.
pub(super) const NO_FOOTER: &str = "it ends without a footer";

/// Faults that are named in one sentence.
const IN_A_SENTENCE: usize = 3;

/// Faults that are kept.
const KEPT: usize = 100;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The first of them, with their places.
    named: Vec<(u64, String)>,
    count: usize,
}

impl Faults {
    /// Takes note of a fault at a byte.
    pub(super) fn add(&mut self, offset: u64, reason: impl fmt::Display) {
        self.count += 1;
        if self.named.len() < KEPT {
            self.named.push((offset, reason.to_string()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first hundred, each with its byte.
    pub(super) fn places(&self) -> &[(u64, String)] {
        &self.named
    }

    /// One by one; beyond the first hundred the last says how many more there are.
    pub(super) fn into_list(self) -> Vec<String> {
        let left = self.count - self.named.len();
        let mut list: Vec<String> = self.named.iter().map(named).collect();
        if left > 0 {
            list.push(more(left, ""));
        }
        list
    }
}

/// For a sentence: the first ones, and how many more there are.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.named.iter().take(IN_A_SENTENCE).map(named).collect();
        write!(f, "{}{}", shown.join("; "), more(self.count - shown.len(), "; "))
    }
}

fn named((offset, reason): &(u64, String)) -> String {
    format!("byte {offset}: {reason}")
}

fn more(count: usize, before: &str) -> String {
    if count > 0 { format!("{before}and {count} more") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(count: u64) -> Faults {
        let mut faults = Faults::default();
        (0..count).for_each(|offset| faults.add(offset, "is torn"));
        faults
    }

    #[test]
    fn the_first_are_named_and_the_others_counted() {
        assert_eq!(faults(0).to_string(), "");
        assert_eq!(faults(2).to_string(), "byte 0: is torn; byte 1: is torn");
        assert!(faults(5).to_string().ends_with("byte 2: is torn; and 2 more"));
        assert_eq!(faults(100).into_list().len(), 100);
        let many = faults(12_000).into_list();
        assert_eq!((many.len(), many[100].as_str()), (101, "and 11900 more"));
    }
}
