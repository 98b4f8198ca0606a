//! Who waits for what: a node's held request waits for news of that node, the driver for any commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::node::NodeId;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// The waiting.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    nodes: Mutex<BTreeMap<NodeId, Arc<Notify>>>,
    commits: watch::Sender<u64>,
}

impl Notifier {
    /// What wakes those who wait for news of a node.
    pub(crate) fn for_node(&self, id: NodeId) -> Arc<Notify> {
        self.nodes.lock().entry(id).or_default().clone()
    }

    /// Counts commits.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Something was committed that changed these nodes.
    pub(crate) fn notify_nodes(&self, changed: &BTreeSet<NodeId>) {
        let nodes = self.nodes.lock();
        changed.iter().filter_map(|id| nodes.get(id)).for_each(|waiting| waiting.notify_waiters());
        drop(nodes);
        self.commits.send_modify(|count| *count += 1);
    }

    /// There is news for every node.
    pub(crate) fn notify_all(&self) {
        let nodes = self.nodes.lock();
        nodes.values().for_each(|waiting| waiting.notify_waiters());
    }

    /// A node is gone. Whoever waits for it was woken before.
    pub(crate) fn forget(&self, id: NodeId) {
        self.nodes.lock().remove(&id);
    }
}
