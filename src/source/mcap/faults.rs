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
    /// The first of them.
    named: Vec<String>,
    count: usize,
}

impl Faults {
    /// Takes note of a fault at a byte.
    pub(super) fn add(&mut self, offset: u64, reason: impl fmt::Display) {
        self.count += 1;
        if self.named.len() < KEPT {
            self.named.push(format!("byte {offset}: {reason}"));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One by one; beyond the first hundred the last says how many more there are.
    pub(super) fn into_list(mut self) -> Vec<String> {
        let left = self.count - self.named.len();
        if left > 0 {
            self.named.push(more(left, ""));
        }
        self.named
    }
}

/// For a sentence: the first ones, and how many more there are.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.named[..self.named.len().min(IN_A_SENTENCE)];
        write!(f, "{}{}", shown.join("; "), more(self.count - shown.len(), "; "))
    }
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
