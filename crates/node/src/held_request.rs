//! Whether what is new goes with the next held request, or needs a request of its own.
//!
//! What a node does about an answer is nearly always news, and the next held request follows at once and has it. A request of
//! its own would be a second connection: after a restart of the Management Node, a second handshake of every node.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long the next held request may take to be sent after an answer: twice the usual pause between two. Whoever is
/// called meanwhile must not wait for the report for longer.
const SOON: Duration = Duration::from_millis(200);

/// Where the held request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is on its way or held: what is new from now on is not in it.
    Sent,
    /// It was answered, and the next one follows.
    Answered,
    /// It failed. The next one follows after a pause.
    Failed,
}

/// The held request of a node.
#[derive(Debug)]
pub(crate) struct HeldRequest(watch::Sender<Turn>);

impl HeldRequest {
    /// None was sent yet: the first one follows.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Turn::Answered))
    }

    /// The next one is about to be made.
    pub(crate) fn sent(&self) {
        self.0.send_replace(Turn::Sent);
    }

    /// It was answered.
    pub(crate) fn answered(&self) {
        self.0.send_replace(Turn::Answered);
    }

    /// It failed.
    pub(crate) fn failed(&self) {
        self.0.send_replace(Turn::Failed);
    }

    /// Returns whether a held request has begun since the call, and so has what was new before the call.
    pub(crate) async fn has_begun(&self) -> bool {
        let mut turn = self.0.subscribe();
        match *turn.borrow_and_update() {
            Turn::Answered => {}
            Turn::Sent | Turn::Failed => return false,
        }
        let next = timeout(SOON, turn.wait_for(|turn| *turn != Turn::Answered)).await;
        matches!(next, Ok(Ok(turn)) if *turn == Turn::Sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_goes_with_the_next_held_request_only_when_that_follows_at_once() {
        let held = HeldRequest::new();
        let (begun, ()) = tokio::join!(held.has_begun(), async { held.sent() });
        assert!(begun, "the first request of the node");
        assert!(!held.has_begun().await, "it is held, and was sent before");
        held.answered();
        let (begun, ()) = tokio::join!(held.has_begun(), async { held.sent() });
        assert!(begun, "the request after an answer");
        held.answered();
        let (begun, ()) = tokio::join!(held.has_begun(), async { held.failed() });
        assert!(!begun, "the next one failed");
        assert!(!held.has_begun().await, "the next one follows after a pause");
        held.answered();
        assert!(!held.has_begun().await, "the next one does not follow");
    }
}
