//! Samples what the media threads count. Seldom, so that calls that only talk cost nothing.

use std::sync::Arc;
use std::time::Duration;

use call::CallEngine;
use tokio::time::{MissedTickBehavior, interval};

use super::{Live, convert};

/// The time between two samples. At 2,000 calls one is 400 KB, which is 13 KB a second.
const PAUSE: Duration = Duration::from_secs(30);

/// Samples the statistics of all participants until the engine is gone.
pub async fn sample(live: Arc<Live>) {
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let Some(counts) = live.with_engine(CallEngine::media_statistics) else { return };
        live.offer(counts.await.into_iter().map(convert::statistics).collect());
    }
}
