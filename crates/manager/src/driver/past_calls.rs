//! Stores the participants and conferences that are over, many at a time. What is over, `calls` says.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::Committer;
use crate::store::{StoreError, Transaction, interrupted_calls, past_calls};

/// How often what is over is stored: so late it is shown at most.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// How much is stored at once, so that no other write waits for long.
const AT_ONCE: usize = 1_000;

/// Stores until it is aborted, or the store is broken, which the driver notices.
pub(super) async fn watch(committer: Committer) {
    let mut turns = interval(STORE_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if store_some(&committer).await.is_err() {
            return;
        }
    }
}

/// Stores everything that is over, and which calls are not, before the process ends.
///
/// # Errors
/// The store could not commit.
pub(crate) async fn store_all(committer: &Committer) -> Result<(), StoreError> {
    while store_some(committer).await? > 0 {}
    let interrupted = committer.calls().interrupted();
    committer.store().write(move |tx| interrupted_calls::replace(tx, &interrupted)).await
}

/// Takes over which conferences and calls were not over when the Management Node ended before. The calls are forgotten
/// in the store: after a crash they would be those of an earlier end.
///
/// # Errors
/// The store cannot be read or written.
pub(crate) async fn restore(committer: &Committer) -> Result<(), StoreError> {
    let take = |tx: &Transaction<'_>| {
        let interrupted = interrupted_calls::all(tx)?;
        interrupted_calls::replace(tx, &[])?;
        Ok::<_, StoreError>((past_calls::open_conferences(tx)?, interrupted))
    };
    let (open, interrupted) = committer.store().write(take).await?;
    committer.calls().restore(committer.now(), open, interrupted);
    Ok(())
}

/// Stores some of what is over; how much that was.
async fn store_some(committer: &Committer) -> Result<usize, StoreError> {
    let (past, lost) = committer.calls().take_past(committer.now(), AT_ONCE);
    if lost > 0 {
        warn!(
            lost,
            "more calls have ended than can be stored in time, and some are missing from the history; \
             look whether the disk of the Management Node is slow"
        );
    }
    let count = past.len();
    if count > 0 {
        committer.store().write(move |tx| past_calls::write(tx, &past)).await?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use fleet::node::NodeId;
    use fleet::starts::StartId;
    use wire::live::ParticipantChanges;

    use super::*;
    use crate::calls::{LiveReport, participant_for_tests};
    use crate::testing::Bench;

    #[tokio::test]
    async fn calls_under_way_at_an_orderly_end_are_waited_for_after_the_start_and_after_that_alone() {
        let bench = Bench::new();
        let committer = bench.committer().await;
        let changed = vec![participant_for_tests(1), participant_for_tests(2)];
        let participants = Some(ParticipantChanges { to: 1, changed, ..ParticipantChanges::default() });
        let now = (committer.now(), committer.wall());
        let report = LiveReport { participants, ..LiveReport::default() };
        committer.calls().take(NodeId(1), StartId(7), now, report);
        store_all(&committer).await.unwrap();
        committer.store().close().await;
        for waited_for in [2, 0] {
            let committer = bench.committer().await;
            assert_eq!(committer.calls().interrupted().len(), waited_for);
            committer.store().close().await;
        }
    }
}
