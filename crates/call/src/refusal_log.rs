//! How often refused calls are logged: whoever sends INVITEs by the thousand does not fill the log. Pure.

use crate::time::Time;

/// So many lines may come at once: a conference whose callers are all refused is seen as it is.
const BURST: u32 = 20;
/// A line may follow every so many milliseconds, which is 43,000 a day and a few megabytes.
const MILLISECONDS_A_LINE: u64 = 2000;

/// The lines that were written.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    /// The lines that may be written at once.
    free: u32,
    counted: Time,
    unwritten: u64,
}

impl Default for RefusalLog {
    fn default() -> RefusalLog {
        RefusalLog { free: BURST, counted: Time::default(), unwritten: 0 }
    }
}

impl RefusalLog {
    /// Whether a refusal is logged now, and then how many before it were not.
    pub(crate) fn admit(&mut self, now: Time) -> Option<u64> {
        let gained = now.0.saturating_sub(self.counted.0) / MILLISECONDS_A_LINE;
        self.free = u32::try_from(gained).unwrap_or(BURST).saturating_add(self.free).min(BURST);
        // What is left of a line counts for the next.
        self.counted = Time(self.counted.0 + gained * MILLISECONDS_A_LINE);
        let Some(free) = self.free.checked_sub(1) else {
            self.unwritten += 1;
            return None;
        };
        self.free = free;
        Some(std::mem::take(&mut self.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_refusals_is_logged_at_its_rate_and_counted() {
        let mut log = RefusalLog::default();
        let logged = (0..1000).filter(|_| log.admit(Time(10_000)).is_some()).count();
        assert_eq!(logged, BURST as usize);
        assert_eq!(log.admit(Time(11_999)), None);
        assert_eq!(log.admit(Time(12_000)), Some(1000 - u64::from(BURST) + 1));
        assert_eq!(log.admit(Time(12_000)), None);
        let logged = (0..1000).filter(|_| log.admit(Time(90_000_000)).is_some()).count();
        assert_eq!(logged, BURST as usize, "a quiet day allows no more at once");
    }
}
