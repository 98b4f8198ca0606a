//! Decides whether a staging that has failed is tried again or given up. Each kind of failure has its own limit.
//! Performs no I/O and does not wait.

use crate::files::chain;
use crate::http::RequestError;

/// How many verifications may fail in one staging. Damage by chance on an authenticated link hardly ever happens; this
/// many failures are a bad package or a bad disk.
pub const FAILED_VERIFICATIONS: u32 = 5;

/// How often the machine itself may fail in one staging, such as by a full disk.
pub const LOCAL_FAILURES: u32 = 3;

/// How often the release may find that it would not start. A port may be held for a moment by a program that
/// runs only briefly.
pub(crate) const FAILED_CHECKS: u32 = 3;

/// How often the manager may say that it does not have the package: about a minute with the pauses.
pub const NOT_THERE: u32 = 15;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Failure {
    /// The manager did not answer, or not as it should.
    Link(RequestError),
    /// What was received is not what was signed.
    Unverified(String),
    /// This machine failed: its disk or its files.
    Local(String),
    /// The release has found that it would not start on this machine.
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
    /// It cannot be staged.
    GiveUp(String),
    /// It is not wanted any more.
    Cancelled,
}

/// The failures of one staging so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RetryPolicy {
    verifications: u32,
    local: u32,
    checks: u32,
    not_there: u32,
}

impl RetryPolicy {
    /// Counts a failure and decides what follows. The link is tried without limit: the end of the run cancels it.
    pub(super) fn failed(&mut self, failure: Failure) -> Verdict {
        match failure {
            Failure::Link(error) if is_not_there(&error) => {
                count(&mut self.not_there, NOT_THERE, chain(&error))
            }
            Failure::Link(error) => Verdict::Again { why: chain(&error) },
            Failure::Unverified(why) => count(&mut self.verifications, FAILED_VERIFICATIONS, why),
            Failure::Local(why) => count(&mut self.local, LOCAL_FAILURES, why),
            Failure::WouldNotStart(why) => {
                let why = format!("it would not start on this machine: {why}");
                count(&mut self.checks, FAILED_CHECKS, why)
            }
            Failure::Unfit(why) => Verdict::GiveUp(why),
            Failure::Cancelled => Verdict::Cancelled,
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

    fn given_up_after(failure: impl Fn() -> Failure) -> Option<u32> {
        let mut retry_policy = RetryPolicy::default();
        (1..100).find(|_| matches!(retry_policy.failed(failure()), Verdict::GiveUp(_)))
    }

    fn refused(status: u16) -> Failure {
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        Failure::Link(RequestError::Refused { address: "m".into(), status, why: String::new() })
    }

    #[test]
    fn each_kind_of_failure_has_its_limit() {
        assert_eq!(given_up_after(|| Failure::Unverified("bad".into())), Some(FAILED_VERIFICATIONS));
        assert_eq!(given_up_after(|| Failure::Local("full".into())), Some(LOCAL_FAILURES));
        assert_eq!(given_up_after(|| Failure::Unfit("old".into())), Some(1));
        assert_eq!(given_up_after(|| Failure::WouldNotStart("taken".into())), Some(FAILED_CHECKS));
        assert_eq!(given_up_after(|| refused(404)), Some(NOT_THERE));
        assert_eq!(given_up_after(|| refused(503)), None);
    }

    #[test]
    fn kinds_of_failures_are_counted_apart() {
        let mut retry_policy = RetryPolicy::default();
        for _ in 1..LOCAL_FAILURES {
            assert!(matches!(retry_policy.failed(Failure::Local("full".into())), Verdict::Again { .. }));
            assert!(matches!(retry_policy.failed(Failure::Unverified("bad".into())), Verdict::Again { .. }));
        }
        assert_eq!(
            retry_policy.failed(Failure::Local("the disk is full".into())),
            Verdict::GiveUp("the disk is full (tried 3 times)".into())
        );
    }
}
