//! The shares of the nodes in the calls that the licences allow. In memory: after a restart each node says which share it
//! goes by, and keeps it until then.

use std::collections::{BTreeMap, BTreeSet};

use fleet::node::NodeId;
use fleet::time::{Span, Time};
use parking_lot::Mutex;
use wire::share::{CallShare, HeldShare};

use super::division::{Demand, Holder, divide};

/// How long a node that has refused calls is given more than others: several divisions, and the Retry-After of a refusal.
const REFUSING: Span = Span::seconds(10);

/// A node of the platform at the time of a division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The node.
    pub(super) node: NodeId,
    /// How many calls it had when it was last heard.
    pub(super) calls: u32,
    /// Whether it can be given another share.
    pub(super) reach: Reach,
}

/// Whether a node can be given another share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is heard and takes calls.
    InService,
    /// It is heard and takes no calls.
    OutOfService,
    /// It is not heard, but may be soon: it goes by the share that it has.
    Silent,
    /// It has not been heard for long, and is mostly off: what it had is given to others.
    Gone,
}

/// What each node was given, and what it goes by.
#[derive(Debug, Default)]
pub(crate) struct CallShares(Mutex<BTreeMap<NodeId, Known>>);

#[derive(Debug)]
struct Known {
    given: Given,
    said: HeldShare,
    refused_at: Option<Time>,
}

/// The share that a node is to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// The one that it has: nothing was divided since the Management Node has started.
    Same,
    /// This one.
    Share(CallShare),
}

impl Known {
    fn wanted(&self) -> CallShare {
        match self.given {
            Given::Same => self.said.share,
            Given::Share(share) => share,
        }
    }

    fn holder(&self, calls: u32, reach: Reach, now: Time) -> Holder {
        let granted = self.wanted().most.unwrap_or(0);
        // One that has no limit yet is given one first; what it does until then is seen when it is done.
        let held = granted.max(self.said.share.most.unwrap_or(0));
        let is_refusing = self.refused_at.is_some_and(|at| now.since(at) < REFUSING);
        let demand = match reach {
            Reach::InService if is_refusing => Demand::Refusing,
            Reach::InService => Demand::Open,
            Reach::OutOfService | Reach::Silent | Reach::Gone => Demand::None,
        };
        Holder { calls, granted, held, demand }
    }
}

impl CallShares {
    /// A node says which share it goes by; the answer is the one that it is to go by.
    pub(crate) fn heard(&self, node: NodeId, said: HeldShare, now: Time) -> CallShare {
        let mut nodes = self.0.lock();
        let new = || Known { given: Given::Same, said, refused_at: None };
        let known = nodes.entry(node).or_insert_with(new);
        if said.refused > known.said.refused {
            known.refused_at = Some(now);
        }
        known.said = said;
        known.wanted()
    }

    /// The share that a node is to go by, if it has said which one it goes by.
    pub(crate) fn of(&self, node: NodeId) -> Option<CallShare> {
        self.0.lock().get(&node).map(Known::wanted)
    }

    /// Divides so many calls anew among the nodes of the platform, or lifts all limits. Returns the nodes that are to go by
    /// another share than before.
    pub(super) fn divide(&self, total: Option<u32>, seen: &[Seen], now: Time) -> Vec<NodeId> {
        let mut nodes = self.0.lock();
        let there: BTreeSet<NodeId> =
            seen.iter().filter(|seen| seen.reach != Reach::Gone).map(|seen| seen.node).collect();
        nodes.retain(|node, _| there.contains(node));
        let Some(total) = total else {
            return nodes.iter_mut().filter_map(|(node, known)| give(*node, known, None)).collect();
        };
        // After a restart of the Management Node nobody knows what such a node has.
        if seen.iter().any(|seen| seen.reach == Reach::Silent && !nodes.contains_key(&seen.node)) {
            return Vec::new();
        }
        // A node that was forgotten, or whose release has no share, has its calls.
        let of_calls = |calls| Holder { calls, granted: 0, held: 0, demand: Demand::None };
        let holder = |seen: &Seen| match nodes.get(&seen.node) {
            Some(known) => known.holder(seen.calls, seen.reach, now),
            None => of_calls(seen.calls),
        };
        let shares = divide(total, &seen.iter().map(holder).collect::<Vec<_>>());
        let pairs = seen.iter().zip(shares);
        pairs.filter_map(|(seen, share)| give(seen.node, nodes.get_mut(&seen.node)?, Some(share))).collect()
    }
}

