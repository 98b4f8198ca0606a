//! A Conferencing Node's machine: what lies on its disk, what its process knows, the calls it holds.

use std::collections::BTreeMap;

use fleet::agent::{Agent, Memory, Start};
use fleet::desired::Assignment;
use fleet::node::Duty;
use fleet::observed::{Admission, Calls, Observed};
use fleet::starts::StartId;
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256, Version};

use super::clock::{Clock, Downtime, Stamp};
use crate::seeded::draw::Draw;

/// How often boot starts a release that has not confirmed itself.
pub(crate) const TRIES: u32 = 3;

/// What outlives a loss of power.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) memory: Memory,
    /// The time, as it was stored with the memory.
    pub(crate) stamp: Stamp,
    /// The release that has proved itself.
    pub(crate) confirmed: (Release, Sha256),
    /// The complete release in the other slot.
    pub(crate) other: Option<(Release, Sha256)>,
    /// The other slot was not unpacked to its end; nothing that the programs do leaves it so and selected.
    pub(crate) torn: bool,
    /// How often the release in the other slot was started, when that is selected.
    pub(crate) trying: Option<u32>,
    /// The last fall-back, until the next selection.
    pub(crate) fell_back: Option<(Sha256, String)>,
}

/// A process of the node's program.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) agent: Agent,
    /// What is durable, as far as the program knows.
    pub(crate) durable: Memory,
    /// The memory could not be written when it was last tried.
    pub(crate) write_failed: bool,
    /// The staging under way, with its number.
    pub(crate) job: Option<(Assignment, u64)>,
    /// What was reported last, to tell news from none.
    pub(crate) reported: Option<Observed>,
    /// The other start that the last answer named.
    pub(crate) beside: Option<StartId>,
}

/// What is wrong with a machine's disk.
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
    /// None while it is off or starts.
    pub(crate) process: Option<Process>,
    /// The calls by their numbers, with when they began by the node's clock.
    pub(crate) calls: BTreeMap<u64, Time>,
    pub(crate) engine: Admission,
    /// The call engine cannot say what calls there are.
    pub(crate) blind: bool,
    pub(crate) unfit: bool,
    pub(crate) disk_fault: Option<DiskFault>,
    /// Since when it would not start again, if so.
    pub(crate) start_fault: Option<Time>,
    /// Its program hangs.
    pub(crate) hung: bool,
    pub(crate) downtime: Downtime,
    /// The newest of its messages that has arrived.
    pub(crate) arrived: Time,
    /// How many cuts lie between it and the Management Node.
    pub(crate) cuts: u32,
    /// A bursting node that rests, or a machine that is switched off.
    pub(crate) powered: bool,
    /// The number of its present start: what belongs to an earlier one means nothing.
    pub(crate) start: u64,
    /// The number of its next turn to speak.
    pub(crate) request: u64,
    /// How often it has spoken in a row without an answer.
    pub(crate) unanswered: u32,
    pub(crate) jobs: u64,
    /// The release that is tried does not come up.
    pub(crate) release_fails: bool,
    /// Until when the brain's deadline is on the agenda.
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
                memory: Memory::default(),
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

    /// Whether it takes new calls.
    pub(crate) fn admits(&self) -> bool {
        self.process.is_some() && !self.hung && self.engine == Admission::Admitting
    }

    /// How long its clock may have stood still when it starts after a loss of power: since it was stored.
    pub(crate) fn unclocked(&self, now: Time) -> Option<Span> {
        match self.downtime {
            Downtime::Program => None,
            Downtime::Machine => Some(now.since(self.clock.moment(self.disk.stamp))),
        }
    }

    /// Whether a release is tried, or about to be.
    pub(crate) fn is_between_releases(&self) -> bool {
        self.disk.trying.is_some()
    }

    /// Whether the release that it tries is of this version.
    pub(crate) fn tries(&self, version: Option<Version>) -> bool {
        let tried = self.disk.other.filter(|_| self.is_between_releases());
        version.is_some() && tried.map(|(release, _)| release.version) == version
    }

    /// What the process finds when it starts.
    pub(crate) fn found(&self) -> Start {
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

    /// The slot record says that the other slot is the one.
    pub(crate) fn confirm(&mut self) {
        if let Some(other) = self.disk.other {
            self.disk.other = Some(self.disk.confirmed);
            self.disk.confirmed = other;
            self.disk.trying = None;
        }
    }

    /// boot counts a try before it is used, and falls back when there are no more.
    pub(crate) fn count_try(&mut self) {
        let Some(tries) = self.disk.trying else { return };
        if tries < TRIES {
            self.disk.trying = Some(tries + 1);
            return;
        }
        self.disk.trying = None;
        self.disk.fell_back = self
            .disk
            .other
            .map(|(release, manifest)| (manifest, format!("{release} was started {TRIES} times in vain")));
    }

    pub(crate) fn counted(&self, local: Time) -> Calls {
        if self.blind {
            return Calls::Unknown;
        }
        let oldest = self.calls.values().map(|began| local.since(*began)).max();
        Calls::Known { count: u32::try_from(self.calls.len()).unwrap_or(u32::MAX), oldest }
    }

    /// Whether a write of the memory succeeds. One that fails at its very last step leaves the new contents.
    pub(crate) fn write(&mut self, memory: &Memory, world: Time) -> Written {
        let (fails, at_last) = (self.draw.chance(500), self.draw.chance(250));
        let outcome = match (self.disk_fault, fails) {
            (None, _) | (Some(DiskFault::Fails), false) => Written::Durable,
            (Some(DiskFault::Full), _) => Written::NotDurable,
            (Some(DiskFault::Fails), true) if at_last => Written::Uncertain,
            (Some(DiskFault::Fails), true) => Written::NotDurable,
        };
        if outcome != Written::NotDurable {
            self.disk.memory = memory.clone();
            self.disk.stamp = self.clock.stamp(world);
        }
        outcome
    }

    /// A program that starts has sent nothing yet.
    pub(crate) fn forget_reports(&mut self) {
        self.last_at = Time::default();
    }

    /// What the link goes on from: a clock that has gone back is no news (R20).
    pub(crate) fn heard_at(&mut self, heard: Option<Time>) -> Late {
        let Some(heard) = heard.filter(|heard| *heard > self.last_at) else { return Late::No };
        self.last_at = heard;
        Late::Yes
    }

    /// The time that its last report bears.
    pub(crate) fn last_at(&self) -> Time {
        self.last_at
    }

    /// When the next report is made: two never bear the same time.
    pub(crate) fn stamp(&mut self, local: Time) -> Time {
        self.last_at = local.max(Time(self.last_at.0.saturating_add(1)));
        self.last_at
    }
}

/// Whether a report bore an earlier time than one that was heard before, so that it was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Yes,
    No,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It lies on the disk.
    Durable,
    /// The disk said no, and the old contents lie there.
    NotDurable,
    /// The disk said no, and the new contents lie there all the same.
    Uncertain,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It counts.
    Durable,
    /// It could not be made durable, so it has not happened.
    NotDurable,
}
