//! Change tracking for the oracle: which nodes may have changed since they were judged last, so that the others are
//! skipped. The types make sure that no change is missed: values are read freely, every mutable access marks the node
//! that it concerns, and an access that concerns no single node marks all.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Deref, DerefMut};

use fleet::node::NodeId;
use fleet::platform::{Applied, Blocker, Event, Fleet};
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::time::Time;

/// The nodes that may have changed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    all: bool,
    nodes: Vec<NodeId>,
}

impl Touched {
    fn note(&mut self, id: NodeId) {
        if self.nodes.last() != Some(&id) {
            self.nodes.push(id);
        }
    }

    fn all() -> Self {
        Self { all: true, nodes: Vec::new() }
    }
}

/// The nodes that are to be judged. A node is removed when its judgement cannot change before it is touched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unjudged(Vec<NodeId>);

impl Unjudged {
    /// Adds the nodes that may have changed; `all` are the nodes that are tracked.
    pub(crate) fn add(&mut self, touched: &Touched, all: impl Iterator<Item = NodeId>) {
        self.0.extend(&touched.nodes);
        if touched.all {
            self.0.extend(all);
        }
    }

    /// Records that a node was judged out of turn.
    pub(crate) fn note(&mut self, judged: NodeId, next: Next) {
        self.0.retain(|id| *id != judged || next == Next::Again);
    }

    /// Judges each node, in the order of the ids, and keeps those that must be judged again in any case.
    pub(crate) fn judge(&mut self, mut judge: impl FnMut(NodeId) -> Next) {
        self.0.sort_unstable();
        self.0.dedup();
        self.0.retain(|id| judge(*id) == Next::Again);
    }
}

/// When a node is to be judged next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// At the next event: time alone may change the judgement, or the node could not be judged, or broke a promise.
    Again,
    /// Not before it is touched.
    WhenTouched,
}

/// A value for each node, with the nodes that were touched.
#[derive(Debug)]
pub(crate) struct Tracked<T> {
    values: BTreeMap<NodeId, T>,
    touched: Touched,
}

impl<T> Tracked<T> {
    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut T> {
        self.touched.note(*id);
        self.values.get_mut(id)
    }

    pub(crate) fn entry(&mut self, id: NodeId) -> Entry<'_, NodeId, T> {
        self.touched.note(id);
        self.values.entry(id)
    }

    pub(crate) fn insert(&mut self, id: NodeId, value: T) -> Option<T> {
        self.touched.note(id);
        self.values.insert(id, value)
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> Option<T> {
        self.touched.note(*id);
        self.values.remove(id)
    }

    /// Adds the nodes that may have changed since the last call.
    pub(crate) fn add_touched_to<const N: usize>(&mut self, unjudged: [&mut Unjudged; N]) {
        for unjudged in unjudged {
            unjudged.add(&self.touched, self.values.keys().copied());
        }
        self.touched.all = false;
        self.touched.nodes.clear();
    }
}

impl<T> Default for Tracked<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), touched: Touched::all() }
    }
}

/// A clone may replace any other value, so everything in it counts as touched.
impl<T: Clone> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), touched: Touched::all() }
    }
}

impl<T> Deref for Tracked<T> {
    type Target = BTreeMap<NodeId, T>;

    fn deref(&self) -> &Self::Target {
        &self.values
    }
}

impl<T> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.touched.all = true;
        &mut self.values
    }
}

/// The platform's state machine, with the nodes whose record was touched.
#[derive(Debug)]
pub(crate) struct TrackedFleet {
    fleet: Fleet,
    touched: Touched,
}

impl TrackedFleet {
    pub(crate) fn apply(&mut self, now: Time, event: Event) -> Applied {
        let applied = self.fleet.apply(now, event);
        self.touched.nodes.extend(&applied.changed);
        applied
    }

    pub(crate) fn start(
        &mut self,
        package: Package,
        policy: Policy,
        now: Time,
    ) -> Result<Applied, Vec<Blocker>> {
        let applied = self.fleet.start(package, policy, now)?;
        self.touched.nodes.extend(&applied.changed);
        Ok(applied)
    }

    /// Adds the nodes whose record may have changed since the last call.
    pub(crate) fn add_touched_to(&mut self, unjudged: &mut Unjudged) {
        unjudged.add(&self.touched, self.fleet.nodes().iter().map(|(id, _)| id));
        self.touched.all = false;
        self.touched.nodes.clear();
    }
}

impl From<Fleet> for TrackedFleet {
    fn from(fleet: Fleet) -> Self {
        Self { fleet, touched: Touched::all() }
    }
}

/// A clone may replace any other value, so everything in it counts as touched.
impl Clone for TrackedFleet {
    fn clone(&self) -> Self {
        Self::from(self.fleet.clone())
    }
}

impl Deref for TrackedFleet {
    type Target = Fleet;

    fn deref(&self) -> &Fleet {
        &self.fleet
    }
}

impl DerefMut for TrackedFleet {
    fn deref_mut(&mut self) -> &mut Fleet {
        self.touched.all = true;
        &mut self.fleet
    }
}

#[cfg(test)]
mod tests {
    use std::ops::DerefMut as _;

    use crate::seeded::canary::Canary;
    use crate::seeded::plan::file::Plan;
    use crate::seeded::report::journal::{Journal, Verbosity};
    use crate::seeded::world::World;

    /// Runs a part of a world.
    fn run_part(plan: &Plan, touch: impl Fn(&mut World)) -> World {
        let mut world = World::new(plan, Journal::new(Verbosity::Events));
        for _ in 0..4_000 {
            touch(&mut world);
            if !world.step() || !world.violations.is_empty() {
                break;
            }
        }
        world
    }

    fn touch_all(world: &mut World) {
        world.nodes.deref_mut();
        world.truth.nodes.deref_mut();
        world.manager.store.fleet.deref_mut();
    }

    #[test]
    fn skipped_nodes_would_have_been_judged_the_same() {
        let rules = Canary::ALL.map(|(canary, _, _)| Some(canary));
        for (seed, canary) in
            (1..9).flat_map(|seed| [None].into_iter().chain(rules).map(move |rule| (seed, rule)))
        {
            let plan = Plan { canary, ..Plan::of(seed) };
            let [some, all] = [run_part(&plan, |_| {}), run_part(&plan, touch_all)];
            assert_eq!(some.violations, all.violations, "seed {seed}, {canary:?}");
            assert_eq!(some.now, all.now, "seed {seed}, {canary:?}");
            assert!(some.journal.into_text() == all.journal.into_text(), "seed {seed}, {canary:?}");
        }
    }
}
