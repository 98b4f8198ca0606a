//! Looks at the Management Node's wall clock, so that what is shown follows it, and keeps the time of a run.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Committer;

/// How often the wall clock is looked at: for so long a page may show the time of a clock that was set right.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How often the time is stored while a run is under way.
const STORE_EVERY: u64 = 60;

/// Looks and keeps until it is aborted, or the store is broken, which the driver notices.
pub(super) async fn watch(committer: Committer) {
    let mut look = interval(CHECK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 1.. {
        look.tick().await;
        if committer.check_wall_clock().await.is_err() {
            return;
        }
        if turn % STORE_EVERY == 0 && committer.store_time().await.is_err() {
            return;
        }
    }
}
