//! Power cuts after every single change of the disk, with every outcome of the changes that were not durable:
//! the machine starts afterwards, with a complete release, and can be upgraded.
//!
//! The machine runs on a disk in memory that records its changes; `faultfs` enumerates what power cuts leave.

mod disk;
mod refused;

use std::path::Path;
use std::sync::Arc;

use disk::{MemoryDisk, root};
use faultfs::{Change, Nodes, Outcome, Record, Tally, cut_at_end, cut_everywhere};
use slots::{Attempt, Disk, Error, Machine, Result, Slot, SlotIdentity, Start, UnixMillis, Why};

const TRIES: u32 = 3;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn identity(release: u32) -> SlotIdentity {
    SlotIdentity::new(format!("{release:064x}"), format!("{release}"), release * 100, "bin/program".into())
}

fn files(release: u32) -> [(&'static str, Vec<u8>); 3] {
    [
        ("manifest.json", format!("the manifest of {release}").into_bytes()),
        ("bin/program", format!("the program of {release}").into_bytes()),
        ("bin/helper", format!("the helper of {release}").into_bytes()),
    ]
}

/// What the package crate does: plain writes, nothing synced.
fn unpack(disk: &dyn Disk, dir: &Path, release: u32) {
    let _ = disk.create_dir(&dir.join("bin"));
    for (name, contents) in files(release) {
        let _ = disk.write(&dir.join(name), &contents);
    }
}

fn install(disk: &Arc<MemoryDisk>) -> Result<()> {
    let staging = Machine::on(root(), disk.clone()).install_first()?;
    unpack(&**disk, &staging.dir(), 1);
    staging.finish(&identity(1))
}

/// A disk with release 1 installed, all of it durable.
fn installed() -> MemoryDisk {
    let disk = Arc::new(MemoryDisk::empty());
    install(&disk).unwrap();
    assert_eq!(cut_at_end(&disk.record(), Outcome::Lost), disk.nodes(), "something was left unsynced");
    MemoryDisk::of(disk.nodes())
}

/// What has been acknowledged at a moment: a machine that starts again must not be behind it.
#[derive(Clone, Debug, Default)]
struct Certain {
    /// The release whose selection was acknowledged and that nothing has begun to end since.
    selected: Option<u32>,
    /// The starts that were handed out for it.
    starts: u32,
    /// The release whose confirmation was acknowledged last.
    confirmed: u32,
    /// The release whose fall-back was acknowledged and that nothing has begun to select since.
    left: Option<u32>,
}

/// A machine on a disk that records its changes.
struct Recorded {
    disk: Arc<MemoryDisk>,
    machine: Machine,
    /// What is certain at the beginning, and after each mark of the record.
    certain: Vec<Certain>,
}

impl Recorded {
    fn installed() -> Self {
        let disk = Arc::new(installed());
        let machine = Machine::on(root(), disk.clone());
        Self { disk, machine, certain: vec![Certain { confirmed: 1, ..Certain::default() }] }
    }

    fn now(&self) -> Certain {
        self.certain.last().unwrap().clone()
    }

    /// Sets a mark from which on this is certain.
    fn mark(&mut self, certain: Certain) {
        self.certain.push(certain);
        self.disk.mark();
    }

    fn stage(&self, running: Slot, release: u32) {
        stage(&self.machine, &*self.disk, running, release).unwrap();
    }

    fn select(&mut self, release: u32) {
        self.mark(Certain { left: None, ..self.now() });
        self.machine.select(&identity(release).manifest).unwrap();
        self.mark(Certain { selected: Some(release), starts: 0, ..self.now() });
    }

    fn start(&mut self) {
        let tried = self.now().selected;
        if self.now().starts >= TRIES {
            self.mark(Certain { selected: None, ..self.now() });
        }
        let start = self.machine.next_start(TRIES, NOW).unwrap();
        match (start.attempt, &start.fell_back) {
            (Attempt::Trying { attempt }, _) => self.mark(Certain { starts: attempt, ..self.now() }),
            (Attempt::Confirmed, Some(_)) => self.mark(Certain { left: tried, starts: 0, ..self.now() }),
            (Attempt::Confirmed, None) => {}
        }
    }

    fn confirm(&mut self, slot: Slot, release: u32) {
        self.mark(Certain { selected: None, ..self.now() });
        self.machine.confirm(slot).unwrap();
        self.mark(Certain { confirmed: release, ..Certain::default() });
    }

    fn fall_back(&mut self) {
        let tried = self.now().selected;
        self.mark(Certain { selected: None, ..self.now() });
        self.machine.fall_back(Why::NeverConfirmed { within_seconds: 300 }, NOW).unwrap();
        self.mark(Certain { left: tried, starts: 0, ..self.now() });
    }
}

fn stage(machine: &Machine, disk: &dyn Disk, running: Slot, release: u32) -> Result<()> {
    let staging = machine.begin_staging(running)?;
    unpack(disk, &staging.dir(), release);
    staging.finish(&identity(release))
}

/// What happens to a machine, step by step.
type History = fn(&mut Recorded);

fn two_good_upgrades(recorded: &mut Recorded) {
    recorded.stage(Slot::A, 2);
    recorded.stage(Slot::A, 3);
    recorded.select(3);
    recorded.start();
    recorded.start();
    recorded.confirm(Slot::B, 3);
    recorded.start();
    recorded.stage(Slot::B, 4);
    recorded.select(4);
    recorded.start();
    recorded.confirm(Slot::A, 4);
}

fn release_that_uses_up_its_tries(recorded: &mut Recorded) {
    recorded.stage(Slot::A, 2);
    recorded.select(2);
    for _ in 0..=TRIES {
        recorded.start();
    }
    recorded.stage(Slot::A, 3);
    recorded.select(3);
}

fn release_that_never_confirms(recorded: &mut Recorded) {
    recorded.stage(Slot::A, 2);
    recorded.select(2);
    recorded.start();
    recorded.fall_back();
    recorded.start();
    recorded.select(2);
}

/// Whether a machine with this disk starts again as it must.
fn recovers(nodes: &Nodes, certain: &Certain) -> std::result::Result<(), String> {
    let disk = Arc::new(MemoryDisk::of(nodes.clone()));
    let machine = &Machine::on(root(), disk.clone());
    let disk = &*disk;
    staged_is_whole(machine, disk)?;
    let first = machine.next_start(TRIES, NOW).map_err(|error| format!("it does not start: {error}"))?;
    complete(disk, machine, &first)?;
    not_behind(&first, certain)?;
    upgradable(machine, disk)
}

fn staged_is_whole(machine: &Machine, disk: &dyn Disk) -> std::result::Result<(), String> {
    let staged =
        machine.staged().map_err(|error| format!("the inactive slot holds a part of a release: {error}"))?;
    let Some(staged) = staged else { return Ok(()) };
    let slot = machine.record().unwrap().confirmed.other();
    whole(disk, &machine.slot_dir(slot), &staged)
}

fn complete(disk: &dyn Disk, machine: &Machine, start: &Start) -> std::result::Result<(), String> {
    whole(disk, &machine.slot_dir(start.slot), &start.identity)
}

fn whole(disk: &dyn Disk, dir: &Path, found: &SlotIdentity) -> std::result::Result<(), String> {
    let release = found.build / 100;
    if *found != identity(release) {
        return Err(format!("{} has an unexpected identity {found:?}", dir.display()));
    }
    for (name, contents) in files(release) {
        if disk.read(&dir.join(name), u64::MAX).ok() != Some(contents) {
            return Err(format!("{} of release {release} in {} is not whole", name, dir.display()));
        }
    }
    Ok(())
}

/// What was acknowledged before the cut still holds.
fn not_behind(first: &Start, certain: &Certain) -> std::result::Result<(), String> {
    let release = first.identity.build / 100;
    if release < certain.confirmed {
        return Err(format!("release {release} starts although {} was confirmed", certain.confirmed));
    }
    match (first.attempt, certain.selected) {
        (Attempt::Trying { .. }, _) if certain.left == Some(release) => {
            Err(format!("release {release} is tried again after it was left"))
        }
        (Attempt::Trying { attempt }, Some(_)) if attempt <= certain.starts => {
            Err(format!("try {attempt} is given twice"))
        }
        // One more try may have been counted and not handed out.
        (_, Some(selected)) if release != selected && certain.starts + 1 < TRIES => {
            Err(format!("release {selected} was selected and {release} starts"))
        }
        (Attempt::Trying { .. } | Attempt::Confirmed, _) => Ok(()),
    }
}

/// The tries of the selected release are used up, and then a whole new upgrade succeeds.
fn upgradable(machine: &Machine, disk: &dyn Disk) -> std::result::Result<(), String> {
    let failed = |error: Error| format!("it cannot be upgraded: {error}");
    let mut running = machine.next_start(TRIES, NOW).map_err(failed)?;
    while running.attempt != Attempt::Confirmed {
        running = machine.next_start(TRIES, NOW).map_err(failed)?;
    }
    stage(machine, disk, running.slot, 9).map_err(failed)?;
    machine.select(&identity(9).manifest).map_err(failed)?;
    let tried = machine.next_start(TRIES, NOW).map_err(failed)?;
    if tried.identity != identity(9) {
        return Err(format!("release 9 was selected and {} started", tried.identity));
    }
    whole(disk, &machine.slot_dir(tried.slot), &tried.identity)?;
    machine.confirm(tried.slot).map_err(failed)
}

/// Enumerates the power cuts of a history, on a disk that loses the syncs selected by `forgets`.
fn inspect(history: History, forgets: fn(&Change) -> bool) -> std::result::Result<Tally, String> {
    let mut recorded = Recorded::installed();
    history(&mut recorded);
    let mut record: Record = recorded.disk.record();
    record.changes.retain(|change| !forgets(change));
    cut_everywhere(
        &record,
        |_| false,
        |state| {
            let certain = &recorded.certain[state.marks.len()];
            recovers(state.nodes, certain).map_err(|fault| format!("{certain:?}: {fault}"))
        },
    )
}

fn check(history: History, states: usize, distinct: usize) {
    let tally = inspect(history, |_| false).unwrap_or_else(|fault| panic!("{fault}"));
    println!("{tally}");
    assert!(tally.states >= states && tally.distinct >= distinct, "only {tally}");
}

#[test]
fn two_upgrades_survive_a_power_cut_after_every_change() {
    check(two_good_upgrades, 10_000, 200);
}

#[test]
fn using_up_the_tries_survives_a_power_cut_after_every_change() {
    check(release_that_uses_up_its_tries, 5_000, 150);
}

#[test]
fn fall_back_survives_a_power_cut_after_every_change() {
    check(release_that_never_confirms, 1_500, 90);
}

#[test]
fn cut_during_the_first_installation_leaves_a_machine_that_can_be_installed() {
    let disk = Arc::new(MemoryDisk::empty());
    install(&disk).unwrap();
    disk.mark();
    let tally = cut_everywhere(
        &disk.record(),
        |_| false,
        |state| {
            let disk = Arc::new(MemoryDisk::of(state.nodes.clone()));
            match install(&disk) {
                Ok(()) if state.marks.is_empty() => {}
                Ok(()) => return Err("a finished installation was lost".into()),
                Err(Error::AlreadyInstalled { .. }) => {}
                Err(other) => return Err(other.to_string()),
            }
            recovers(&disk.nodes(), &Certain { confirmed: 1, ..Certain::default() })
        },
    );
    let tally = tally.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(tally.states >= 1_500 && tally.distinct >= 80, "only {tally}");
}

#[test]
fn test_fails_on_a_disk_that_does_not_make_contents_durable() {
    assert!(inspect(two_good_upgrades, |change| matches!(change, Change::Sync { .. })).is_err());
}

#[test]
fn test_fails_on_a_disk_that_does_not_make_names_durable() {
    assert!(inspect(two_good_upgrades, |change| matches!(change, Change::SyncDir { .. })).is_err());
}
