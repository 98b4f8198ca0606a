//! Far ends whose connection of TLS was refused by this node, so that each is reported once and not at each call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sip::transport::flow::Peer;

use crate::time::Time;

/// How long a refusal is not reported again.
const REPORTED_FOR: Duration = Duration::from_secs(60 * 60);
/// The most far ends: callers name them. Beyond it nothing is reported.
const FAR_ENDS: usize = 256;

/// What was reported of each far end, and when.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<BTreeMap<Peer, (String, Time)>>);

impl Refused {
    /// Whether the refusal of a far end for this reason is to be reported. It counts as reported then.
    pub(super) fn is_news(&self, now: Time, peer: &Peer, reason: &dyn ToString) -> bool {
        let reason = reason.to_string();
        let mut reported = self.lock();
        reported.retain(|_, (_, at)| now.since(*at) < REPORTED_FOR);
        let is_known = reported.get(peer).is_some_and(|(known, _)| *known == reason);
        if is_known || reported.len() >= FAR_ENDS && !reported.contains_key(peer) {
            return false;
        }
        reported.insert(peer.clone(), (reason, now));
        true
    }

    /// A far end is what it should be.
    pub(super) fn forget(&self, peer: &Peer) {
        self.lock().remove(peer);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Peer, (String, Time)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sip::transport::flow::Stream;

    use super::*;

    fn peer(port: u16) -> Peer {
        Peer { stream: Stream::Tls, remote: ([192, 0, 2, 9], port).into(), name: Some("proxy".into()) }
    }

    #[test]
    fn refusal_is_reported_once_for_each_far_end_and_reason_an_hour() {
        let refused = Refused::default();
        let is_news = |at, port, reason: &str| refused.is_news(Time(at), &peer(port), &reason);
        assert!(is_news(0, 1, "another name"));
        assert!(!is_news(1000, 1, "another name"));
        assert!(is_news(1000, 2, "another name"));
        assert!(is_news(2000, 1, "another authority"));
        assert!(is_news(3_602_000, 1, "another authority"));
        refused.forget(&peer(1));
        assert!(is_news(3_602_001, 1, "another authority"));
    }

    #[test]
    fn number_of_reports_is_bounded() {
        let refused = Refused::default();
        let reported = (0..1000).filter(|port| refused.is_news(Time(0), &peer(*port), &"it")).count();
        assert_eq!(reported, FAR_ENDS);
        assert!(refused.is_news(Time(0), &peer(0), &"another reason"), "of those that are known");
        assert!(refused.is_news(Time(3_600_000), &peer(999), &"it"));
    }
}
