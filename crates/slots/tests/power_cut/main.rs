//! The power goes after every single change of the disk, with every outcome of what was not durable yet:
//! the machine starts afterwards, with a complete release, and can be upgraded.

mod disk;
mod refused;

use std::path::Path;
use std::sync::Arc;

use disk::{FakeDisk, Fate, Honesty, root};
use slots::{Attempt, Disk, Error, Machine, Result, Slot, SlotIdentity, Start, UnixMillis, Why};

const TRIES: u32 = 3;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Up to this many pending changes every combination of fates is gone through; above it the extremes and
/// each single exception.
const ALL_COMBINATIONS_UP_TO: usize = 6;

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

fn installed(honesty: Honesty) -> FakeDisk {
    let disk = Arc::new(FakeDisk::new(honesty));
    let machine = Machine::on(root(), disk.clone());
    let staging = machine.install_first().unwrap();
    unpack(&*disk, &staging.dir(), 1);
    staging.finish(&identity(1)).unwrap();
    drop(machine);
    Arc::into_inner(disk).unwrap()
}

/// What is certain at a moment: a machine that starts again must not be behind it.
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

/// A history of a machine; ends early, with an error, when the power goes.
type History = fn(&Machine, &dyn Disk, &mut Certain) -> Result<()>;

fn stage(machine: &Machine, disk: &dyn Disk, running: Slot, release: u32) -> Result<()> {
    let staging = machine.begin_staging(running)?;
    unpack(disk, &staging.dir(), release);
    staging.finish(&identity(release))
}

fn select(machine: &Machine, release: u32, certain: &mut Certain) -> Result<()> {
    certain.left = None;
    machine.select(&identity(release).manifest)?;
    (certain.selected, certain.starts) = (Some(release), 0);
    Ok(())
}

fn start(machine: &Machine, certain: &mut Certain) -> Result<Start> {
    let tried = certain.selected;
    if certain.starts >= TRIES {
        certain.selected = None;
    }
    let start = machine.next_start(TRIES, NOW)?;
    match (start.attempt, &start.fell_back) {
        (Attempt::Trying { attempt }, _) => certain.starts = attempt,
        (Attempt::Confirmed, Some(_)) => (certain.left, certain.starts) = (tried, 0),
        (Attempt::Confirmed, None) => {}
    }
    Ok(start)
}

fn confirm(machine: &Machine, slot: Slot, release: u32, certain: &mut Certain) -> Result<()> {
    certain.selected = None;
    machine.confirm(slot)?;
    *certain = Certain { confirmed: release, ..Certain::default() };
    Ok(())
}

fn fall_back(machine: &Machine, certain: &mut Certain) -> Result<()> {
    let tried = certain.selected.take();
    machine.fall_back(Why::NeverConfirmed { within_seconds: 300 }, NOW)?;
    (certain.left, certain.starts) = (tried, 0);
    Ok(())
}

fn two_good_upgrades(machine: &Machine, disk: &dyn Disk, certain: &mut Certain) -> Result<()> {
    stage(machine, disk, Slot::A, 2)?;
    stage(machine, disk, Slot::A, 3)?;
    select(machine, 3, certain)?;
    start(machine, certain)?;
    start(machine, certain)?;
    confirm(machine, Slot::B, 3, certain)?;
    start(machine, certain)?;
    stage(machine, disk, Slot::B, 4)?;
    select(machine, 4, certain)?;
    start(machine, certain)?;
    confirm(machine, Slot::A, 4, certain)
}

fn a_release_that_uses_up_its_tries(machine: &Machine, disk: &dyn Disk, certain: &mut Certain) -> Result<()> {
    stage(machine, disk, Slot::A, 2)?;
    select(machine, 2, certain)?;
    for _ in 0..=TRIES {
        start(machine, certain)?;
    }
    stage(machine, disk, Slot::A, 3)?;
    select(machine, 3, certain)
}

fn a_release_that_never_confirms(machine: &Machine, disk: &dyn Disk, certain: &mut Certain) -> Result<()> {
    stage(machine, disk, Slot::A, 2)?;
    select(machine, 2, certain)?;
    start(machine, certain)?;
    fall_back(machine, certain)?;
    start(machine, certain)?;
    select(machine, 2, certain)
}

/// Every way the pending changes can end, up to the limit; always all, none and each single exception.
fn fates(pending: usize) -> Vec<Vec<Fate>> {
    if pending <= ALL_COMBINATIONS_UP_TO {
        let outcome = [Fate::Survives, Fate::Lost, Fate::Torn];
        let combination = |mut number: usize| {
            let mut fates = Vec::with_capacity(pending);
            for _ in 0..pending {
                fates.push(outcome[number % 3]);
                number /= 3;
            }
            fates
        };
        return (0..3_usize.pow(u32::try_from(pending).unwrap())).map(combination).collect();
    }
    let mut all = vec![vec![Fate::Survives; pending], vec![Fate::Lost; pending], vec![Fate::Torn; pending]];
    for at in 0..pending {
        for (most, one) in
            [(Fate::Survives, Fate::Lost), (Fate::Survives, Fate::Torn), (Fate::Lost, Fate::Survives)]
        {
            let mut fates = vec![most; pending];
            fates[at] = one;
            all.push(fates);
        }
    }
    all
}

