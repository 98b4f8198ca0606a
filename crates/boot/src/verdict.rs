//! What follows from the end of a program. Pure: the record comes in, the next step goes out.

use std::process::ExitStatus;
use std::time::Duration;

pub(crate) use slots::exit as words;
use slots::{Record, Slot, Why};

/// A program that ends sooner than this with exit status 0 did not ask for a restart, it is broken.
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
pub(crate) enum Verdict {
    /// Start what is selected, at once: it is another release, or this one asked for a restart.
    AtOnce,
    /// Start what is selected after a pause; the program ran this long.
    AfterPause { ran: Duration },
    /// Leave the release that was tried.
    FallBack(Why),
}

/// Judges the end of the program in `slot` by the record as it is after that end.
pub(crate) fn judge(end: &End, slot: Slot, record: &Record, tries: u32) -> Verdict {
    match &record.trying {
        Some(trying) if trying.slot == slot => still_tried(end, trying.tries, tries),
        Some(_) => Verdict::AtOnce,
        None => confirmed(end),
    }
}

fn still_tried(end: &End, used: u32, tries: u32) -> Verdict {
    let ended = |exit: String, ran| match used >= tries {
        true => Verdict::FallBack(Why::EndedAtStart { tries: used, exit }),
        false => Verdict::AfterPause { ran },
    };
    match end {
        End::Overdue { granted } => {
            Verdict::FallBack(Why::NeverConfirmed { within_seconds: granted.as_secs() })
        }
        End::Exited { status, ran } => ended(words(*status), *ran),
        End::NotStarted { reason } => ended(reason.clone(), Duration::ZERO),
    }
}

fn confirmed(end: &End) -> Verdict {
    match end {
        // It confirmed itself while it was being stopped.
        End::Overdue { .. } => Verdict::AtOnce,
        End::Exited { status, ran } if status.success() && *ran >= SOONEST_RESTART => Verdict::AtOnce,
        End::Exited { ran, .. } => Verdict::AfterPause { ran: *ran },
        End::NotStarted { .. } => Verdict::AfterPause { ran: Duration::ZERO },
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
    fn a_new_selection_starts_at_once_however_the_old_release_ended() {
        for end in [exited(0, LONG), exited(1, LONG), End::NotStarted { reason: "gone".into() }] {
            assert_eq!(judge(&end, Slot::A, &tried(Slot::B, 0), 3), Verdict::AtOnce);
        }
    }

    #[test]
    fn a_tried_release_that_ends_is_tried_again_until_its_tries_are_used_up() {
        let end = exited(101, LONG);
        assert_eq!(judge(&end, Slot::B, &tried(Slot::B, 2), 3), Verdict::AfterPause { ran: LONG });
        let why = Why::EndedAtStart { tries: 3, exit: "exit status 101".into() };
        assert_eq!(judge(&end, Slot::B, &tried(Slot::B, 3), 3), Verdict::FallBack(why));
    }

    #[test]
    fn a_tried_release_that_ends_without_an_error_has_not_proved_itself_either() {
        let verdict = judge(&exited(0, LONG), Slot::B, &tried(Slot::B, 3), 3);
        assert!(matches!(verdict, Verdict::FallBack(Why::EndedAtStart { .. })));
    }

    #[test]
    fn an_overdue_release_is_left_unless_it_confirmed_itself_at_the_last_moment() {
        let why = Why::NeverConfirmed { within_seconds: 300 };
        assert_eq!(judge(&overdue(), Slot::B, &tried(Slot::B, 1), 3), Verdict::FallBack(why));
        assert_eq!(judge(&overdue(), Slot::B, &Record::confirmed(Slot::B), 3), Verdict::AtOnce);
    }

    #[test]
    fn a_confirmed_release_is_restarted_and_never_left() {
        let record = Record::confirmed(Slot::A);
        assert_eq!(judge(&exited(0, LONG), Slot::A, &record, 3), Verdict::AtOnce);
        assert_eq!(judge(&exited(1, LONG), Slot::A, &record, 3), Verdict::AfterPause { ran: LONG });
        let soon = Duration::from_millis(5);
        assert_eq!(judge(&exited(0, soon), Slot::A, &record, 3), Verdict::AfterPause { ran: soon });
    }
}
