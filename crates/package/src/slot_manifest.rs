//! The signed manifest in a slot: written beside the files of the payload, so that the slot can be verified again
//! at any time without the package. [`verify_slot`] is the one rule by which a slot may be started.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::io::Errno;

use crate::entries::{MANIFEST_FILE, Role, SIGNATURE_FILE};
use crate::files::sync_dir;
use crate::keys::TrustedKeys;
use crate::limits::{MAX_MANIFEST, MAX_SIGNATURE};
use crate::manifest::Payload;
use crate::refusal::Refusal;
use crate::slot_check::{check_all_but_program, copy_program, open_plain, payload_of};
use crate::unpack::unpack;
use crate::verified::{Installed, Verified, verify_manifest};

/// Unpacks the payload file of `role` into the directory of a slot that is being staged, and writes the signed
/// manifest beside the files. The payload file remains.
///
/// # Errors
/// As [`unpack`] and [`keep_manifest`]; the directory must not be used then.
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

/// Reads and verifies the manifest that [`keep_manifest`] has written.
///
/// # Errors
/// Every refusal that concerns a manifest or its signature, [`Refusal::NotKept`] when one is missing, and
/// [`Refusal::Io`] when the disk fails.
pub fn kept_manifest(slot: &Path, keys: &TrustedKeys) -> Result<Verified, Refusal> {
    let manifest = read(slot, MANIFEST_FILE, MAX_MANIFEST)?;
    let signature = read(slot, SIGNATURE_FILE, MAX_SIGNATURE)?;
    verify_manifest(&manifest, &signature, keys)
}

/// Verifies a slot against the signed manifest in it: a trusted key signed the manifest, the manifest is that of the
/// release in the slot's identity, and the slot contains the listed files and nothing else. boot starts a slot by
/// this rule, and the check before a start applies the same one.
///
/// # Errors
/// Why the verification failed.
pub fn verify_slot(slot: &Path, says: &Installed, keys: &TrustedKeys) -> Result<(), Refusal> {
    let payload = verify_slot_but_program(slot, says, keys)?;
    copy_program(slot, &payload, &mut io::sink())
}

/// [`verify_slot`] without the content of the program, for a caller that has a verified copy of it or makes one
/// with [`copy_program`]. Returns the payload of the slot.
///
/// # Errors
/// As [`verify_slot`].
pub fn verify_slot_but_program(
    slot: &Path,
    says: &Installed,
    keys: &TrustedKeys,
) -> Result<Payload, Refusal> {
    let verified = kept_manifest(slot, keys)?;
    let payload = payload_of(&verified, says)
        .ok_or_else(|| Refusal::OtherIdentity { says: says.to_string(), signed: signed(&verified) })?;
    check_all_but_program(slot, payload)?;
    Ok(payload.clone())
}

/// The identities that a slot with this manifest could have: the roles differ in the program alone.
fn signed(verified: &Verified) -> String {
    let [one, other] = Role::ALL.map(|role| verified.installed(role));
    format!("{one} or {}", other.program)
}

fn write(to: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let written =
        fs::File::create(to).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(Refusal::io(format!("write {}", to.display())))
}

/// Reads a file to one byte beyond its limit, so that a larger one is refused.
fn read(slot: &Path, name: &'static str, limit: u64) -> Result<Vec<u8>, Refusal> {
    let from = slot.join(name);
    let opened = match open_plain(&from) {
        Err(Errno::NOENT) => return Err(Refusal::NotKept { name }),
        opened => opened.map_err(io::Error::from),
    };
    let mut bytes = Vec::new();
    let read = opened.and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(Refusal::io(format!("read {}", from.display())))?;
    Ok(bytes)
}
