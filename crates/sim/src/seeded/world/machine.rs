//! A Conferencing Node's machine: its disk, its process, its calls and its faults. It holds state and answers questions
//! about it; what happens to it is decided elsewhere.

use std::collections::BTreeMap;

use fleet::agent::{FallBack, PersistentState, Reconciler, Start};
use fleet::desired::Assignment;
use fleet::node::Duty;
use fleet::observed::{Admission, Calls, Observed};
use fleet::starts::StartId;
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256, Version};

use super::clock::{Clock, Downtime, Stamp};
use crate::seeded::draw::Draw;

/// How many times boot starts a release that has not confirmed itself.
pub(crate) const TRIES: u32 = 3;

/// What survives a loss of power.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) persistent_state: PersistentState,
    /// The time that was stored with it.
    pub(crate) stamp: Stamp,
    /// The release in the confirmed slot.
    pub(crate) confirmed: (Release, Sha256),
    /// The complete release in the other slot.
    pub(crate) other: Option<(Release, Sha256)>,
    /// The other slot was not unpacked completely; the programs never leave such a slot selected.
    pub(crate) torn: bool,
    /// How often the release in the other slot was started, if that slot is selected.
    pub(crate) trying: Option<u32>,
    /// The last fall-back, until the next selection.
    pub(crate) fell_back: Option<FallBack>,
}

/// A process of the node's program.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) node: Reconciler,
    /// The last write of the persistent state has failed.
    pub(crate) write_failed: bool,
    /// The staging in progress, with its number.
    pub(crate) job: Option<(Assignment, u64)>,
    /// The last report, to see whether the next one differs.
    pub(crate) reported: Option<Observed>,
    /// The other start that the last answer named.
    pub(crate) beside: Option<StartId>,
}

/// A fault of a machine's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// Nothing can be written.
    Full,
    /// Every other write fails.
    Fails,
}

/// A node's machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    /// `None` while it is off or starting.
    pub(crate) process: Option<Process>,
    /// The calls by number, with their beginning by the node's clock.
    pub(crate) calls: BTreeMap<u64, Time>,
    pub(crate) engine: Admission,
    /// The call engine does not know how many calls there are.
    pub(crate) blind: bool,
    pub(crate) unfit: bool,
    pub(crate) disk_fault: Option<DiskFault>,
    /// Since when it would not start again, if it would not.
    pub(crate) start_fault: Option<Time>,
    /// Its program hangs.
    pub(crate) hung: bool,
    pub(crate) downtime: Downtime,
    /// The time of the newest of its reports that has arrived.
    pub(crate) arrived: Time,
    /// How many cuts separate it from the Management Node.
    pub(crate) cuts: u32,
    /// False for a bursting node that rests.
    pub(crate) powered: bool,
    /// The number of its current start: events of an earlier one are ignored.
    pub(crate) start: u64,
    /// The number of its current request.
    pub(crate) request: u64,
    /// How many reports in a row were not answered.
    pub(crate) unanswered: u32,
    pub(crate) jobs: u64,
    /// The release that is tried does not start.
    pub(crate) release_fails: bool,
    /// The agent's deadline for which an event is queued.
    pub(crate) timer: Option<Time>,
    last_at: Time,
    pub(crate) draw: Draw,
    pub(crate) call_draw: Draw,
    pub(crate) link_draw: Draw,
}

impl Machine {
    pub(crate) fn new(duty: Duty, clock: Clock, confirmed: (Release, Sha256), draw: &Draw) -> Self {
        let stamp = clock.stamp(Time::default());
        Self {
            clock,
            disk: Disk {
                persistent_state: PersistentState::default(),
                stamp,
                confirmed,
                other: None,
                torn: false,
                trying: None,
                fell_back: None,
            },
            process: None,
            calls: BTreeMap::new(),
            engine: Admission::Refusing,
            blind: false,
            unfit: false,
            disk_fault: None,
            start_fault: None,
            hung: false,
            downtime: Downtime::Program,
            arrived: Time::default(),
            cuts: 0,
            powered: duty == Duty::AlwaysOn,
            start: 0,
            request: 0,
            unanswered: 0,
            jobs: 0,
            release_fails: false,
            timer: None,
            last_at: Time::default(),
            draw: draw.child("machine", 0),
            call_draw: draw.child("calls", 0),
            link_draw: draw.child("link", 0),
        }
    }

    /// Whether a message can pass between its process and the network.
    pub(crate) fn is_linked(&self) -> bool {
        self.process.is_some() && self.cuts == 0 && !self.hung
    }

