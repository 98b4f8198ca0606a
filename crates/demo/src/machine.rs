//! One machine of the platform: its folder, and the boot process that runs in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::disk::Disk;
use crate::error::Error;
use crate::ground::Ground;

/// What a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The Management Node.
    Manager,
    /// A Conferencing Node.
    Node,
}

impl Role {
    /// As the command line names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Node => "node",
        }
    }
}

/// How long an orderly stop may take before the machine's power is cut.
const STOP: Duration = Duration::from_secs(15);

/// A machine. Dropping it ends its processes.
#[derive(Debug)]
pub struct Machine {
    /// Its name, and that of its log.
    pub name: String,
    /// Its root folder.
    pub root: PathBuf,
    /// Its disk, when it has one of its own.
    pub disk: Option<Disk>,
    boot: PathBuf,
    ground: Ground,
    log: PathBuf,
    process: Option<Child>,
}

impl Machine {
    /// A machine whose root has been installed; it is not running.
    pub(crate) fn new(name: String, root: PathBuf, boot: PathBuf, ground: Ground, logs: &Path) -> Self {
        let log = logs.join(format!("{name}.log"));
        Self { name, root, disk: None, boot, ground, log, process: None }
    }

    /// Powers the machine on.
    ///
    /// # Errors
    /// When boot cannot be started.
    pub fn power_on(&mut self) -> Result<(), Error> {
        let log =
            File::options().create(true).append(true).open(&self.log).map_err(Error::file(&self.log))?;
        let also = log.try_clone().map_err(Error::file(&self.log))?;
        let mut command = self.ground.command(&self.name, self.boot.as_os_str());
        command.arg("--root").arg(&self.root).stdin(Stdio::null()).stdout(log).stderr(also);
        let child =
            command.spawn().map_err(|source| Error::NotStarted { program: self.boot.clone(), source })?;
        self.process = Some(child);
        Ok(())
    }

    /// Starts boot again when it has ended by itself, as the service manager of a machine does.
    ///
    /// # Errors
    /// When boot cannot be started.
    pub fn keep_up(&mut self) -> Result<(), Error> {
        let ended = self.process.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
        if ended { self.power_on() } else { Ok(()) }
    }

    /// Cuts the machine's power: boot and the release that it runs are killed at once.
    pub fn cut_power(&mut self) {
        let Some(mut child) = self.process.take() else { return };
        let release = self.release_of(&child);
        signal(child.id(), Signal::KILL);
        let _ = child.wait();
        if let Some(release) = release {
            signal(release, Signal::KILL);
        }
    }

    /// Kills the running release, not boot: a crash.
    pub fn crash(&self) {
        if let Some(release) = self.release() {
            signal(release, Signal::KILL);
        }
    }

    /// Hangs the running release, or lets it go on.
    pub fn hang(&self, hang: bool) {
        if let Some(release) = self.release() {
            signal(release, if hang { Signal::STOP } else { Signal::CONT });
        }
    }

    /// Stops the machine in an orderly way.
    pub fn stop(&mut self) {
        let Some(child) = &mut self.process else { return };
        signal(child.id(), Signal::TERM);
        let until = Instant::now() + STOP;
        while Instant::now() < until {
            if let Ok(Some(_)) = child.try_wait() {
                self.process = None;
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.cut_power();
    }

    /// The process of the running release.
    pub fn release(&self) -> Option<u32> {
        self.process.as_ref().and_then(|child| self.release_of(child))
    }

    fn release_of(&self, boot: &Child) -> Option<u32> {
        let boot = boot.id();
        let children = fs::read_to_string(format!("/proc/{boot}/task/{boot}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Whether boot runs.
    pub fn is_on(&mut self) -> bool {
        self.process.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Lets the processes live on after this program: the demo's `--keep`.
    pub fn keep(&mut self) -> Option<u32> {
        self.process.take().map(|child| child.id())
    }

    /// What the machine has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn signal(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
