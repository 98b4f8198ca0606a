//! Tracks whether each node's link is up: it is while a request of the node is open, and for a short time
//! after.
//!
//! It reports a link that goes down once, on a channel, and limits how fast the events of one node are
//! applied. What follows from a link that is down, the core decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fleet::node::NodeId;
use fleet::time::{Span, Time};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::token_bucket::{Rate, TokenBucket};

/// How fast the events of one node are applied. A node has a few in a minute; at ten in a second the calls of
/// a busy one still show up as they begin and end. The burst, two seconds' worth, is for a node that leaves
/// service, restarts and returns: these events must not wait for one another, for it takes no calls meanwhile.
const EVENTS: Rate = Rate { burst: 21, interval: Span(100) };

/// Tracks which links are up.
#[derive(Clone, Debug)]
pub struct Presence {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    gap: Duration,
    started: Instant,
    nodes: Mutex<BTreeMap<NodeId, Requests>>,
    down: mpsc::UnboundedSender<NodeId>,
}

/// The requests of one node.
#[derive(Debug, Default)]
struct Requests {
    under_way: u32,
    waiting: Option<JoinHandle<()>>,
    events: TokenBucket,
}

/// A request of a node in progress. Dropped when it was answered, or when its connection broke.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    presence: Presence,
    node: NodeId,
}

impl Presence {
    /// Reports a link that is down on the channel: once, `gap` after the last request has ended.
    pub fn new(gap: Duration) -> (Self, mpsc::UnboundedReceiver<NodeId>) {
        let (down, downs) = mpsc::unbounded_channel();
        (
            Self { inner: Arc::new(Inner { gap, started: Instant::now(), nodes: Mutex::default(), down }) },
            downs,
        )
    }

    /// A request of a node has arrived.
    pub(crate) fn begin(&self, node: NodeId) -> OpenRequest {
        let mut nodes = self.inner.nodes.lock();
        let requests = nodes.entry(node).or_default();
        requests.under_way += 1;
        requests.waiting.take().iter().for_each(JoinHandle::abort);
        OpenRequest { presence: self.clone(), node }
    }

    /// Whether the node has no request in progress.
    pub(crate) fn is_absent(&self, node: NodeId) -> bool {
        let nodes = self.inner.nodes.lock();
        nodes.get(&node).is_none_or(|requests| requests.under_way == 0)
    }

    /// How long the next event of this node has to wait. Every call is one event.
    fn delay(&self, node: NodeId, now: Instant) -> Duration {
        let since = now.duration_since(self.inner.started).as_millis();
        let now = Time(u64::try_from(since).unwrap_or(u64::MAX));
        let mut nodes = self.inner.nodes.lock();
        let events = &mut nodes.entry(node).or_default().events;
        let delay = events.delay(EVENTS, now);
        events.take(EVENTS, now);
        Duration::from_millis(delay.0)
    }

    fn end(&self, node: NodeId) {
        let mut nodes = self.inner.nodes.lock();
        let Some(requests) = nodes.get_mut(&node) else { return };
        requests.under_way = requests.under_way.saturating_sub(1);
        if requests.under_way == 0 {
            requests.waiting = Some(tokio::spawn(self.clone().wait(node)));
        }
    }

    /// Waits for the next request, which aborts this task, and reports the link as down without one.
    async fn wait(self, node: NodeId) {
        tokio::time::sleep(self.inner.gap).await;
        let mut nodes = self.inner.nodes.lock();
        if nodes.get(&node).is_some_and(|requests| requests.under_way == 0) {
            nodes.remove(&node);
            // It fails only when the Management Node is about to end.
            let _ = self.inner.down.send(node);
        }
    }
}

impl OpenRequest {
    /// When the next event of this node may be applied. Every call is one event.
    pub(crate) fn next_event_at(&self) -> Instant {
        let now = Instant::now();
        now + self.presence.delay(self.node, now)
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
    async fn link_that_goes_quiet_is_down_once() {
        let (presence, mut downs) = Presence::new(Duration::from_millis(20));
        drop(presence.begin(NODE));
        assert_eq!(downs.recv().await, Some(NODE));
        drop(presence);
        assert_eq!(downs.recv().await, None);
    }

    #[tokio::test]
    async fn request_that_is_held_keeps_the_link_up() {
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
    async fn new_request_in_the_gap_keeps_the_link_up() {
        let (presence, mut downs) = Presence::new(Duration::from_secs(3600));
        drop(presence.begin(NODE));
        let next = presence.begin(NODE);
        let nodes = presence.inner.nodes.lock();
        assert!(nodes[&NODE].waiting.is_none());
        drop(nodes);
        assert!(downs.try_recv().is_err());
        drop(next);
    }

    #[tokio::test]
    async fn events_of_one_node_are_limited_in_rate() {
        let (presence, _downs) = Presence::new(Duration::from_secs(3600));
        let (one, _held) = (Instant::now(), presence.begin(NODE));
        for _ in 0..EVENTS.burst {
            assert_eq!(presence.delay(NODE, one), Duration::ZERO, "the first few waited for one another");
        }
        let delays: Vec<Duration> = (0..3).map(|_| presence.delay(NODE, one)).collect();
        assert_eq!(delays, [100, 200, 300].map(Duration::from_millis));
        let later = one + Duration::from_secs(9);
        assert_eq!(presence.delay(NODE, later), Duration::ZERO, "a quiet node was kept waiting");
        assert_eq!(presence.delay(NodeId(2), one), Duration::ZERO, "one node kept another waiting");
    }
}
