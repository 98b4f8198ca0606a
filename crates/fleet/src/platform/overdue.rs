//! What follows from time having passed.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::{Fact, NodeFact};
use crate::node::{Contact, NodeId};
use crate::progress::{Ending, Failure, Progress};
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
            self.compare_version(now, id, facts);
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
        let next = match node.progress.clone() {
            Progress::Pending { tried, .. } => Progress::Pending { tried, rests_until: None },
            Progress::Starting { .. } if lost => Progress::Failed { why: Failure::NotStarted, at: now },
            Progress::Starting { tried, since, .. } => {
                Progress::Starting { tried, since, until: start_again }
            }
            Progress::Preparing { tried, .. } | Progress::Draining { tried, .. } => {
                Progress::Releasing { ending: Ending::TimedOut, tried: tried + 1, since: now }
            }
            Progress::Installing { tried, .. } | Progress::Rebooting { tried, .. } if lost => {
                Progress::Releasing { ending: Ending::Failed(Failure::Lost), tried: tried + 1, since: now }
            }
            Progress::Installing { tried, since, drain_until, .. } => {
                Progress::Installing { tried, since, drain_until, stuck_at: stuck_again }
            }
            Progress::Rebooting { tried, since, .. } => {
                Progress::Rebooting { tried, since, stuck_at: stuck_again }
            }
            place @ (Progress::Idle
            | Progress::Releasing { .. }
            | Progress::Upgraded { .. }
            | Progress::Failed { .. }) => place,
        };
        if next.holds_place() == node.progress.holds_place() && !matches!(next, Progress::Releasing { .. }) {
            // The same place with a later deadline: nothing to say.
            self.nodes.edit(id, |node| node.progress = next);
        } else {
            self.enter(now, id, next, facts);
        }
    }
}
