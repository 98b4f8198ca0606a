//! Detects two processes that report under one node's identity at the same time: a copied machine or a stolen key.
//! Relies on a random number for each start of a node's program. What a run does then is in `platform::duplicate`.
//!
//! Every answer to a process names the other start that reported last under the identity, and the process repeats
//! that name in its next report. A process that names another was running after the other had reported; two that
//! name each other were running at the same time. A restarted process never reports under its old number, and one
//! that has ended names no process that started after it. So neither restarts nor reports that are late, duplicated
//! or out of order look like a copy, whatever the clocks show.
//!
//! Release 34 has no such numbers. Beside a numbered start it is detected by reports that alternate more often than
//! messages in flight can. Two processes of release 34 are not detected, nor is a machine that was copied or
//! restored with its memory while its processes ran: the copy has the number of the original.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::time::{Span, Time};
use crate::version::Release;

/// For how long only one process must have reported until a duplicate counts as over: the longest silence of a
/// running machine, which is a restart into a release that does not start. That is three tries of five minutes and
/// a fall-back, as in `reboot_silent_after` of [`crate::policy::Policy`].
pub const DUPLICATE_OVER: Span = Span::minutes(20);

/// What to do about two machines under one identity, for the end of a sentence.
pub const SWITCH_OFF: &str = "switch off the one that is a copy, or enrol the right one again with \
     `pitlane node enrol`, which shuts the other out";

/// How long the believed process may be silent before the other one is believed. A process sends a request at least
/// every ten seconds, so this is longer than any pause between two reports.
const BELIEVED_SILENT: Span = Span::minutes(2);

/// How often a report is recorded while two processes are known: each record is an event that is stored. Shorter
/// than [`BELIEVED_SILENT`].
const NOTED_EVERY: Span = Span::minutes(1);

/// How often reports without a number must follow those of one numbered start, or the other way round, with
/// rising times. A process that has ended leaves two requests in flight at most, and each can cause two changes.
const ALTERNATIONS: u8 = 5;

/// How many starts are kept: those of two processes, and one restart of each.
const REMEMBERED: usize = 4;

/// The random number of one start of a node's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StartId(pub u64);

/// Which process has made a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Its start.
    pub start: StartId,
    /// The other start that its last answer named.
    #[serde(default)]
    pub beside: Option<StartId>,
    /// From where the report came, as the Management Node sees it in the connection.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

/// One of two processes under one identity, as it is shown to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claimant {
    /// The release that it runs.
    pub release: Release,
    /// From where it reports, if that is known.
    pub address: Option<IpAddr>,
}

/// Two processes under one identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Duplicate {
    /// The one whose reports are used: the one on the older release when the two were detected, so that nothing
    /// counts as done that one of them has not done.
    pub believed: Claimant,
    /// The other.
    pub other: Claimant,
}

/// A process that has reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    /// None for a release without such numbers.
    start: Option<StartId>,
    beside: Option<StartId>,
    claimant: Claimant,
}

/// Two processes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Two {
    shown: Duplicate,
    /// Whose reports are believed.
    believed: Option<StartId>,
    /// When it last reported, to a minute.
    #[serde(default)]
    believed_at: Time,
    /// The only one that has reported since `alone_since`.
    alone: Option<StartId>,
    alone_since: Time,
}

/// The processes that report under one node's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Starts {
    /// In the order of their last recorded reports. Once two are known, the order is not recorded any more.
    heard: Vec<Heard>,
    /// How often the last two have alternated, when one of them has no number.
    alternated: u8,
    two: Option<Two>,
}

/// Whether a report is newer than the last one of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is.
    InTurn,
    /// It is older, or the first.
    NotInTurn,
}

/// Whether the node's link was up until the report came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It was.
    Up,
    /// It was not, so it is not known which processes were running meanwhile.
    Down,
}

impl Starts {
    /// The two processes that are known to report under this identity, if so.
    pub fn duplicate(&self) -> Option<&Duplicate> {
        self.two.as_ref().map(|two| &two.shown)
    }

    /// The other start that is named in an answer to this one.
    pub fn beside(&self, start: StartId) -> Option<StartId> {
        self.heard.iter().rev().filter_map(|heard| heard.start).find(|other| *other != start)
    }

