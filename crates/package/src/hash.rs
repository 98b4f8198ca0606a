//! SHA-256, as the hash type of `fleet`.

use fleet::version::Sha256;
use sha2::Digest as _;

/// The SHA-256 of bytes in memory.
pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

/// Ends a running computation and returns its hash; the hasher starts again.
pub(crate) fn take(hasher: &mut sha2::Sha256) -> Sha256 {
    Sha256(hasher.finalize_reset().into())
}
