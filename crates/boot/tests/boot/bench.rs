//! The fixture: a machine with small releases and a real `pitlane-boot`, and waiting for what it does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use slots::{Machine, Record, Slot, Staging};
use tempfile::TempDir;

use crate::signed::{Signed, key, signed, trust};

/// How long a test waits for anything before it fails.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    root: TempDir,
    pub(crate) machine: Machine,
    boot: Option<Child>,
}

/// A script that becomes the trial release with this behaviour.
pub(crate) fn trial(word: &str) -> String {
    let boot = Path::new(env!("CARGO_BIN_EXE_pitlane-boot"));
    let trial = boot.parent().unwrap().join("examples/trial_release");
    assert!(trial.exists(), "build it first: cargo build -p boot --example trial_release");
    format!("exec {} {word} \"$@\"", trial.display())
}

impl Bench {
    /// A machine with release 1, the program `script`, in slot a, and settings with short times.
    pub(crate) fn installed(script: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::open(root.path());
        let bench = Self { root, machine, boot: None };
        bench.settings(1);
        trust(bench.root.path());
        fill(bench.machine.install_first().unwrap(), script, 1);
        bench
    }

    /// The same with release 2 selected in slot b.
    pub(crate) fn with_selected(confirmed: &str, tried: &str) -> Self {
        let bench = Self::installed(confirmed);
        bench.stage(tried);
        bench.select();
        bench
    }

    pub(crate) fn stage(&self, script: &str) {
        fill(self.machine.begin_staging(Slot::A).unwrap(), script, 2);
    }

    /// Stages release 2 with this program, signed.
    pub(crate) fn stage_program(&self, program: &str) {
        self.stage_signed(&signed(2, program, "a helper", &key().signing));
    }

    pub(crate) fn stage_signed(&self, release: &Signed) {
        let staging = self.machine.begin_staging(Slot::A).unwrap();
        release.unpack(&staging.dir());
        staging.finish(&release.identity).unwrap();
    }

    /// Selects what is staged.
    pub(crate) fn select(&self) {
        let staged = self.machine.staged().unwrap().expect("a staged release");
        self.machine.select(&staged.manifest).unwrap();
    }

    pub(crate) fn settings(&self, confirm_within_seconds: u32) {
        let text = format!(
            "[node]\nname = \"skipped\"\n\n[boot]\ntries = 2\nstop_grace_seconds = 1\n\
             confirm_within_seconds = {confirm_within_seconds}\n"
        );
        fs::write(self.path("machine.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Starts `pitlane-boot`; its lines are added to `boot.log`.
    pub(crate) fn boot(&mut self) {
        assert!(self.boot.is_none(), "it runs already");
        self.boot = Some(self.another_boot());
    }

    pub(crate) fn another_boot(&self) -> Child {
        self.boot_command().spawn().unwrap()
    }

    pub(crate) fn boot_command(&self) -> Command {
        let log = File::options().create(true).append(true).open(self.path("boot.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane-boot"));
        command.arg("--root").arg(self.root.path()).env_remove("NOTIFY_SOCKET");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// Whether `boot` has ended by itself; it can be started again then.
    pub(crate) fn has_ended(&mut self) -> bool {
        let ended = self.boot.as_mut().expect("it runs").try_wait().unwrap().is_some();
        if ended {
            self.boot = None;
        }
        ended
    }

    /// Whether `boot` holds a copy of this program in memory.
    pub(crate) fn keeps(&self, program: &[u8]) -> bool {
        let boot = self.boot.as_ref().expect("it runs").id();
        let handles = fs::read_dir(format!("/proc/{boot}/fd")).expect("root may look").flatten();
        handles
            .filter(|handle| {
                fs::read_link(handle.path()).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:"))
            })
            .any(|handle| fs::read(handle.path()).is_ok_and(|contents| contents == program))
    }

    /// Sends a signal to `boot` and waits for its end.
    pub(crate) fn end_boot(&mut self, signal: Signal) -> ExitStatus {
        let mut boot = self.boot.take().expect("it runs");
        kill_process(Pid::from_child(&boot), signal).unwrap();
        boot.wait().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("boot.log")).unwrap_or_default()
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("journal")).unwrap_or_default();
        text.lines().map(Into::into).collect()
    }

    /// The process ids of the programs that wrote this event, such as `b confirmed`.
    pub(crate) fn pids(&self, event: &str) -> Vec<Pid> {
        let pid = |line: &String| line.strip_prefix(event)?.trim().parse().ok().and_then(Pid::from_raw);
        self.journal().iter().filter_map(pid).collect()
    }

    /// Waits until an event is in the journal `times` times.
    pub(crate) fn wait_for_event(&self, event: &str, times: usize) {
        self.wait(&format!("{times} times {event:?}"), || self.pids(event).len() >= times);
    }

    pub(crate) fn wait_for_line(&self, line: &str) {
        self.wait(&format!("the line {line:?}"), || self.log().contains(line));
    }

    pub(crate) fn wait_for_record(&self, what: &str, holds: impl Fn(&Record) -> bool) {
        self.wait(what, || holds(&self.machine.record().unwrap()));
    }

    pub(crate) fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + TIMEOUT;
        while !holds() {
            let (log, journal) = (self.log(), self.journal());
            assert!(Instant::now() < until, "waited in vain for {what}\n{log}\n{journal:#?}");
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.boot.is_some() {
            self.end_boot(Signal::TERM);
        }
    }
}

fn fill(staging: Staging, script: &str, release: u32) {
    let signed = release_of(script, release);
    signed.unpack(&staging.dir());
    staging.finish(&signed.identity).unwrap();
}

/// A release whose program is this script, signed with the key that every machine here trusts.
pub(crate) fn release_of(script: &str, release: u32) -> Signed {
    signed(release, &format!("#!/bin/sh\n{script}\n"), "a helper", &key().signing)
}

/// Whether a process has not ended; one that only waits for its parent to notice has.
pub(crate) fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
