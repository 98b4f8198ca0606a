//! All node records, with an index of what must be found quickly: places taken, the queue, the next deadline.
//!
//! The index is derived from the records and never stored. `Nodes::edit` is the only way to change a record; it
//! updates the index, and raises the generation if the node's desired state has changed. A copy shares the records
//! until one side changes them, so that a copy of a large platform is cheap.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use crate::desired::Generation;
use crate::node::{Contact, Duty, Node, NodeId};
use crate::progress::{AttemptResult, Phase, Progress};
use crate::time::Time;

/// The rank of a node in the queue: fewer ended attempts first (R5), then always-on before bursting nodes (R7).
pub type Rank = (u32, Duty);

/// The order in which nodes of the queue are taken: by rank, and within a rank those last whose attempt in the run
/// before failed, so that the run after a stop begins with nodes that were not tried.
type Turn = (Rank, bool);

/// Where the index lists one node: a function of its record alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keys {
    place: bool,
    ready: Option<Turn>,
    unfinished: Option<(Rank, Presence)>,
    deadline: Option<Time>,
    result: Option<AttemptResult>,
}

/// How many attempts of the newest run have shown whether its release works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// Nodes that run it.
    pub upgraded: u32,
    /// Nodes that did not take it.
    pub failed: u32,
}

impl Results {
    fn count(&mut self, result: AttemptResult) -> &mut u32 {
        match result {
            AttemptResult::Upgraded => &mut self.upgraded,
            AttemptResult::Failed => &mut self.failed,
        }
    }
}

/// Whether the run can do something for a node that is still to be upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It is in the queue or being worked on.
    Working,
    /// It cannot be contacted, or two machines report as it: the run goes on without it.
    Absent,
}

/// The index, derived from all records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    places: BTreeSet<NodeId>,
    ready: BTreeSet<(Turn, NodeId)>,
    working: BTreeMap<Rank, u32>,
    absent: BTreeSet<NodeId>,
    deadlines: BTreeSet<(Time, NodeId)>,
    results: Results,
}

/// The registered nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    records: BTreeMap<NodeId, Arc<Node>>,
    index: Index,
    changed: BTreeSet<NodeId>,
    /// The epoch of every generation given from now on.
    pub(crate) epoch: u32,
}

impl Nodes {
    /// The nodes as they were stored.
    pub fn restore(epoch: u32, records: BTreeMap<NodeId, Node>) -> Self {
        let records = records.into_iter().map(|(id, node)| (id, Arc::new(node))).collect();
        let index = Index::of(&records);
        Self { records, index, changed: BTreeSet::new(), epoch }
    }

