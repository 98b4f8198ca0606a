//! Upgrades of machines with a real `pitlane-boot`, on a disk that records every change.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use faultfs::{FaultFs, Record};
use rustix::process::{Pid, Signal, kill_process};
use slots::{Machine, Slot, SlotIdentity, Staging};
use tempfile::TempDir;

use crate::signed::{Signed, key, signed, trust};

/// How long a test waits for anything before it fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The impatient settings of every machine.
const SETTINGS: &str = "[node]\nname = \"skipped\"\n\n[boot]\ntries = 2\nstop_grace_seconds = 1\n\
                        confirm_within_seconds = 1\n";

/// The number of the release with this identity.
pub(crate) fn number(identity: &SlotIdentity) -> u32 {
    (identity.build - 34_000) / 100
}

/// How a release behaves: one that is tried confirms itself, but for the one that never does.
const NEVER_CONFIRMS: u32 = 8;

/// A signed release. Its contents say which one it is.
pub(crate) fn release(number: u32) -> &'static Signed {
    static MADE: Mutex<BTreeMap<u32, &Signed>> = Mutex::new(BTreeMap::new());
    MADE.lock().expect("nobody fails in here").entry(number).or_insert_with(|| Box::leak(make(number).into()))
}

fn make(number: u32) -> Signed {
    let boot = Path::new(env!("CARGO_BIN_EXE_pitlane-boot"));
    let trial = boot.parent().expect("a folder").join("examples/trial_release");
    assert!(trial.exists(), "build it first: cargo build -p boot --example trial_release");
    let word = if number == 1 || number == NEVER_CONFIRMS { "serve" } else { "confirm" };
    let program = format!("#!/bin/sh\n# release {number}\nexec {} {word} \"$@\"\n", trial.display());
    signed(number, &program, &format!("the helper of {number}"), &key().signing)
}

/// Unpacks without making anything durable, and finishes what was begun.
pub(crate) fn fill(staging: Staging, number: u32) -> slots::Result<()> {
    release(number).unpack(&staging.dir());
    staging.finish(&release(number).identity)
}

/// A machine on a disk that writes down what is done to it.
struct Recorded {
    disk: FaultFs,
    machine: Machine,
    log: PathBuf,
    boot: Option<Child>,
    _folder: TempDir,
}

/// One upgrade to a release that confirms itself, and one more back into the first slot.
pub(crate) fn two_good_upgrades() -> Record {
    let mut recorded = Recorded::installed();
    recorded.stage(Slot::A, 2);
    recorded.select(2);
    recorded.boot();
    recorded.wait_for_line("slot b: release 34.2 (34200) has confirmed itself");
    recorded.disk.mark("confirmed 2");
    recorded.end_boot();
    recorded.stage(Slot::B, 3);
    recorded.select(3);
    recorded.boot();
    recorded.wait_for_line("slot a: release 34.3 (34300) has confirmed itself");
    recorded.disk.mark("confirmed 3");
    recorded.end_boot();
    recorded.disk.record()
}

/// An upgrade to a release that never confirms itself, and one to a better release after it.
pub(crate) fn a_fall_back() -> Record {
    let mut recorded = Recorded::installed();
    recorded.stage(Slot::A, NEVER_CONFIRMS);
    recorded.select(NEVER_CONFIRMS);
    recorded.disk.mark("trying 8");
    recorded.boot();
    recorded.wait_for_line("going back to slot a (34.1)");
    recorded.wait_for_line("slot a: starting release 34.1 (34100)");
    recorded.disk.mark("left 8");
    recorded.stage(Slot::A, 2);
    recorded.select(2);
    recorded.end_boot();
    recorded.disk.record()
}

impl Recorded {
    fn installed() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [backing, at] = ["backing", "at"].map(|name| folder.path().join(name));
        fs::create_dir(&backing).expect("a new directory");
        fs::create_dir(&at).expect("a new directory");
        configure(&backing);
        let disk = FaultFs::mount(&backing, &at).unwrap_or_else(|error| panic!("{error}: {error:?}"));
        disk.begin_record().expect("a folder that can be read");
        let machine = Machine::open(&at);
        let log = folder.path().join("boot.log");
        let recorded = Self { disk, machine, log, boot: None, _folder: folder };
        fill(recorded.machine.install_first().expect("a new machine"), 1).expect("a whole release");
        recorded.disk.mark("confirmed 1");
        recorded
    }

    fn stage(&self, running: Slot, number: u32) {
        self.disk.mark("staging");
        fill(self.machine.begin_staging(running).expect("a free slot"), number).expect("a whole release");
        self.disk.mark(&format!("staged {number}"));
    }

    fn select(&self, number: u32) {
        self.machine.select(&release(number).identity.manifest).expect("a staged release");
        self.disk.mark(&format!("selected {number}"));
    }

    fn boot(&mut self) {
        self.boot = Some(boot(self.disk.at(), &self.log));
    }

    fn end_boot(&mut self) {
        end(self.boot.take().expect("it runs"));
    }

    fn wait_for_line(&self, line: &str) {
        wait(line, || fs::read_to_string(&self.log).unwrap_or_default(), |log| log.contains(line));
    }
}

/// Gives a machine its settings and the key that it trusts.
pub(crate) fn configure(root: &Path) {
    fs::write(root.join("machine.toml"), SETTINGS).expect("room for it");
    trust(root);
}

/// Starts `pitlane-boot`; its lines are added to `log`.
pub(crate) fn boot(root: &Path, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane-boot"));
    command.arg("--root").arg(root).env_remove("NOTIFY_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().expect("pitlane-boot was built")
}

/// Ends a `pitlane-boot` in an orderly way.
pub(crate) fn end(mut boot: Child) {
    kill_process(Pid::from_child(&boot), Signal::TERM).expect("our own process");
    boot.wait().expect("our own process");
}

/// Waits until what `look` sees is as wanted.
pub(crate) fn wait(what: &str, look: impl Fn() -> String, wanted: impl Fn(&str) -> bool) {
    let until = Instant::now() + TIMEOUT;
    loop {
        let seen = look();
        if wanted(&seen) {
            return;
        }
        assert!(Instant::now() < until, "waited in vain for {what}\n{seen}");
        sleep(Duration::from_millis(5));
    }
}
