//! Two file locks ensure that one `boot` and one release run on a machine at a time.
//!
//! `boot` holds `boot.lock`. `running.lock` is held by `boot` and, as its standard input, by the program and
//! its children: the kernel releases it when the last of them has ended. So a `boot` that was killed and
//! started again detects whether its former program still runs. A release ends by itself when its `boot`
//! does (see [`slots::supervised`]); one that does not is killed.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::report::{Failure, failed, log};

/// How often a lock is polled.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a child of a killed `boot` may hold `boot.lock`: a forked process has it until it executes its program,
/// which takes seconds on a machine without free processors.
const FORKED_WITHIN: Duration = Duration::from_secs(5);
/// How long a killed program may take to be gone, when it waits for a slow disk.
const KILLED_WITHIN: Duration = Duration::from_secs(30);

/// The locks of this machine, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Locks {
    _boot: File,
    running: File,
}

impl Locks {
    /// Takes both locks. A program that an earlier `boot` left behind has `grace` to end, and is then killed.
    pub(crate) fn take(root: &Path, grace: Duration) -> Result<Self, Failure> {
        let (boot, path) = open(root, "boot.lock")?;
        if !free_within(&boot, &path, FORKED_WITHIN)? {
            return Err(Failure::Occupied { path });
        }
        let (running, path) = open(root, "running.lock")?;
        if !free(&running, &path)? {
            log("a program that an earlier pitlane-boot started still runs; waiting for it to end");
            wait_or_kill(&running, &path, grace)?;
        }
        Ok(Self { _boot: boot, running })
    }

    /// The lock that a program holds as its standard input; reading from it yields nothing.
    pub(crate) fn for_program(&self) -> std::io::Result<File> {
        self.running.try_clone()
    }
}

fn open(root: &Path, name: &str) -> Result<(File, PathBuf), Failure> {
    let path = root.join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    Ok((options.open(&path).map_err(failed("open", &path))?, path))
}

/// Takes a lock if it is free.
fn free(lock: &File, path: &Path) -> Result<bool, Failure> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(failed("lock", path)(error)),
    }
}

fn wait_or_kill(running: &File, path: &Path, grace: Duration) -> Result<(), Failure> {
    if free_within(running, path, grace)? {
        return Ok(());
    }
    log("the program that an earlier pitlane-boot started does not end; killing it");
    let lock = running.metadata().map_err(failed("look at", path))?;
    holders(&lock).for_each(kill);
    match free_within(running, path, KILLED_WITHIN)? {
        true => Ok(()),
        false => Err(Failure::LeftBehind { path: path.to_path_buf() }),
    }
}

fn free_within(lock: &File, path: &Path, timeout: Duration) -> Result<bool, Failure> {
    let until = Instant::now() + timeout;
    while Instant::now() < until {
        if free(lock, path)? {
            return Ok(true);
        }
        sleep(LOOK_EVERY);
    }
    free(lock, path)
}

/// A process that has the lock as its standard input, by a handle that never refers to another process.
struct Holder {
    handle: rustix::fd::OwnedFd,
}

fn holders(lock: &Metadata) -> impl Iterator<Item = Holder> {
    let (device, inode) = (lock.dev(), lock.ino());
    let has_it = move |process: &Path| {
        fs::metadata(process.join("fd/0")).is_ok_and(|input| (input.dev(), input.ino()) == (device, inode))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(move |entry| {
        let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        // The handle is opened first, so that the check is of the process that the handle refers to.
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        has_it(&entry.path()).then_some(Holder { handle })
    })
}

fn kill(holder: Holder) {
    match pidfd_send_signal(&holder.handle, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => log(&format!("could not kill a program that was left behind: {error}")),
    }
}
