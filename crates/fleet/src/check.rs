//! The invariants of a platform's state. Each check is named by the sentence that it verifies and returns every
//! violation with its subject. Simulation and tests run all of them after every event; nothing here changes the
//! state.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::node::{Node, NodeId};
use crate::platform::Fleet;
use crate::run::Lock;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant, with its rule.
    pub promise: &'static str,
    /// What violates it.
    pub subject: String,
}

impl Fleet {
    /// Every invariant that does not hold now.
    pub fn check(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut find = |promise, subjects: Vec<String>| {
            violations.extend(subjects.into_iter().map(|subject| Violation { promise, subject }));
        };
        find("never more nodes out of service than there are places (R2, R6)", self.places_overfull());
        find("no node holds a place before the Management Node is upgraded (R1)", self.places_too_early());
        find("no node is touched before the Management Node is upgraded (R1)", self.touched_too_early());
        find(
            "an ended run keeps no node in its queue, and none in its maintenance mode but one that restarts (R8)",
            self.kept_without_run(),
        );
        find("the index says what the records say", self.index_faults());
        find("a lifted lock belongs to a run whose manager is upgraded (R10)", self.lock_faults());
        violations
    }

    fn nodes_where(&self, broken: impl Fn(&Node) -> bool) -> Vec<String> {
        let broken = |(_, node): &(NodeId, &Node)| broken(node);
        self.nodes().iter().filter(broken).map(|(_, node)| node.name.clone()).collect()
    }

    fn places_overfull(&self) -> Vec<String> {
        self.overfull().into_iter().collect()
    }

    fn places_too_early(&self) -> Vec<String> {
        self.too_early().into_iter().collect()
    }

    fn touched_too_early(&self) -> Vec<String> {
        let Some(run) = self.platform.run.as_ref().filter(|run| !run.manager_is_done()) else {
            return Vec::new();
        };
        self.nodes_where(|node| node.assigned.is_some_and(|assigned| assigned.run == run.name()))
    }

    fn kept_without_run(&self) -> Vec<String> {
        if self.platform.run.is_some() {
            return Vec::new();
        }
        self.nodes_where(|node| node.progress.can_be_spared())
    }

    fn index_faults(&self) -> Vec<String> {
        if self.nodes().index_is_true() { Vec::new() } else { alloc::vec!["the index".to_string()] }
    }

    fn lock_faults(&self) -> Vec<String> {
        let run = self.platform.run.as_ref().filter(|run| run.lock == Lock::Lifted && !run.manager_is_done());
        run.map(|run| format!("run {}", run.id)).into_iter().collect()
    }
}