    /// Whether a report is used as the state of the node. While two processes report, those of one of them are:
    /// with both, status and decisions would alternate.
    pub fn believes(&self, report: &Observed) -> bool {
        self.two.is_none_or(|two| two.believed == start_of(report))
    }

    /// What is known after a report. Equal to what was known before if nothing is to be recorded.
    pub(crate) fn after(&self, now: Time, report: &Observed, arrival: Arrival, link: Link) -> Self {
        let mut after = self.clone();
        after.take(report, arrival);
        match &mut after.two {
            Some(two) => {
                // A report that was overtaken does not show which process is running.
                if arrival == Arrival::InTurn && two.goes_on(now, start_of(report), link) {
                    after.forget_all_but(start_of(report));
                }
            }
            None => after.two = after.noticed(now),
        }
        after
    }

    fn take(&mut self, report: &Observed, arrival: Arrival) {
        let start = start_of(report);
        let (beside, address) =
            report.process.map_or((None, None), |process| (process.beside, process.address));
        let Some(at) = self.heard.iter().position(|heard| heard.start == start) else {
            self.alternated = 0;
            self.heard.push(Heard { start, beside, claimant: Claimant { release: report.release, address } });
            if self.heard.len() > REMEMBERED {
                self.heard.remove(0);
            }
            return;
        };
        // Once two are known, nothing more is to be shown, and their alternation is not recorded.
        if self.two.is_some() {
            return;
        }
        let mut heard = self.heard.remove(at);
        heard.beside = beside.or(heard.beside);
        if let Some(other) = self.heard.get(at..).and_then(<[Heard]>::last) {
            let counts = arrival == Arrival::InTurn && (other.start.is_none() || start.is_none());
            self.alternated = self.alternated.saturating_add(u8::from(counts));
        }
        self.heard.push(heard);
    }

    /// Two processes that are shown to be running at the same time, one of which has made the last report.
    fn noticed(&self, now: Time) -> Option<Two> {
        let (last, before) = self.heard.split_last()?;
        let named = |other: &&Heard| {
            other.start.is_some()
                && last.start.is_some()
                && other.beside == last.start
                && last.beside == other.start
        };
        let alternates = || before.last().filter(|_| self.alternated >= ALTERNATIONS);
        let other = before.iter().rev().find(named).or_else(alternates)?;
        let (believed, other) =
            if last.claimant.release < other.claimant.release { (last, other) } else { (other, last) };
        let shown = Duplicate { believed: believed.claimant, other: other.claimant };
        Some(Two { shown, believed: believed.start, believed_at: now, alone: last.start, alone_since: now })
    }

    /// The duplicate counts as over: what was known of other processes no longer shows anything.
    fn forget_all_but(&mut self, start: Option<StartId>) {
        self.two = None;
        self.alternated = 0;
        self.heard.retain(|heard| heard.start == start);
        self.heard.iter_mut().for_each(|heard| heard.beside = None);
    }
}

impl Two {
    /// Records that a process has reported; whether it is the only one by now.
    fn goes_on(&mut self, now: Time, start: Option<StartId>, link: Link) -> bool {
        if link == Link::Down {
            // Nothing was received for a while, such as during a restart of the Management Node: that shows of no
            // process that it has ended.
            (self.alone, self.alone_since, self.believed_at) = (start, now, now);
            return false;
        }
        self.believe(now, start);
        let since = now.since(self.alone_since);
        if self.alone != start && since >= NOTED_EVERY {
            (self.alone, self.alone_since) = (start, now);
            return false;
        }
        self.alone == start && since >= DUPLICATE_OVER
    }

    /// Switches to another process when the believed one has been silent for long: it has ended, or was restarted
    /// under another number while the copy goes on.
    fn believe(&mut self, now: Time, start: Option<StartId>) {
        let silent = now.since(self.believed_at);
        let noted = if self.believed == start { NOTED_EVERY } else { BELIEVED_SILENT };
        if silent >= noted {
            (self.believed, self.believed_at) = (start, now);
        }
    }
}

fn start_of(report: &Observed) -> Option<StartId> {
    report.process.map(|process| process.start)
}

impl fmt::Display for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.release)?;
        match self.address {
            Some(address) => write!(f, " from {address}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { believed, other } = self;
        write!(f, "two machines report as this node, one on {believed}, one on {other}")
    }
}
