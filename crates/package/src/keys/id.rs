//! The number of a key.

use std::fmt;

/// The number of a key, printed as minisign prints it: 16 upper-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) u64);

impl KeyId {
    /// The number in a decoded key or signature, after two bytes that name the algorithm.
    pub(super) fn within(decoded: &[u8]) -> Option<Self> {
        let bytes = decoded.get(2..10)?;
        Some(Self(u64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}
