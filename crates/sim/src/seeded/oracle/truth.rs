//! What only the world knows: what each node really accepted and when, what the operator really asked
//! for, what was really said. The oracle compares with it.

use std::collections::BTreeMap;

use fleet::desired::{Desired, Generation};
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::time::{Span, Time};
use fleet::version::Release;

use crate::seeded::world::tracked::Tracked;

use super::attempts::{Attempt, Stop};
use super::history::History;

/// What the world knows of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// What it accepted last.
    pub(crate) accepted: Desired,
    /// It had found before that it cannot take the release of that, so it stays in service.
    pub(crate) rejected_before: bool,
    /// Since when it acts on that.
    pub(crate) since: Since,
    /// Since which generation the operator holds it, if so.
    pub(crate) operator_since: Option<Generation>,
    /// What it acts on is nothing that the manager remembers, because that one's memory went back.
    pub(crate) forgotten: bool,
    /// What it was last asked as far as the manager remembers, and the last epoch that this one has forgotten:
    /// what it was asked in between may arrive late, and is nothing that the manager remembers either.
    pub(crate) lost: Option<(Generation, u32)>,
    /// The newest report that brought news.
    pub(crate) newest: Option<Observed>,
    /// Whether the last that is known of its link is that a report came.
    pub(crate) heard: bool,
    /// Its attempt has begun with the start of its machine (R7).
    pub(crate) starting: bool,
    /// What it was said to be upgraded to; unknown when the manager has forgotten that.
    pub(crate) upgraded_to: Option<Release>,
    /// How many of its attempts in this run have ended in a timeout.
    pub(crate) timeouts: u32,
    /// Where its attempt in this run is, as far as it says something of the release.
    pub(crate) attempt: Attempt,
    /// It has rejected a release, or may have, since the run was started.
    pub(crate) rejected: bool,
}

/// What only the world knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) nodes: Tracked<Known>,
    /// Since when each of these is out of reach, and behind with its news.
    pub(crate) watches: BTreeMap<NodeId, Watch>,
    /// What the facts have told.
    pub(crate) history: History,
    /// How many nodes at once the operator allowed when the run was started.
    pub(crate) limit: u32,
    /// When the run that was started last stops by itself.
    pub(crate) stop: Stop,
    /// The manager's memory has gone back at least once.
    pub(crate) amnesia: bool,
    /// The time of each machine's last report when it did so last.
    pub(crate) said_before: BTreeMap<NodeId, Time>,
    /// A node has waited for those before it in the queue for a drain limit.
    pub(crate) held_up: bool,
    /// Since when the manager's program runs, by the world's time.
    pub(crate) manager_since: Option<Time>,
}

/// Since when a node acts on what it has accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Since {
    /// By the world's time.
    pub(crate) world: Time,
    /// By its own clock.
    pub(crate) local: Time,
    /// How long since then its clock may have stood still: from the time that it had stored to its next
    /// start, each time that the machine lost power.
    pub(crate) unclocked: Option<Span>,
}

/// What the Management Node cannot know yet, by the world's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// Since when the node is out of reach.
    pub(crate) gone: Option<Time>,
    /// Since when it has news that is not held, although the two are linked and no message is lost.
    pub(crate) behind: Option<Time>,
    /// When it was heard last.
    pub(crate) heard: Time,
    /// When it was noticed to be silent.
    pub(crate) silent: Time,
}

impl Truth {
    pub(crate) fn falls_silent(&mut self, id: NodeId, now: Time) {
        if std::mem::take(&mut self.nodes.entry(id).or_default().heard) {
            self.watches.entry(id).or_default().silent = now;
        }
    }
}
