//! Two machines under one identity: what a run does with such a node, and whose reports are believed.
//!
//! Nothing is taken from either: the node is let go where a run holds it, is not taken by one, and does not
//! count as upgraded. Both are sent the same desired state, and each of them guards its own calls.

use alloc::vec::Vec;

use super::{Blocker, Fleet, StartCheck, Warning};
use crate::fact::{Fact, NodeFact};
use crate::node::{Contact, Duty, Node, NodeId};
use crate::observed::Observed;
use crate::progress::Progress;
use crate::run::Package;
use crate::starts::{Arrival, Link, Starts};
use crate::time::Time;

/// What a report brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// What the node does.
    News,
    /// Nothing that is not known.
    Nothing,
    /// It was made before the last one.
    Late,
    /// What the process does that is not believed.
    OfAnother,
}

impl Node {
    /// What is known of the node's processes after a report.
    pub(super) fn starts_after(&self, now: Time, observed: &Observed) -> Starts {
        // After the last moment that there is, nothing can bear a later one.
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
    /// Whether a report that arrives now is taken for what the node does: while two processes report as it, it is
    /// those of one of them.
    pub fn believes(&self, id: NodeId, now: Time, observed: &Observed) -> bool {
        self.nodes.get(id).is_some_and(|node| node.starts_after(now, observed).believes(observed))
    }

    /// Whether a report would change anything: what would not is no event.
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

    /// Notes which process has reported, and what follows when they are two, or one again.
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
                // What is held may be what the other has said; the report at hand is taken in next.
                let held = self.nodes.get(id).and_then(|node| node.observed.as_ref());
                if held.is_some_and(|held| held.says_the_same_as(observed)) {
                    self.advance(now, id, facts);
                }
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// A node that counted as upgraded, or as nothing that the run has to take, is to be upgraded again: one of
    /// its two machines may run another release.
    fn queue_again(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        match node.progress {
            Progress::Idle | Progress::Upgraded { .. } => self.queue(id, facts),
            Progress::Pending { .. } | Progress::Attempt(_) | Progress::Failed { .. } => {}
        }
    }

    /// The machines of a node are one again for all that is known: whoever held its identity before is shut out.
    pub(super) fn forget_processes(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        if self.nodes.get(id).is_some_and(|node| node.duplicate().is_some()) {
            self.node_fact(id, NodeFact::DuplicateOver, facts);
        }
        self.nodes.edit(id, |node| node.starts = Starts::default());
    }

    /// A process that is not believed keeps the node in touch, and is sent what is wanted like the other.
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

    /// Names every node as which two machines report. A repeat takes what is left (R9, R24), so it goes on
    /// without such nodes as long as there is another for it to take. A bursting node at rest is as it was when it
    /// was heard last, and stands in nobody's way (R17).
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
