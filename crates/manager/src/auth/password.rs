//! Passwords: generated here or chosen, hashed with argon2id, verified, and remembered for a while once
//! verified.
//!
//! Only hashes are stored or remembered. How often a password may be tried, `throttle` decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use fleet::time::{Span, Time};
use sha2::{Digest as _, Sha256};

use crate::bounded::make_room;
use crate::enrolment::random;

/// Memory of one hash, in KiB: 19 MiB, the OWASP minimum for two passes.
const MEMORY_KIB: u32 = 19 * 1_024;

/// Passes over that memory.
const PASSES: u32 = 2;

/// Lanes.
const LANES: u32 = 1;

/// Bytes of the salt of a hash (RFC 9106 section 3.1).
const SALT_BYTES: usize = 16;

/// Characters of a generated password: 24 of 56 are 139 bits.
const MADE_LENGTH: usize = 24;

/// The characters of a generated password: none that is mistaken for another when read aloud.
const ALPHABET: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/// The fewest characters of a chosen password.
const SHORTEST: usize = 12;

/// The most bytes of a chosen password: with the longest name it fits the header of HTTP Basic.
const LONGEST_BYTES: usize = 256;

/// The fewest different characters of a chosen password.
const SHORTEST_ALPHABET: usize = 5;

/// How long a right password need not be hashed again.
const RIGHT_FOR: Span = Span::minutes(5);

/// How many right passwords are remembered, at 40 bytes each: one for each tool and operator.
const RIGHT_ENTRIES: usize = 256;

/// How long a wrong password is remembered as wrong.
const WRONG_FOR: Span = Span::hours(1);

/// How many wrong ones are remembered. An address adds at most one in two seconds.
const WRONG_ENTRIES: usize = 4_096;

/// Generates a password that nobody can guess.
pub(crate) fn make() -> String {
    let mut password = String::with_capacity(MADE_LENGTH);
    while password.len() < MADE_LENGTH {
        // Bytes that would favour the first letters of the alphabet are skipped.
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

/// Checks a chosen password; the error is the message for its field. Its length counts most (NIST SP
/// 800-63B), and what guessers try first is not allowed.
pub(crate) fn acceptable(new: &str, user: &str) -> Result<(), String> {
    let length = new.chars().count();
    let different: BTreeSet<char> = new.chars().collect();
    if length < SHORTEST || new.len() > LONGEST_BYTES {
        return Err(format!(
            "Choose a password of {SHORTEST} characters or more, and at most {LONGEST_BYTES} bytes (it has {length} \
             characters)."
        ));
    }
    if new.chars().any(char::is_control) {
        return Err("Leave line breaks and control characters out.".into());
    }
    if different.len() < SHORTEST_ALPHABET || new.to_lowercase().contains(&user.to_lowercase()) {
        return Err(format!(
            "Choose a password of at least {SHORTEST_ALPHABET} different characters that does not contain the user name."
        ));
    }
    Ok(())
}

/// Credentials that were checked recently. Only a salted hash of them is kept, in memory, bound to the
/// address that sent them and to the stored hash of the account, so that a new password invalidates the old
/// one.
#[derive(Debug)]
pub(crate) struct Checked {
    salt: [u8; 32],
    /// Right ones, and until when they need not be hashed again.
    right: BTreeMap<[u8; 32], Time>,
    /// Wrong ones. A tool that sends an old password again and again causes no hashing and counts as no
    /// guess.
    wrong: BTreeMap<[u8; 32], Time>,
}

/// The credentials of a request.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) source: IpAddr,
    /// The stored hash of the account.
    pub(crate) hash: &'a str,
}

impl Checked {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { salt: random(), right: BTreeMap::new(), wrong: BTreeMap::new() }
    }

    /// Whether these were right recently.
    pub(crate) fn is_right(&self, presented: Presented<'_>, now: Time) -> bool {
        self.right.get(&self.digest(presented)).is_some_and(|until| now < *until)
    }

    /// Whether these were wrong recently.
    pub(crate) fn is_wrong(&self, presented: Presented<'_>, now: Time) -> bool {
        self.wrong.get(&self.digest(presented)).is_some_and(|until| now < *until)
    }

    /// Remembers that these were right.
    pub(crate) fn note_right(&mut self, presented: Presented<'_>, now: Time) {
        let digest = self.digest(presented);
        remember(&mut self.right, RIGHT_ENTRIES, digest, now, now + RIGHT_FOR);
    }

    /// Remembers that these were wrong.
    pub(crate) fn note_wrong(&mut self, presented: Presented<'_>, now: Time) {
        let digest = self.digest(presented);
        remember(&mut self.wrong, WRONG_ENTRIES, digest, now, now + WRONG_FOR);
    }

    /// Forgets the right ones.
    #[cfg(test)]
    pub(crate) fn forget_right(&mut self) {
        self.right.clear();
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

/// Adds an entry; in a full table it replaces the one that expires first.
fn remember(entries: &mut BTreeMap<[u8; 32], Time>, most: usize, digest: [u8; 32], now: Time, until: Time) {
    entries.retain(|_, until| now < *until);
    make_room(entries, most, &digest, |until| *until);
    entries.insert(digest, until);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn made_password_is_long_and_never_the_same() {
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
    fn new_password_is_long_and_not_what_is_tried_first() {
        let check = |new: &str, good: bool| assert_eq!(acceptable(new, "admin").is_ok(), good, "{new:?}");
        check("correct horse", true);
        check(&make(), true);
        check("ä".repeat(6).as_str(), false);
        check("short one..", false);
        check("aaaaaaaaaaaaaaaa", false);
        check("Admin-is-the-one", false);
        check("correct\nhorse battery", false);
        check(&"correct horse".repeat(20), false);
    }

    #[test]
    fn checked_credentials_are_remembered_for_a_while() {
        let mut checked = Checked::new();
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let right = Presented { user: "admin", password: "p", source, hash: "h" };
        checked.note_right(right, Time(0));
        assert!(checked.is_right(right, Time(0)));
        assert!(!checked.is_right(right, Time(0) + RIGHT_FOR));
        assert!(!checked.is_right(Presented { password: "q", ..right }, Time(0)));
        assert!(!checked.is_right(Presented { hash: "new", ..right }, Time(0)));
        assert!(!checked.is_right(Presented { source: Ipv4Addr::new(10, 0, 0, 1).into(), ..right }, Time(0)));
        let wrong = Presented { password: "q", ..right };
        checked.note_wrong(wrong, Time(0));
        assert!(checked.is_wrong(wrong, Time(0)) && !checked.is_wrong(right, Time(0)));
        assert!(
            !checked.is_wrong(Presented { hash: "new", ..wrong }, Time(0)),
            "the password may be right now"
        );
        for n in 0..=WRONG_ENTRIES {
            checked.note_right(Presented { password: &n.to_string(), ..right }, Time(1));
            checked.note_wrong(Presented { password: &n.to_string(), ..right }, Time(1));
        }
        assert_eq!((checked.right.len(), checked.wrong.len()), (RIGHT_ENTRIES, WRONG_ENTRIES));
    }
}
