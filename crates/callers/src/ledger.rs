//! What happened to the people on the phone: every call, every refusal, every loss, every tone that
//! was not heard. Pure data; the figures of a demo and the verdict of a test are read from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dial::{CallId, DialError, Transport};
use crate::ear::{Missing, Sound};
use crate::live::{Cause, Ended};
use crate::time::{Millis, Time};
use crate::tone::Tone;

/// The name of a Conferencing Node, as the operator knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(pub String);

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One node's answer to one attempt that was no call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The node that was dialled.
    pub node: NodeName,
    /// When its answer came, or was given up.
    pub at: Time,
    /// Why there was no call.
    pub why: Why,
}

/// Why an attempt made no call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// 503 whose Reason or phrase names maintenance mode (R3).
    MaintenanceMode,
    /// Any other final status.
    Status {
        /// The status code.
        status: u16,
        /// The Reason header, or the phrase of the status line.
        words: String,
    },
    /// No answer in time, or no way to send.
    NoAnswer,
    /// Answered, but without sound; or the caller had no socket.
    Unusable {
        /// The error.
        words: String,
    },
}

impl Why {
    /// What an error of dialling means to the ledger.
    #[must_use]
    pub fn of(error: &DialError) -> Why {
        match error {
            DialError::Refused { status, phrase, reason, .. } => {
                let words = reason.clone().unwrap_or_else(|| phrase.clone());
                let maintenance = words.to_lowercase().contains("maintenance mode");
                if *status == 503 && maintenance {
                    Why::MaintenanceMode
                } else {
                    Why::Status { status: *status, words }
                }
            }
            DialError::NoAnswer(_) | DialError::Unreachable(_) => Why::NoAnswer,
            DialError::BadAnswer(_) | DialError::NoSocket(_) => Why::Unusable { words: error.to_string() },
        }
    }
}

/// Whether a call was placed by the crowd at will or asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One of the crowd.
    Ordinary,
    /// A long call asked for on a given node.
    Pinned,
}

/// One call that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The Call-ID.
    pub id: CallId,
    /// The node that answered.
    pub node: NodeName,
    /// The alias that was dialled.
    pub room: String,
    /// How its SIP travels.
    pub transport: Transport,
    /// The caller's tone.
    pub tone: Tone,
    /// Of the crowd, or pinned.
    pub kind: Kind,
    /// When the answer came.
    pub answered: Time,
    /// How it ended; none while it lives.
    pub ended: Option<Ended>,
    /// The refusals the caller met before this answer, in order.
    pub refused_before: Vec<Refusal>,
    /// What it heard.
    pub sound: Sound,
    /// The longest time by which this machine was late to send for it: ours, not a node's.
    pub own_stall: Millis,
}

impl CallRecord {
    /// Whether the call was lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.cause.is_loss())
    }

    fn ended_at(&self) -> Option<Time> {
        self.ended.as_ref().map(|ended| ended.at)
    }

    fn lived_at(&self, at: Time) -> bool {
        self.answered <= at && self.ended_at().is_none_or(|end| end >= at)
    }
}

/// A caller who was refused by every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// When the last refusal came.
    pub at: Time,
    /// The refusals, in order.
    pub refusals: Vec<Refusal>,
}

/// A caller who did not hear another one who was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingTone {
    /// The node of both.
    pub node: NodeName,
    /// The alias of both.
    pub room: String,
    /// Who did not hear.
    pub listener: CallId,
    /// Who was not heard, when still known.
    pub speaker: Option<CallId>,
    /// Which tone, since when and how long.
    pub missing: Missing,
}

/// All that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every call that was answered.
    pub calls: BTreeMap<CallId, CallRecord>,
    /// Callers refused by all nodes.
    pub given_up: Vec<GivenUp>,
    /// Every stretch in which an expected tone was missing too long.
    pub missing: Vec<MissingTone>,
    /// The fewest calls alive at one time since the crowd first was complete; none before that.
    pub fewest_alive: Option<usize>,
    /// The most calls alive at one time.
    pub most_alive: usize,
}

/// The figures of one node, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Calls answered.
    pub placed: usize,
    /// Calls alive now.
    pub alive: usize,
    /// Calls that the caller ended.
    pub ended_by_caller: usize,
    /// Calls LOST.
    pub lost: usize,
    /// Refusals in maintenance mode whose caller was then placed on another node.
    pub placed_elsewhere: usize,
    /// Refusals whose caller found no node.
    pub refused_for_good: usize,
    /// Stretches in which a caller did not hear another.
    pub tones_missing: usize,
    /// Calls that heard their own tone.
    pub own_tone: usize,
    /// Calls that heard the tone of nobody in their conference.
    pub strangers: usize,
    /// The longest time an expected tone was away.
    pub longest_gap: Millis,
    /// RTP packets received.
    pub packets: u64,
    /// RTP packets that did not come.
    pub packets_lost: u64,
}

