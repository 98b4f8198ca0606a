//! Decides what boot does after its program has ended: start at once, start after a pause, or fall back.
//! Pure: takes the slot record as it is after the end, and never reads or writes a file.

use std::process::ExitStatus;
use std::time::Duration;

use slots::{Record, Slot, Why, describe_exit};

/// A program that ends sooner than this with exit status 0 is taken for broken: a restart on request takes longer.
const SOONEST_RESTART: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Exited { status: ExitStatus, ran: Duration },
    /// It was stopped because it had not confirmed itself in the time it was granted.
    Overdue { granted: Duration },
    /// It could not even be started.
    NotStarted { reason: String },
}

/// What to do before the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Start what is selected, at once: it is another release, or this one asked for a restart.
    AtOnce,
    /// Start what is selected after a pause; the program ran this long.
    AfterPause { ran: Duration },
    /// Leave the release that was tried.
    FallBack(Why),
}

/// Decides by the record as it is after the end of the program in `slot`.
pub(crate) fn decide(end: &End, slot: Slot, record: &Record, tries: u32) -> Decision {
    match &record.trying {
        Some(trying) if trying.slot == slot => still_tried(end, trying.tries, tries),
        Some(_) => Decision::AtOnce,
        None => confirmed(end),
    }
}

fn still_tried(end: &End, used: u32, tries: u32) -> Decision {
    let ended = |exit: String, ran| match used >= tries {
        true => Decision::FallBack(Why::EndedAtStart { tries: used, exit }),
        false => Decision::AfterPause { ran },
    };
    match end {
        End::Overdue { granted } => {
            Decision::FallBack(Why::NeverConfirmed { within_seconds: granted.as_secs() })
        }
        End::Exited { status, ran } => ended(describe_exit(*status), *ran),
        End::NotStarted { reason } => ended(reason.clone(), Duration::ZERO),
    }
}

fn confirmed(end: &End) -> Decision {
    match end {
        // It confirmed itself while it was being stopped.
        End::Overdue { .. } => Decision::AtOnce,
        End::Exited { status, ran } if status.success() && *ran >= SOONEST_RESTART => Decision::AtOnce,
        End::Exited { ran, .. } => Decision::AfterPause { ran: *ran },
        End::NotStarted { .. } => Decision::AfterPause { ran: Duration::ZERO },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use slots::Trying;

    use super::*;

    const LONG: Duration = Duration::from_secs(90);

    fn tried(slot: Slot, tries: u32) -> Record {
        let trying = Trying { slot, manifest: "0".repeat(64), tries };
        Record { trying: Some(trying), ..Record::confirmed(slot.other()) }
    }

    fn exited(code: i32, ran: Duration) -> End {
        End::Exited { status: ExitStatus::from_raw(code << 8), ran }
    }

    fn overdue() -> End {
        End::Overdue { granted: Duration::from_secs(300) }
    }

    #[test]
    fn new_selection_starts_at_once_however_the_old_release_ended() {
        for end in [exited(0, LONG), exited(1, LONG), End::NotStarted { reason: "gone".into() }] {
            assert_eq!(decide(&end, Slot::A, &tried(Slot::B, 0), 3), Decision::AtOnce);
        }
    }

    #[test]
    fn unconfirmed_release_that_ends_is_started_again_until_its_tries_are_used_up() {
        let end = exited(101, LONG);
        assert_eq!(decide(&end, Slot::B, &tried(Slot::B, 2), 3), Decision::AfterPause { ran: LONG });
        let why = Why::EndedAtStart { tries: 3, exit: "exit status 101".into() };
        assert_eq!(decide(&end, Slot::B, &tried(Slot::B, 3), 3), Decision::FallBack(why));
    }

    #[test]
    fn unconfirmed_release_that_ends_without_an_error_uses_up_its_tries_too() {
        let decision = decide(&exited(0, LONG), Slot::B, &tried(Slot::B, 3), 3);
        assert!(matches!(decision, Decision::FallBack(Why::EndedAtStart { .. })));
    }

    #[test]
    fn overdue_release_falls_back_unless_it_confirmed_itself_at_the_last_moment() {
        let why = Why::NeverConfirmed { within_seconds: 300 };
        assert_eq!(decide(&overdue(), Slot::B, &tried(Slot::B, 1), 3), Decision::FallBack(why));
        assert_eq!(decide(&overdue(), Slot::B, &Record::confirmed(Slot::B), 3), Decision::AtOnce);
    }

    #[test]
    fn confirmed_release_is_restarted_and_never_falls_back() {
        let record = Record::confirmed(Slot::A);
        assert_eq!(decide(&exited(0, LONG), Slot::A, &record, 3), Decision::AtOnce);
        assert_eq!(decide(&exited(1, LONG), Slot::A, &record, 3), Decision::AfterPause { ran: LONG });
        let soon = Duration::from_millis(5);
        assert_eq!(decide(&exited(0, soon), Slot::A, &record, 3), Decision::AfterPause { ran: soon });
    }
}
