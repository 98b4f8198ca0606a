//! Checks the Management Node's wall clock every second, so that the times that are shown follow it, and
//! stores the time of a run every minute.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Committer;

/// How often the wall clock is checked: for so long a page may show wrong times after the clock was
/// corrected.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How often the time is stored while a run is under way.
const STORE_EVERY: u64 = 60;

/// Checks and stores until it is aborted, or the store is broken, which the driver notices.
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
