//! Access tokens: an HMAC over client, revision and expiry, with a key of the client's row. Nothing is stored for one.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleet::time::Wall;
use uuid::Uuid;

use crate::enrolment::random;

/// The purpose that is signed with a token, so that the signature is not valid for anything else.
const PURPOSE: &[u8] = b"pitlane access token 1";

/// Bytes of a signature: HMAC-SHA-256 (RFC 2104).
const TAG: usize = 32;

/// Bytes of a token before its signature: the client, the expiry in milliseconds.
const HEAD: usize = 16 + 8;

/// Characters of a token: base64 of both.
const CHARACTERS: usize = (HEAD + TAG).div_ceil(3) * 4 - 1;

/// The key of a client's tokens. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey(pub [u8; 32]);

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

impl TokenKey {
    /// A new key.
    pub fn make() -> Self {
        Self(random())
    }
}

/// Why an access token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// It is none of this server, or not for this client as it is now.
    #[error("the access token is unknown, or its client has changed; ask for a new one")]
    Unknown,
    /// It has expired.
    #[error("the access token has expired; ask for a new one")]
    Expired,
}

/// An access token whose form is right. It counts when it was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessToken {
    client: Uuid,
    expires: Wall,
    tag: [u8; TAG],
}

impl AccessToken {
    /// Issues a token to a client. The revision is that of what the client may do.
    pub fn issue(client: Uuid, revision: u64, key: &TokenKey, expires: Wall) -> Self {
        let tag = hmac::sign(&signing_key(key), &message(client, revision, expires));
        let mut bytes = [0; TAG];
        bytes.copy_from_slice(tag.as_ref());
        Self { client, expires, tag: bytes }
    }

    /// Reads a token from a request.
    ///
    /// # Errors
    /// [`NotAToken::Unknown`].
    pub fn read(text: &str) -> Result<Self, NotAToken> {
        let fits = text.len() == CHARACTERS;
        let decoded = fits.then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten().ok_or(NotAToken::Unknown)?;
        let (client, rest) = decoded.split_first_chunk::<16>().ok_or(NotAToken::Unknown)?;
        let (expires, tag) = rest.split_first_chunk::<8>().ok_or(NotAToken::Unknown)?;
        let tag = tag.try_into().map_err(|_| NotAToken::Unknown)?;
        Ok(Self { client: Uuid::from_bytes(*client), expires: Wall(u64::from_be_bytes(*expires)), tag })
    }

    /// The client that it names, of which nothing is verified: whose key it is to be verified with.
    pub fn claimed_client(&self) -> Uuid {
        self.client
    }

    /// Verifies the token with the key and the revision of its client.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify(&self, revision: u64, key: &TokenKey, now: Wall) -> Result<(), NotAToken> {
        let message = message(self.client, revision, self.expires);
        hmac::verify(&signing_key(key), &message, &self.tag).map_err(|_| NotAToken::Unknown)?;
        if now >= self.expires { Err(NotAToken::Expired) } else { Ok(()) }
    }
}

impl fmt::Display for AccessToken {
    /// The text that a client is given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.client.as_bytes(), &self.expires.0.to_be_bytes()[..], &self.tag].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn signing_key(key: &TokenKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &key.0)
}

fn message(client: Uuid, revision: u64, expires: Wall) -> Vec<u8> {
    [PURPOSE, client.as_bytes(), &revision.to_be_bytes(), &expires.0.to_be_bytes()].concat()
}
