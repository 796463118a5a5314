//! The messages of a topic that still count: the last one of each child frame, or of each origin.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::transforms::{Frames, MAX_FRAMES, Transforms};

/// Origins of one topic whose last message is kept.
pub(crate) const MAX_ORIGINS: usize = 1000;

/// Bytes of the messages of one topic, unless a single one is larger.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// What a message may be the last one of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LastOf<'a> {
    /// Of what was sent from one origin, see [`Entry::origin`](crate::model::Entry::origin).
    Origin(u32),
    /// Of each of these child frames.
    Frames(&'a Frames<'a>),
}

/// See the module's documentation. Messages may be offered in any order of their positions `P`.
///
/// Bound: [`MAX_FRAMES`], [`MAX_ORIGINS`] and [`MAX_BYTES`]; beyond it the messages of the lowest positions go.
#[derive(Debug)]
pub(crate) struct Latest<P, M> {
    /// The position of the last message of each.
    frames: HashMap<Arc<str>, P>,
    origins: BTreeMap<u32, P>,
    messages: BTreeMap<P, Kept<M>>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<M> {
    message: M,
    bytes: usize,
    /// What it was the last one of at first, and of how many it still is.
    frames: Vec<Arc<str>>,
    origin: Option<u32>,
    counts_for: usize,
}

impl<P, M> Default for Latest<P, M> {
    fn default() -> Self {
        let (frames, origins, messages) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { frames, origins, messages, bytes: 0 }
    }
}

impl<P: Ord + Copy, M> Latest<P, M> {
    /// Keeps a message of `bytes` if it is the last one of something, by what is known so far. Positions must differ.
    /// Returns whether the bound made messages go.
    pub(crate) fn offer(
        &mut self,
        position: P,
        last_of: LastOf<'_>,
        bytes: usize,
        message: impl FnOnce() -> M,
    ) -> bool {
        let is_later = |last: Option<&P>| last.is_none_or(|last| *last < position);
        let mut kept = Kept { message: (), bytes, frames: Vec::new(), origin: None, counts_for: 0 };
        match last_of {
            LastOf::Origin(origin) => {
                if !is_later(self.origins.get(&origin)) {
                    return false;
                }
                let before = self.origins.insert(origin, position);
                self.release(before);
                (kept.origin, kept.counts_for) = (Some(origin), 1);
            }
            LastOf::Frames(frames) => {
                for name in frames {
                    let (name, before) = match self.frames.get_key_value(&**name) {
                        Some((_, last)) if !is_later(Some(last)) => continue,
                        Some((name, last)) => (name.clone(), Some(*last)),
                        None => (Arc::from(&**name), None),
                    };
                    self.frames.insert(name.clone(), position);
                    self.release(before);
                    kept.frames.push(name);
                }
                kept.counts_for = kept.frames.len();
            }
        }
        if kept.counts_for == 0 {
            return false;
        }
        let Kept { bytes, frames, origin, counts_for, message: () } = kept;
        self.messages.insert(position, Kept { message: message(), bytes, frames, origin, counts_for });
        self.bytes += bytes;
        self.keep_bound()
    }

    /// The same for a message that is the last one of its child frames, if it has any, and otherwise of its origin.
    pub(crate) fn offer_payload(
        &mut self,
        position: P,
        transforms: Option<Transforms>,
        origin: u32,
        payload: &[u8],
        message: impl FnOnce() -> M,
    ) -> bool {
        let frames = transforms.map(|transforms| transforms.child_frames(payload)).unwrap_or_default();
        let last_of = if frames.is_empty() { LastOf::Origin(origin) } else { LastOf::Frames(&frames) };
        self.offer(position, last_of, payload.len(), message)
    }

    /// Whether the message of this position is kept.
    pub(crate) fn contains(&self, position: &P) -> bool {
        self.messages.contains_key(position)
    }

    /// What is kept, by position.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (P, &M)> {
        self.messages.iter().map(|(position, kept)| (*position, &kept.message))
    }

