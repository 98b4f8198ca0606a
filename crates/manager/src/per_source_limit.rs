//! Limits how much of a shared resource one source address may hold at a time.
//!
//! An IPv6 network counts as one source, as `edge::permit_pool` groups it. Whoever is at the limit is refused
//! and does not wait.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use edge::permit_pool::SourcePrefix;
use parking_lot::Mutex;

/// Counts what each source holds. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct PerSourceLimit {
    each: usize,
    held: Arc<Mutex<BTreeMap<SourcePrefix, usize>>>,
}

/// One unit of the resource, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    of: PerSourceLimit,
    source: SourcePrefix,
}

impl PerSourceLimit {
    /// Up to `each` units for every source.
    pub(crate) fn new(each: usize) -> Self {
        Self { each, held: Arc::default() }
    }

    /// One more for this address, unless its source is at the limit.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Permit> {
        let source = SourcePrefix::of(address);
        let mut held = self.held.lock();
        let count = held.get(&source).copied().unwrap_or(0);
        if count >= self.each {
            return None;
        }
        held.insert(source, count + 1);
        Some(Permit { of: self.clone(), source })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.of.held.lock();
        match held.get(&self.source).copied() {
            Some(count) if count > 1 => _ = held.insert(self.source, count - 1),
            Some(_) | None => _ = held.remove(&self.source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_gets_up_to_its_limit_and_releases_it() {
        let limit = PerSourceLimit::new(2);
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = limit.take(one).unwrap();
        let _second = limit.take(one).unwrap();
        assert!(limit.take(one).is_none());
        assert!(limit.take(other).is_some(), "one address took another's permit");
        drop(first);
        let _third = limit.take(one).unwrap();
        assert!(limit.take(one).is_none());
        assert_eq!(limit.held.lock().len(), 1, "who holds nothing is still counted");
    }
}
