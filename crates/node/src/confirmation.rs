//! Decides when a new release may confirm itself: its call engine has carried a call, and one authenticated sync has
//! succeeded. Its time stands still while no Management Node can be reached. Time comes in as an argument; it never
//! writes the slot record itself.

use fleet::time::{Span, Time};

use crate::engine_probe::no_call;
use crate::http::Failing;

/// How often boot is asked for more time, at most.
const EXTEND_EVERY: Span = Span::seconds(5);

/// The shortest pause between two such requests, however little time is left.
const EXTEND_PAUSE: Span = Span(100);

/// The pause before a call engine that carried no call is probed again.
const PROBE_EVERY: Span = Span::seconds(1);

/// What is known of the Management Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    /// Nothing yet.
    NotTried,
    /// The last attempt failed.
    Failing(Failing),
    /// A sync has succeeded; that is enough once and for all.
    Synced,
}

/// Whether the call engine carries calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    /// It is not known, and not to be probed before this time.
    ProbeAt(Time),
    /// It is being probed.
    Probing,
    /// It has carried a call.
    Carries,
}

/// What is to be done for the confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before [`Confirmation::next_deadline`].
    Wait,
    /// Ask boot for this much time from now.
    Extend(Span),
    /// Let the call engine call itself, and report the outcome with [`Confirmation::probed`].
    Probe,
    /// Confirm the release.
    Confirm,
}

/// A release that has to confirm itself.
#[derive(Clone, Debug)]
pub struct Confirmation {
    /// The time that boot gives it.
    budget: Span,
    /// How much of it has passed while the clock ran.
    spent: Span,
    counted_at: Time,
    contact: Contact,
    engine: Engine,
    /// Why the call engine carried no call when it was probed last.
    no_call: Option<String>,
    extended_at: Option<Time>,
}

impl Confirmation {
    /// Begins at the start of the program.
    pub fn begin(budget: Span, now: Time) -> Self {
        Self {
            budget,
            spent: Span::ZERO,
            counted_at: now,
            contact: Contact::NotTried,
            engine: Engine::ProbeAt(now),
            no_call: None,
            extended_at: None,
        }
    }

    /// A sync has succeeded.
    pub fn synced(&mut self, now: Time) {
        self.count(now);
        self.contact = Contact::Synced;
    }

    /// A sync has failed. A call that the engine carried before is too old for the next one.
    pub fn failed(&mut self, now: Time, failing: Failing) {
        self.count(now);
        if self.contact != Contact::Synced {
            self.contact = Contact::Failing(failing);
            if self.engine == Engine::Carries {
                self.engine = Engine::ProbeAt(now);
            }
        }
    }

    /// The call engine has carried a call to itself, or why it has not.
    pub fn probed(&mut self, now: Time, probed: Result<(), String>) {
        self.engine = if probed.is_ok() { Engine::Carries } else { Engine::ProbeAt(now + PROBE_EVERY) };
        self.no_call = probed.err();
    }

    /// Repeats the last step a little later; the engine is probed anew for it.
    pub fn again(&mut self, now: Time) {
        self.engine = Engine::ProbeAt(now + PROBE_EVERY);
    }

    /// Why the release cannot confirm itself, when its call engine carries no call.
    pub fn unfit(&self) -> Option<String> {
        self.no_call.as_deref().map(no_call)
    }

    /// The next step. It counts as done.
    pub fn step(&mut self, now: Time) -> Step {
        self.count(now);
        match (self.contact, self.engine) {
            (Contact::Synced, Engine::Carries) => Step::Confirm,
            // Beside the first sync, since nobody can call the node meanwhile.
            (Contact::NotTried | Contact::Synced, Engine::ProbeAt(at)) if at <= now => {
                self.engine = Engine::Probing;
                Step::Probe
            }
            (Contact::Failing(Failing::Unreachable), _) if self.extend_at() <= now => {
                self.extended_at = Some(now);
                Step::Extend(self.left())
            }
            (Contact::NotTried | Contact::Synced | Contact::Failing(_), _) => Step::Wait,
        }
    }

