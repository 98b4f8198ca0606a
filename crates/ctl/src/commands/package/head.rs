//! Reads the head of a package without keys: manifest and key number, not verified. It is for display only; nothing is
//! installed from it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ::package::limits::{FORMAT, MAX_MANIFEST, MAX_SIGNATURE};
use ::package::{MANIFEST_FILE, Manifest, Refusal, SIGNATURE_FILE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::version::Sha256;
use sha2::Digest as _;

use crate::failure::Failure;

/// The head of a package, not verified.
pub(crate) struct Head {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// The SHA-256 of its bytes, which names the package.
    pub(crate) hash: Sha256,
    /// The key that the signature names.
    pub(crate) signer: Option<String>,
}

/// Reads the first two entries of a package.
///
/// # Errors
/// The file is no package, or one that this release does not read.
pub(crate) fn read(file: &Path) -> Result<Head, Failure> {
    let opened = File::open(file).map_err(Failure::io(format!("open {}", file.display())))?;
    head(opened).map_err(|source| Failure::Package { what: file.display().to_string(), source })
}

fn head(reader: impl Read) -> Result<Head, Refusal> {
    // Reads at most as many bytes as two entries of the maximum size with their headers have.
    let mut archive = tar::Archive::new(reader.take(MAX_MANIFEST + MAX_SIGNATURE + 4096));
    let mut entries = archive.entries().map_err(|_| Refusal::NotAPackage)?;
    let mut next = |name: &str, limit: u64| -> Option<Vec<u8>> {
        let mut entry = entries.next()?.ok()?;
        let fits = entry.path_bytes().as_ref() == name.as_bytes() && entry.size() <= limit;
        let mut bytes = Vec::new();
        (fits && entry.read_to_end(&mut bytes).is_ok()).then_some(bytes)
    };
    let bytes = next(MANIFEST_FILE, MAX_MANIFEST).ok_or(Refusal::NotAPackage)?;
    let signature = next(SIGNATURE_FILE, MAX_SIGNATURE).ok_or(Refusal::Unsigned)?;
    let bad = |error: serde_json::Error| Refusal::BadManifest { why: error.to_string() };
    let format = serde_json::from_slice::<serde_json::Value>(&bytes).map_err(bad)?["format"].as_u64();
    if let Some(format) =
        format.and_then(|format| u32::try_from(format).ok()).filter(|format| *format != FORMAT)
    {
        return Err(Refusal::OtherFormat { format, known: FORMAT });
    }
    let manifest = serde_json::from_slice(&bytes).map_err(bad)?;
    let hash = Sha256(sha2::Sha256::digest(&bytes).into());
    Ok(Head { manifest, hash, signer: signer(&signature) })
}

/// The number of the key in a minisign signature: eight bytes after the algorithm's two.
fn signer(signature: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(signature).ok()?.lines().nth(1)?;
    let decoded = STANDARD.decode(line).ok()?;
    let number = u64::from_le_bytes(decoded.get(2..10)?.try_into().ok()?);
    Some(format!("{number:016X}"))
}
