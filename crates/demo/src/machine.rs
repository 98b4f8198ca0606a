//! One machine of a platform: its folder, and the boot process that runs in it.
//!
//! Responsible for power, crashes and the log of the machine; relies on the folder being installed. Knows no other
//! machine and nothing of runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::disk::Disk;
use crate::error::Error;
use crate::topology::Topology;

/// How long an orderly stop may take before the power is cut.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A machine. Dropping it kills its processes.
#[derive(Debug)]
pub struct Machine {
    /// Its name, and the name of its log.
    pub name: String,
    /// Its root folder.
    pub root: PathBuf,
    /// Its disk, if it has one of its own.
    pub disk: Option<Disk>,
    boot: PathBuf,
    topology: Topology,
    log: PathBuf,
    process: Option<Child>,
}

impl Machine {
    /// A machine whose root is installed; it is not running.
    pub(crate) fn new(name: String, root: PathBuf, boot: PathBuf, topology: Topology, logs: &Path) -> Self {
        let log = logs.join(format!("{name}.log"));
        Self { name, root, disk: None, boot, topology, log, process: None }
    }

    /// Powers the machine on.
    ///
    /// # Errors
    /// Boot cannot be started.
    pub fn power_on(&mut self) -> Result<(), Error> {
        let log =
            File::options().create(true).append(true).open(&self.log).map_err(Error::file(&self.log))?;
        let also = log.try_clone().map_err(Error::file(&self.log))?;
        let mut command = self.topology.command(&self.name, self.boot.as_os_str());
        command.arg("--root").arg(&self.root).stdin(Stdio::null()).stdout(log).stderr(also);
        let child =
            command.spawn().map_err(|source| Error::NotStarted { program: self.boot.clone(), source })?;
        self.process = Some(child);
        Ok(())
    }

    /// Starts boot again if it has ended by itself, as a service manager does.
    ///
    /// # Errors
    /// Boot cannot be started.
    pub fn restart_ended(&mut self) -> Result<(), Error> {
        let ended = self.process.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
        if ended { self.power_on() } else { Ok(()) }
    }

    /// Cuts the power: kills boot and the release that it runs.
    pub fn cut_power(&mut self) {
        let Some(mut child) = self.process.take() else { return };
        let release = self.release_of(&child);
        signal(child.id(), Signal::KILL);
        let _ = child.wait();
        if let Some(release) = release {
            signal(release, Signal::KILL);
        }
    }

    /// Crashes the running release: kills it, but not boot.
    pub fn crash(&self) {
        if let Some(release) = self.release() {
            signal(release, Signal::KILL);
        }
    }

    /// Stops the running release without ending it (SIGSTOP).
    pub fn suspend(&self) {
        if let Some(release) = self.release() {
            signal(release, Signal::STOP);
        }
    }

    /// Lets a release go on that [`Machine::suspend`] has stopped.
    pub fn resume(&self) {
        if let Some(release) = self.release() {
            signal(release, Signal::CONT);
        }
    }

    /// Shuts the machine down; cuts the power if that takes too long.
    pub fn stop(&mut self) {
        let Some(child) = &mut self.process else { return };
        signal(child.id(), Signal::TERM);
        let until = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < until {
            if let Ok(Some(_)) = child.try_wait() {
                self.process = None;
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.cut_power();
    }

    /// The process number of the running release.
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

    /// Leaves the processes running after this program ends (`--keep` of the demo), and returns boot's number.
    pub fn detach(&mut self) -> Option<u32> {
        self.process.take().map(|child| child.id())
    }

    /// The whole log of the machine.
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
