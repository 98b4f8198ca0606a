//! The names of the files of backups. A name says what the encrypted file does not: which release has made it, when,
//! and whether the schedule did. A text that is a name is safe in a path. Pure.

use std::fmt;
use std::str::FromStr;

use fleet::time::Wall;
use fleet::version::{Build, Release};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The end of every name: what it is for the stock tools, from the inside out.
const ENDING: &str = ".tar.zst.age";

/// The moment in a name, in UTC.
const MOMENT: &str = "%Y%m%dT%H%M%SZ";

/// Who has made a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MadeBy {
    /// Somebody has asked for it.
    Request,
    /// The schedule.
    Schedule,
}

impl MadeBy {
    /// Its identifier in answers.
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Request => "manual",
            Self::Schedule => "automatic",
        }
    }

    const fn beginning(self) -> &'static str {
        match self {
            Self::Request => "backup",
            Self::Schedule => "autobackup",
        }
    }
}

/// The name of a backup: `backup-34.1-34100-20261130T193300Z.tar.zst.age`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackupName {
    /// Who has made it.
    pub(crate) made_by: MadeBy,
    /// The release that has made it.
    pub(crate) release: Release,
    /// When, in whole seconds.
    pub(crate) moment: Timestamp,
}

/// The text is no name of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotABackupName;

impl BackupName {
    /// The name of a backup that is made at this time of the wall clock.
    pub(crate) fn new(made_by: MadeBy, release: Release, made: Wall) -> Self {
        let seconds = i64::try_from(made.0 / 1_000).unwrap_or(i64::MAX);
        Self { made_by, release, moment: Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX) }
    }

    /// The same a second later.
    pub(super) fn later(self) -> Self {
        let next = Timestamp::from_second(self.moment.as_second().saturating_add(1));
        Self { moment: next.unwrap_or(self.moment), ..self }
    }

    /// When it was made, by the wall clock.
    pub(crate) fn made(&self) -> Wall {
        Wall(u64::try_from(self.moment.as_second()).unwrap_or(0).saturating_mul(1_000))
    }

    /// When it was made, in whole seconds of UTC, as the management API shows it.
    pub(crate) fn date(&self) -> String {
        self.moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Release { version, build } = self.release;
        let moment = self.moment.strftime(MOMENT);
        write!(f, "{}-{version}-{build}-{moment}{ENDING}", self.made_by.beginning())
    }
}

impl FromStr for BackupName {
    type Err = NotABackupName;

    fn from_str(text: &str) -> Result<Self, NotABackupName> {
        // Only what is written exactly so, lest two texts are one backup.
        parsed(text).filter(|name| name.to_string() == text).ok_or(NotABackupName)
    }
}

fn parsed(text: &str) -> Option<BackupName> {
    let mut parts = text.strip_suffix(ENDING)?.split('-');
    let beginning = parts.next()?;
    let made_by = [MadeBy::Request, MadeBy::Schedule].into_iter().find(|it| it.beginning() == beginning)?;
    let release = Release { version: parts.next()?.parse().ok()?, build: Build(parts.next()?.parse().ok()?) };
    let moment = DateTime::strptime(MOMENT, parts.next()?).ok()?;
    let moment = TimeZone::UTC.to_timestamp(moment).ok()?;
    parts.next().is_none().then_some(BackupName { made_by, release, moment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_says_who_has_made_the_backup_with_which_release_and_when() {
        let check = |made_by, expected: &str, date: &str| {
            let name = BackupName::new(made_by, Release::PRESENT, Wall(1_796_067_180_999));
            assert_eq!((name.to_string().as_str(), name.date().as_str()), (expected, date));
            assert_eq!(expected.parse(), Ok(name));
            assert_eq!(name.made(), Wall(1_796_067_180_000));
        };
        check(MadeBy::Request, "backup-34.1-34100-20261130T193300Z.tar.zst.age", "2026-11-30T19:33:00");
        check(MadeBy::Schedule, "autobackup-34.1-34100-20261130T193300Z.tar.zst.age", "2026-11-30T19:33:00");
    }

    #[test]
    fn text_that_is_written_otherwise_is_no_name() {
        for text in [
            "",
            "store.db",
            "../backup-34.1-34100-20261130T193300Z.tar.zst.age",
            "backup-34.1-34100-20261130T193300Z.tar.zst.age/..",
            "backup-34.1-34100-20261130T193300Z.tar.zst.age.sha256",
            "backup-34.1-034100-20261130T193300Z.tar.zst.age",
            "backup-34.1-34100-20261131T193300Z.tar.zst.age",
            "backup-34.1-34100-20261130T193300Z-x.tar.zst.age",
            "backup-34.1-20261130T193300Z.tar.zst.age",
        ] {
            assert_eq!(text.parse::<BackupName>(), Err(NotABackupName), "{text}");
        }
    }
}
