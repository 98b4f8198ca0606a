//! The link between `boot` and the program that it started, on the program's side: the environment variables
//! that it reads, and the messages of `sd_notify(3)` that it sends.
//!
//! `boot` accepts messages only from the process that it started, so they must not be sent by a child process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::{Error, Result, Slot};

/// The environment variable with the slot the program was started from.
pub const SLOT_VARIABLE: &str = "PITLANE_SLOT";
/// The environment variable with the address of `boot`'s socket, `@name` for an abstract one.
pub const NOTIFY_VARIABLE: &str = "NOTIFY_SOCKET";
/// The environment variable with the process id of `boot`.
pub const BOOT_VARIABLE: &str = "PITLANE_BOOT";

/// A program's link to the `boot` that started it.
#[derive(Debug)]
pub struct Supervised {
    slot: Slot,
    boot: OsString,
}

/// A program calls this first in its `main`. `None` when it was not started by `boot`.
///
/// From this call on the program gets SIGTERM when `boot` ends for whatever reason, so that it does not still
/// run when a new `boot` starts the next one.
///
/// # Errors
/// The environment is not that of `boot`, or `boot` has ended meanwhile: end the program then.
pub fn supervised() -> Result<Option<Supervised>> {
    let Some(slot) = env::var_os(SLOT_VARIABLE) else { return Ok(None) };
    let slot = slot.to_string_lossy().parse().map_err(|error| unusable(SLOT_VARIABLE, &error))?;
    end_when_boot_ends()?;
    set_process_name();
    let boot = env::var_os(NOTIFY_VARIABLE).ok_or_else(|| unusable(NOTIFY_VARIABLE, &"it is not set"))?;
    address(&boot).map_err(|error| unusable(NOTIFY_VARIABLE, &error))?;
    Ok(Some(Supervised { slot, boot }))
}

impl Supervised {
    /// The slot this program was started from.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Extends the time to confirm to at least `from_now`. For progress in a long migration, and for a node
    /// while no manager can be reached; `boot` grants ten minutes at most for each message.
    pub fn extend(&self, from_now: Duration) -> io::Result<()> {
        notify(&self.boot, &format!("EXTEND_TIMEOUT_USEC={}", from_now.as_micros()))
    }

    /// Reports to `boot` that this release's confirmation is in the record; see [`crate::Machine::confirm`].
    pub fn ready(&self) -> io::Result<()> {
        notify(&self.boot, "READY=1")
    }
}

/// Sends one message of `sd_notify(3)`; `to` has the form of `NOTIFY_SOCKET`: a path, or `@name` for an abstract
/// address. Never blocks: when the receiver does not read, that is an error of kind `WouldBlock`.
pub fn notify(to: &OsStr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &address(to)?).map(drop)
}

/// Asks the kernel for SIGTERM when the parent ends, and checks whether it has ended already.
fn end_when_boot_ends() -> Result<()> {
    let boot = env::var(BOOT_VARIABLE).ok().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    let boot = boot.ok_or_else(|| unusable(BOOT_VARIABLE, &"it is not a process id"))?;
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| unusable(BOOT_VARIABLE, &error))?;
    if getppid() == Some(boot) { Ok(()) } else { Err(Error::BootEnded) }
}

/// Gives the process the name of its program. `boot` starts it from a copy in memory, for which the kernel
/// chooses a name that is meaningless in `ps`.
fn set_process_name() {
    let program = env::args_os().next().unwrap_or_default();
    if let Some(name) = Path::new(&program).file_name() {
        // The name is for operators only, so a failure has no effect.
        let _ = std::fs::write("/proc/self/comm", name.as_bytes());
    }
}

/// The address in a `NOTIFY_SOCKET`: `@name` or a path.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

fn unusable(variable: &'static str, reason: &dyn ToString) -> Error {
    Error::Environment { variable, reason: reason.to_string() }
}
