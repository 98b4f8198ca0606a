//! Takes one payload out of a verified package, for the manager to serve to the nodes.

use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::manifest::Role;
use crate::pieces::CheckedPieces;
use crate::refusal::Refusal;
use crate::verified::{Verified, open, sync_dir};

/// Copies the payload of `role` out of `package` into the file `to`, checking every piece on the
/// way. The file appears whole and durable, or not at all; one that was there is replaced.
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
        // The refusal is what counts; a left-over partial file is overwritten by the next try.
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

/// The name of a file that belongs to `file` and lies beside it.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}
