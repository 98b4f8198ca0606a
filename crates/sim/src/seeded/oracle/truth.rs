//! The truth about a seeded world, which only the world knows: what each node really accepted and when, what the
//! operator really asked for, which reports were really sent. The oracle compares the platform's state with it.

use std::collections::BTreeMap;

use fleet::desired::{Desired, Generation};
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::time::{Span, Time};
use fleet::version::Release;

use crate::seeded::world::tracked::Tracked;

use super::attempts::{Attempt, Stop};
use super::history::History;

/// The truth about one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The desired state that it accepted last.
    pub(crate) accepted: Desired,
    /// It had rejected the release of that before, so it stays in service.
    pub(crate) rejected_before: bool,
    /// Since when it acts on it.
    pub(crate) since: Since,
    /// Since which generation the operator holds it in maintenance mode, if so.
    pub(crate) operator_since: Option<Generation>,
    /// It acts on a desired state that the manager does not know, because that was restored.
    pub(crate) forgotten: bool,
    /// The last generation before a restore that the manager still knows, and the last epoch that it has lost: what
    /// was sent in between may arrive late, and is unknown to the manager as well.
    pub(crate) lost: Option<(Generation, u32)>,
    /// The newest report that differed from the one before.
    pub(crate) newest: Option<Observed>,
    /// Whether a report was the last event of its link.
    pub(crate) heard: bool,
    /// Its attempt began with the start of its machine (R7).
    pub(crate) starting: bool,
    /// The release that it was reported as upgraded to; unknown if the manager was restored since.
    pub(crate) upgraded_to: Option<Release>,
    /// How many of its attempts in this run timed out.
    pub(crate) timeouts: u32,
    /// Its attempt in this run, as far as it shows whether the release is good.
    pub(crate) attempt: Attempt,
    /// It has rejected a release since the run was started, or may have.
    pub(crate) rejected: bool,
}

/// The truth about a world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) nodes: Tracked<Known>,
    /// Since when each node is out of reach, or has a report that the platform does not hold.
    pub(crate) watches: BTreeMap<NodeId, Watch>,
    /// The platform as the facts show it.
    pub(crate) history: History,
    /// How many nodes at once the operator allowed for the run.
    pub(crate) limit: u32,
    /// The failure threshold of the last run that was started.
    pub(crate) stop: Stop,
    /// The operator has paused the run under way.
    pub(crate) paused: bool,
    /// The manager was restored at least once.
    pub(crate) amnesia: bool,
    /// The time of each machine's last report at the last restore.
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
    /// For how long since then its clock may have stood still: with each loss of power, from the stored time to the
    /// next start.
    pub(crate) unclocked: Option<Span>,
}

/// What the Management Node cannot know yet, by the world's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// Since when the node is out of reach.
    pub(crate) gone: Option<Time>,
    /// Since when the platform does not hold its newest report, although the two are linked and no message is lost.
    pub(crate) behind: Option<Time>,
    /// The time of its last report that arrived.
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