    /// What is kept, by position.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = (P, M)> {
        self.messages.into_iter().map(|(position, kept)| (position, kept.message))
    }

    /// A message no longer counts for one thing.
    fn release(&mut self, position: Option<P>) {
        let Some(position) = position else { return };
        let Some(kept) = self.messages.get_mut(&position) else { return };
        kept.counts_for -= 1;
        if kept.counts_for == 0 {
            self.bytes -= kept.bytes;
            self.messages.remove(&position);
        }
    }

    fn keep_bound(&mut self) -> bool {
        let mut exceeded = false;
        while self.messages.len() > 1
            && (self.bytes > MAX_BYTES || self.frames.len() > MAX_FRAMES || self.origins.len() > MAX_ORIGINS)
            && let Some((position, kept)) = self.messages.pop_first()
        {
            exceeded = true;
            self.bytes -= kept.bytes;
            for name in kept.frames {
                if self.frames.get(&name) == Some(&position) {
                    self.frames.remove(&name);
                }
            }
            if let Some(origin) = kept.origin {
                self.origins.remove(&origin);
            }
        }
        exceeded
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn frames<'a>(names: &[&'a str]) -> Frames<'a> {
        names.iter().map(|name| Cow::Borrowed(*name)).collect()
    }

    fn kept(latest: &Latest<u32, u32>) -> Vec<u32> {
        let kept: Vec<_> = latest.messages().collect();
        assert!(kept.iter().all(|(position, message)| position == *message));
        kept.into_iter().map(|(position, _)| position).collect()
    }

    /// Offers frames at positions, and says what is kept.
    fn offered(list: &[(u32, &[&str])]) -> Vec<u32> {
        let mut latest = Latest::default();
        for (position, names) in list {
            latest.offer(*position, LastOf::Frames(&frames(names)), 1, || *position);
        }
        assert_eq!(latest.bytes, latest.messages.len());
        kept(&latest)
    }

    #[test]
    fn a_message_is_kept_while_it_is_the_last_one_of_a_frame() {
        assert_eq!(offered(&[(1, &["a", "b"]), (2, &["c"])]), [1, 2]);
        assert_eq!(offered(&[(1, &["a", "b"]), (2, &["a"])]), [1, 2]);
        assert_eq!(offered(&[(1, &["a", "b"]), (2, &["a"]), (3, &["b"])]), [2, 3]);
        assert_eq!(offered(&[(1, &["a"]), (2, &["a", "b"])]), [2]);
    }

    #[test]
    fn the_order_in_which_messages_are_offered_does_not_matter() {
        let list: [(u32, &[&str]); 4] = [(1, &["a", "b"]), (2, &["a"]), (3, &["c", "a"]), (4, &["c"])];
        let forward = offered(&list);
        assert_eq!(forward, [1, 3, 4]);
        for rotation in 0..list.len() {
            let mut list = list;
            list.rotate_left(rotation);
            assert_eq!(offered(&list), forward);
            list.reverse();
            assert_eq!(offered(&list), forward);
        }
    }

    #[test]
    fn without_frames_the_last_one_of_each_origin_is_kept() {
        let mut latest = Latest::default();
        for (position, origin) in [(1, 7), (2, 8), (3, 7), (5, 8), (4, 8)] {
            latest.offer(position, LastOf::Origin(origin), 1, || position);
        }
        assert_eq!(kept(&latest), [3, 5]);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let mut latest = Latest::default();
        let most = u32::try_from(MAX_ORIGINS).unwrap();
        for origin in 0..most {
            assert!(!latest.offer(origin, LastOf::Origin(origin), 0, || origin));
        }
        assert!(latest.offer(most, LastOf::Origin(most), 0, || most));
        assert_eq!(kept(&latest), (1..=most).collect::<Vec<_>>());
        assert_eq!(latest.origins.len(), MAX_ORIGINS);

        let mut latest = Latest::default();
        let most = u32::try_from(MAX_FRAMES).unwrap();
        let names: Vec<String> = (0..=most).map(|number| number.to_string()).collect();
        for (position, name) in (0..).zip(&names[..MAX_FRAMES]) {
            assert!(!latest.offer(position, LastOf::Frames(&frames(&[name])), 0, || position));
        }
        // the first one is still needed for another frame
        assert!(latest.offer(most, LastOf::Frames(&frames(&[&names[MAX_FRAMES]])), 0, || most));
        assert_eq!(kept(&latest).len(), MAX_FRAMES);
        assert_eq!(latest.frames.len(), MAX_FRAMES);
        assert_eq!(kept(&latest)[0], 1);
    }

    #[test]
    fn a_message_over_the_bound_is_kept_alone() {
        let mut latest = Latest::default();
        assert!(!latest.offer(1, LastOf::Origin(1), MAX_BYTES, || 1));
        assert!(latest.offer(2, LastOf::Origin(2), 2 * MAX_BYTES, || 2));
        assert_eq!(kept(&latest), [2]);
        assert_eq!((latest.bytes, latest.origins.len()), (2 * MAX_BYTES, 1));
        // an older one does not take its place
        assert!(latest.offer(1, LastOf::Origin(1), 1, || 1));
        assert_eq!(kept(&latest), [2]);
    }
}