/// A stretch of time in which a node was drained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The node.
    pub node: NodeName,
    /// When it went into maintenance mode.
    pub from: Time,
    /// When its calls had cleared.
    pub to: Time,
    /// A call counts as having lived through the whole drain when it ended no more than this before
    /// `to`: the end of the last call is what ends a drain.
    pub slack: Millis,
}

/// What became of the calls of a node during a drain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainReport {
    /// Calls that lived at any time of the drain.
    pub carried: usize,
    /// Calls of those that lived through the whole of it.
    pub lived_through: usize,
    /// Calls that their callers ended during it.
    pub ended_by_caller: usize,
    /// Calls LOST during it.
    pub lost: usize,
    /// Calls that the node answered although it was being drained.
    pub answered: usize,
    /// New calls that it refused in maintenance mode.
    pub refused: usize,
    /// Those of them that were placed on another node.
    pub placed_elsewhere: usize,
}

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// A call was lost.
    Lost {
        /// Which.
        call: CallId,
        /// On which node.
        node: NodeName,
        /// When and how.
        ended: Ended,
    },
    /// A caller did not hear another.
    ToneMissing(MissingTone),
    /// A caller heard itself.
    OwnTone {
        /// Who.
        call: CallId,
        /// On which node.
        node: NodeName,
        /// In so many windows of 100 ms.
        windows: u64,
    },
    /// A caller heard somebody who is not in its conference.
    Stranger {
        /// Who heard.
        call: CallId,
        /// On which node.
        node: NodeName,
        /// What.
        tone: Tone,
        /// In so many windows of 100 ms.
        windows: u64,
    },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Lost { call, node, ended } => {
                write!(f, "call {call} on {node} was LOST at {}: {}", ended.at.0, Words(&ended.cause))
            }
            Failure::ToneMissing(m) => {
                let speaker = m.speaker.as_ref().map_or("a caller who has left", |id| id.0.as_str());
                let Missing { tone, since, lasted, .. } = m.missing;
                write!(
                    f,
                    "call {} on {} did not hear {speaker} ({tone}) for {lasted} from {}",
                    m.listener, m.node, since.0
                )
            }
            Failure::OwnTone { call, node, windows } => {
                write!(f, "call {call} on {node} heard its own tone for {}", Millis(windows * 100))
            }
            Failure::Stranger { call, node, tone, windows } => {
                write!(f, "call {call} on {node} heard a stranger ({tone}) for {}", Millis(windows * 100))
            }
        }
    }
}

/// A cause in words.
struct Words<'a>(&'a Cause);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = |status: &Option<u16>| status.map_or("no answer".to_owned(), |code| code.to_string());
        match self.0 {
            Cause::HungUp => f.write_str("the caller hung up"),
            Cause::FarEndBye { reason: Some(reason) } => write!(f, "the node hung up ({reason})"),
            Cause::FarEndBye { reason: None } => f.write_str("the node hung up"),
            Cause::Silence { lasted } => write!(f, "no sound for {lasted}"),
            Cause::RefreshFailed { status: s } => write!(f, "the refresh failed ({})", status(s)),
            Cause::ByeFailed { status: s } => {
                write!(f, "the node did not know the call any more ({})", status(s))
            }
            Cause::SessionLapsed => f.write_str("the node did not refresh the session"),
            Cause::NoAck => f.write_str("the node did not acknowledge an answer"),
        }
    }
}

