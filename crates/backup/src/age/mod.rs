//! The format of age, version 1 (age-encryption.org/v1, the specification at c2sp.org/age), for one passphrase: the
//! header with the wrapped key of the file, and the payload in chunks. Ciphers and derivations are those of AWS-LC and
//! of the crate `scrypt`; this is the format around them (decision 45).

mod header;
mod keys;
mod open;
mod seal;

pub use keys::WorkFactor;

pub(crate) use open::Open;
pub(crate) use seal::Seal;

/// Bytes of plain text in a chunk.
const CHUNK: usize = 64 << 10;

/// Bytes of the tag of a chunk or of the wrapped key.
const TAG: usize = 16;

/// Bytes of the number that makes the key of the payload its own.
const PAYLOAD_NONCE: usize = 16;

/// Whether a chunk is the last one, which its nonce says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Within,
    Last,
}
