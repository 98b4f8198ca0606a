//! The node's clock: stored time plus time elapsed. It never goes backwards, and a jump of the wall
//! clock while the node runs changes nothing. Time spent down is measured by the machine's own uptime
//! as long as the machine was not restarted in between, else by the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use fleet::time::{Span, Time};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Where the kernel names its present start.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the machine's clocks say at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// Milliseconds since 1970-01-01 UTC by the wall clock, which may jump.
    pub wall: u64,
    /// Names the machine's present start; empty when it is not known.
    pub boot: String,
    /// Milliseconds since the machine started, which only grow.
    pub uptime: u64,
}

/// A moment of the node's clock together with what the machine's clocks said then: all that is needed
/// to go on from it after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The node's time.
    pub now: Time,
    /// The machine's clocks.
    pub readings: Readings,
}

/// The node's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Time,
    since: Readings,
}

impl Readings {
    /// Looks at the machine's clocks.
    pub fn take() -> Self {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self { wall: wall(), boot: boot.trim().into(), uptime: uptime() }
    }
}

impl Clock {
    /// Goes on from the last stamp, or begins with the wall clock.
    pub fn start(last: Option<&Stamp>) -> Self {
        let since = Readings::take();
        Self { base: resume(last, &since), since }
    }

    /// The node's time.
    pub fn now(&self) -> Time {
        self.base + Span(uptime().saturating_sub(self.since.uptime))
    }

    /// What to store, so that the next start goes on from here.
    pub fn stamp(&self) -> Stamp {
        let readings = Readings { wall: wall(), uptime: uptime(), boot: self.since.boot.clone() };
        Stamp { now: self.base + Span(readings.uptime.saturating_sub(self.since.uptime)), readings }
    }

    /// When the program started, by the wall clock: milliseconds since 1970-01-01 UTC.
    pub fn started_at(&self) -> u64 {
        self.since.wall
    }
}

/// The node's time at a start.
fn resume(last: Option<&Stamp>, readings: &Readings) -> Time {
    let Some(Stamp { now, readings: then }) = last else { return Time(readings.wall) };
    let same_boot = !then.boot.is_empty() && then.boot == readings.boot && readings.uptime >= then.uptime;
    let down =
        if same_boot { readings.uptime - then.uptime } else { readings.wall.saturating_sub(then.wall) };
    *now + Span(down)
}

/// Milliseconds since 1970-01-01 UTC by the wall clock.
pub fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Counts on while the machine is suspended.
fn uptime() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let millis = time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(wall: u64, boot: &str, uptime: u64) -> Readings {
        Readings { wall, boot: boot.into(), uptime }
    }

    #[test]
    fn time_goes_on_over_a_restart_and_never_back() {
        let last = Stamp { now: Time(5_000), readings: readings(100_000, "x", 700) };
        let check = |now: Readings, expected: u64| assert_eq!(resume(Some(&last), &now), Time(expected));
        check(readings(100_300, "x", 1_000), 5_300);
        // The wall clock was set back, and forward, while the machine stayed up.
        check(readings(2, "x", 1_000), 5_300);
        check(readings(999_999_999, "x", 1_000), 5_300);
        // The machine was restarted: only the wall clock knows for how long.
        check(readings(160_000, "y", 30), 65_000);
        check(readings(90_000, "y", 30), 5_000);
        // A machine that does not name its starts.
        check(readings(100_300, "", 1_000), 5_300);
    }

    #[test]
    fn the_first_start_begins_with_the_wall_clock() {
        assert_eq!(resume(None, &readings(1_800, "x", 1)), Time(1_800));
    }

    #[test]
    fn a_stamp_leads_to_a_clock_that_is_not_behind() {
        let first = Clock::start(None);
        let stamp = first.stamp();
        assert!(stamp.now >= Time(first.started_at()));
        assert!(Clock::start(Some(&stamp)).now() >= stamp.now);
    }
}
