//! What a slot holds of a package: the files of one payload and, beside them, the signed manifest, so
//! that it can be verified again at any time, without the package.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::in_slot::open_plain;
use crate::keys::TrustedKeys;
use crate::limits::{MAX_MANIFEST, MAX_SIGNATURE};
use crate::manifest::{MANIFEST_FILE, Role, SIGNATURE_FILE};
use crate::refusal::Refusal;
use crate::unpack::unpack;
use crate::verified::{Verified, sync_dir, verify_manifest};

/// Unpacks the payload file of `role` into the directory of a slot that is being staged, and keeps the
/// signed manifest beside the files. The payload file stays.
///
/// # Errors
/// As [`unpack`] and [`keep_manifest`]; what is in the directory then means nothing.
pub fn unpack_release(payload: &Path, verified: &Verified, role: Role, slot: &Path) -> Result<(), Refusal> {
    unpack(payload, verified.payload(role), slot, &mut |_| {})?;
    keep_manifest(verified, slot)
}

/// Writes `manifest.json` and `manifest.json.minisig` into a slot that is being staged, durably.
///
/// # Errors
/// [`Refusal::Io`] when the disk fails.
pub fn keep_manifest(verified: &Verified, slot: &Path) -> Result<(), Refusal> {
    write(&slot.join(MANIFEST_FILE), verified.manifest_bytes())?;
    write(&slot.join(SIGNATURE_FILE), verified.signature_text().as_bytes())?;
    sync_dir(slot).map_err(Refusal::io(format!("write the directory {}", slot.display())))
}

/// Reads and verifies what [`keep_manifest`] wrote.
///
/// # Errors
/// Every refusal that concerns a manifest or its signature, and [`Refusal::Io`] when one is missing.
pub fn kept_manifest(slot: &Path, keys: &TrustedKeys) -> Result<Verified, Refusal> {
    let manifest = read(&slot.join(MANIFEST_FILE), MAX_MANIFEST)?;
    let signature = read(&slot.join(SIGNATURE_FILE), MAX_SIGNATURE)?;
    verify_manifest(&manifest, &signature, keys)
}

fn write(to: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let written =
        fs::File::create(to).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(Refusal::io(format!("write {}", to.display())))
}

/// Reads a file to one byte beyond its limit: enough for the limit to be refused.
fn read(from: &Path, limit: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let opened = open_plain(from).map_err(io::Error::from);
    let read = opened.and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(Refusal::io(format!("read {}", from.display())))?;
    Ok(bytes)
}
