//! Enumerates what power cuts leave of a recorded disk: for every moment of the record, every combination of
//! outcomes of the changes that were not durable at that moment. [`model`] decides what is durable; a test
//! judges each state.

mod lay_out;
mod model;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;

use crate::change::{Change, Record};
use crate::node::Nodes;
use model::Model;

pub use lay_out::lay_out;
pub use model::Outcome;

/// Up to this many pending changes, every combination of outcomes is enumerated; above it, the uniform outcomes
/// and each single exception. Three to the power of six are 729 disks for one moment.
const ALL_COMBINATIONS_UP_TO: usize = 6;

/// The state of a disk after a power cut.
#[derive(Clone, Copy, Debug)]
pub struct CrashState<'a> {
    /// How many changes had been made at the power cut.
    pub after: usize,
    /// The outcomes of those that were not durable, in their order.
    pub outcomes: &'a [Outcome],
    /// The marks that the test had set by then.
    pub marks: &'a [&'a str],
    /// The contents of the disk.
    pub nodes: &'a Nodes,
}

/// The size of an enumeration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes of the record: a power cut is simulated after each of them, and once before the first.
    pub changes: usize,
    /// The states that follow from these moments.
    pub states: usize,
    /// Those that differ in their contents or marks. Only these are shown to the test.
    pub distinct: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, states, distinct } = self;
        let cuts = changes + 1;
        write!(f, "{changes} changes, {cuts} moments, {states} disks, {distinct} of them distinct")
    }
}

/// Calls `look` with every state that a power cut can leave, until it returns an error. Names that `volatile`
/// selects never survive: files that their program creates again at each start.
///
/// # Errors
/// The error of `look`, with the moment and the outcomes.
pub fn cut_everywhere(
    record: &Record,
    volatile: fn(&OsStr) -> bool,
    mut look: impl FnMut(&CrashState<'_>) -> Result<(), String>,
) -> Result<Tally, String> {
    let mut model = Model::new(&record.before, volatile);
    let mut tally = Tally { changes: record.changes.len(), ..Tally::default() };
    let mut marks: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    for after in 0..=record.changes.len() {
        for outcomes in outcomes(model.pending()) {
            tally.states += 1;
            if !seen.insert((model.fingerprint(&outcomes), marks.len())) {
                continue;
            }
            tally.distinct += 1;
            let nodes = model.after_the_cut(&outcomes);
            let state = CrashState { after, outcomes: &outcomes, marks: &marks, nodes: &nodes };
            look(&state).map_err(|fault| at_that_moment(record, &state, &model, &fault))?;
        }
        match record.changes.get(after) {
            Some(Change::Mark { what }) => marks.push(what),
            Some(change) => model.change(change),
            None => {}
        }
    }
    Ok(tally)
}

/// The disk after a power cut at the end of the record in which every pending change has the same outcome.
pub fn cut_at_end(record: &Record, outcome: Outcome) -> Nodes {
    let mut model = Model::new(&record.before, |_| false);
    record.changes.iter().for_each(|change| model.change(change));
    model.after_the_cut(&vec![outcome; model.pending()])
}

fn at_that_moment(record: &Record, state: &CrashState<'_>, model: &Model, fault: &str) -> String {
    let CrashState { after, outcomes, marks, nodes: _ } = state;
    let last = after.checked_sub(1).and_then(|last| record.changes.get(last));
    let outcomes = model.describe(outcomes);
    format!("power cut after change {after} ({last:?}), marks {marks:?}, {outcomes}: {fault}")
}

/// All combinations of outcomes up to the limit; above it the uniform ones and each single exception.
fn outcomes(pending: usize) -> Vec<Vec<Outcome>> {
    if pending <= ALL_COMBINATIONS_UP_TO {
        return (0..3_usize.pow(pending as u32)).map(|number| combination(number, pending)).collect();
    }
    let mut all: Vec<_> = Outcome::ALL.iter().map(|outcome| vec![*outcome; pending]).collect();
    for at in 0..pending {
        for (most, one) in [
            (Outcome::Persisted, Outcome::Lost),
            (Outcome::Persisted, Outcome::Torn),
            (Outcome::Lost, Outcome::Persisted),
        ] {
            let mut outcomes = vec![most; pending];
            outcomes[at] = one;
            all.push(outcomes);
        }
    }
    all
}

fn combination(mut number: usize, pending: usize) -> Vec<Outcome> {
    let mut digit = || {
        let outcome = Outcome::ALL[number % 3];
        number /= 3;
        outcome
    };
    (0..pending).map(|_| digit()).collect()
}
