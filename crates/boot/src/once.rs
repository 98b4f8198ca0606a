//! Runs the program of the confirmed release once, with the operator's arguments, in place of `boot`: to enrol
//! a node. The slot is verified as for any other start. Nothing is supervised, counted or restarted.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;

use slots::Machine;

use crate::report::{Failure, failed};
use crate::verify::Verifier;

/// Becomes the program; returns only when that fails.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> Result<(), Failure> {
    let machine = Machine::open(root);
    let slot = machine.record()?.confirmed;
    let dir = machine.slot_dir(slot);
    let mut verifier = Verifier::of(root)?;
    let keys = verifier.keys()?;
    let mut verified = None;
    let identity = machine.inspect(slot, &mut |_, identity| {
        verified = Some(verifier.verify(&dir, identity, &keys)?);
        Ok(())
    })?;
    let verified = verified.expect("a release that passed inspection was verified");
    let program = dir.join(&identity.program);
    let mut command = verified.command(&program).map_err(failed("start", &program))?;
    Err(failed("start", &program)(command.args(arguments).exec()))
}
