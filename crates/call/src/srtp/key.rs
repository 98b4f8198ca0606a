//! The suites of SRTP, and master keys with their salts.

use std::fmt;

use rand::Rng;

/// The longest master key with its salt, in bytes.
const MAX_BYTES: usize = 44;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES in counter mode with a key of 128 bits; HMAC-SHA1 with a tag of 80 bits (RFC 4568 section 6.2.1).
    AesCm128Sha80,
    /// The same with a tag of 32 bits for sound, and of 80 bits for control packets (RFC 4568 section 6.2.2).
    AesCm128Sha32,
    /// AES in Galois/counter mode with a key of 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// The same with a key of 256 bits (RFC 7714).
    AeadAes256Gcm,
}

impl Suite {
    /// All of them.
    pub const ALL: [Suite; 4] =
        [Suite::AesCm128Sha80, Suite::AesCm128Sha32, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

    /// Its name in session descriptions (RFC 4568 section 10.3.2.1, RFC 7714 section 14.2).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Suite::AesCm128Sha80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128Sha32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of a name. Case makes no difference.
    #[must_use]
    pub fn named(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// The length of its master key in bytes.
    pub(crate) fn key_bytes(self) -> usize {
        match self {
            Suite::AesCm128Sha80 | Suite::AesCm128Sha32 | Suite::AeadAes128Gcm => 16,
            Suite::AeadAes256Gcm => 32,
        }
    }

    /// The length of its master salt in bytes.
    pub(crate) fn salt_bytes(self) -> usize {
        match self {
            Suite::AesCm128Sha80 | Suite::AesCm128Sha32 => 14,
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 12,
        }
    }
}

/// A master key with its salt, for one suite. It is secret: [`fmt::Debug`] shows the suite alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    /// The key and behind it the salt; the rest is zero.
    bytes: [u8; MAX_BYTES],
}

impl MasterKey {
    /// The key and behind it the salt; `None` unless they have the lengths of the suite together.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<MasterKey> {
        let mut bytes = [0; MAX_BYTES];
        let used = bytes.get_mut(..suite.key_bytes() + suite.salt_bytes())?;
        (used.len() == key_and_salt.len()).then(|| used.copy_from_slice(key_and_salt))?;
        Some(MasterKey { suite, bytes })
    }

    /// A key that nobody has used. The generator is one that nobody can guess.
    #[must_use]
    pub fn random(suite: Suite, random: &mut dyn Rng) -> MasterKey {
        let mut bytes = [0; MAX_BYTES];
        random.fill_bytes(&mut bytes[..suite.key_bytes() + suite.salt_bytes()]);
        MasterKey { suite, bytes }
    }

    /// What it is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key and behind it the salt.
    #[must_use]
    pub fn key_and_salt(&self) -> &[u8] {
        &self.bytes[..self.suite.key_bytes() + self.suite.salt_bytes()]
    }

    /// The key and the salt.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        self.key_and_salt().split_at(self.suite.key_bytes())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.suite.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_the_length_of_its_suite_and_is_not_printed() {
        for (suite, length) in Suite::ALL.into_iter().zip([30, 30, 28, 44]) {
            for wrong in [0, length - 1, length + 1, 45] {
                assert_eq!(MasterKey::new(suite, &vec![7; wrong]), None, "{suite:?} {wrong}");
            }
            let key = MasterKey::new(suite, &vec![7; length]).expect("a key");
            assert_eq!(key.key_and_salt(), vec![7; length]);
            assert_eq!(format!("{key:?}"), format!("MasterKey({})", suite.name()));
        }
    }

    #[test]
    fn suite_is_found_by_its_name_in_any_case() {
        for suite in Suite::ALL {
            assert_eq!(Suite::named(&suite.name().to_lowercase()), Some(suite));
        }
        assert_eq!(Suite::named("F8_128_HMAC_SHA1_80"), None);
    }
}
