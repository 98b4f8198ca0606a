//! What is written down of a seed: every event when it is replayed, and the sums always.

use std::fmt::Write as _;

use fleet::time::Time;

/// The log of events; kept only when somebody is to read it.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Option<String>);

impl Journal {
    pub(super) fn kept() -> Self {
        Self(Some(String::new()))
    }

    pub(super) fn line(&mut self, now: Time, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.0 {
            let seconds = now.0 / 1_000;
            let (hours, minutes, millis) = (seconds / 3_600, seconds / 60 % 60, now.0 % 1_000);
            let _ = writeln!(log, "{hours:02}:{minutes:02}:{:02}.{millis:03}  {}", seconds % 60, text());
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0.unwrap_or_default()
    }
}

/// What happened in a seed, or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that reached a brain.
    pub events: u64,
    /// Runs that were started.
    pub runs: u64,
    /// Starts that were refused.
    pub refused_starts: u64,
    /// Calls that were admitted.
    pub calls: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Restarts of nodes into a selected release.
    pub restarts: u64,
    /// Messages that reached nobody.
    pub lost: u64,
    /// Calls that ended because their machine lost power.
    pub cut_off_by_power: usize,
    /// Things that went wrong.
    pub strikes: u64,
    /// What the operator did.
    pub acts: u64,
    /// What was drawn and could not be done, such as switching off what is off.
    pub impossible: u64,
}

impl Counts {
    /// Adds another seed's.
    pub fn add(&mut self, other: &Self) {
        let Self {
            events,
            runs,
            refused_starts,
            calls,
            refused,
            restarts,
            lost,
            cut_off_by_power,
            strikes,
            acts,
            impossible,
        } = other;
        self.events += events;
        self.runs += runs;
        self.refused_starts += refused_starts;
        self.calls += calls;
        self.refused += refused;
        self.restarts += restarts;
        self.lost += lost;
        self.cut_off_by_power += cut_off_by_power;
        self.strikes += strikes;
        self.acts += acts;
        self.impossible += impossible;
    }
}
