//! Waits for a condition, with a time limit.

use std::time::{Duration, Instant};

/// The time limit of every wait. Generous: the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(90);

/// How often a condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Checks until there is a result, or panics with the last state seen.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let until = Instant::now() + TIMEOUT;
    loop {
        match check() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > until => panic!("timed out waiting for {what}; last seen: {seen}"),
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}
