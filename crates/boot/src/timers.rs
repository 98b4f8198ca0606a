//! The timers of `boot`: how long a new release has to confirm itself, and the backoff after a crash.
//! Pure: the time is an argument.

use std::time::{Duration, Instant};

/// The most one EXTEND_TIMEOUT_USEC grants, counted from its arrival. A node that waits for a manager asks
/// repeatedly; a program that hangs after its last request is detected within this time.
pub(crate) const EXTENSION_MAX: Duration = Duration::from_secs(10 * 60);

/// The timeout by which a release has to confirm itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfirmationTimeout {
    /// What was granted last, for the operator: the whole time at first, then the last extension.
    granted: Duration,
    deadline: Instant,
    extended: bool,
}

/// What came of a request for more time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// The deadline moved for the first time, which is logged.
    First,
    /// The deadline moved once more.
    Again,
    /// The deadline is later already.
    NotNeeded,
}

impl ConfirmationTimeout {
    /// Begins when the program starts.
    pub(crate) fn begin(within: Duration, now: Instant) -> Self {
        Self { granted: within, deadline: now + within, extended: false }
    }

    /// The program reports progress and asks for more time. This never moves the deadline to an earlier moment.
    pub(crate) fn extend(&mut self, from_now: Duration, now: Instant) -> Extension {
        let granted = from_now.min(EXTENSION_MAX);
        if now + granted <= self.deadline {
            return Extension::NotNeeded;
        }
        let before = std::mem::replace(self, Self { granted, deadline: now + granted, extended: true });
        if before.extended { Extension::Again } else { Extension::First }
    }

    /// When it must have confirmed itself.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What was granted last.
    pub(crate) fn granted(&self) -> Duration {
        self.granted
    }
}

/// The backoff between the starts of a release that keeps ending.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pauses {
    in_a_row: u32,
}

impl Pauses {
    /// The first pause: long enough for a port to be free again, too short to be felt in a call.
    const FIRST: Duration = Duration::from_millis(100);
    /// The longest pause, and so the longest wait after an operator has corrected the cause.
    const LONGEST: Duration = Duration::from_secs(30);
    /// A program that ran this long was not crash-looping.
    const STEADY: Duration = Duration::from_secs(60);

    /// The pause after a program that ended by itself and ran for `ran`.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= Self::STEADY {
            self.in_a_row = 0;
        }
        let pause = Self::FIRST.saturating_mul(1 << self.in_a_row.min(16)).min(Self::LONGEST);
        self.in_a_row = self.in_a_row.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn extension_counts_from_its_arrival_and_never_shortens() {
        let now = Instant::now();
        let mut confirmation = ConfirmationTimeout::begin(300 * SECOND, now);
        assert_eq!(confirmation.extend(SECOND, now), Extension::NotNeeded);
        assert_eq!((confirmation.deadline(), confirmation.granted()), (now + 300 * SECOND, 300 * SECOND));
        assert_eq!(confirmation.extend(60 * SECOND, now + 290 * SECOND), Extension::First);
        assert_eq!((confirmation.deadline(), confirmation.granted()), (now + 350 * SECOND, 60 * SECOND));
        assert_eq!(confirmation.extend(60 * SECOND, now + 291 * SECOND), Extension::Again);
    }

    #[test]
    fn extension_is_limited() {
        let now = Instant::now();
        let mut confirmation = ConfirmationTimeout::begin(SECOND, now);
        confirmation.extend(Duration::MAX, now);
        assert_eq!(confirmation.deadline(), now + EXTENSION_MAX);
    }

    #[test]
    fn pauses_double_up_to_thirty_seconds_and_begin_anew_after_a_steady_run() {
        let mut pauses = Pauses::default();
        let seen: Vec<u128> = (0..11).map(|_| pauses.after(SECOND).as_millis()).collect();
        assert_eq!(seen, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        assert_eq!(pauses.after(60 * SECOND).as_millis(), 100);
    }
}
