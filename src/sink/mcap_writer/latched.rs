//! What of the latched channels a file begins with, so that it can be read without those before it.

use std::collections::BTreeMap;

use super::definitions::{Definition, LatchedBy};
use super::records::MESSAGE_HEAD;
use super::sealed::Sealed;
use crate::payload::latest::Latest;
use crate::payload::transforms::Transforms;

/// What still counts of each latched channel, as records.
///
/// Bound: that of [`Latest`] for each channel.
#[derive(Debug, Default)]
pub(super) struct Latched {
    topics: BTreeMap<u16, Topic>,
    /// Counts messages: the number of the next one.
    next: u64,
}

#[derive(Debug)]
struct Topic {
    transforms: Option<Transforms>,
    latest: Latest<u64, Box<[u8]>>,
}

impl Latched {
    /// Takes what is new in a chunk, after those before it.
    pub(super) fn keep(&mut self, chunk: &Sealed) {
        for definition in chunk.definitions() {
            if let Definition::Channel { id, latched: Some(by), .. } = definition {
                let transforms = match by {
                    LatchedBy::Origin => None,
                    LatchedBy::Frames(transforms) => Some(*transforms),
                };
                self.topics.insert(*id, Topic { transforms, latest: Latest::default() });
            }
        }
        self.next += chunk.latched().len() as u64;
        // the last one first, so that what it replaces is not copied
        for (number, (offset, origin)) in (0..self.next).rev().zip(chunk.latched().iter().rev()) {
            let Some(record) = message(chunk.records(), *offset as usize) else { continue };
            let channel = u16::from_le_bytes([record[9], record[10]]);
            let Some(Topic { transforms, latest }) = self.topics.get_mut(&channel) else { continue };
            // what goes beyond its bound has been logged by the hub
            latest.offer_payload(number, *transforms, *origin, &record[MESSAGE_HEAD..], || record.into());
        }
    }

    /// The records that count, in the order in which they were written.
    pub(super) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let all = self.topics.values().flat_map(|topic| topic.latest.messages());
        let in_order: BTreeMap<u64, &[u8]> = all.map(|(number, record)| (number, &**record)).collect();
        in_order.into_values()
    }
}

/// The record of a message at `at`.
fn message(records: &[u8], at: usize) -> Option<&[u8]> {
    let rest = records.get(at..)?;
    let length = usize::try_from(u64::from_le_bytes(*rest.get(1..)?.first_chunk()?)).ok()?;
    rest.get(..length.checked_add(9)?).filter(|record| record.len() >= MESSAGE_HEAD)
}
