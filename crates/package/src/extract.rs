//! Extracts one payload from a verified package, for the Management Node to serve to the nodes.

use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::entries::Role;
use crate::files::{beside, open, sync_dir};
use crate::pieces::CheckedPieces;
use crate::refusal::Refusal;
use crate::verified::Verified;

/// Copies the payload of `role` from `package` into the file `to`, verifying every piece. The file appears complete
/// and durable, or not at all; an existing one is replaced.
///
/// # Errors
/// [`Refusal::PieceChanged`] or [`Refusal::Truncated`] when the package is no longer what was
/// verified, [`Refusal::Io`] when the disk fails.
pub fn extract_payload(package: &Path, verified: &Verified, role: Role, to: &Path) -> Result<(), Refusal> {
    let payload = verified.payload(role);
    let mut file = open(package)?;
    let at = SeekFrom::Start(verified.payload_at(role));
    file.seek(at).map_err(Refusal::io(format!("read {}", package.display())))?;
    let partial = beside(to, ".partial");
    let copied = copy(CheckedPieces::new(file.take(payload.size), payload), &partial, to);
    if copied.is_err() {
        // The refusal is returned; a partial file that remains is overwritten by the next call.
        let _ = fs::remove_file(&partial);
    }
    copied.map_err(|error| Refusal::unwrapped(error, Refusal::io(format!("write {}", to.display()))))
}

fn copy<R: Read>(mut pieces: CheckedPieces<'_, R>, partial: &Path, to: &Path) -> io::Result<()> {
    let mut file = fs::File::create(partial)?;
    loop {
        let bytes = pieces.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        let count = bytes.len();
        file.write_all(bytes)?;
        pieces.consume(count);
    }
    file.sync_all()?;
    fs::rename(partial, to)?;
    sync_dir(to.parent().unwrap_or(Path::new("")))
}
