//! The power goes: what is found on a disk afterwards, for every moment of a record and every outcome of
//! what was not durable then.

mod lay_out;
mod model;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;

use crate::change::{Change, Record};
use crate::node::Nodes;
use model::Model;

pub use lay_out::lay_out;
pub use model::Fate;

/// Up to this many pending changes every combination of fates is gone through; above it the extremes and
/// each single exception. Three to the power of six are 729 disks for one moment.
const ALL_COMBINATIONS_UP_TO: usize = 6;

/// A disk after the power came back.
#[derive(Clone, Copy, Debug)]
pub struct Survivor<'a> {
    /// How many changes were done when the power went.
    pub after: usize,
    /// What became of those that were not durable, in their order.
    pub fates: &'a [Fate],
    /// What the test had said until then.
    pub marks: &'a [&'a str],
    /// What is on the disk.
    pub nodes: &'a Nodes,
}

/// What was gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes of the record: each is a moment at which the power goes, and one more before the first.
    pub changes: usize,
    /// The disks that were made of these moments.
    pub states: usize,
    /// Those that differ, or at which more was certain. Only these were looked at.
    pub distinct: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, states, distinct } = self;
        let cuts = changes + 1;
        write!(f, "{changes} changes, {cuts} moments, {states} disks, {distinct} of them distinct")
    }
}

/// Shows every disk that a power cut can leave, until `look` says what is wrong with one. Names that
/// `passing` picks never come back: files that their program makes anew at each start.
///
/// # Errors
/// What `look` said, with the moment and the fates.
pub fn cut_everywhere(
    record: &Record,
    passing: fn(&OsStr) -> bool,
    mut look: impl FnMut(&Survivor<'_>) -> Result<(), String>,
) -> Result<Tally, String> {
    let mut model = Model::new(&record.before, passing);
    let mut tally = Tally { changes: record.changes.len(), ..Tally::default() };
    let mut marks: Vec<&str> = Vec::new();
    let mut met = HashSet::new();
    for after in 0..=record.changes.len() {
        for fates in fates(model.pending()) {
            tally.states += 1;
            if !met.insert((model.fingerprint(&fates), marks.len())) {
                continue;
            }
            tally.distinct += 1;
            let nodes = model.after_the_cut(&fates);
            let survivor = Survivor { after, fates: &fates, marks: &marks, nodes: &nodes };
            look(&survivor).map_err(|fault| at_that_moment(record, &survivor, &model, &fault))?;
        }
        match record.changes.get(after) {
            Some(Change::Mark { what }) => marks.push(what),
            Some(change) => model.change(change),
            None => {}
        }
    }
    Ok(tally)
}

fn at_that_moment(record: &Record, survivor: &Survivor<'_>, model: &Model, fault: &str) -> String {
    let Survivor { after, fates, marks, nodes: _ } = survivor;
    let last = after.checked_sub(1).and_then(|last| record.changes.get(last));
    let fates = model.describe(fates);
    format!("the power went after change {after} ({last:?}), marks {marks:?}, {fates}: {fault}")
}

/// Every way the pending changes can end, up to the limit; always all, none and each single exception.
fn fates(pending: usize) -> Vec<Vec<Fate>> {
    if pending <= ALL_COMBINATIONS_UP_TO {
        return (0..3_usize.pow(pending as u32)).map(|number| combination(number, pending)).collect();
    }
    let mut all: Vec<_> = Fate::ALL.iter().map(|fate| vec![*fate; pending]).collect();
    for at in 0..pending {
        for (most, one) in
            [(Fate::Survives, Fate::Lost), (Fate::Survives, Fate::Torn), (Fate::Lost, Fate::Survives)]
        {
            let mut fates = vec![most; pending];
            fates[at] = one;
            all.push(fates);
        }
    }
    all
}

fn combination(mut number: usize, pending: usize) -> Vec<Fate> {
    let mut digit = || {
        let fate = Fate::ALL[number % 3];
        number /= 3;
        fate
    };
    (0..pending).map(|_| digit()).collect()
}
