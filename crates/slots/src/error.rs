//! The errors of this crate. Each message is for the operator: what happened, to which file or slot, what to do.

use std::io;
use std::path::PathBuf;

use crate::Slot;

/// An operation on the slots was refused or failed; the release that runs is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("could not {doing} {}; check the disk, its free space and the owner of the file", path.display())]
    Disk {
        /// What was being done: `write`, `read`, `make durable`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The file system's answer.
        source: io::Error,
    },
    /// The slot record was changed, and the disk does not make the change durable.
    #[error(
        "the slot record {} was changed, but the disk does not make the change durable: it is valid now, and a power \
         cut may undo it; check the disk, then repeat the operation", path.display()
    )]
    NotDurable {
        /// The record.
        path: PathBuf,
        /// The last refusal of the disk.
        #[source]
        last: Box<Error>,
    },
    /// There is no slot record.
    #[error("there is no slot record {}; install the machine first with `pitlane machine install`", path.display())]
    NoRecord {
        /// The expected path.
        path: PathBuf,
    },
    /// The slot record cannot be read. Which slot is confirmed is never guessed.
    #[error(
        "the slot record {} is damaged: {reason}; put the file back from a backup, or write into it which slot \
         is confirmed, as in {{\"format\":1,\"confirmed\":\"a\"}}", path.display()
    )]
    RecordDamaged {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A slot does not hold a complete release.
    #[error(
        "slot {slot} does not hold a complete release: {reason}; put back {} from a backup or from a machine \
         with the same release, or install the machine anew", path.display()
    )]
    SlotDamaged {
        /// The slot.
        slot: Slot,
        /// The file that is missing or wrong.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The release in a slot failed its verification. Nothing of it is run.
    #[error(
        "the release in slot {slot} cannot be started, for its verification failed: {reason}; put {} \
         back from a backup, or install the package of the same release into an empty --root with `pitlane machine \
         install`, copy its slots/a, and run `pitlane machine protect`", path.display()
    )]
    NotVerified {
        /// The slot.
        slot: Slot,
        /// Its directory.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
    /// The unpacked files are not a release.
    #[error("the staged release cannot be installed: {reason}; stage the package again")]
    NotARelease {
        /// What is wrong with it.
        reason: String,
    },
    /// A release is being tried, so neither slot may be changed.
    #[error("the release in slot {slot} is being tried; wait until it has confirmed itself or fallen back")]
    BeingTried {
        /// The slot being tried.
        slot: Slot,
    },
    /// The caller does not run in the confirmed slot, so the other one is not free.
    #[error(
        "this program runs in slot {running} but slot {confirmed} is the confirmed one; restart pitlane-boot"
    )]
    NotConfirmed {
        /// Where the caller runs.
        running: Slot,
        /// What the record says.
        confirmed: Slot,
    },
    /// A release was to be selected that is not the staged one.
    #[error("release {asked} is not staged in slot {slot}, {found} is; stage it first")]
    NotStaged {
        /// The inactive slot.
        slot: Slot,
        /// The manifest hash that was asked for.
        asked: String,
        /// The manifest hash found there, or `nothing`.
        found: String,
    },
    /// A release confirmed itself, or fell back, that is not being tried.
    #[error("the release in slot {slot} is not being tried; slot {confirmed} is the confirmed one")]
    NotTried {
        /// The slot of the caller.
        slot: Slot,
        /// What the record says.
        confirmed: Slot,
    },
    /// The machine has a release already.
    #[error("{} exists, so this machine is installed already; upgrade it instead", path.display())]
    AlreadyInstalled {
        /// The slot record.
        path: PathBuf,
    },
    /// A program runs in the slot of another release.
    #[error(
        "this program is {compiled} but slot {slot} says it holds {found}; the slot is damaged or was changed \
         by hand: stage the release again"
    )]
    Disagrees {
        /// The slot.
        slot: Slot,
        /// What the program was compiled as.
        compiled: String,
        /// What the slot says.
        found: String,
    },
    /// An environment variable of `boot` is missing or invalid.
    #[error("{variable} from pitlane-boot cannot be used: {reason}; start this program through pitlane-boot")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// `boot` ended before this program had asked the kernel to be notified of it.
    #[error("pitlane-boot ended while this program was starting; it starts again with the next pitlane-boot")]
    BootEnded,
}
