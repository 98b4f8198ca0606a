//! A process is killed for good at each single change of a real disk; what it leaves behind starts.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use slots::{Attempt, Disk, Entry, Kind, Machine, RealDisk, Result, Slot, SlotIdentity, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const TRIES: u32 = 3;
const ROOT: &str = "SLOTS_TEST_ROOT";
const CHANGES: &str = "SLOTS_TEST_CHANGES";

/// The real disk, whose user is killed before the change after the last allowed one.
#[derive(Debug)]
struct DeadlyDisk {
    left: AtomicUsize,
}

impl DeadlyDisk {
    fn change<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            kill_process(getpid(), Signal::KILL)?;
        }
        change()
    }
}

impl Disk for DeadlyDisk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        RealDisk.read(path, limit)
    }
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        RealDisk.kind(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(dir)
    }
    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        self.change(|| RealDisk.write(path, contents))
    }
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|| RealDisk.create_dir(dir))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| RealDisk.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|| RealDisk.remove_file(path))
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|| RealDisk.remove_dir(dir))
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.change(|| RealDisk.sync_file(path))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|| RealDisk.sync_dir(dir))
    }
}

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

/// The life that is cut short: does nothing unless the test below started it for that.
#[test]
fn an_upgrade_that_may_be_killed() {
    let (Some(root), Some(changes)) = (env::var_os(ROOT), env::var_os(CHANGES)) else { return };
    let left = AtomicUsize::new(changes.to_str().unwrap().parse().unwrap());
    let machine = Machine::on(root, Arc::new(DeadlyDisk { left }));
    upgrade(&machine, Slot::A, 2).unwrap();
    upgrade(&machine, Slot::B, 3).unwrap();
}

fn killed_after(changes: usize, root: &Path) -> ExitStatus {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "an_upgrade_that_may_be_killed", "--nocapture"])
        .env(ROOT, root)
        .env(CHANGES, changes.to_string())
        .output()
        .unwrap()
        .status
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
fn a_process_killed_at_any_change_leaves_a_machine_that_starts_and_can_be_upgraded() {
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