/// Says what is wrong with a machine that came back, if anything is.
fn fault(disk: FakeDisk, certain: &Certain) -> Option<String> {
    let disk = Arc::new(disk);
    let machine = Machine::on(root(), disk.clone());
    let verdict = recovered(&machine, &*disk, certain);
    verdict.err()
}

fn recovered(machine: &Machine, disk: &dyn Disk, certain: &Certain) -> std::result::Result<(), String> {
    staged_is_whole(machine, disk)?;
    let first = machine.next_start(TRIES, NOW).map_err(|error| format!("it does not start: {error}"))?;
    complete(disk, machine, &first)?;
    not_behind(&first, certain)?;
    upgradable(machine, disk)
}

fn staged_is_whole(machine: &Machine, disk: &dyn Disk) -> std::result::Result<(), String> {
    let staged = machine.staged().map_err(|error| format!("the inactive slot is half a release: {error}"))?;
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
        return Err(format!("{} has a strange identity {found:?}", dir.display()));
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

/// Whatever it is doing is brought to an end, and then a whole new upgrade succeeds.
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

/// The first fault over all cuts of a history, and how many machines were looked at.
fn cut_everywhere(honesty: Honesty, history: History) -> (Option<String>, usize) {
    let before = installed(honesty);
    let mut looked_at = 0;
    for cut in 0.. {
        let disk = Arc::new(before.with_fuse(cut));
        let machine = Machine::on(root(), disk.clone());
        let mut certain = Certain { confirmed: 1, ..Certain::default() };
        let end = history(&machine, &*disk, &mut certain);
        for fates in fates(disk.pending()) {
            looked_at += 1;
            if let Some(fault) = fault(disk.after_the_cut(&fates), &certain) {
                return (
                    Some(format!("cut after {cut} changes, {fates:?}, {certain:?}: {fault}")),
                    looked_at,
                );
            }
        }
        match end {
            Ok(()) => return (None, looked_at),
            Err(Error::Disk { .. } | Error::MayBeInForce { .. }) => {}
            Err(Error::NotARelease { .. }) => {} // The power went while unpacking.
            Err(other) => panic!("cut after {cut} changes: {other}"),
        }
    }
    unreachable!("a history has an end")
}

fn check(history: History, at_least: usize) {
    let (fault, looked_at) = cut_everywhere(Honesty::Honest, history);
    assert_eq!(fault, None);
    assert!(looked_at >= at_least, "only {looked_at} machines were looked at");
}

#[test]
fn two_upgrades_survive_a_power_cut_after_every_change() {
    check(two_good_upgrades, 1_000);
}

#[test]
fn using_up_the_tries_survives_a_power_cut_after_every_change() {
    check(a_release_that_uses_up_its_tries, 500);
}

#[test]
fn a_fall_back_survives_a_power_cut_after_every_change() {
    check(a_release_that_never_confirms, 300);
}

#[test]
fn a_cut_during_the_first_installation_leaves_a_machine_that_can_be_installed() {
    for cut in 0.. {
        let disk = Arc::new(FakeDisk::new(Honesty::Honest).with_fuse(cut));
        let install = |disk: &Arc<FakeDisk>| {
            let staging = Machine::on(root(), disk.clone()).install_first()?;
            unpack(&**disk, &staging.dir(), 1);
            staging.finish(&identity(1))
        };
        let done = install(&disk).is_ok();
        for fates in fates(disk.pending()) {
            let survivor = Arc::new(disk.after_the_cut(&fates));
            match install(&survivor) {
                Ok(()) => assert!(!done, "a finished installation was lost"),
                Err(Error::AlreadyInstalled { .. }) => {}
                Err(other) => panic!("cut after {cut} changes, {fates:?}: {other}"),
            }
            let certain = Certain { confirmed: 1, ..Certain::default() };
            let survivor = Arc::into_inner(survivor).unwrap();
            assert_eq!(fault(survivor, &certain), None, "cut after {cut} changes, {fates:?}");
        }
        if done {
            return;
        }
    }
}

#[test]
fn the_proof_notices_a_disk_that_does_not_make_files_durable() {
    assert!(cut_everywhere(Honesty::ForgetsFiles, two_good_upgrades).0.is_some());
}

#[test]
fn the_proof_notices_a_disk_that_does_not_make_names_durable() {
    assert!(cut_everywhere(Honesty::ForgetsDirectories, two_good_upgrades).0.is_some());
}
