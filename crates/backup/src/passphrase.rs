//! The passphrase of a backup. It is never printed or stored.

use std::fmt;

use crate::limits::MAX_PASSPHRASE;

/// A passphrase. How good it is, is for those to say who ask for it.
#[derive(Clone)]
pub struct Passphrase(String);

/// The text is no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase has 1 to {MAX_PASSPHRASE} bytes; choose another one")]
pub struct NotAPassphrase;

impl Passphrase {
    /// Takes a text for a passphrase.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn new(text: impl Into<String>) -> Result<Self, NotAPassphrase> {
        let text = text.into();
        if (1..=MAX_PASSPHRASE).contains(&text.len()) { Ok(Self(text)) } else { Err(NotAPassphrase) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
