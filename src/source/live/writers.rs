//! Numbers that tell the writers of live input apart.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The numbers in use. Bound: the writers there are at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers(Arc<Mutex<BTreeSet<u32>>>);

impl Writers {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        // every change is a single call
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lowest number that no other writer has, so that one that connects again takes its own place.
    pub(super) fn join(&self) -> Writer {
        let mut taken = self.lock();
        let number = (0..).zip(taken.iter()).find(|(free, taken)| free != *taken).map(|(free, _)| free);
        let number = number.unwrap_or_else(|| taken.last().map_or(0, |last| last.saturating_add(1)));
        taken.insert(number);
        drop(taken);
        Writer { number, writers: self.clone() }
    }
}

/// One writer's number, which is free again when this is dropped.
#[derive(Debug)]
pub(in crate::source) struct Writer {
    number: u32,
    writers: Writers,
}

impl Writer {
    /// For [`Entry::origin`](crate::model::Entry::origin).
    pub(in crate::source) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.writers.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_takes_the_place_of_one_that_left() {
        let writers = Writers::default();
        let (zero, one, two) = (writers.join(), writers.join(), writers.join());
        assert_eq!([zero.number(), one.number(), two.number()], [0, 1, 2]);
        drop(one);
        let one = writers.join();
        assert_eq!((one.number(), writers.join().number()), (1, 3));
        drop(zero);
        assert_eq!(writers.join().number(), 0);
    }
}
