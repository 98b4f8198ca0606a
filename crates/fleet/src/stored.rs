//! The stored form of types whose shape in the core has become another one than serde's attributes can express, with
//! conversions in both directions (decision 26). Stores of every release are read by it; it makes no decisions.

use serde::{Deserialize, Serialize};

use crate::progress::{self, Attempt, Ending, Failure, Phase};
use crate::time::Time;

/// The progress of a node in a run: one variant for each phase of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    Idle,
    Pending { tried: u32, rests_until: Option<Time> },
    Starting { tried: u32, since: Time, until: Time },
    Preparing { tried: u32, since: Time, until: Time },
    Draining { tried: u32, since: Time, until: Time },
    Installing { tried: u32, since: Time, drain_until: Time, stuck_at: Time },
    Rebooting { tried: u32, since: Time, stuck_at: Time },
    Releasing { ending: Ending, tried: u32, since: Time },
    Upgraded { at: Time },
    Failed { why: Failure, at: Time },
}

impl From<progress::Progress> for Progress {
    fn from(progress: progress::Progress) -> Self {
        match progress {
            progress::Progress::Idle => Self::Idle,
            progress::Progress::Pending { tried, rests_until } => Self::Pending { tried, rests_until },
            progress::Progress::Attempt(attempt) => attempt.into(),
            progress::Progress::Upgraded { at } => Self::Upgraded { at },
            progress::Progress::Failed { why, at } => Self::Failed { why, at },
        }
    }
}

impl From<Attempt> for Progress {
    fn from(Attempt { tried, since, phase }: Attempt) -> Self {
        match phase {
            Phase::Starting { until } => Self::Starting { tried, since, until },
            Phase::Preparing { until } => Self::Preparing { tried, since, until },
            Phase::Draining { until } => Self::Draining { tried, since, until },
            Phase::Installing { drain_until, stuck_at } => {
                Self::Installing { tried, since, drain_until, stuck_at }
            }
            Phase::Rebooting { stuck_at } => Self::Rebooting { tried, since, stuck_at },
            Phase::Releasing { ending } => Self::Releasing { ending, tried, since },
        }
    }
}

impl From<Progress> for progress::Progress {
    fn from(stored: Progress) -> Self {
        let (tried, since, phase) = match stored {
            Progress::Idle => return Self::Idle,
            Progress::Pending { tried, rests_until } => return Self::Pending { tried, rests_until },
            Progress::Upgraded { at } => return Self::Upgraded { at },
            Progress::Failed { why, at } => return Self::Failed { why, at },
            Progress::Starting { tried, since, until } => (tried, since, Phase::Starting { until }),
            Progress::Preparing { tried, since, until } => (tried, since, Phase::Preparing { until }),
            Progress::Draining { tried, since, until } => (tried, since, Phase::Draining { until }),
            Progress::Installing { tried, since, drain_until, stuck_at } => {
                (tried, since, Phase::Installing { drain_until, stuck_at })
            }
            Progress::Rebooting { tried, since, stuck_at } => (tried, since, Phase::Rebooting { stuck_at }),
            Progress::Releasing { ending, tried, since } => (tried, since, Phase::Releasing { ending }),
        };
        Self::Attempt(Attempt { tried, since, phase })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stores of release 34 contain for a node in each phase of an attempt.
    const STORED: [&str; 6] = [
        r#"{"starting":{"tried":0,"since":1,"until":2}}"#,
        r#"{"preparing":{"tried":0,"since":1,"until":2}}"#,
        r#"{"draining":{"tried":2,"since":1,"until":3600001}}"#,
        r#"{"installing":{"tried":0,"since":5,"drain_until":7,"stuck_at":9}}"#,
        r#"{"rebooting":{"tried":1,"since":5,"stuck_at":9}}"#,
        r#"{"releasing":{"ending":"timed_out","tried":3,"since":5}}"#,
    ];

    #[test]
    fn stored_attempts_of_release_34_are_read_and_written_as_before() {
        for text in STORED {
            let progress: progress::Progress = serde_json::from_str(text).unwrap();
            assert!(progress.phase().is_some(), "{text}");
            assert_eq!(serde_json::to_string(&progress).unwrap(), text);
        }
    }
}
