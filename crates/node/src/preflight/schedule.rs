//! Decides when the checks before a start are due, and what follows from their outcomes. Time comes in as an argument;
//! the event loop runs the checks.

use fleet::desired::Assignment;
use fleet::time::{Span, Time};

/// How often a node checks itself, and the release that waits in its slot: soon enough that an operator who
/// has edited a file sees within a minute what a restart would make of it. Most of a check is the hash of the
/// program in its slot: 34 ms of one processor for 32 MiB (SHA instructions; three times that without), less than
/// 0.2 % of a minute, so no check leaves it out.
const EVERY: Span = Span::seconds(60);

/// The pause before a check that has found a fault is repeated.
const AGAIN: Span = Span::seconds(5);

/// How many checks in a row must find a fault before the release is rejected for this run: a port may be held
/// for a moment by a program that runs only briefly.
const FAILURES: u32 = 2;

/// How long a check that found nothing is good for the node to leave: it has just been made for that.
const FRESH: Span = Span::seconds(2);

/// The checks of a node about itself.
#[derive(Clone, Copy, Debug)]
pub struct OwnChecks {
    /// When the next one is due; none while one is under way.
    at: Option<Time>,
}

impl OwnChecks {
    /// The first is due a while after the start, which has just succeeded.
    pub fn begin(now: Time) -> Self {
        Self { at: Some(now + AGAIN) }
    }

    /// Whether one is due; then it counts as begun.
    pub fn step(&mut self, now: Time) -> bool {
        let due = self.at.is_some_and(|at| at <= now);
        if due {
            self.at = None;
        }
        due
    }

    /// One has ended.
    pub fn ended(&mut self, now: Time) {
        self.at = Some(now + EVERY);
    }

    /// When [`OwnChecks::step`] is to be called again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.at
    }
}

/// What follows from a check of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would start.
    Fine,
    /// It would not start just now; it is checked again.
    Again,
    /// It is not to be taken in this run.
    Reject(String),
}

/// The checks of the release that waits in the other slot.
#[derive(Clone, Debug, Default)]
pub struct ReleaseChecks {
    last: Option<(Assignment, Last)>,
}

/// How the last check of a release went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    UnderWay { failures: u32 },
    Passed { at: Time },
    Failed { at: Time, failures: u32 },
}

impl ReleaseChecks {
    /// Whether the regular check of this release is due.
    pub fn is_due(&self, software: Assignment, now: Time) -> bool {
        self.due_at(software).is_some_and(|at| at <= now)
    }

    /// When the next regular check of this release is due; none while it is being checked. A release that was not
    /// checked yet is due at once.
    pub fn due_at(&self, software: Assignment) -> Option<Time> {
        match self.of(software) {
            None => Some(Time::default()),
            Some(Last::UnderWay { .. }) => None,
            Some(Last::Passed { at }) => Some(at + EVERY),
            Some(Last::Failed { at, .. }) => Some(at + AGAIN),
        }
    }

    /// Whether a check may begin: not while one is under way, and not at once after one that found a fault.
    pub fn may_begin(&self, software: Assignment, now: Time) -> bool {
        match self.of(software) {
            None | Some(Last::Passed { .. }) => true,
            Some(Last::UnderWay { .. }) => false,
            Some(Last::Failed { at, .. }) => at + AGAIN <= now,
        }
    }

    /// Whether the last check of this release passed just now, so that the node may leave for it.
    pub fn is_fresh(&self, software: Assignment, now: Time) -> bool {
        match self.of(software) {
            Some(Last::Passed { at }) => now <= at + FRESH,
            Some(Last::UnderWay { .. } | Last::Failed { .. }) | None => false,
        }
    }

    /// A check begins.
    pub fn begun(&mut self, software: Assignment) {
        let failures = match self.of(software) {
            Some(Last::UnderWay { failures } | Last::Failed { failures, .. }) => failures,
            Some(Last::Passed { .. }) | None => 0,
        };
        self.last = Some((software, Last::UnderWay { failures }));
    }

    /// The release has passed a check.
    pub fn passed(&mut self, software: Assignment, now: Time) {
        self.last = Some((software, Last::Passed { at: now }));
    }

    /// A check has ended.
    pub fn ended(&mut self, software: Assignment, now: Time, outcome: Result<(), String>) -> Verdict {
        let Err(why) = outcome else {
            self.passed(software, now);
            return Verdict::Fine;
        };
        let failures = match self.of(software) {
            Some(Last::UnderWay { failures } | Last::Failed { failures, .. }) => failures + 1,
            Some(Last::Passed { .. }) | None => 1,
        };
        if failures < FAILURES {
            self.last = Some((software, Last::Failed { at: now, failures }));
            return Verdict::Again;
        }
        self.last = None;
        Verdict::Reject(format!("it would not start on this machine: {why}"))
    }

    fn of(&self, software: Assignment) -> Option<Last> {
        self.last.filter(|(of, _)| *of == software).map(|(_, last)| last)
    }
}

#[cfg(test)]
mod tests {
    use fleet::desired::RunId;
    use fleet::version::{Release, Sha256};

    use super::*;

    fn software(run: u32) -> Assignment {
        Assignment { run: RunId(run), release: Release::PRESENT, manifest: Sha256([1; 32]) }
    }

    fn at(seconds: u64) -> Time {
        Time(1_000_000 + seconds * 1_000)
    }

    #[test]
    fn node_checks_itself_every_minute_one_check_at_a_time() {
        let mut checks = OwnChecks::begin(at(0));
        assert!(!checks.step(at(4)) && checks.step(at(5)) && !checks.step(at(500)));
        checks.ended(at(500));
        assert!(!checks.step(at(559)) && checks.step(at(560)));
    }

    #[test]
    fn release_that_waits_is_checked_every_minute_and_anew_for_each_run() {
        let mut checks = ReleaseChecks::default();
        assert!(checks.is_due(software(1), at(0)));
        checks.begun(software(1));
        assert!(!checks.is_due(software(1), at(1_000)));
        assert_eq!(checks.ended(software(1), at(10), Ok(())), Verdict::Fine);
        assert!(!checks.is_due(software(1), at(69)) && checks.is_due(software(1), at(70)));
        assert!(checks.is_due(software(2), at(10)));
    }

    #[test]
    fn node_leaves_only_on_a_check_of_just_now() {
        let mut checks = ReleaseChecks::default();
        assert!(!checks.is_fresh(software(1), at(0)) && checks.may_begin(software(1), at(0)));
        checks.passed(software(1), at(0));
        assert!(checks.is_fresh(software(1), at(2)) && !checks.is_fresh(software(2), at(2)));
        assert!(!checks.is_fresh(software(1), at(3)) && checks.may_begin(software(1), at(3)));
    }

    #[test]
    fn fault_must_be_found_twice_in_a_row() {
        let mut checks = ReleaseChecks::default();
        let fault = || Err(String::from("port taken"));
        checks.begun(software(1));
        assert_eq!(checks.ended(software(1), at(0), fault()), Verdict::Again);
        assert!(!checks.may_begin(software(1), at(4)) && checks.may_begin(software(1), at(5)));
        checks.begun(software(1));
        assert_eq!(checks.ended(software(1), at(6), Ok(())), Verdict::Fine);
        checks.begun(software(1));
        assert_eq!(checks.ended(software(1), at(7), fault()), Verdict::Again);
        checks.begun(software(1));
        let why = "it would not start on this machine: port taken";
        assert_eq!(checks.ended(software(1), at(12), fault()), Verdict::Reject(why.into()));
    }
}
