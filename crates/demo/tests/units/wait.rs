//! Waiting for what is to happen, with a bound.

use std::time::{Duration, Instant};

/// How long anything may take that a test waits for. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often what is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until there is something, or panics with the last that was seen instead.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > until => panic!("{what} did not happen; seen instead: {seen}"),
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}
