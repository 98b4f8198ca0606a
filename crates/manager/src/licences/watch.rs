//! Divides the calls that the licences allow every second, so that shares are where the calls are.

use std::time::Duration;

use fleet::node::{Contact, Node, NodeId};
use fleet::observed::{Admission, Calls};
use licence::Amount;
use tokio::time::{MissedTickBehavior, interval};

use super::AsOf;
use super::shares::{Reach, Seen};
use crate::driver::Committer;

/// The time between two divisions: a node whose share is used up refuses calls for so long, or twice so long when another
/// node has to give some back first.
const EVERY: Duration = Duration::from_secs(1);

/// Divides until it is aborted.
pub(crate) async fn watch(committer: Committer) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        divide(&committer);
    }
}

/// Divides once, and wakes the requests of the nodes whose share is another one.
pub(crate) fn divide(committer: &Committer) {
    let licences = committer.licences();
    let (all, wall) = (licences.installed(), committer.wall());
    let (version, seen, now) = committer.read(|fleet, now| {
        let seen: Vec<Seen> = fleet.nodes().iter().map(|(id, node)| seen(id, node)).collect();
        (fleet.platform.release.version, seen, now)
    });
    let total = match (AsOf { all: &all, now: wall, version }).call_limit() {
        None | Some(Amount::Unlimited) => None,
        Some(Amount::Of(calls)) => Some(calls),
    };
    for node in licences.shares().divide(total, &seen, now) {
        committer.changes_of(node).notify_waiters();
    }
}

fn seen(id: NodeId, node: &Node) -> Seen {
    let takes_calls = node.observed.as_ref().is_some_and(|it| it.admission == Admission::Admitting);
    let reach = match node.contact {
        Contact::Heard if takes_calls => Reach::InService,
        Contact::Heard => Reach::OutOfService,
        Contact::Silent { .. } => Reach::Silent,
        Contact::Never | Contact::Lost { .. } => Reach::Gone,
    };
    Seen { node: id, calls: calls(node), reach }
}

/// The calls of a node, as it was last heard. One that does not know is not counted: it takes no new ones.
pub(crate) fn calls(node: &Node) -> u32 {
    match node.observed.as_ref().map(|observed| observed.calls) {
        Some(Calls::Known { count, oldest: _ }) => count,
        Some(Calls::Unknown) | None => 0,
    }
}
