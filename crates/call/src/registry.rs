//! The registry of calls: the calls that there are, and whether one more is admitted. Relies on [`crate::admission`]
//! for the decision; knows nothing of signalling and media.
//!
//! One lock covers both. So a call that was admitted before the node was closed is counted when the close returns,
//! and a drain never sees "no calls" too early (R4).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::admission::{Admission, Admitter, Refusal, Verdict};
use crate::audio::Participant;
use crate::time::Clock;

/// The calls of a node as a drain sees them. A call counts from the admission of its INVITE until its signalling
/// and its media are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// The engine knows them.
    Known {
        /// How many calls there are.
        count: u32,
        /// When the oldest of them began.
        oldest: Option<Instant>,
    },
    /// A part of the engine has failed: treat the node as busy.
    Unknown,
}

/// What happened to calls since the engine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls that were answered and confirmed by the caller's ACK.
    pub carried: u64,
    /// Calls refused in maintenance mode.
    pub refused_maintenance: u64,
    /// Calls refused at the call limit, or because all media ports were in use by calls.
    pub refused_limit: u64,
    /// Calls refused although the node was not full: the system granted no media port.
    pub refused_resource: u64,
    /// Calls refused because their source exceeded its rate.
    pub refused_rate: u64,
    /// Requests not answered at all because their source far exceeded its rate.
    pub dropped: u64,
    /// Calls to an alias that no room has.
    pub not_found: u64,
    /// Calls refused for another reason: no codec, a malformed request, an extension that is not supported.
    pub not_acceptable: u64,
    /// Calls that the caller cancelled before they were answered.
    pub cancelled: u64,
    /// Calls ended by the far end.
    pub ended_by_far_end: u64,
    /// Calls ended because their answer was never confirmed by an ACK.
    pub ended_without_ack: u64,
    /// Calls ended because no media arrived from the far end.
    pub ended_by_media_timeout: u64,
    /// Calls ended because their session timer lapsed.
    pub ended_by_session_timer: u64,
    /// Calls ended because the far end answered a refresh with an error that ends a call.
    pub ended_by_refusal: u64,
    /// Calls ended because the engine was shut down.
    pub ended_by_shutdown: u64,
}

/// The result of a request for admission.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The call is counted for as long as the ticket lives.
    Admitted(Ticket),
    /// It is refused with this reason.
    Refused(Refusal),
    /// It gets no answer.
    Dropped,
}

/// The calls and the admission of a node; shared by all parts of the engine.
#[derive(Debug)]
pub(crate) struct CallRegistry {
    clock: Clock,
    inner: Mutex<Inner>,
    calls: watch::Sender<Calls>,
}

#[derive(Debug)]
struct Inner {
    admitter: Admitter,
    open: BTreeMap<Participant, Instant>,
    next: u64,
    failed: bool,
    stats: Stats,
}

impl CallRegistry {
    pub(crate) fn new(clock: Clock, admitter: Admitter) -> Arc<CallRegistry> {
        let inner =
            Inner { admitter, open: BTreeMap::new(), next: 0, failed: false, stats: Stats::default() };
        let (calls, _) = watch::channel(inner.calls());
        Arc::new(CallRegistry { clock, inner: Mutex::new(inner), calls })
    }

    /// Requests the admission of a call. An admitted call is counted before this returns.
    pub(crate) fn admit(self: &Arc<CallRegistry>, source: IpAddr) -> Entry {
        let mut inner = self.lock();
        let calls = u32::try_from(inner.open.len()).unwrap_or(u32::MAX);
        match inner.admitter.admit(self.clock.now(), source, calls) {
            Verdict::Admit => {
                inner.next += 1;
                let call = Participant(inner.next);
                inner.open.insert(call, Instant::now());
                self.publish(&inner);
                Entry::Admitted(Ticket { call, purpose: Purpose::Call, registry: Arc::clone(self) })
            }
            Verdict::Refuse(refusal) => {
                match &refusal {
                    Refusal::Closed(_) => inner.stats.refused_maintenance += 1,
                    Refusal::CallLimit => inner.stats.refused_limit += 1,
                    Refusal::SourceRate => inner.stats.refused_rate += 1,
                }
                Entry::Refused(refusal)
            }
            Verdict::Drop => {
                inner.stats.dropped += 1;
                Entry::Dropped
            }
        }
    }

