//! Runs the program of the confirmed release once, with arguments of the operator's, in place of `boot`: to
//! enrol a node. It is verified as for any other start, and nothing is supervised.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;

use slots::{Error, Machine};

use crate::report::{Failure, failed};
use crate::verify::Verifier;

/// Becomes the program; returns only when that fails.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> Result<(), Failure> {
    let machine = Machine::open(root);
    let slot = machine.record()?.confirmed;
    let dir = machine.slot_dir(slot);
    let identity = machine.release(slot)?.ok_or_else(|| Error::SlotDamaged {
        slot,
        path: dir.join("slot.json"),
        reason: "it has no slot.json".into(),
    })?;
    let mut verifier = Verifier::of(root)?;
    let keys = verifier.keys()?;
    let verified = verifier.verify(&dir, &identity, &keys);
    let verified = verified.map_err(|reason| Error::NotVerified { slot, path: dir.clone(), reason })?;
    let program = dir.join(&identity.program);
    let mut command = verified.command(&program).map_err(failed("start", &program))?;
    Err(failed("start", &program)(command.args(arguments).exec()))
}
