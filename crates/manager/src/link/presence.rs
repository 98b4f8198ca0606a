//! Whether each node's link is up. A held request is the sign of life; a node that has none and sends
//! none for a while has lost its link.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet::node::NodeId;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The mean time between two events of one node. A node has a few in a minute; at ten in a second the
/// calls of a busy one still show up as they come and go.
const EVENT_GAP: Duration = Duration::from_millis(100);

/// How far a node that was quiet may run ahead of that: the events by which it leaves service, restarts
/// and comes back must not wait for one another, for nobody can call it meanwhile.
const EVENTS_AHEAD: Duration = Duration::from_secs(2);

/// Notices links that go down.
#[derive(Clone, Debug)]
pub struct Presence {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    gap: Duration,
    nodes: Mutex<BTreeMap<NodeId, Requests>>,
    down: mpsc::UnboundedSender<NodeId>,
}

/// The requests of one node.
#[derive(Debug, Default)]
struct Requests {
    under_way: u32,
    waiting: Option<JoinHandle<()>>,
    /// When the next event would be due, were all of them evenly spaced.
    due: Option<Instant>,
}

/// One request of a node. Dropped when it was answered, or when its connection broke.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    presence: Presence,
    node: NodeId,
}

impl Presence {
    /// Says on the channel which link is down: once, `gap` after the last request has ended.
    pub fn new(gap: Duration) -> (Self, mpsc::UnboundedReceiver<NodeId>) {
        let (down, downs) = mpsc::unbounded_channel();
        (Self { inner: Arc::new(Inner { gap, nodes: Mutex::default(), down }) }, downs)
    }

    /// A request of a node has come.
    pub(crate) fn begin(&self, node: NodeId) -> OpenRequest {
        let mut nodes = self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = nodes.entry(node).or_default();
        requests.under_way += 1;
        requests.waiting.take().iter().for_each(JoinHandle::abort);
        OpenRequest { presence: self.clone(), node }
    }

    /// Whether the node has no request under way.
    pub(crate) fn is_absent(&self, node: NodeId) -> bool {
        let nodes = self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.get(&node).is_none_or(|requests| requests.under_way == 0)
    }

    /// When an event of this node may be put to the core. Every call is one event.
    fn turn(&self, node: NodeId, now: Instant) -> Instant {
        let mut nodes = self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let due = &mut nodes.entry(node).or_default().due;
        let own = due.map_or(now, |due| due.max(now));
        *due = Some(own + EVENT_GAP);
        own.checked_sub(EVENTS_AHEAD).map_or(now, |turn| turn.max(now))
    }

    fn end(&self, node: NodeId) {
        let mut nodes = self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(requests) = nodes.get_mut(&node) else { return };
        requests.under_way = requests.under_way.saturating_sub(1);
        if requests.under_way == 0 {
            requests.waiting = Some(tokio::spawn(self.clone().wait(node)));
        }
    }

    /// Waits for the next request, which ends this task, and gives the link up without one.
    async fn wait(self, node: NodeId) {
        tokio::time::sleep(self.inner.gap).await;
        let mut nodes = self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if nodes.get(&node).is_some_and(|requests| requests.under_way == 0) {
            nodes.remove(&node);
            // An error says that the Management Node is about to end.
            let _ = self.inner.down.send(node);
        }
    }
}

impl OpenRequest {
    /// When an event of this node may be put to the core. Every call is one event.
    pub(crate) fn turn(&self) -> Instant {
        self.presence.turn(self.node, Instant::now())
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.presence.end(self.node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);

    #[tokio::test]
    async fn a_link_that_goes_quiet_is_down_once() {
        let (presence, mut downs) = Presence::new(Duration::from_millis(20));
        drop(presence.begin(NODE));
        assert_eq!(downs.recv().await, Some(NODE));
        drop(presence);
        assert_eq!(downs.recv().await, None);
    }

    #[tokio::test]
    async fn a_request_that_is_held_keeps_the_link_up() {
        let (presence, mut downs) = Presence::new(Duration::from_millis(1));
        let held = presence.begin(NODE);
        drop(presence.begin(NODE));
        let other = presence.begin(NodeId(2));
        drop(other);
        assert_eq!(downs.recv().await, Some(NodeId(2)), "node 1 was given up while its request was held");
        drop(held);
        assert_eq!(downs.recv().await, Some(NODE));
    }

    #[tokio::test]
    async fn a_new_request_in_the_gap_keeps_the_link_up() {
        let (presence, mut downs) = Presence::new(Duration::from_secs(3600));
        drop(presence.begin(NODE));
        let next = presence.begin(NODE);
        let nodes = presence.inner.nodes.lock().unwrap();
        assert!(nodes[&NODE].waiting.is_none());
        drop(nodes);
        assert!(downs.try_recv().is_err());
        drop(next);
    }

    #[tokio::test]
    async fn the_events_of_one_node_keep_their_distance() {
        let (presence, _downs) = Presence::new(Duration::from_secs(3600));
        let (one, _held) = (Instant::now(), presence.begin(NODE));
        let ahead = EVENTS_AHEAD.as_millis() / EVENT_GAP.as_millis();
        for _ in 0..=ahead {
            assert_eq!(presence.turn(NODE, one), one, "the first few waited for one another");
        }
        let turns: Vec<Instant> = (0..3).map(|_| presence.turn(NODE, one)).collect();
        assert_eq!(turns, [1, 2, 3].map(|turn| one + EVENT_GAP * turn));
        let later = one + Duration::from_secs(9);
        assert_eq!(presence.turn(NODE, later), later, "a quiet node was kept waiting");
        assert_eq!(presence.turn(NodeId(2), one), one, "one node kept another waiting");
    }
}
