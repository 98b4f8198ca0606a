//! A process is killed before each single change of a real disk; the machine starts afterwards.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::process::Signal;
use slots::{Attempt, Machine, Result, Slot, SlotIdentity, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const TRIES: u32 = 3;

fn identity(release: u32) -> SlotIdentity {
    SlotIdentity::new(format!("{release:064x}"), format!("{release}"), release * 100, "bin/program".into())
}

fn unpack(dir: &Path, release: u32) {
    fs::create_dir(dir.join("bin")).unwrap();
    let program = dir.join("bin/program");
    fs::write(&program, format!("release {release}")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

fn install(root: &Path) {
    let staging = Machine::open(root).install_first().unwrap();
    unpack(&staging.dir(), 1);
    staging.finish(&identity(1)).unwrap();
}

fn upgrade(machine: &Machine, running: Slot, release: u32) -> Result<()> {
    let staging = machine.begin_staging(running)?;
    unpack(&staging.dir(), release);
    staging.finish(&identity(release))?;
    machine.select(&identity(release).manifest)?;
    let start = machine.next_start(TRIES, NOW)?;
    machine.confirm(start.slot)
}

/// The example beside this test; cargo builds it along with the tests.
fn cut_short() -> PathBuf {
    let example = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/cut_short");
    assert!(example.exists(), "build it first: cargo build -p slots --example cut_short");
    example
}

fn killed_after(changes: usize, root: &Path) -> ExitStatus {
    Command::new(cut_short()).arg(root).arg(changes.to_string()).output().unwrap().status
}

fn starts_whole_and_can_be_upgraded(root: &Path) {
    let machine = Machine::open(root);
    let mut running = machine.next_start(TRIES, NOW).unwrap();
    while running.attempt != Attempt::Confirmed {
        running = machine.next_start(TRIES, NOW).unwrap();
    }
    let release = running.identity.build / 100;
    assert_eq!(running.identity, identity(release));
    assert_eq!(fs::read_to_string(&running.program).unwrap(), format!("release {release}"));
    upgrade(&machine, running.slot, 9).unwrap();
    let tried = machine.next_start(TRIES, NOW).unwrap();
    assert_eq!((tried.identity, tried.attempt), (identity(9), Attempt::Confirmed));
}

#[test]
fn process_killed_at_any_change_leaves_a_machine_that_starts_and_can_be_upgraded() {
    let mut killed = 0;
    loop {
        let root = tempfile::tempdir().unwrap();
        install(root.path());
        let end = killed_after(killed, root.path());
        starts_whole_and_can_be_upgraded(root.path());
        if end.success() {
            break;
        }
        assert_eq!(end.signal(), Some(Signal::KILL.as_raw()), "it ended by itself: {end}");
        killed += 1;
    }
    assert!(killed > 30, "only {killed} changes were cut");
}
