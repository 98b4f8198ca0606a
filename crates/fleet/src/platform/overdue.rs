//! Handles deadlines that have passed: of the run, of a node's link, and of an attempt's phase. The deadlines
//! themselves are fields of the state; no timer is kept.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::{Fact, NodeFact};
use crate::node::{Contact, NodeId};
use crate::progress::{Attempt, Ending, Failure, Phase, Progress};
use crate::run::{Outcome, Run};
use crate::time::Time;

impl Fleet {
    /// Handles every deadline that has passed.
    pub(super) fn expire(&mut self, now: Time, facts: &mut Vec<Fact>) {
        if self.platform.run.as_ref().map(Run::limit).is_some_and(|limit| limit <= now) {
            self.end(now, Outcome::LimitReached, facts);
        }
        self.wall_clock_steady(now, facts);
        while let Some(id) = self.nodes.overdue(now) {
            self.contact_overdue(now, id, facts);
            self.place_overdue(now, id, facts);
        }
    }

    fn contact_overdue(&mut self, now: Time, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let Contact::Silent { since, lost_at } = node.contact else { return };
        if lost_at > now {
            return;
        }
        self.nodes.edit(id, |node| node.contact = Contact::Lost { since });
        self.node_fact(id, NodeFact::ContactLost, facts);
    }

    fn place_overdue(&mut self, now: Time, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        if node.progress.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        let lost = node.contact.is_lost();
        let policy = self.policy();
        let (stuck_again, start_again) = (now + policy.stuck_after, now + policy.start_limit);
        let attempt = match &node.progress {
            Progress::Attempt(attempt) => attempt,
            Progress::Pending { tried, .. } => {
                let tried = *tried;
                let rested = Progress::Pending { tried, rests_until: None };
                return self.nodes.edit(id, |node| node.progress = rested);
            }
            Progress::Idle | Progress::Upgraded { .. } | Progress::Failed { .. } => return,
        };
        let tried = attempt.tried + 1;
        let phase = match attempt.phase {
            Phase::Starting { .. } if lost => {
                return self.enter(now, id, Progress::Failed { why: Failure::NotStarted, at: now }, facts);
            }
            Phase::Preparing { .. } | Phase::Draining { .. } => {
                return self.enter(now, id, Attempt::releasing(now, tried, Ending::TimedOut), facts);
            }
            Phase::Installing { .. } | Phase::Rebooting { .. } if lost => {
                let ending = Ending::Failed(Failure::Lost);
                return self.enter(now, id, Attempt::releasing(now, tried, ending), facts);
            }
            Phase::Starting { .. } => Phase::Starting { until: start_again },
            Phase::Installing { drain_until, .. } => Phase::Installing { drain_until, stuck_at: stuck_again },
            Phase::Rebooting { .. } => Phase::Rebooting { stuck_at: stuck_again },
            Phase::Releasing { .. } => return,
        };
        // The same phase with a later deadline: no fact.
        let progress = Progress::Attempt(Attempt { phase, ..attempt.clone() });
        self.nodes.edit(id, |node| node.progress = progress);
    }
}
