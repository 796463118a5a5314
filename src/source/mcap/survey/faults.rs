//! What is wrong with a file, place by place.

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
    /// Something is wrong at a byte of the file.
    pub(super) fn add(&mut self, offset: u64, reason: impl Into<String>) {
        self.count += 1;
        if self.named.len() < KEPT {
            self.named.push(format!("byte {offset}: {}", reason.into()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// For a sentence: the first ones, and how many more there are.
    pub(super) fn shown(&self) -> String {
        let shown = &self.named[..self.named.len().min(IN_A_SENTENCE)];
        shown.join("; ") + &more(self.count - shown.len(), "; ")
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
        assert_eq!(faults(0).shown(), "");
        assert_eq!(faults(2).shown(), "byte 0: is torn; byte 1: is torn");
        assert!(faults(5).shown().ends_with("byte 2: is torn; and 2 more"));
        assert_eq!(faults(100).into_list().len(), 100);
        let many = faults(12_000).into_list();
        assert_eq!((many.len(), many[100].as_str()), (101, "and 11900 more"));
    }
}
