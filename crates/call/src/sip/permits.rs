//! How many answers may be under way at one time, for all sources and for one.
//!
//! Counts only: what is done under a permit, and without one, is decided elsewhere.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admission::group;

/// One source may hold this share of the permits, so that it cannot silence the node for the others.
const SOURCE_SHARE: usize = 8;

/// A number of permits, shared by all sources.
pub(crate) struct Permits {
    limit: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// One permit; given back when it is dropped.
pub(crate) struct Permit {
    permits: Arc<Permits>,
    source: IpAddr,
}

impl Permits {
    pub(crate) fn new(limit: usize) -> Arc<Permits> {
        Arc::new(Permits { limit, held: Mutex::default() })
    }

    /// A permit for an answer to `source`; `None` when it, or all together, have as many as they may.
    pub(crate) fn take(self: &Arc<Permits>, source: IpAddr) -> Option<Permit> {
        let source = group(source);
        let mut held = self.lock();
        let of_source = held.by_source.get(&source).copied().unwrap_or_default();
        if held.all >= self.limit || of_source >= (self.limit / SOURCE_SHARE).max(1) {
            return None;
        }
        held.all += 1;
        held.by_source.insert(source, of_source + 1);
        Some(Permit { permits: Arc::clone(self), source })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.permits.lock();
        held.all -= 1;
        let of_source = held.by_source.remove(&self.source).unwrap_or_default();
        if of_source > 1 {
            held.by_source.insert(self.source, of_source - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_has_an_eighth_and_all_together_have_the_limit() {
        let permits = Permits::new(16);
        let source = |n: u8| IpAddr::from([192, 0, 2, n]);
        let first = [permits.take(source(0)), permits.take(source(0))];
        assert!(first.iter().all(Option::is_some));
        assert!(permits.take(source(0)).is_none(), "more than an eighth");
        let others: Vec<_> =
            (1..8).flat_map(|n| [permits.take(source(n)), permits.take(source(n))]).collect();
        assert!(others.iter().all(Option::is_some));
        assert!(permits.take(source(9)).is_none(), "more than the limit");
        drop(first);
        assert!(permits.take(source(9)).is_some());
        drop(others);
        assert!(permits.lock().by_source.is_empty(), "sources are not forgotten");
    }
}
