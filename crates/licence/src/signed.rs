//! The signed text of a licence: read and verified, or made. The terms are looked at only when the signature is good.

use package::{KeyId, Signed, SigningKey, TrustedKeys};

use crate::limits::MAX_LICENCE;
use crate::refusal::Refusal;
use crate::terms::Terms;

/// What the signature begins with. JSON has no such line: a text in it has no line ends.
const SIGNATURE: &str = "\nuntrusted comment: ";

/// A licence whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// What it says.
    pub terms: Terms,
    /// The key that has signed it.
    pub key: KeyId,
    /// The whole text, as it is stored: line ends of one character, and nothing around it.
    pub text: String,
}

impl Licence {
    /// Reads a licence and verifies it against the keys whose licences are accepted. Line ends of two characters, and
    /// space around the text, which mail and forms add, are passed over.
    ///
    /// # Errors
    /// It is none, nobody who is trusted has signed it, or it breaks a rule.
    pub fn read(text: &str, keys: &TrustedKeys) -> Result<Self, Refusal> {
        if text.len() > MAX_LICENCE {
            return Err(Refusal::TooLong { has: text.len() });
        }
        let text = text.trim().replace("\r\n", "\n") + "\n";
        let at = text.rfind(SIGNATURE).ok_or(Refusal::NotALicence)? + 1;
        let (terms, signature) = text.split_at(at);
        let key = keys.verify(Signed::Licence, terms.as_bytes(), signature)?;
        Ok(Self { terms: Terms::parse(terms)?, key, text })
    }

    /// The terms of a text that was verified before it was stored.
    ///
    /// # Errors
    /// It is none, or a rule of this release does not hold for it.
    pub fn terms_of_stored(text: &str) -> Result<Terms, Refusal> {
        let at = text.rfind(SIGNATURE).ok_or(Refusal::NotALicence)? + 1;
        Terms::parse(&text[..at])
    }
}

/// Signs a licence and returns its text.
///
/// # Errors
/// The terms break a rule, or the key cannot sign.
pub fn sign(terms: &Terms, key: &SigningKey) -> Result<String, Refusal> {
    terms.check()?;
    let text = terms.to_text();
    let signature = key.sign_text(Signed::Licence, text.as_bytes(), &terms.id)?;
    let licence = text + &signature;
    if licence.len() > MAX_LICENCE { Err(Refusal::TooLong { has: licence.len() }) } else { Ok(licence) }
}
