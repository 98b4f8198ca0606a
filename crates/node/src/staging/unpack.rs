//! Unpacks a verified payload into the inactive slot. It blocks, so it runs in a thread of its own; it never touches
//! the slot that runs.

use std::path::Path;

use fleet::desired::Assignment;
use package::{Installed, Refusal, Role, TrustedKeys, Verified, check_slot, kept_manifest, unpack_release};
use slots::{Machine, Slot, SlotIdentity};

use super::retry_policy::Failure;
use crate::files::chain;

/// The niceness of unpacking: calls come first. Half of the scale leaves some work for a busy node.
const NICENESS: i32 = 10;

/// Lets every other thread of the node run first.
pub(super) fn lower_priority() {
    // Without the lower priority the release is unpacked all the same.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// Whether a slot holds the release already: its identity, its signed manifest and every file.
pub(super) fn holds(machine: &Machine, slot: Slot, software: &Assignment, keys: &TrustedKeys) -> bool {
    let Ok(Some(identity)) = machine.release(slot) else { return false };
    if identity.manifest != software.manifest.to_string() {
        return false;
    }
    let dir = machine.slot_dir(slot);
    let kept = kept_manifest(&dir, keys).ok().filter(|kept| kept.hash() == software.manifest);
    kept.is_some_and(|kept| check_slot(&dir, kept.payload(Role::Node)).is_ok())
}

/// Unpacks the payload in `part` and moves it into the inactive slot, then removes it.
pub(super) fn unpack(
    machine: &Machine,
    running: Slot,
    part: &Path,
    verified: &Verified,
) -> Result<(), Failure> {
    let staging = machine.begin_staging(running).map_err(|error| slots_failure(&error))?;
    unpack_release(part, verified, Role::Node, &staging.dir()).map_err(refusal_failure)?;
    let Installed { manifest, version, build, program } = verified.installed(Role::Node);
    let identity = SlotIdentity::new(manifest, version, build, program);
    staging.finish(&identity).map_err(|error| slots_failure(&error))?;
    // The release is in its slot; the next staging clears what cannot be removed now.
    let _ = std::fs::remove_file(part);
    Ok(())
}

/// What the slots refuse may succeed at another try, as when the disk was full.
fn slots_failure(error: &slots::Error) -> Failure {
    Failure::Local(format!("the release could not be put into its slot: {}", chain(error)))
}

/// A piece that went bad on the disk is fetched again, and the disk is tried again; a payload that is
/// not as its signed manifest says stays so.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other refusal says that the package is wrong")]
pub(super) fn refusal_failure(refusal: Refusal) -> Failure {
    let why = chain(&refusal);
    match refusal {
        Refusal::PieceChanged { .. } | Refusal::Truncated { .. } => Failure::Unverified(why),
        Refusal::Io { .. } | Refusal::NotEmpty { .. } => Failure::Local(why),
        _ => Failure::Unfit(why),
    }
}