/// Gives a node a share; the node, if it is another one than before.
fn give(node: NodeId, known: &mut Known, most: Option<u32>) -> Option<NodeId> {
    let before = known.wanted();
    known.given = Given::Share(CallShare { most });
    (before.most != most).then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn seen(node: NodeId, calls: u32) -> Seen {
        Seen { node, calls, reach: Reach::InService }
    }

    fn most(shares: &CallShares, node: NodeId) -> Option<u32> {
        shares.of(node).unwrap().most
    }

    /// The node goes by the share that it was given, and has refused so many calls.
    fn goes_by_it(shares: &CallShares, node: NodeId, refused: u64) {
        let share = shares.of(node).unwrap_or_default();
        shares.heard(node, HeldShare { share, refused }, Time(1_000));
    }

    #[test]
    fn share_moves_to_the_node_that_refuses_calls_when_the_other_goes_by_less() {
        let shares = CallShares::default();
        [A, B].iter().for_each(|node| goes_by_it(&shares, *node, 0));
        assert_eq!(shares.divide(Some(2), &[seen(A, 0), seen(B, 0)], Time(1_000)), [A, B]);
        assert_eq!((most(&shares, A), most(&shares, B)), (Some(1), Some(1)));
        goes_by_it(&shares, A, 1);
        let both = [seen(A, 1), seen(B, 0)];
        assert_eq!(shares.divide(Some(2), &both, Time(1_000)), [B]);
        let last = HeldShare { share: CallShare { most: Some(1) }, refused: 0 };
        assert_eq!(shares.heard(B, last, Time(1_000)).most, Some(0));
        assert_eq!(shares.divide(Some(2), &both, Time(1_000)), [], "B may not have heard of it");
        goes_by_it(&shares, B, 0);
        assert_eq!(shares.divide(Some(2), &both, Time(1_000)), [A]);
        assert_eq!((most(&shares, A), most(&shares, B)), (Some(2), Some(0)));
    }

    #[test]
    fn without_a_limit_nobody_has_one() {
        let shares = CallShares::default();
        goes_by_it(&shares, A, 0);
        shares.divide(Some(2), &[seen(A, 0)], Time(0));
        assert_eq!(shares.divide(None, &[seen(A, 0)], Time(0)), [A]);
        assert_eq!(most(&shares, A), None);
        assert_eq!(shares.divide(None, &[seen(A, 0)], Time(0)), []);
    }

    #[test]
    fn after_a_restart_shares_are_as_the_nodes_say_and_nothing_is_divided_before_all_have() {
        let shares = CallShares::default();
        let said = |most| HeldShare { share: CallShare { most: Some(most) }, refused: 7 };
        assert_eq!(shares.heard(A, said(1), Time(0)).most, Some(1));
        let silent = Seen { reach: Reach::Silent, ..seen(B, 0) };
        assert_eq!(shares.divide(Some(3), &[seen(A, 1), silent], Time(0)), []);
        assert_eq!(most(&shares, A), Some(1));
        assert_eq!(shares.heard(B, said(1), Time(0)).most, Some(1));
        assert_eq!(shares.divide(Some(3), &[seen(A, 1), seen(B, 1)], Time(0)), [A]);
    }

    #[test]
    fn node_that_is_silent_keeps_its_share_and_one_that_is_gone_leaves_it_to_others() {
        let shares = CallShares::default();
        [A, B].iter().for_each(|node| goes_by_it(&shares, *node, 0));
        shares.divide(Some(4), &[seen(A, 0), seen(B, 0)], Time(0));
        [A, B].iter().for_each(|node| goes_by_it(&shares, *node, 0));
        let without = |reach| [seen(A, 2), Seen { reach, ..seen(B, 1) }];
        shares.divide(Some(4), &without(Reach::Silent), Time(0));
        assert_eq!(most(&shares, A), Some(2));
        assert_eq!(shares.divide(Some(4), &without(Reach::Gone), Time(0)), [A]);
        assert_eq!((most(&shares, A), shares.of(B)), (Some(3), None), "B has a call");
    }
}
