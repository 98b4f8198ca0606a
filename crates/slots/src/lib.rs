//! The two slots of a machine: which release is in them, which one starts next, and the way back.
//!
//! Used by `boot`, by the Management Node and by the Conferencing Nodes. Every change here is one atomic,
//! durable step: whatever moment the power goes, the machine starts afterwards with a complete release.
//!
//! This crate must not fetch, verify or unpack packages, must not decide when an upgrade may begin, and
//! must not start or stop processes.
//!
//! ```text
//! boot.json        the slot record: one file, replaced atomically
//! slots/a slots/b  complete releases, each with its slot.json
//! slots/staging    what is being unpacked; means nothing until renamed into its slot
//! machine.toml     the settings of the machine; here only its name, its limit and its defaults
//! ```
//!
//! The record has one writer at a time: `boot` while no release runs, the release while it does.

mod check;
mod disk;
mod error;
mod machine;
mod machine_file;
mod record;
mod replace;
mod slot;
mod staging;
mod start;
mod supervised;

pub use check::{CheckFailed, Fault, Held, exit, faults_in_one};
pub use disk::{Disk, Entry, Kind, RealDisk};
pub use error::Error;
pub use machine::Machine;
pub use machine_file::{
    BootTable, CONFIRM_WITHIN_SECONDS, MACHINE_FILE, MACHINE_FILE_MAX, STOP_GRACE_SECONDS, TRIES,
};
pub use record::{FellBack, Record, Stranded, Trying, UnixMillis, Why};
pub use replace::{replace_file, try_writing};
pub use slot::{NotASlot, Slot, SlotIdentity};
pub use staging::Staging;
pub use start::{Attempt, Inspect, Start};
pub use supervised::{BOOT_VARIABLE, NOTIFY_VARIABLE, SLOT_VARIABLE, Supervised, notify, supervised};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;