    /// When [`Confirmation::step`] is to be called again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        match (self.contact, self.engine) {
            (Contact::Failing(Failing::Unreachable), _) => Some(self.extend_at()),
            (Contact::NotTried | Contact::Synced, Engine::ProbeAt(at)) => Some(at),
            (Contact::NotTried | Contact::Synced, Engine::Probing | Engine::Carries)
            | (Contact::Failing(Failing::Refused), _) => None,
        }
    }

    /// Boot must be asked well before its time runs out.
    fn extend_at(&self) -> Time {
        let every = EXTEND_EVERY.min(Span(self.left().0 / 4)).max(EXTEND_PAUSE);
        self.extended_at.map_or(Time::default(), |at| at + every)
    }

    fn left(&self) -> Span {
        self.budget - self.spent
    }

    /// Time passes, unless no manager can be reached.
    fn count(&mut self, now: Time) {
        if self.contact != Contact::Failing(Failing::Unreachable) {
            self.spent = self.spent + now.since(self.counted_at);
        }
        self.counted_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Span = Span::seconds(100);

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000)
    }

    #[test]
    fn release_confirms_itself_by_a_sync_and_a_call_to_itself() {
        let mut confirmation = Confirmation::begin(BUDGET, at(0));
        assert_eq!(confirmation.step(at(0)), Step::Probe, "beside the first sync");
        assert_eq!((confirmation.step(at(1)), confirmation.next_deadline()), (Step::Wait, None));
        confirmation.synced(at(2));
        assert_eq!(confirmation.step(at(2)), Step::Wait);
        confirmation.probed(at(3), Err("no port".into()));
        assert_eq!(confirmation.unfit().as_deref(), Some("no call is possible: no port"));
        assert_eq!((confirmation.step(at(3)), confirmation.next_deadline()), (Step::Wait, Some(at(4))));
        assert_eq!(confirmation.step(at(4)), Step::Probe);
        confirmation.failed(at(5), Failing::Refused);
        confirmation.probed(at(5), Ok(()));
        assert_eq!(confirmation.unfit(), None);
        assert_eq!(confirmation.step(at(5)), Step::Confirm);
    }

    #[test]
    fn call_to_itself_counts_for_the_sync_beside_it_and_no_later_one() {
        let mut confirmation = Confirmation::begin(BUDGET, at(0));
        assert_eq!(confirmation.step(at(0)), Step::Probe);
        confirmation.probed(at(1), Ok(()));
        assert_eq!(confirmation.step(at(1)), Step::Wait, "a call alone is not enough");
        let mut at_once = confirmation.clone();
        at_once.synced(at(2));
        assert_eq!(at_once.step(at(2)), Step::Confirm);
        confirmation.failed(at(2), Failing::Refused);
        confirmation.synced(at(9));
        assert_eq!(confirmation.step(at(9)), Step::Probe);
    }

    #[test]
    fn time_stands_still_while_no_manager_can_be_reached() {
        let mut confirmation = Confirmation::begin(BUDGET, at(0));
        confirmation.failed(at(10), Failing::Unreachable);
        assert_eq!(confirmation.step(at(10)), Step::Extend(Span::seconds(90)));
        assert_eq!((confirmation.step(at(11)), confirmation.next_deadline()), (Step::Wait, Some(at(15))));
        assert_eq!(confirmation.step(at(1_000)), Step::Extend(Span::seconds(90)));
    }

    #[test]
    fn refused_sync_lets_the_time_run_and_asks_for_nothing() {
        let mut confirmation = Confirmation::begin(BUDGET, at(0));
        confirmation.failed(at(10), Failing::Unreachable);
        confirmation.failed(at(500), Failing::Refused);
        assert_eq!((confirmation.step(at(510)), confirmation.next_deadline()), (Step::Wait, None));
        confirmation.failed(at(530), Failing::Unreachable);
        assert_eq!(confirmation.step(at(530)), Step::Extend(Span::seconds(60)));
    }

    #[test]
    fn short_budget_is_renewed_well_before_it_runs_out() {
        let mut confirmation = Confirmation::begin(Span::seconds(2), at(0));
        confirmation.failed(at(0), Failing::Unreachable);
        assert_eq!(confirmation.step(at(0)), Step::Extend(Span::seconds(2)));
        assert_eq!(confirmation.next_deadline(), Some(Time(500)));
    }
}