    /// One node.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.records.get(&id).map(Arc::as_ref)
    }

    /// All nodes, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.records.iter().map(|(id, node)| (*id, &**node))
    }

    /// The ids of all nodes.
    pub fn ids(&self) -> alloc::vec::Vec<NodeId> {
        self.records.keys().copied().collect()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Registers a node, or replaces its record.
    pub(crate) fn insert(&mut self, id: NodeId, node: Node) {
        self.remove(id);
        self.index.list(id, keys(&node));
        self.records.insert(id, Arc::new(node));
        self.changed.insert(id);
    }

    /// Forgets a node.
    pub(crate) fn remove(&mut self, id: NodeId) -> Option<Arc<Node>> {
        let node = self.records.remove(&id)?;
        self.index.unlist(id, keys(&node));
        self.changed.insert(id);
        Some(node)
    }

    /// Changes one record. Its generation rises if what is wanted of the node changes by it.
    pub(crate) fn edit(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        let Some(record) = self.records.get_mut(&id) else { return };
        let before = record.clone();
        let node = Arc::make_mut(record);
        change(node);
        if *node == *before {
            return;
        }
        if node.intent() != before.intent() {
            // Only a forged store can contain the last number; the next start of the manager issues a later epoch.
            let epoch = self.epoch.max(node.generation.epoch);
            node.generation = Generation { epoch, n: node.generation.n.saturating_add(1) };
        }
        let (old, new) = (keys(&before), keys(node));
        if old != new {
            self.index.unlist(id, old);
            self.index.list(id, new);
        }
        self.changed.insert(id);
    }

    /// The nodes whose record has changed since the last call.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<NodeId> {
        core::mem::take(&mut self.changed)
    }

    /// The nodes that are out of service on behalf of a run.
    pub fn places(&self) -> &BTreeSet<NodeId> {
        &self.index.places
    }

    /// The next node to take out of service: the first of the queue, unless a node with fewer ended
    /// attempts is still to be tried (R5), or an always-on node before a bursting one (R7).
    pub fn next_in_queue(&self) -> Option<NodeId> {
        let ((rank, _), id) = self.index.ready.first()?;
        let lowest = self.index.working.keys().next()?;
        (rank <= lowest).then_some(*id)
    }

    /// What the attempts of the newest run have shown of its release.
    pub fn results(&self) -> Results {
        self.index.results
    }

    /// The first node of the queue that could be taken, even if others are to be tried before it.
    pub(crate) fn first_ready(&self) -> Option<NodeId> {
        self.index.ready.first().map(|(_, id)| *id)
    }

    /// How many nodes are in the queue or being worked on.
    pub fn working(&self) -> u32 {
        self.index.working.values().sum()
    }

    /// The nodes that are to be upgraded and that the run does not wait for: those that cannot be contacted,
    /// and those as which two machines report.
    pub fn absent(&self) -> &BTreeSet<NodeId> {
        &self.index.absent
    }

    /// The earliest deadline of all nodes.
    pub fn next_deadline(&self) -> Option<Time> {
        self.index.deadlines.first().map(|(time, _)| *time)
    }

    /// A node whose deadline has passed.
    pub(crate) fn overdue(&self, now: Time) -> Option<NodeId> {
        self.index.deadlines.first().filter(|(time, _)| *time <= now).map(|(_, id)| *id)
    }

    /// Whether the index agrees with the records.
    pub(crate) fn index_is_true(&self) -> bool {
        Index::of(&self.records) == self.index
    }
}

impl Index {
    fn of(records: &BTreeMap<NodeId, Arc<Node>>) -> Self {
        let mut index = Self::default();
        for (id, node) in records {
            index.list(*id, keys(node));
        }
        index
    }

    fn list(&mut self, id: NodeId, keys: Keys) {
        let Keys { place, ready, unfinished, deadline, result } = keys;
        if let Some(result) = result {
            *self.results.count(result) += 1;
        }
        if place {
            self.places.insert(id);
        }
        if let Some(turn) = ready {
            self.ready.insert((turn, id));
        }
        if let Some(time) = deadline {
            self.deadlines.insert((time, id));
        }
        match unfinished {
            Some((rank, Presence::Working)) => *self.working.entry(rank).or_default() += 1,
            Some((_, Presence::Absent)) => {
                self.absent.insert(id);
            }
            None => {}
        }
    }

    fn unlist(&mut self, id: NodeId, keys: Keys) {
        let Keys { place: _, ready, unfinished, deadline, result } = keys;
        if let Some(result) = result {
            *self.results.count(result) -= 1;
        }
        self.places.remove(&id);
        self.absent.remove(&id);
        if let Some(turn) = ready {
            self.ready.remove(&(turn, id));
        }
        if let Some(time) = deadline {
            self.deadlines.remove(&(time, id));
        }
        if let Some((rank, Presence::Working)) = unfinished
            && let Some(count) = self.working.get_mut(&rank)
        {
            *count -= 1;
            if *count == 0 {
                self.working.remove(&rank);
            }
        }
    }
}

fn keys(node: &Node) -> Keys {
    let rank = node.progress.tried().map(|tried| (tried, node.duty));
    Keys {
        place: node.progress.holds_place(),
        ready: rank.filter(|_| is_ready(node)).map(|rank| (rank, node.failed_before)),
        unfinished: rank.map(|rank| (rank, presence(node))),
        deadline: node.deadline(),
        result: node.result,
    }
}

