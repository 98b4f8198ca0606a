//! Passwords: made here, hashed with argon2id, verified, and remembered for a while once verified.

use std::collections::BTreeMap;
use std::net::IpAddr;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use fleet::time::{Span, Time};
use sha2::{Digest as _, Sha256};

use crate::enrolment::random;

/// Memory of one hash, in KiB: 19 MiB, the OWASP minimum for two passes. Two at once stay under
/// 40 MiB on the smallest Management Node.
const MEMORY_KIB: u32 = 19 * 1_024;

/// Passes over that memory.
const PASSES: u32 = 2;

/// Lanes.
const LANES: u32 = 1;

/// Bytes of the salt of a hash (RFC 9106 section 3.1).
const SALT_BYTES: usize = 16;

/// Characters of a password that is made here: 24 of 56 are 139 bits.
const MADE_LENGTH: usize = 24;

/// What a made password consists of: no character that is mistaken for another when read aloud.
const ALPHABET: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/// How long a verified password needs no hashing again.
const REMEMBERED: Span = Span::minutes(5);

/// How many verified passwords are remembered, at 40 bytes each: one for each tool and operator.
const ENTRIES: usize = 256;

/// A new password that nobody can guess.
pub(crate) fn make() -> String {
    let mut password = String::with_capacity(MADE_LENGTH);
    while password.len() < MADE_LENGTH {
        // Bytes that would favour the first letters of the alphabet are passed over.
        let fair = 256 - 256 % ALPHABET.len();
        let letters = random::<64>().into_iter().map(usize::from).filter(|byte| *byte < fair);
        let letters = letters.map(|byte| char::from(ALPHABET[byte % ALPHABET.len()]));
        password.extend(letters.take(MADE_LENGTH - password.len()));
    }
    password
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The hash of a password, as it is stored. Takes tens of milliseconds: not for an async thread.
pub(crate) fn hash(password: &str) -> String {
    let hash = argon2().hash_password_with_salt(password.as_bytes(), &random::<SALT_BYTES>());
    hash.expect("the parameters are constants within argon2's limits").to_string()
}

/// Whether the password belongs to the hash. Takes tens of milliseconds: not for an async thread.
pub(crate) fn matches(password: &str, hash: &str) -> bool {
    argon2().verify_password(password.as_bytes(), hash).is_ok()
}

/// Credentials that were verified lately. Only a salted hash of them is kept, in memory, bound to
/// the hash of the account so that a new password forgets the old one.
#[derive(Debug)]
pub(crate) struct Remembered {
    salt: [u8; 32],
    until: BTreeMap<[u8; 32], Time>,
}

/// Credentials as somebody presents them.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) source: IpAddr,
    /// The stored hash of the account.
    pub(crate) hash: &'a str,
}

impl Remembered {
    /// Nothing is remembered yet.
    pub(crate) fn new() -> Self {
        Self { salt: random(), until: BTreeMap::new() }
    }

    /// Whether these were verified lately, from the same address.
    pub(crate) fn knows(&self, presented: Presented<'_>, now: Time) -> bool {
        self.until.get(&self.digest(presented)).is_some_and(|until| now < *until)
    }

    /// Remembers that these were verified.
    pub(crate) fn remember(&mut self, presented: Presented<'_>, now: Time) {
        self.until.retain(|_, until| now < *until);
        if self.until.len() >= ENTRIES {
            self.until.clear();
        }
        self.until.insert(self.digest(presented), now + REMEMBERED);
    }

    fn digest(&self, presented: Presented<'_>) -> [u8; 32] {
        let Presented { user, password, source, hash } = presented;
        let mut digest = Sha256::new();
        digest.update(self.salt);
        for part in [user, password, hash, &source.to_string()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_made_password_is_long_and_never_the_same() {
        let (one, other) = (make(), make());
        assert_eq!(one.len(), MADE_LENGTH);
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn only_the_right_password_matches_its_hash() {
        let hash = hash("correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches("correct horse", &hash));
        assert!(!matches("correct horse ", &hash));
        assert!(!matches("correct horse", "no hash"));
    }

    #[test]
    fn verified_credentials_are_remembered_for_a_while() {
        let mut remembered = Remembered::new();
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let right = Presented { user: "admin", password: "p", source, hash: "h" };
        remembered.remember(right, Time(0));
        assert!(remembered.knows(right, Time(0)));
        assert!(!remembered.knows(right, Time(0) + REMEMBERED));
        assert!(!remembered.knows(Presented { password: "q", ..right }, Time(0)));
        assert!(!remembered.knows(Presented { hash: "new", ..right }, Time(0)));
        assert!(!remembered.knows(Presented { source: Ipv4Addr::new(10, 0, 0, 1).into(), ..right }, Time(0)));
        (0..=ENTRIES).for_each(|n| {
            remembered.remember(Presented { password: &n.to_string(), ..right }, Time(0));
        });
        assert!(remembered.until.len() <= ENTRIES);
    }
}
