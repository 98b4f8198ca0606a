//! Power cuts after every change that an installation, an upgrade and a start make on a disk, as recorded of real
//! programs, with every outcome of the changes that were not durable. The machine then starts a complete release,
//! and none older than what was acknowledged.

mod history;
#[path = "../support/signed.rs"]
mod signed;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use faultfs::{Change, CrashState, Record, Tally, cut_everywhere, lay_out};
use history::{boot, end, fill, number, release, wait};
use signed::SlotFile;
use slots::{Attempt, Error, Machine, Slot, Start, UnixMillis};
use tempfile::TempDir;

const TRIES: u32 = 2;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Every so many disks a real `pitlane-boot` is started on one.
const REALLY_STARTED: usize = 20;

/// What has been acknowledged at the power cut: a machine that starts again must not be behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Certain {
    confirmed: Option<u32>,
    selected: Option<u32>,
    /// Its fall-back may have begun.
    trying: bool,
    left: Option<u32>,
    staged: Option<u32>,
}

impl Certain {
    fn after(marks: &[&str]) -> Self {
        marks.iter().fold(Self::default(), |certain, mark| certain.and(mark))
    }

    fn and(self, mark: &str) -> Self {
        let (what, release) = mark.split_once(' ').unwrap_or((mark, ""));
        let release = release.parse().ok();
        match what {
            "confirmed" => Self { confirmed: release, ..Self::default() },
            "staging" => Self { staged: None, ..self },
            "staged" => Self { staged: release, ..self },
            "selected" => Self { selected: release, left: None, ..self },
            "trying" => Self { trying: true, ..self },
            "left" => Self { left: release, selected: None, trying: false, ..self },
            other => panic!("no such mark: {other}"),
        }
    }
}

/// Looks at the disks one after another, each in a folder of its own.
struct Inspector {
    folder: TempDir,
    looked_at: usize,
    started: usize,
}

impl Inspector {
    fn look(&mut self, state: &CrashState<'_>) -> Result<(), String> {
        self.looked_at += 1;
        let certain = Certain::after(state.marks);
        let start = self.in_a_folder(state, |root| starts(&installed(root, &certain)?, &certain))?;
        if !self.looked_at.is_multiple_of(REALLY_STARTED) {
            return Ok(());
        }
        self.started += 1;
        let log = self.folder.path().join("boot.log");
        self.in_a_folder(state, |root| really_starts(installed(root, &certain)?.root(), &log, start.slot))
    }

    fn in_a_folder<T>(
        &self,
        state: &CrashState<'_>,
        look: impl FnOnce(&Path) -> Result<T, String>,
    ) -> Result<T, String> {
        let root = self.folder.path().join("machine");
        lay_out(state.nodes, &root).map_err(|error| error.to_string())?;
        let found = look(&root);
        fs::remove_dir_all(&root).map_err(|error| error.to_string())?;
        found
    }
}

/// An installation that was cut short is done again.
fn installed(root: &Path, certain: &Certain) -> Result<Machine, String> {
    let machine = Machine::open(root);
    if certain.confirmed.is_some() {
        return Ok(machine);
    }
    let installed = machine.install_first().and_then(|staging| fill(staging, 1));
    match installed {
        Ok(()) | Err(Error::AlreadyInstalled { .. }) => Ok(machine),
        Err(other) => Err(format!("it cannot be installed: {other}")),
    }
}

/// A whole release starts, and none that is behind.
fn starts(machine: &Machine, certain: &Certain) -> Result<Start, String> {
    staged(machine, certain)?;
    let start = machine.next_start(TRIES, NOW).map_err(|error| format!("it does not start: {error}"))?;
    whole(&machine.slot_dir(start.slot), number(&start.identity))?;
    not_behind(&start, certain)?;
    Ok(start)
}

