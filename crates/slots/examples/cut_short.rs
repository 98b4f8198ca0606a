//! Two upgrades on a real disk by a process that kills itself before the change after the last allowed one.
//! For `tests/killed.rs`, which starts it with the root directory and the number of allowed changes.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use slots::{Disk, Entry, Kind, Machine, RealDisk, Result, Slot, SlotIdentity, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const TRIES: u32 = 3;

/// The real disk; kills this process before the change after the last allowed one.
#[derive(Debug)]
struct KillingDisk {
    left: AtomicUsize,
}

impl KillingDisk {
    fn change<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            kill_process(getpid(), Signal::KILL)?;
        }
        change()
    }
}

impl Disk for KillingDisk {
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

fn upgrade(machine: &Machine, running: Slot, release: u32) -> Result<()> {
    let staging = machine.begin_staging(running)?;
    unpack(&staging.dir(), release);
    staging.finish(&identity(release))?;
    machine.select(&identity(release).manifest)?;
    let start = machine.next_start(TRIES, NOW)?;
    machine.confirm(start.slot)
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [root, changes] = arguments.as_slice() else { panic!("usage: cut_short ROOT CHANGES") };
    let left = AtomicUsize::new(changes.parse().unwrap());
    let machine = Machine::on(root, Arc::new(KillingDisk { left }));
    upgrade(&machine, Slot::A, 2).unwrap();
    upgrade(&machine, Slot::B, 3).unwrap();
}
