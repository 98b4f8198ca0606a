//! The call log: every call of a crowd, every refusal, every lost call, and every tone that was not heard.
//!
//! Pure data. The figures of the demo and the verdicts of tests are computed from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dial::{CallId, DialError, Transport};
use crate::live::Ended;
use crate::time::{Millis, Time};
use crate::tone::Tone;
use crate::tone_monitor::{Missing, Sound};

/// The name of a Conferencing Node, as the operator knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(pub String);

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt that a node did not answer with a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The node that was dialled.
    pub node: NodeName,
    /// When its answer was received, or the attempt was given up.
    pub at: Time,
    /// The reason.
    pub why: Why,
}

/// Why an attempt did not become a call.
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
    /// No answer in time, or the INVITE could not be sent.
    NoAnswer,
    /// Answered without a usable session description, or the caller had no socket.
    Unusable {
        /// The error.
        words: String,
    },
}

impl Why {
    /// The reason in an error of dialling.
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

/// Whether the crowd chose the node of a call or the test did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Chosen by the crowd.
    Ordinary,
    /// Placed on a given node by [`Crowd::pin`](crate::Crowd::pin).
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
    /// Its SIP transport.
    pub transport: Transport,
    /// The caller's tone.
    pub tone: Tone,
    /// Ordinary or pinned.
    pub kind: Kind,
    /// When it was answered.
    pub answered: Time,
    /// How it ended; `None` while it is alive.
    pub ended: Option<Ended>,
    /// The refusals before this call, in order.
    pub refused_before: Vec<Refusal>,
    /// What it received.
    pub sound: Sound,
    /// The longest delay of this machine in sending its packets, which is no fault of a node.
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

    fn was_alive_at(&self, at: Time) -> bool {
        self.answered <= at && self.ended_at().is_none_or(|end| end >= at)
    }
}

/// A caller that every node has refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// When the last node refused.
    pub at: Time,
    /// The refusals, in order.
    pub refusals: Vec<Refusal>,
}

/// A caller that did not hear another one in its conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingTone {
    /// The node of both callers.
    pub node: NodeName,
    /// The alias of both callers.
    pub room: String,
    /// The call that did not receive the tone.
    pub listener: CallId,
    /// The call whose tone is missing; `None` if it has ended since.
    pub speaker: Option<CallId>,
    /// The tone, the begin and the duration.
    pub missing: Missing,
}

/// The log of a crowd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLog {
    /// All calls that were answered.
    pub calls: BTreeMap<CallId, CallRecord>,
    /// The callers that all nodes have refused.
    pub given_up: Vec<GivenUp>,
    /// All gaps in which an expected tone was missing for too long.
    pub missing: Vec<MissingTone>,
    /// The fewest calls alive at one time since the crowd was complete for the first time; `None` before that.
    pub fewest_alive: Option<usize>,
    /// The most calls alive at one time.
    pub most_alive: usize,
}

/// The totals of one node or of all nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Calls that were answered.
    pub placed: usize,
    /// Calls that are alive.
    pub alive: usize,
    /// Calls that the caller has ended.
    pub ended_by_caller: usize,
    /// Calls that were lost.
    pub lost: usize,
    /// Refusals in maintenance mode after which the caller was answered by another node.
    pub placed_elsewhere: usize,
    /// Callers that all nodes have refused.
    pub refused_for_good: usize,
    /// Gaps in which a caller did not hear another.
    pub tones_missing: usize,
    /// Calls that received their own tone.
    pub own_tone: usize,
    /// Calls that received a tone of no caller in their conference.
    pub strangers: usize,
    /// The longest gap of an expected tone.
    pub longest_gap: Millis,
    /// RTP packets received.
    pub packets: u64,
    /// RTP packets that did not arrive.
    pub packets_lost: u64,
}

/// The time in which a node was drained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The node.
    pub node: NodeName,
    /// When it entered maintenance mode.
    pub from: Time,
    /// When its calls had cleared.
    pub to: Time,
    /// How long before `to` a call may end and still count as having lasted through the whole drain: the end of the
    /// last call is what ends a drain.
    pub slack: Millis,
}

/// The calls of a node during a drain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainReport {
    /// Calls that were alive at some time of the drain.
    pub carried: usize,
    /// Calls that were alive for the whole drain.
    pub lived_through: usize,
    /// Calls that the caller has ended during it.
    pub ended_by_caller: usize,
    /// Calls that were lost during it.
    pub lost: usize,
    /// Calls that the node answered during it.
    pub answered: usize,
    /// New calls that the node refused in maintenance mode.
    pub refused: usize,
    /// Refused calls that another node then answered.
    pub placed_elsewhere: usize,
}

/// A violation of what calls must meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// A call was lost.
    Lost {
        /// The call.
        call: CallId,
        /// Its node.
        node: NodeName,
        /// When and how it ended.
        ended: Ended,
    },
    /// A caller did not hear another one.
    ToneMissing(MissingTone),
    /// A caller heard its own tone.
    OwnTone {
        /// The call.
        call: CallId,
        /// Its node.
        node: NodeName,
        /// The number of windows of 100 ms with the tone.
        windows: u64,
    },
    /// A caller heard a tone of no caller in its conference.
    Stranger {
        /// The call.
        call: CallId,
        /// Its node.
        node: NodeName,
        /// The tone.
        tone: Tone,
        /// The number of windows of 100 ms with the tone.
        windows: u64,
    },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Lost { call, node, ended } => {
                write!(f, "call {call} on {node} was LOST at {}: {}", ended.at.0, ended.cause)
            }
            Failure::ToneMissing(m) => {
                let speaker = m.speaker.as_ref().map_or("a caller that has left", |id| id.0.as_str());
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
                write!(
                    f,
                    "call {call} on {node} heard a tone of another conference ({tone}) for {}",
                    Millis(windows * 100)
                )
            }
        }
    }
}

impl CallLog {
    /// The totals of all nodes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.count(|_| true)
    }

    /// The totals of each node that was dialled.
    #[must_use]
    pub fn by_node(&self) -> BTreeMap<NodeName, Totals> {
        let answered = self.calls.values().map(|call| &call.node);
        let refused = self.refusals().map(|refusal| &refusal.node);
        let mut nodes: Vec<NodeName> = answered.chain(refused).cloned().collect();
        nodes.sort();
        nodes.dedup();
        nodes.into_iter().map(|node| (node.clone(), self.count(|name| *name == node))).collect()
    }

    /// For each pair of nodes, the number of callers that the first refused in maintenance mode and the second
    /// answered.
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

    /// All failures. A refusal is none: it is correct in maintenance mode.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        let of_calls = self.calls.values().flat_map(failures_of);
        of_calls.chain(self.missing.iter().cloned().map(Failure::ToneMissing)).collect()
    }

    /// The calls of a node during a drain.
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
            report.lived_through += usize::from(
                call.was_alive_at(*from) && call.was_alive_at(from.max(&to.minus(*slack)).to_owned()),
            );
            if call.ended_at().is_some_and(within) {
                report.lost += usize::from(call.is_lost());
                report.ended_by_caller += usize::from(!call.is_lost());
            }
        }
        let refused = |r: &&Refusal| r.why == Why::MaintenanceMode && r.node == *node && within(r.at);
        report.refused = self.refusals().filter(refused).count();
        report
    }

    /// Records a gap of a tone; one that goes on replaces its earlier record.
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
#[path = "call_log_tests.rs"]
mod tests;
