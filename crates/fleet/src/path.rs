//! Version paths (R15): on which versions a release may be installed, and by which steps an older platform reaches
//! it. The steps are data in the package's manifest; nothing here knows a particular version.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::version::{Release, Version};

/// One step of a version path: `to` may be installed on `from` or later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The version that the step installs.
    pub to: Version,
    /// The oldest version that it may be installed on.
    pub from: Version,
    /// Why it cannot be installed on an older version, in a sentence for the operator.
    pub reason: String,
}

/// The steps that lead to one release. The last step installs the release itself; the steps before it bring older
/// versions to where it can be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(pub Vec<Step>);

/// Why a release cannot be installed on a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffPath {
    /// Other releases must be installed first, in this order; the last step is the release itself.
    StepSkipped {
        /// The version that runs.
        from: Version,
        /// Every step that is left, each with its reason.
        steps: Vec<Step>,
    },
    /// The version that runs is newer (R20: the way down is a restore point).
    Older {
        /// The version that runs.
        from: Version,
        /// The version of the package.
        to: Version,
    },
    /// A later build of the same version runs.
    OlderBuild {
        /// The release that runs.
        from: Release,
        /// The release of the package.
        to: Release,
    },
    /// No known step starts at a version as old as this.
    TooOld {
        /// The version that runs.
        from: Version,
        /// The oldest version that the path starts from.
        oldest: Version,
    },
}

impl fmt::Display for OffPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StepSkipped { from, steps } => {
                write!(f, "this platform runs {from}; upgrade")?;
                for (position, step) in steps.iter().enumerate() {
                    let link = if position == 0 { " to" } else { ", then to" };
                    write!(f, "{link} {}", step.to)?;
                }
                match steps.last() {
                    Some(step) => write!(f, " ({} needs {} or later: {})", step.to, step.from, step.reason),
                    None => Ok(()),
                }
            }
            Self::Older { from, to } => write!(
                f,
                "this platform runs {from}, which is newer than {to}; to go back, restore the Management Node \
                 from its restore point"
            ),
            Self::OlderBuild { from, to } => write!(
                f,
                "this platform runs {from}, which is a later build than {to}; upload the package of that build, or \
                 of a later release"
            ),
            Self::TooOld { from, oldest } => write!(
                f,
                "this platform runs {from}; no upgrade path is known from before {oldest}, so deploy it anew"
            ),
        }
    }
}

impl Path {
    /// Checks that the release at the end of this path may be installed on `from`.
    ///
    /// The release itself may be installed again (R9): the caller decides whether it is the same one.
    ///
    /// # Errors
    /// Why it may not, with every step that is left.
    pub fn admits(&self, from: Version) -> Result<(), OffPath> {
        let Some(last) = self.0.last() else {
            return Err(OffPath::TooOld { from, oldest: from });
        };
        if from > last.to {
            return Err(OffPath::Older { from, to: last.to });
        }
        if from >= last.from {
            return Ok(());
        }
        // The fewest steps: the last one that may start here, and all after it.
        match self.0.iter().rposition(|step| step.from <= from) {
            Some(first) => Err(OffPath::StepSkipped { from, steps: self.0[first..].to_vec() }),
            None => {
                let oldest = self.0.iter().map(|step| step.from).min().unwrap_or(from);
                Err(OffPath::TooOld { from, oldest })
            }
        }
    }

    /// Checks that `to`, the release at the end of this path, may be installed on the release `from`. A later
    /// build of the same version may: that is how a rebuilt release replaces a bad one. The same release may be
    /// installed again (R9), and the caller decides whether it is of the same package.
    ///
    /// # Errors
    /// Why it may not.
    pub fn admits_release(&self, from: Release, to: Release) -> Result<(), OffPath> {
        self.admits(from.version)?;
        if from.version == to.version && from.build > to.build {
            return Err(OffPath::OlderBuild { from, to });
        }
        Ok(())
    }

    /// Whether the path leads to `version`, every step starts where an earlier one may have ended,
    /// and no step leads backwards.
    pub fn leads_to(&self, version: Version) -> bool {
        let forward = self.0.iter().all(|step| step.from <= step.to);
        let joined = self.0.windows(2).all(|pair| pair[0].to >= pair[1].from && pair[0].to < pair[1].to);
        forward && joined && self.0.last().is_some_and(|step| step.to == version)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::version::Build;

    fn step(to: (u16, u16), from: (u16, u16), reason: &str) -> Step {
        Step { to: Version::new(to.0, to.1), from: Version::new(from.0, from.1), reason: reason.into() }
    }

    /// The path of the operator's guide.
    fn to_34() -> Path {
        Path(vec![
            step((27, 4), (22, 0), "the configuration store changed"),
            step((31, 4), (27, 0), "the licence format changed"),
            step((34, 0), (31, 4), "the operating system changed"),
        ])
    }

    fn check(from: (u16, u16), expected: &str) {
        let answer = match to_34().admits(Version::new(from.0, from.1)) {
            Ok(()) => "may be installed".to_string(),
            Err(reason) => reason.to_string(),
        };
        assert_eq!(answer, expected);
    }

    #[test]
    fn step_that_would_be_skipped_is_named_r15() {
        let why = "(34 needs 31.4 or later: the operating system changed)";
        check((31, 4), "may be installed");
        check((33, 1), "may be installed");
        check((34, 0), "may be installed");
        check((31, 3), &alloc::format!("this platform runs 31.3; upgrade to 31.4, then to 34 {why}"));
        check((27, 0), &alloc::format!("this platform runs 27; upgrade to 31.4, then to 34 {why}"));
        check(
            (26, 0),
            &alloc::format!("this platform runs 26; upgrade to 27.4, then to 31.4, then to 34 {why}"),
        );
    }

    #[test]
    fn there_is_no_path_down_and_none_from_before_the_first_step() {
        check(
            (35, 0),
            "this platform runs 35, which is newer than 34; to go back, restore the Management Node from its \
             restore point",
        );
        check((21, 0), "this platform runs 21; no upgrade path is known from before 22, so deploy it anew");
    }

    #[test]
    fn path_with_a_missing_step_leads_nowhere() {
        assert!(to_34().leads_to(Version::new(34, 0)));
        assert!(!to_34().leads_to(Version::new(34, 1)));
        let mut holed = to_34();
        holed.0.remove(1);
        assert!(!holed.leads_to(Version::new(34, 0)));
        let mut twice = to_34();
        twice.0.push(step((34, 0), (31, 4), "the operating system changed"));
        assert!(!twice.leads_to(Version::new(34, 0)));
    }

    #[test]
    fn later_build_of_a_version_may_replace_an_earlier_one_and_not_the_reverse() {
        let of = |version, build| Release { version, build: Build(build) };
        let (from, to) = (Version::new(31, 4), Version::new(34, 0));
        for admitted in [of(from, 9), of(to, 1), of(to, 2)] {
            assert_eq!(to_34().admits_release(admitted, of(to, 2)), Ok(()));
        }
        let refused = to_34().admits_release(of(to, 3), of(to, 2));
        assert_eq!(refused, Err(OffPath::OlderBuild { from: of(to, 3), to: of(to, 2) }));
    }
}
