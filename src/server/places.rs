//! How many clients may be connected at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::hub::lock;

/// Places for clients, of all together and of each address.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    of_address: usize,
    taken: Mutex<Taken>,
    /// The last place has become free.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one client, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

/// No place is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("this server has {0} clients, and takes no more")]
    All(usize),
    #[error("this server has {0} clients of this address, and takes no more")]
    OfAddress(usize),
}

impl Places {
    pub(super) fn new(all: usize, of_address: usize) -> Arc<Self> {
        Arc::new(Self { all, of_address, taken: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a client of an address, if that is known.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let address = address.map(|address| address.to_canonical());
        let mut taken = lock(&self.taken);
        if taken.all >= self.all {
            return Err(Full::All(self.all));
        }
        if let Some(address) = address {
            let of_address = taken.by_address.entry(address).or_default();
            if *of_address >= self.of_address {
                return Err(Full::OfAddress(self.of_address));
            }
            *of_address += 1;
        }
        taken.all += 1;
        drop(taken);
        Ok(Place { places: self.clone(), address })
    }

    /// Waits until no client is connected, nor about to join the hub: each has its place before its handshake is answered.
    pub(super) async fn all_free(&self) {
        loop {
            let freed = self.freed.notified();
            if lock(&self.taken).all == 0 {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.all -= 1;
        if taken.all == 0 {
            self.places.freed.notify_waiters();
        }
        if let Some(address) = self.address
            && let Some(of_address) = taken.by_address.get_mut(&address)
        {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_client_leaves() {
        let places = Places::new(3, 2);
        let address = |text: &str| Some(text.parse().unwrap());
        let first = places.take(address("10.0.0.1")).unwrap();
        let second = places.take(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(places.take(address("10.0.0.1")).unwrap_err(), Full::OfAddress(2));
        let _other = places.take(None).unwrap();
        assert_eq!(places.take(address("10.0.0.2")).unwrap_err(), Full::All(3));
        drop(first);
        let _third = places.take(address("10.0.0.2")).unwrap();
        assert!(places.take(None).is_err());
        drop(second);
        assert_eq!(lock(&places.taken).by_address.len(), 1, "addresses without clients are forgotten");
    }

    #[tokio::test]
    async fn that_all_places_are_free_is_waited_for() {
        let places = Places::new(2, 2);
        places.all_free().await;
        let (first, second) = (places.take(None).unwrap(), places.take(None).unwrap());
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.all_free().await }
        });
        drop(first);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
    }
}