    /// A ticket for the engine's call to itself. It is not counted and needs no admission: the node probes itself in
    /// maintenance mode as well. `permit` is released with the ticket.
    pub(crate) fn probe(self: &Arc<CallRegistry>, permit: OwnedSemaphorePermit) -> Ticket {
        let mut inner = self.lock();
        inner.next += 1;
        Ticket { call: Participant(inner.next), purpose: Purpose::Probe(permit), registry: Arc::clone(self) }
    }

    /// Whether a request that makes no call is answered: not above the rate of its source.
    pub(crate) fn answer(&self, source: IpAddr) -> bool {
        let mut inner = self.lock();
        let answer = inner.admitter.answer(self.clock.now(), source);
        inner.stats.dropped += u64::from(!answer);
        answer
    }

    pub(crate) fn set_admission(&self, admission: Admission) {
        self.lock().admitter.set(admission);
    }

    pub(crate) fn admission(&self) -> Admission {
        self.lock().admitter.admission().clone()
    }

    /// Records that a part of the engine has failed: from now on the calls are unknown.
    pub(crate) fn fail(&self) {
        let mut inner = self.lock();
        inner.failed = true;
        self.publish(&inner);
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.lock().stats);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Calls> {
        self.calls.subscribe()
    }

    fn publish(&self, inner: &Inner) {
        self.calls.send_replace(inner.calls());
    }

    /// No code that can panic runs under the lock, so a poisoned registry is still consistent.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn calls(&self) -> Calls {
        if self.failed {
            return Calls::Unknown;
        }
        let count = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        Calls::Known { count, oldest: self.open.values().min().copied() }
    }
}

/// A call's entry in the registry, removed when the last owner drops it.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) call: Participant,
    pub(crate) purpose: Purpose,
    registry: Arc<CallRegistry>,
}

/// Whose call it is.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A caller's; it is counted.
    Call,
    /// The engine's own, to itself; it is not counted. The permit makes it the only one.
    Probe(#[expect(dead_code, reason = "held, and released with the ticket")] OwnedSemaphorePermit),
}

impl Ticket {
    /// Counts something that happened to this call.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        match self.purpose {
            Purpose::Call => self.registry.count(change),
            Purpose::Probe(_) => {}
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        match self.purpose {
            Purpose::Call => {
                let mut inner = self.registry.lock();
                inner.open.remove(&self.call);
                self.registry.publish(&inner);
            }
            Purpose::Probe(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Closed;
    use crate::settings::SourceRate;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn registry(call_limit: u32) -> Arc<CallRegistry> {
        let rate = SourceRate { admitted: 1_000_000, burst: 1_000_000, answered: 1_000_000 };
        CallRegistry::new(Clock::start(), Admitter::new(Admission::Open, call_limit, rate))
    }

    fn count(registry: &CallRegistry) -> Option<u32> {
        match *registry.watch().borrow() {
            Calls::Known { count, .. } => Some(count),
            Calls::Unknown => None,
        }
    }

    #[test]
    fn call_counts_from_its_admission_until_the_last_owner_drops_its_ticket() {
        let registry = registry(10);
        let Entry::Admitted(ticket) = registry.admit(HERE) else { panic!("not admitted") };
        let ticket = Arc::new(ticket);
        let held_by_media = Arc::clone(&ticket);
        drop(ticket);
        assert_eq!(count(&registry), Some(1));
        drop(held_by_media);
        assert_eq!(count(&registry), Some(0));
    }

    #[test]
    fn calls_stay_unknown_after_a_failure() {
        let registry = registry(10);
        registry.fail();
        let Entry::Admitted(ticket) = registry.admit(HERE) else { panic!("not admitted") };
        drop(ticket);
        assert_eq!(count(&registry), None);
    }

    #[test]
    fn calls_admitted_before_the_close_are_counted_when_the_close_returns() {
        for _ in 0..200 {
            let registry = registry(u32::MAX);
            let callers: Vec<_> = (0..4)
                .map(|_| {
                    let registry = Arc::clone(&registry);
                    std::thread::spawn(move || {
                        let tickets = (0..50).map_while(|_| match registry.admit(HERE) {
                            Entry::Admitted(ticket) => Some(ticket),
                            Entry::Refused(_) | Entry::Dropped => None,
                        });
                        tickets.collect::<Vec<_>>()
                    })
                })
                .collect();
            registry.set_admission(Admission::Closed(Closed::maintenance_mode()));
            let at_close = count(&registry);
            let tickets: Vec<_> = callers.into_iter().map(|caller| caller.join().expect("caller")).collect();
            assert_eq!(at_close, Some(tickets.iter().map(|t| t.len() as u32).sum()));
        }
    }
}