    /// Whether it admits new calls.
    pub(crate) fn admits(&self) -> bool {
        self.process.is_some() && !self.hung && self.engine == Admission::Admitting
    }

    /// How long its clock may have stood still when it starts after a loss of power: since the last stamp.
    pub(crate) fn unclocked(&self, now: Time) -> Option<Span> {
        match self.downtime {
            Downtime::Program => None,
            Downtime::Machine => Some(now.since(self.clock.moment(self.disk.stamp))),
        }
    }

    /// Whether a release is being tried, or is about to be.
    pub(crate) fn is_between_releases(&self) -> bool {
        self.disk.trying.is_some()
    }

    /// Whether the release that is tried is of this version.
    pub(crate) fn tries(&self, version: Option<Version>) -> bool {
        let tried = self.disk.other.filter(|_| self.is_between_releases());
        version.is_some() && tried.map(|(release, _)| release.version) == version
    }

    /// The conditions that the process finds at its start.
    pub(crate) fn start_conditions(&self) -> Start {
        let (confirmed, other) = (self.disk.confirmed, self.disk.other);
        let fell_back = self.disk.fell_back.clone();
        match (self.disk.trying, other) {
            (Some(_), Some((release, _))) => {
                Start { release, confirmed: false, staged: Some(confirmed.1), fell_back }
            }
            (_, other) => Start {
                release: confirmed.0,
                confirmed: true,
                staged: other.map(|(_, manifest)| manifest),
                fell_back,
            },
        }
    }

    /// Confirms the other slot in the slot record.
    pub(crate) fn confirm(&mut self) {
        if let Some(other) = self.disk.other {
            self.disk.other = Some(self.disk.confirmed);
            self.disk.confirmed = other;
            self.disk.trying = None;
        }
    }

    /// boot counts a try before it is used, and falls back when none is left.
    pub(crate) fn count_try(&mut self, now: Time) {
        let Some(tries) = self.disk.trying else { return };
        if tries < TRIES {
            self.disk.trying = Some(tries + 1);
            return;
        }
        self.disk.trying = None;
        self.disk.fell_back = self.disk.other.map(|(release, manifest)| FallBack {
            manifest,
            at: now.0,
            why: format!("{release} was started {TRIES} times in vain"),
        });
    }

    pub(crate) fn counted(&self, local: Time) -> Calls {
        if self.blind {
            return Calls::Unknown;
        }
        let oldest = self.calls.values().map(|began| local.since(*began)).max();
        Calls::Known { count: u32::try_from(self.calls.len()).unwrap_or(u32::MAX), oldest }
    }

    /// Writes the persistent state. A write that fails at its last step leaves the new contents.
    pub(crate) fn write(&mut self, state: &PersistentState, world: Time) -> Written {
        let (fails, at_last) = (self.draw.chance(500), self.draw.chance(250));
        let outcome = match (self.disk_fault, fails) {
            (None, _) | (Some(DiskFault::Fails), false) => Written::Durable,
            (Some(DiskFault::Full), _) => Written::NotDurable,
            (Some(DiskFault::Fails), true) if at_last => Written::Uncertain,
            (Some(DiskFault::Fails), true) => Written::NotDurable,
        };
        if outcome != Written::NotDurable {
            self.disk.persistent_state = state.clone();
            self.disk.stamp = self.clock.stamp(world);
        }
        outcome
    }

    /// A program that starts has not reported yet.
    pub(crate) fn forget_reports(&mut self) {
        self.last_at = Time::default();
    }

    /// Continues from the time that the Management Node has heard: a clock that went back would make reports stale
    /// (R20).
    pub(crate) fn heard_at(&mut self, heard: Option<Time>) -> Late {
        let Some(heard) = heard.filter(|heard| *heard > self.last_at) else { return Late::No };
        self.last_at = heard;
        Late::Yes
    }

    /// The time in its last report.
    pub(crate) fn last_at(&self) -> Time {
        self.last_at
    }

    /// The time of the next report: no two have the same.
    pub(crate) fn stamp(&mut self, local: Time) -> Time {
        self.last_at = local.max(Time(self.last_at.0.saturating_add(1)));
        self.last_at
    }
}

/// Whether a report had an earlier time than one that was accepted before, and was therefore ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Yes,
    No,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The new contents are on the disk.
    Durable,
    /// The write failed, and the old contents are on the disk.
    NotDurable,
    /// The write failed, but the new contents are on the disk.
    Uncertain,
}
