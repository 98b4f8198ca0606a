//! Decides when the call engine of a confirmed release is probed by a call to itself, and whether it counts as able to
//! carry calls. It is probed once a minute, and soon after a caller was refused for want of resources. Time comes in
//! as an argument; the event loop makes the call.

use fleet::time::{Span, Time};

/// How often an engine that carries calls is probed: often enough that nobody calls it in vain for long.
const EVERY: Span = Span::seconds(60);

/// The pause before one that failed is probed again, and the shortest pause between two probes.
const AGAIN: Span = Span::seconds(5);

/// How many probes in a row may fail once one has succeeded: a busy machine may lose one, and refusing calls
/// for nothing is worse than ten seconds more.
const MISSES: u32 = 3;

/// Whether the engine is to be probed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Probe it, and report the outcome with [`EngineProbe::probed`].
    Probe,
    /// Not before [`EngineProbe::next_deadline`].
    Wait,
}

/// What is known of the call engine's ability to carry calls.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Health {
    /// Nothing yet.
    Unknown,
    /// It has carried a call.
    Carries,
    /// It has failed this often since, and for this reason the last time.
    Fails { misses: u32, why: String },
    /// It has failed before it ever carried a call, or too often in a row.
    Dead { why: String },
}

/// The probes of the call engine.
#[derive(Clone, Debug)]
pub struct EngineProbe {
    /// When it is probed next; none while it is being probed.
    probe_at: Option<Time>,
    /// When the last probe ended.
    probed_at: Option<Time>,
    health: Health,
}

impl EngineProbe {
    /// Begins to probe at this time.
    pub fn begin(now: Time) -> Self {
        Self { probe_at: Some(now), probed_at: None, health: Health::Unknown }
    }

    /// Whether to probe now. A probe that is due counts as begun.
    pub fn step(&mut self, now: Time) -> Due {
        if self.probe_at.is_none_or(|at| at > now) {
            return Due::Wait;
        }
        self.probe_at = None;
        Due::Probe
    }

    /// The engine has carried a call to itself, or why it has not.
    pub fn probed(&mut self, now: Time, probed: Result<(), String>) {
        self.probed_at = Some(now);
        self.probe_at = Some(now + if probed.is_ok() { EVERY } else { AGAIN });
        self.health = match (probed, &self.health) {
            (Ok(()), _) => Health::Carries,
            (Err(why), Health::Unknown | Health::Dead { .. }) => Health::Dead { why },
            (Err(why), Health::Carries) => Health::Fails { misses: 1, why },
            (Err(why), Health::Fails { misses, .. }) if misses + 1 >= MISSES => Health::Dead { why },
            (Err(why), Health::Fails { misses, .. }) => Health::Fails { misses: misses + 1, why },
        };
    }

    /// A caller was refused for want of resources although the node is not full: the engine is probed soon.
    pub fn refused_a_call(&mut self, now: Time) {
        let soon = self.probed_at.map_or(now, |at| now.max(at + AGAIN));
        self.probe_at = self.probe_at.map(|at| at.min(soon));
    }

    /// When [`EngineProbe::step`] is to be asked again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.probe_at
    }

    /// Why the node is not fit to take calls, when its engine cannot carry any.
    pub fn unfit(&self) -> Option<String> {
        match &self.health {
            Health::Unknown | Health::Carries | Health::Fails { .. } => None,
            Health::Dead { why } => Some(no_call(why)),
        }
    }
}

/// The sentence for a node whose engine carries no call.
pub fn no_call(why: &str) -> String {
    format!("no call is possible: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000)
    }

    fn miss(probe: &mut EngineProbe) -> Time {
        let now = probe.next_deadline().unwrap();
        assert_eq!(probe.step(now), Due::Probe);
        probe.probed(now, Err("no port".into()));
        now
    }

    #[test]
    fn engine_that_carries_calls_is_probed_once_a_minute() {
        let mut probe = EngineProbe::begin(at(0));
        assert_eq!(probe.step(at(0)), Due::Probe);
        assert_eq!((probe.step(at(9)), probe.next_deadline()), (Due::Wait, None), "one probe at a time");
        probe.probed(at(10), Ok(()));
        assert_eq!((probe.step(at(69)), probe.next_deadline()), (Due::Wait, Some(at(70))));
        assert_eq!(probe.step(at(70)), Due::Probe);
    }

    #[test]
    fn engine_that_fails_repeatedly_makes_the_node_unfit_until_it_carries_a_call() {
        let mut probe = EngineProbe::begin(at(0));
        probe.probed(at(0), Ok(()));
        let probed: Vec<_> = (1..MISSES).map(|_| miss(&mut probe)).collect();
        assert_eq!((probed, probe.unfit()), (vec![at(60), at(65)], None));
        miss(&mut probe);
        assert_eq!(probe.unfit().as_deref(), Some("no call is possible: no port"));
        miss(&mut probe);
        assert!(probe.unfit().is_some());
        probe.probed(at(90), Ok(()));
        assert_eq!(probe.unfit(), None);
        miss(&mut probe);
        assert_eq!(probe.unfit(), None, "it counts from the last success on");
    }

    #[test]
    fn engine_that_never_carried_a_call_makes_the_node_unfit_at_once() {
        let mut probe = EngineProbe::begin(at(0));
        miss(&mut probe);
        assert!(probe.unfit().is_some());
        assert_eq!(probe.next_deadline(), Some(at(5)));
    }

    #[test]
    fn caller_that_is_refused_for_want_of_resources_brings_the_next_probe_forward() {
        let mut probe = EngineProbe::begin(at(0));
        probe.probed(at(0), Ok(()));
        probe.refused_a_call(at(2));
        assert_eq!(probe.next_deadline(), Some(at(5)), "but callers cannot make it probe all the time");
        probe.refused_a_call(at(4));
        assert_eq!(probe.next_deadline(), Some(at(5)));
        assert_eq!(probe.step(at(5)), Due::Probe);
        probe.refused_a_call(at(5));
        assert_eq!(probe.next_deadline(), None, "one probe at a time");
        probe.probed(at(6), Ok(()));
        probe.refused_a_call(at(30));
        assert_eq!(probe.next_deadline(), Some(at(30)));
    }
}