/// Whether the node may be taken out of service now: its rest after a timed-out drain is over, and the release is
/// staged on it, so that it is out of service only for the switch (G7). A bursting node that is powered off is
/// started first. Two machines under one identity are not taken: it cannot be known when both have no calls, and
/// when both are back.
fn is_ready(node: &Node) -> bool {
    let rested = matches!(node.progress, Progress::Pending { rests_until: None, .. });
    let there = match (node.contact, node.duty) {
        (Contact::Heard, _) => node.has_staged(),
        (Contact::Never | Contact::Lost { .. }, Duty::Bursting) => true,
        (Contact::Never | Contact::Lost { .. }, Duty::AlwaysOn) | (Contact::Silent { .. }, _) => false,
    };
    rested && node.assigned.is_some() && there && node.duplicate().is_none()
}

fn presence(node: &Node) -> Presence {
    let queued = matches!(node.progress, Progress::Pending { .. });
    let releasing = matches!(node.progress.phase(), Some(Phase::Releasing { .. }));
    let waits = releasing || (queued && node.duty == Duty::AlwaysOn);
    let absent = (waits && node.contact.is_lost()) || (queued && node.duplicate().is_some());
    if absent { Presence::Absent } else { Presence::Working }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::progress::Attempt;

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    fn node(progress: Progress, result: Option<AttemptResult>) -> Node {
        Node { progress, result, ..Node::new(String::from("node"), Duty::Bursting) }
    }

    fn draining() -> Progress {
        Attempt::enters(Time(0), 1, Phase::Draining { until: Time(5) })
    }

    /// Two nodes with a result each, in the same rank.
    fn nodes() -> Nodes {
        let mut nodes = Nodes::default();
        nodes.insert(ONE, node(draining(), Some(AttemptResult::Failed)));
        let pending = Progress::Pending { tried: 1, rests_until: None };
        nodes.insert(TWO, node(pending, Some(AttemptResult::Failed)));
        nodes
    }

    #[test]
    fn index_follows_every_change_of_a_record() {
        let mut nodes = nodes();
        assert!(nodes.index_is_true());
        assert_eq!((nodes.results(), nodes.working()), (Results { upgraded: 0, failed: 2 }, 2));
        nodes.edit(ONE, |node| {
            node.progress = Progress::Upgraded { at: Time(6) };
            node.result = Some(AttemptResult::Upgraded);
        });
        assert!(nodes.index_is_true());
        assert_eq!((nodes.results(), nodes.working()), (Results { upgraded: 1, failed: 1 }, 1));
        assert_eq!((nodes.places().len(), nodes.next_deadline()), (0, None));
        let removed = nodes.remove(TWO);
        assert!(nodes.index_is_true() && removed.is_some());
        assert_eq!((nodes.results(), nodes.working()), (Results { upgraded: 1, failed: 0 }, 0));
        nodes.insert(ONE, node(draining(), None));
        assert!(nodes.index_is_true(), "the record before is still listed");
    }

    #[test]
    fn copy_keeps_its_records_whatever_becomes_of_the_original() {
        let mut nodes = nodes();
        let (copy, before) = (nodes.clone(), nodes.get(ONE).cloned());
        nodes.edit(ONE, |node| node.reported_at = Time(7));
        nodes.remove(TWO);
        assert_eq!((copy.get(ONE).cloned(), copy.len()), (before, 2));
        assert!(copy.index_is_true() && nodes.get(ONE) != copy.get(ONE));
    }

    #[test]
    fn index_that_differs_from_the_records_is_noticed() {
        let mut nodes = nodes();
        nodes.index.places.remove(&ONE);
        assert!(!nodes.index_is_true());
    }

    /// A change that leaves what is wanted of the node as it was is not a new desired state.
    #[test]
    fn record_is_stored_when_it_has_changed_and_its_generation_rises_with_what_is_wanted() {
        let mut nodes = nodes();
        nodes.take_changed();
        let before = nodes.get(ONE).map(|node| node.generation);
        nodes.edit(ONE, |_| ());
        assert!(nodes.take_changed().is_empty());
        nodes.edit(ONE, |node| node.reported_at = Time(7));
        assert_eq!(nodes.take_changed(), [ONE].into());
        assert_eq!(nodes.get(ONE).map(|node| node.generation), before);
        nodes.edit(ONE, |node| node.operator_maintenance = Some(String::new()));
        assert!(nodes.get(ONE).map(|node| node.generation) > before);
    }
}
