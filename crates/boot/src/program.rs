//! The running program of a release: starts it from verified memory, signals it and collects its exit status.
//! When to do so is the supervisor's decision.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use slots::{BOOT_VARIABLE, NOTIFY_VARIABLE, SLOT_VARIABLE, Start};

use crate::report::log;
use crate::verify::Sealed;

/// Variables by which the service manager addresses `boot`; a program must not take them for its own.
const NOT_INHERITED: [&str; 5] =
    ["WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// A program that runs. It leads its own process group, so that what it started ends with it.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Becomes readable when the program has ended.
    handle: OwnedFd,
    started: Instant,
}

impl Program {
    /// Starts the verified program of a slot; `lock` becomes its standard input.
    pub(crate) fn start(
        start: &Start,
        verified: &Sealed,
        root: &Path,
        notify: &OsStr,
        lock: File,
    ) -> io::Result<Self> {
        let mut command = verified.command(&start.program)?;
        command.arg("--root").arg(root).stdin(lock).process_group(0);
        command.env(SLOT_VARIABLE, start.slot.name());
        command.env(NOTIFY_VARIABLE, notify);
        command.env(BOOT_VARIABLE, std::process::id().to_string());
        NOT_INHERITED.iter().for_each(|name| {
            command.env_remove(name);
        });
        let mut child = command.spawn()?;
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(handle) => Ok(Self { child, handle, started: Instant::now() }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error.into())
            }
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How long ago it was started.
    pub(crate) fn ran(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        if let Err(error) = pidfd_send_signal(&self.handle, Signal::TERM) {
            log(&format!("could not send SIGTERM to process {}: {error}", self.child.id()));
        }
    }

    /// Ends what is left of it and of all that it started, and waits until the program itself is gone.
    pub(crate) fn finish(mut self) -> io::Result<ExitStatus> {
        // Before `wait`, while the process id cannot be reused. An empty process group is no error.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        self.child.wait()
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}
