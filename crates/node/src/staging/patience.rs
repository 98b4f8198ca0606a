//! How often a staging may go wrong before it is given up. Pure.

use crate::files::chain;
use crate::http::RequestError;

/// How many verifications may fail in one staging. Damage by chance on an authenticated link is as good
/// as unheard of; this many in a row is a bad package or a bad disk.
pub const FAILED_VERIFICATIONS: u32 = 5;

/// How often the machine itself may fail in one staging, such as by a full disk.
pub const LOCAL_FAILURES: u32 = 3;

/// How often the release may find that it would not start. A port may be held for a moment by a program that
/// only passes through.
pub(crate) const FAILED_CHECKS: u32 = 3;

/// How often the manager may say that it does not have the package: about a minute with the pauses.
pub const NOT_THERE: u32 = 15;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The manager did not answer, or not as it should.
    Link(RequestError),
    /// What came is not what was signed.
    Unverified(String),
    /// This machine failed: its disk or its files.
    Local(String),
    /// The release says that it would not start on this machine.
    WouldNotStart(String),
    /// The release does not fit, and trying again changes nothing.
    Unfit(String),
    /// It is not wanted any more.
    Cancelled,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after a pause.
    Again {
        /// What happened, for the log.
        why: String,
    },
    /// It cannot be had.
    GiveUp(String),
    /// It is not wanted any more.
    Cancelled,
}

/// What a staging has suffered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    verifications: u32,
    local: u32,
    checks: u32,
    not_there: u32,
}

impl Patience {
    /// Counts a trouble and judges. The link is tried for ever: an end of the run ends it.
    pub(super) fn suffer(&mut self, trouble: Trouble) -> Verdict {
        match trouble {
            Trouble::Link(error) if is_not_there(&error) => {
                count(&mut self.not_there, NOT_THERE, chain(&error))
            }
            Trouble::Link(error) => Verdict::Again { why: chain(&error) },
            Trouble::Unverified(why) => count(&mut self.verifications, FAILED_VERIFICATIONS, why),
            Trouble::Local(why) => count(&mut self.local, LOCAL_FAILURES, why),
            Trouble::WouldNotStart(why) => {
                let why = format!("it would not start on this machine: {why}");
                count(&mut self.checks, FAILED_CHECKS, why)
            }
            Trouble::Unfit(why) => Verdict::GiveUp(why),
            Trouble::Cancelled => Verdict::Cancelled,
        }
    }
}

fn count(failures: &mut u32, limit: u32, why: String) -> Verdict {
    *failures += 1;
    if *failures < limit {
        return Verdict::Again { why };
    }
    Verdict::GiveUp(format!("{why} (tried {limit} times)"))
}

fn is_not_there(error: &RequestError) -> bool {
    match error {
        RequestError::Refused { status, .. } => *status == reqwest::StatusCode::NOT_FOUND,
        RequestError::Unreachable { .. }
        | RequestError::Untrusted { .. }
        | RequestError::Malformed { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up_after(trouble: impl Fn() -> Trouble) -> Option<u32> {
        let mut patience = Patience::default();
        (1..100).find(|_| matches!(patience.suffer(trouble()), Verdict::GiveUp(_)))
    }

    fn refused(status: u16) -> Trouble {
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        Trouble::Link(RequestError::Refused { address: "m".into(), status, why: String::new() })
    }

    #[test]
    fn each_kind_of_trouble_is_suffered_so_often() {
        assert_eq!(given_up_after(|| Trouble::Unverified("bad".into())), Some(FAILED_VERIFICATIONS));
        assert_eq!(given_up_after(|| Trouble::Local("full".into())), Some(LOCAL_FAILURES));
        assert_eq!(given_up_after(|| Trouble::Unfit("old".into())), Some(1));
        assert_eq!(given_up_after(|| Trouble::WouldNotStart("taken".into())), Some(FAILED_CHECKS));
        assert_eq!(given_up_after(|| refused(404)), Some(NOT_THERE));
        assert_eq!(given_up_after(|| refused(503)), None);
    }

    #[test]
    fn kinds_of_trouble_are_counted_apart() {
        let mut patience = Patience::default();
        for _ in 1..LOCAL_FAILURES {
            assert!(matches!(patience.suffer(Trouble::Local("full".into())), Verdict::Again { .. }));
            assert!(matches!(patience.suffer(Trouble::Unverified("bad".into())), Verdict::Again { .. }));
        }
        assert_eq!(
            patience.suffer(Trouble::Local("the disk is full".into())),
            Verdict::GiveUp("the disk is full (tried 3 times)".into())
        );
    }
}
