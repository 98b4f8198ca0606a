//! The text of a signature: the one form in which it is accepted, and what it may be of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::id::KeyId;

/// What a signature is of. It is named in the first line of the signature, which minisign does not sign: it is fixed, so
/// that no change goes unnoticed. What keeps a text of one kind from being taken for the other is in the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The manifest of an upgrade package.
    Package,
    /// A licence.
    Licence,
}

impl Signed {
    /// The untrusted comment.
    pub(super) const fn comment(self) -> &'static str {
        match self {
            Self::Package => "signature of a Pitlane upgrade package",
            Self::Licence => "signature of a Pitlane licence",
        }
    }
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// It is not a minisign signature in our form.
    #[error("the signature cannot be read")]
    Unreadable,
    /// It is by a key that is not trusted.
    #[error("the signature is by key {key}, which is not trusted")]
    UntrustedKey {
        /// The key that it names.
        key: KeyId,
        /// The keys that are trusted.
        trusted: Vec<KeyId>,
    },
    /// The key is trusted but the signature is not its signature of this text.
    #[error("the text was changed after it was signed with key {key}")]
    Wrong {
        /// The key that it names.
        key: KeyId,
    },
}

/// The key that a signature names, if the signature has exactly our form: four lines, each with its
/// line end, the first one fixed, strict base64. Only this form is accepted, so that there is one
/// way to write a signature and no byte of it can be changed unnoticed.
pub(super) fn signer(what: Signed, signature: &str) -> Option<KeyId> {
    let lines: Vec<&str> = signature.strip_suffix('\n')?.split('\n').collect();
    let [untrusted, first, trusted, second] = lines.as_slice() else { return None };
    let printable = !trusted.chars().any(|c| c.is_control() && c != '\t');
    let comment = untrusted.strip_prefix("untrusted comment: ");
    if comment != Some(what.comment()) || !trusted.starts_with("trusted comment: ") || !printable {
        return None;
    }
    STANDARD.decode(second).ok()?;
    KeyId::within(&STANDARD.decode(first).ok()?)
}
