//! Whether the call engine of a confirmed release still carries calls. It calls itself now and then, and
//! soon after a caller was refused for want of resources. Pure: time comes in.

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
pub enum Beat {
    /// Probe it, and say by [`Heartbeat::probed`] what came of it.
    Probe,
    /// Not before [`Heartbeat::next_deadline`].
    Wait,
}

/// What is known of the call engine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pulse {
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
pub struct Heartbeat {
    /// When it is probed next; none while it is being probed.
    probe_at: Option<Time>,
    /// When the last probe ended.
    probed_at: Option<Time>,
    pulse: Pulse,
}

impl Heartbeat {
    /// Begins to probe at this time.
    pub fn begin(now: Time) -> Self {
        Self { probe_at: Some(now), probed_at: None, pulse: Pulse::Unknown }
    }

    /// Whether to probe now. What it says is to be done is taken as done.
    pub fn step(&mut self, now: Time) -> Beat {
        if self.probe_at.is_none_or(|at| at > now) {
            return Beat::Wait;
        }
        self.probe_at = None;
        Beat::Probe
    }

    /// The engine has carried a call to itself, or why it has not.
    pub fn probed(&mut self, now: Time, probed: Result<(), String>) {
        self.probed_at = Some(now);
        self.probe_at = Some(now + if probed.is_ok() { EVERY } else { AGAIN });
        self.pulse = match (probed, &self.pulse) {
            (Ok(()), _) => Pulse::Carries,
            (Err(why), Pulse::Unknown | Pulse::Dead { .. }) => Pulse::Dead { why },
            (Err(why), Pulse::Carries) => Pulse::Fails { misses: 1, why },
            (Err(why), Pulse::Fails { misses, .. }) if misses + 1 >= MISSES => Pulse::Dead { why },
            (Err(why), Pulse::Fails { misses, .. }) => Pulse::Fails { misses: misses + 1, why },
        };
    }

    /// A caller was refused for want of resources although the node is not full: the engine is probed soon.
    pub fn refused_a_call(&mut self, now: Time) {
        let soon = self.probed_at.map_or(now, |at| now.max(at + AGAIN));
        self.probe_at = self.probe_at.map(|at| at.min(soon));
    }

    /// When [`Heartbeat::step`] is to be asked again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.probe_at
    }

    /// Why the node is not fit to take calls, when its engine cannot carry any.
    pub fn unfit(&self) -> Option<String> {
        match &self.pulse {
            Pulse::Unknown | Pulse::Carries | Pulse::Fails { .. } => None,
            Pulse::Dead { why } => Some(no_call(why)),
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

    fn miss(heart: &mut Heartbeat) -> Time {
        let now = heart.next_deadline().unwrap();
        assert_eq!(heart.step(now), Beat::Probe);
        heart.probed(now, Err("no port".into()));
        now
    }

    #[test]
    fn an_engine_that_carries_calls_is_probed_once_a_minute() {
        let mut heart = Heartbeat::begin(at(0));
        assert_eq!(heart.step(at(0)), Beat::Probe);
        assert_eq!((heart.step(at(9)), heart.next_deadline()), (Beat::Wait, None), "one probe at a time");
        heart.probed(at(10), Ok(()));
        assert_eq!((heart.step(at(69)), heart.next_deadline()), (Beat::Wait, Some(at(70))));
        assert_eq!(heart.step(at(70)), Beat::Probe);
    }

    #[test]
    fn an_engine_that_fails_again_and_again_makes_the_node_unfit_until_it_carries_a_call() {
        let mut heart = Heartbeat::begin(at(0));
        heart.probed(at(0), Ok(()));
        let probed: Vec<_> = (1..MISSES).map(|_| miss(&mut heart)).collect();
        assert_eq!((probed, heart.unfit()), (vec![at(60), at(65)], None));
        miss(&mut heart);
        assert_eq!(heart.unfit().as_deref(), Some("no call is possible: no port"));
        miss(&mut heart);
        assert!(heart.unfit().is_some());
        heart.probed(at(90), Ok(()));
        assert_eq!(heart.unfit(), None);
        miss(&mut heart);
        assert_eq!(heart.unfit(), None, "it counts from the last success on");
    }

    #[test]
    fn an_engine_that_never_carried_a_call_makes_the_node_unfit_at_once() {
        let mut heart = Heartbeat::begin(at(0));
        miss(&mut heart);
        assert!(heart.unfit().is_some());
        assert_eq!(heart.next_deadline(), Some(at(5)));
    }

    #[test]
    fn a_caller_that_is_refused_for_want_of_resources_brings_the_next_probe_forward() {
        let mut heart = Heartbeat::begin(at(0));
        heart.probed(at(0), Ok(()));
        heart.refused_a_call(at(2));
        assert_eq!(heart.next_deadline(), Some(at(5)), "but callers cannot make it probe all the time");
        heart.refused_a_call(at(4));
        assert_eq!(heart.next_deadline(), Some(at(5)));
        assert_eq!(heart.step(at(5)), Beat::Probe);
        heart.refused_a_call(at(5));
        assert_eq!(heart.next_deadline(), None, "one probe at a time");
        heart.probed(at(6), Ok(()));
        heart.refused_a_call(at(30));
        assert_eq!(heart.next_deadline(), Some(at(30)));
    }
}
