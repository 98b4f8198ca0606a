//! Why a licence is refused, in sentences for the operator.

use package::{KeyError, KeyId, NotSigned};

use crate::limits::{FORMAT, MAX_LICENCE};

/// Why a text is no licence that counts.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The text is longer than any licence.
    #[error("a licence has at most {MAX_LICENCE} bytes, and this has {has}; give one licence as it was sent")]
    TooLong {
        /// Its bytes.
        has: usize,
    },
    /// The text has not the form of a licence.
    #[error(
        "this is not a licence; give all of its text, from the first brace to the last line of the signature"
    )]
    NotALicence,
    /// The signature is not one in our form.
    #[error("the signature of the licence cannot be read; copy its text again as it was sent")]
    SignatureUnreadable,
    /// The signature is by a key whose licences are not accepted here.
    #[error(
        "the licence is signed with key {key}, whose licences are not accepted here; ask the publisher for another \
         licence, or put the .pub file of that key into {} on the Management Node",
        crate::TRUST_DIR
    )]
    UntrustedKey {
        /// The key that the signature names.
        key: KeyId,
    },
    /// The key is trusted but the signature is not its signature of this text.
    #[error("the licence was changed after it was signed with key {key}; copy its text again as it was sent")]
    Changed {
        /// The key that the signature names.
        key: KeyId,
    },
    /// The format is not the one that this program reads.
    #[error(
        "the licence has format {format}, and this software reads format {FORMAT}; upgrade first, or ask for another"
    )]
    OtherFormat {
        /// The format of the licence.
        format: u32,
    },
    /// A field is missing or breaks a rule.
    #[error("the licence is wrong: {why}; ask the publisher for a corrected one")]
    Wrong {
        /// The field and the rule.
        why: String,
    },
    /// The licence could not be signed.
    #[error("the licence could not be signed")]
    Key(#[from] KeyError),
}

impl From<NotSigned> for Refusal {
    fn from(refusal: NotSigned) -> Self {
        match refusal {
            NotSigned::Unreadable => Self::SignatureUnreadable,
            NotSigned::UntrustedKey { key, .. } => Self::UntrustedKey { key },
            NotSigned::Wrong { key } => Self::Changed { key },
        }
    }
}