impl Ledger {
    /// The figures of all nodes together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.count(|_| true)
    }

    /// The figures of each node that was ever dialled.
    #[must_use]
    pub fn by_node(&self) -> BTreeMap<NodeName, Totals> {
        let answered = self.calls.values().map(|call| &call.node);
        let refused = self.refusals().map(|refusal| &refusal.node);
        let mut nodes: Vec<NodeName> = answered.chain(refused).cloned().collect();
        nodes.sort();
        nodes.dedup();
        nodes.into_iter().map(|node| (node.clone(), self.count(|name| *name == node))).collect()
    }

    /// How many callers each node refused in maintenance mode who were then placed on another:
    /// (from, to) and their number.
    #[must_use]
    pub fn moves(&self) -> BTreeMap<(NodeName, NodeName), usize> {
        let mut moves = BTreeMap::new();
        for call in self.calls.values() {
            for refusal in call.refused_before.iter().filter(|r| r.why == Why::MaintenanceMode) {
                *moves.entry((refusal.node.clone(), call.node.clone())).or_default() += 1;
            }
        }
        moves
    }

    /// Everything that must not happen and did. Refusals are none: in maintenance mode they are right.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        let of_calls = self.calls.values().flat_map(failures_of);
        of_calls.chain(self.missing.iter().cloned().map(Failure::ToneMissing)).collect()
    }

    /// What became of the calls of a node during a drain.
    #[must_use]
    pub fn drain(&self, drain: &Drain) -> DrainReport {
        let Drain { node, from, to, slack } = drain;
        let within = |at: Time| *from <= at && at <= *to;
        let mut report = DrainReport::default();
        for call in self.calls.values() {
            let refused = call
                .refused_before
                .iter()
                .filter(|r| r.why == Why::MaintenanceMode && r.node == *node && within(r.at));
            report.placed_elsewhere += refused.count();
            if call.node != *node || call.answered > *to || call.ended_at().is_some_and(|end| end < *from) {
                continue;
            }
            report.carried += 1;
            report.answered += usize::from(call.answered > *from);
            report.lived_through +=
                usize::from(call.lived_at(*from) && call.lived_at(from.max(&to.minus(*slack)).to_owned()));
            if call.ended_at().is_some_and(within) {
                report.lost += usize::from(call.is_lost());
                report.ended_by_caller += usize::from(!call.is_lost());
            }
        }
        let refused = |r: &&Refusal| r.why == Why::MaintenanceMode && r.node == *node && within(r.at);
        report.refused = self.refusals().filter(refused).count();
        report
    }

    /// Notes a failure to hear; one that goes on replaces what was noted of it before.
    pub(crate) fn note_missing(&mut self, new: MissingTone) {
        let same = |old: &&mut MissingTone| {
            let (a, b) = (&old.missing, &new.missing);
            old.listener == new.listener && a.tone == b.tone && a.since == b.since && !a.over
        };
        match self.missing.iter_mut().rev().find(same) {
            Some(old) => old.missing = new.missing,
            None => self.missing.push(new),
        }
    }

    fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        let placed = self.calls.values().flat_map(|call| &call.refused_before);
        placed.chain(self.given_up.iter().flat_map(|caller| &caller.refusals))
    }

    fn count(&self, is: impl Fn(&NodeName) -> bool) -> Totals {
        let mut totals = Totals::default();
        for call in self.calls.values() {
            let elsewhere =
                call.refused_before.iter().filter(|r| r.why == Why::MaintenanceMode && is(&r.node));
            totals.placed_elsewhere += elsewhere.count();
            if is(&call.node) {
                totals.add(call);
            }
        }
        totals.refused_for_good = self
            .given_up
            .iter()
            .filter(|caller| caller.refusals.iter().any(|refusal| is(&refusal.node)))
            .count();
        totals.tones_missing = self.missing.iter().filter(|missing| is(&missing.node)).count();
        totals
    }
}

impl Totals {
    fn add(&mut self, call: &CallRecord) {
        self.placed += 1;
        self.alive += usize::from(call.ended.is_none());
        self.lost += usize::from(call.is_lost());
        self.ended_by_caller += usize::from(call.ended.is_some() && !call.is_lost());
        self.own_tone += usize::from(call.sound.own_tone > 0);
        self.strangers += usize::from(!call.sound.strangers.is_empty());
        self.longest_gap = self.longest_gap.max(call.sound.longest_gap);
        self.packets += call.sound.packets;
        self.packets_lost += call.sound.lost;
    }
}

fn failures_of(call: &CallRecord) -> Vec<Failure> {
    let (id, node) = (&call.id, &call.node);
    let lost = call.ended.clone().filter(|ended| ended.cause.is_loss());
    let mut failures: Vec<Failure> =
        lost.map(|ended| Failure::Lost { call: id.clone(), node: node.clone(), ended }).into_iter().collect();
    if call.sound.own_tone > 0 {
        failures.push(Failure::OwnTone {
            call: id.clone(),
            node: node.clone(),
            windows: call.sound.own_tone,
        });
    }
    failures.extend(call.sound.strangers.iter().map(|(tone, windows)| Failure::Stranger {
        call: id.clone(),
        node: node.clone(),
        tone: *tone,
        windows: *windows,
    }));
    failures
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
