//! The two slots of a machine (A/B update): which release is in each, which one starts next, and the fall-back.
//!
//! Used by `boot`, the Management Node and the Conferencing Nodes. Every change is one atomic, durable step: after
//! a power cut at any moment the machine starts with a complete release. It relies on POSIX rename and fsync.
//!
//! This crate must not fetch, verify or unpack packages, decide when an upgrade may begin, or supervise a release.
//!
//! ```text
//! boot.json        the slot record: one file, replaced atomically
//! slots/a slots/b  complete releases, each with its slot.json
//! slots/staging    a release that is being unpacked; ignored until it is renamed into its slot
//! machine.toml     the settings of the machine; here only its file name, size limit and [boot] table
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
mod space;
mod staging;
mod start;
mod supervised;

pub use check::{CheckFailed, Fault, Held, describe_exit, faults_in_one};
pub use disk::{Disk, Entry, Kind, RealDisk};
pub use error::Error;
pub use machine::Machine;
pub use machine_file::{
    BootTable, CONFIRM_WITHIN_SECONDS, MACHINE_FILE, MACHINE_FILE_MAX, STOP_GRACE_SECONDS, TRIES,
    describe_fault,
};
pub use record::{FellBack, Record, Stranded, Trying, UnixMillis, Why};
pub use replace::{replace_file, try_writing};
pub use slot::{NotASlot, Slot, SlotIdentity};
pub use space::{free_space, size_of_folder};
pub use staging::Staging;
pub use start::{Attempt, Inspect, Start};
pub use supervised::{BOOT_VARIABLE, NOTIFY_VARIABLE, SLOT_VARIABLE, Supervised, notify, supervised};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;
