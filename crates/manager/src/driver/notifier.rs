//! Notifies tasks that wait for a change: a node's held request waits for a change of that node, the driver
//! for any commit. It carries no data: whoever is notified reads the committed state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::node::NodeId;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// The waiting tasks, by node.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    nodes: Mutex<BTreeMap<NodeId, Arc<Notify>>>,
    commits: watch::Sender<u64>,
}

impl Notifier {
    /// Wakes the tasks that wait for a change of a node.
    pub(crate) fn for_node(&self, id: NodeId) -> Arc<Notify> {
        self.nodes.lock().entry(id).or_default().clone()
    }

    /// Counts commits.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// A commit changed these nodes.
    pub(crate) fn notify_nodes(&self, changed: &BTreeSet<NodeId>) {
        let nodes = self.nodes.lock();
        changed.iter().filter_map(|id| nodes.get(id)).for_each(|waiting| waiting.notify_waiters());
        drop(nodes);
        self.commits.send_modify(|count| *count += 1);
    }

    /// Something changed that concerns every node.
    pub(crate) fn notify_all(&self) {
        let nodes = self.nodes.lock();
        nodes.values().for_each(|waiting| waiting.notify_waiters());
    }

    /// A node was removed. The tasks that wait for it were woken before.
    pub(crate) fn forget(&self, id: NodeId) {
        self.nodes.lock().remove(&id);
    }
}