/// What lies in the inactive slot is a whole release, and the one that was staged.
fn staged(machine: &Machine, certain: &Certain) -> Result<(), String> {
    let staged = machine.staged().map_err(|error| format!("the inactive slot is damaged: {error}"))?;
    let record = machine.record().map_err(|error| error.to_string())?;
    if let Some(staged) = &staged {
        whole(&machine.slot_dir(record.confirmed.other()), number(staged))?;
    }
    let staged = staged.as_ref().map(number);
    if certain.staged.is_some() && certain.selected.is_none() && staged != certain.staged {
        return Err(format!("{:?} was staged and {staged:?} is there", certain.staged));
    }
    Ok(())
}

fn whole(dir: &Path, number: u32) -> Result<(), String> {
    for SlotFile { name, contents, mode: _ } in &release(number).files {
        if fs::read(dir.join(name)).ok().as_ref() != Some(contents) {
            return Err(format!("{name} of release {number} in {} is not whole", dir.display()));
        }
    }
    Ok(())
}

fn not_behind(start: &Start, certain: &Certain) -> Result<(), String> {
    let release = number(&start.identity);
    let tried = matches!(start.attempt, Attempt::Trying { .. });
    match certain {
        Certain { selected: Some(selected), trying: false, .. } if release != *selected => {
            Err(format!("release {selected} was selected and {release} starts"))
        }
        Certain { left: Some(left), .. } if release == *left => {
            Err(format!("release {release} starts again after it was left"))
        }
        Certain { confirmed: Some(confirmed), selected, .. }
            if release != *confirmed && *selected != Some(release) && !tried =>
        {
            Err(format!("release {confirmed} was confirmed and {release} starts"))
        }
        Certain { .. } => Ok(()),
    }
}

/// A real `pitlane-boot` starts the release in that slot, and the release runs.
fn really_starts(root: &Path, log: &Path, slot: Slot) -> Result<(), String> {
    let journal = || fs::read(root.join("journal")).unwrap_or_default();
    let before = journal().len();
    let boot = boot(root, log);
    let written = || String::from_utf8_lossy(&journal()[before..]).into_owned();
    let output = || format!("{}{}", written(), fs::read_to_string(log).unwrap_or_default());
    wait("a release that runs", output, |_| written().contains(" runs "));
    end(boot);
    let first = written();
    match first.trim_start_matches('\0').starts_with(&format!("{slot} runs ")) {
        true => Ok(()),
        false => Err(format!("slot {slot} was to start, and this ran: {first}")),
    }
}

fn inspect(record: &Record) -> Result<(Tally, usize), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut inspector = Inspector { folder, looked_at: 0, started: 0 };
    let tally = cut_everywhere(record, nothing_passes, |state| inspector.look(state))?;
    Ok((tally, inspector.started))
}

fn nothing_passes(_: &OsStr) -> bool {
    false
}

fn check(record: &Record, at_least: usize) {
    let (tally, started) = inspect(record).unwrap_or_else(|fault| panic!("{fault}"));
    println!("{tally}; {started} of them started with pitlane-boot, all good");
    assert!(tally.distinct >= at_least && started > 0, "only {tally}, {started} started");
}

#[test]
fn two_upgrades_survive_a_power_cut_after_every_change() {
    check(&history::two_good_upgrades(), 500);
}

#[test]
fn fall_back_survives_a_power_cut_after_every_change() {
    check(&history::a_fall_back(), 300);
}

fn is_sync(change: &Change) -> bool {
    matches!(change, Change::Sync { .. })
}

fn is_sync_dir(change: &Change) -> bool {
    matches!(change, Change::SyncDir { .. })
}

#[test]
fn test_fails_on_a_disk_that_does_not_make_changes_durable() {
    let record = history::a_fall_back();
    for forgets in [is_sync, is_sync_dir] as [fn(&Change) -> bool; 2] {
        let changes = record.changes.iter().filter(|change| !forgets(change)).cloned().collect();
        let forgetful = Record { before: record.before.clone(), changes };
        assert!(inspect(&forgetful).is_err(), "a disk that makes nothing durable was not noticed");
    }
}
