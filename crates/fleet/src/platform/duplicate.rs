//! Two machines under one identity: which reports are used, and what a run does with such a node. Relies on
//! [`crate::starts`] to detect it.
//!
//! Neither machine is taken out of service: a run releases the node if it holds it, does not take it, and does not
//! count it as upgraded. Both are sent the same desired state, and each protects its own calls.

use alloc::vec::Vec;

use super::{Blocker, Fleet, StartCheck, Warning};
use crate::fact::{Fact, NodeFact};
use crate::node::{Contact, Duty, Node, NodeId};
use crate::observed::Observed;
use crate::progress::Progress;
use crate::run::Package;
use crate::starts::{Arrival, Link, Starts};
use crate::time::Time;

/// How a report is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// As the state of the node.
    News,
    /// Not for the state: it repeats what is known.
    Nothing,
    /// Not for the state: it was made before the last one.
    Late,
    /// For link and generation only: it comes from the process that is not believed.
    OfAnother,
}

impl Node {
    /// What is known of the node's processes after a report.
    pub(super) fn starts_after(&self, now: Time, observed: &Observed) -> Starts {
        // No report can be later than the last moment that can be written, so that one counts as in turn.
        let is_later = |last: &Observed| observed.at > last.at || observed.at == Time(u64::MAX);
        let in_turn = self.observed.as_ref().is_some_and(is_later);
        let arrival = if in_turn { Arrival::InTurn } else { Arrival::NotInTurn };
        let link = if self.contact == Contact::Heard { Link::Up } else { Link::Down };
        self.starts.after(now, observed, arrival, link)
    }

    pub(super) fn takes(&self, starts: &Starts, observed: &Observed) -> Taken {
        if !starts.believes(observed) {
            return Taken::OfAnother;
        }
        match &self.observed {
            Some(last) if self.contact == Contact::Heard && observed.says_the_same_as(last) => Taken::Nothing,
            Some(last) if observed.at < last.at => Taken::Late,
            Some(_) | None => Taken::News,
        }
    }
}

impl Fleet {
    /// Whether a report that arrives now is used as the state of the node: while two processes report as it, those of
    /// one of them are.
    pub fn believes(&self, id: NodeId, now: Time, observed: &Observed) -> bool {
        self.nodes.get(id).is_some_and(|node| node.starts_after(now, observed).believes(observed))
    }

    /// Whether a report would change anything; one that would not is not applied as an event.
    pub fn is_news(&self, id: NodeId, now: Time, observed: &Observed) -> bool {
        let Some(node) = self.nodes.get(id) else { return false };
        let starts = node.starts_after(now, observed);
        let taken = match node.takes(&starts, observed) {
            Taken::News | Taken::Late => true,
            Taken::Nothing => false,
            Taken::OfAnother => node.contact != Contact::Heard || observed.generation > node.generation,
        };
        taken || starts != node.starts || node.has_gone_back(now)
    }

    /// Records which process has reported, and handles the beginning and the end of a duplicate.
    pub(super) fn hear_process(
        &mut self,
        now: Time,
        id: NodeId,
        starts: Starts,
        observed: &Observed,
        facts: &mut Vec<Fact>,
    ) {
        let Some(node) = self.nodes.get(id) else { return };
        let before = node.duplicate().copied();
        let after = starts.duplicate().copied();
        self.nodes.edit(id, |node| node.starts = starts);
        match (before, after) {
            (None, Some(two)) => {
                self.node_fact(id, NodeFact::Duplicated(two), facts);
                self.take_nothing_from_two(id, facts);
                self.queue_again(id, facts);
                self.advance(now, id, facts);
            }
            (Some(_), None) => {
                self.node_fact(id, NodeFact::DuplicateOver, facts);
                // The stored report may be one of the other process; the one at hand is applied after this.
                let held = self.nodes.get(id).and_then(|node| node.observed.as_ref());
                if held.is_some_and(|held| observed.says_the_same_as(held)) {
                    self.advance(now, id, facts);
                }
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// Queues a node again that counted as upgraded, or that the run did not have to take: one of its two machines
    /// may run another release.
    fn queue_again(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        match node.progress {
            Progress::Idle | Progress::Upgraded { .. } => self.queue(id, facts),
            Progress::Pending { .. } | Progress::Attempt(_) | Progress::Failed { .. } => {}
        }
    }

    /// Forgets all processes of a node after a new enrolment: certificates from before it are refused.
    pub(super) fn forget_processes(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        if self.nodes.get(id).is_some_and(|node| node.duplicate().is_some()) {
            self.node_fact(id, NodeFact::DuplicateOver, facts);
        }
        self.nodes.edit(id, |node| node.starts = Starts::default());
    }

    /// A process that is not believed keeps the link up, and is sent the desired state like the other.
    pub(super) fn note_unbelieved(
        &mut self,
        now: Time,
        id: NodeId,
        observed: &Observed,
        facts: &mut Vec<Fact>,
    ) {
        self.contact_fact(now, id, observed, facts);
        self.outbid(now, id, observed.generation, facts);
        self.nodes.edit(id, |node| node.contact = Contact::Heard);
    }

    /// Names every node as which two machines report. A repeat takes the nodes that are left (R9, R24), so it goes on
    /// without such nodes as long as there is another one to take. A bursting node that is powered off is as it was
    /// when it last reported, and blocks no start (R17).
    pub(super) fn check_duplicates(&self, package: &Package, check: &mut StartCheck) {
        let mut others = self.nodes.iter().map(|(_, node)| node).filter(|node| node.duplicate().is_none());
        let passed_over = self.repeats(package)
            && others.any(|node| !node.contact.is_lost() && !node.runs(package.release));
        for (_, node) in self.nodes.iter() {
            let Some(two) = node.duplicate().copied() else { continue };
            let rests = node.duty == Duty::Bursting && node.contact.is_lost();
            let node = node.name.clone();
            match passed_over || rests {
                false => check.blockers.push(Blocker::Duplicate { node, two }),
                true => check.warnings.push(Warning::Duplicate { node, two }),
            }
        }
    }
}
