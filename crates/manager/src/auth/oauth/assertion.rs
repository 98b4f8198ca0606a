//! The assertion of a client: a JWT that it has signed (RFC 7523 section 3). Verified in one way: the algorithm and the
//! key are those of the client's row, and the time is the caller's.

use std::collections::BTreeSet;

use fleet::time::Wall;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Validation, decode};
use serde::Deserialize;

use super::client_key::ClientKey;
use super::refusal::{Refusal, Why};

/// Longest assertion, in bytes. One with an RSA key of 4096 bits and long names has 1.2 KB.
pub(super) const MAX_ASSERTION: usize = 4 << 10;

/// Longest identifier within one, in bytes.
const MAX_ID: usize = 256;

/// Most names of an audience that are looked at.
const MAX_AUDIENCES: usize = 16;

/// How long an assertion may be valid, in seconds: an hour, which the clients of the compatible interface use at most.
const MAX_LIFE: u64 = 3_600;

/// How far the clock of a client may be off, in seconds, where that would make its assertion one of the future.
const LEEWAY: u64 = 60;

/// The names that this server is asked by: the URLs of its token, as clients write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audiences(BTreeSet<String>);

impl Audiences {
    /// The URLs of the token at these hosts: with and without the port, and with and without the last slash.
    pub fn of<'h>(hosts: impl IntoIterator<Item = &'h str>, port: u16) -> Self {
        let url = |host: &str| {
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_ascii_lowercase() };
            [host.clone(), format!("{host}:{port}")].map(|place| format!("https://{place}/oauth/token"))
        };
        Self(hosts.into_iter().flat_map(url).collect())
    }

    fn contain(&self, audience: &str) -> bool {
        let audience = audience.to_ascii_lowercase();
        self.0.contains(audience.strip_suffix('/').unwrap_or(&audience))
    }
}

/// An assertion that counts, if it was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The client.
    pub client: String,
    /// The id of the assertion.
    pub id: String,
    /// When it ends.
    pub expires: Wall,
}

/// The claims that are needed. Times are in seconds (RFC 7519 section 2).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    jti: String,
    iat: Option<f64>,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The client that an assertion names, of which nothing is verified: whose key it is to be verified with.
///
/// # Errors
/// It is no JWT.
pub fn claimed_client(assertion: &str) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    if assertion.len() > MAX_ASSERTION {
        return Err(Why::Form.refusal());
    }
    let claimed: Claimed = insecure_decode_claims(assertion).map_err(|_| Why::Form.refusal())?;
    if claimed.iss.len() > MAX_ID { Err(Why::Form.refusal()) } else { Ok(claimed.iss) }
}

/// Verifies the assertion of a client at a time.
///
/// # Errors
/// [`Refusal::InvalidClient`] or [`Refusal::InvalidGrant`], with the reason.
pub fn verify(
    assertion: &str,
    client: &str,
    key: &ClientKey,
    audiences: &Audiences,
    now: Wall,
) -> Result<Verified, Refusal> {
    if assertion.len() > MAX_ASSERTION {
        return Err(Why::Form.refusal());
    }
    let claims = signed_claims(assertion, key).map_err(Why::refusal)?;
    let expires = checked(&claims, client, audiences, now).map_err(Why::refusal)?;
    Ok(Verified { client: client.into(), id: claims.jti, expires })
}

/// The claims of an assertion whose signature is the client's.
fn signed_claims(assertion: &str, key: &ClientKey) -> Result<Claims, Why> {
    let (key, algorithm) = key.verifier();
    let mut validation = Validation::new(algorithm);
    // The rest is checked here: the crate would read a clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let form = insecure_decode_claims::<Claims>(assertion);
    match decode::<Claims>(assertion, &key, &validation) {
        Ok(verified) => Ok(verified.claims),
        Err(_) if form.is_err() => Err(Why::Form),
        Err(_) => Err(Why::Signature),
    }
}

/// Checks the claims and returns the expiry.
fn checked(claims: &Claims, client: &str, audiences: &Audiences, now: Wall) -> Result<Wall, Why> {
    if claims.jti.is_empty() || claims.jti.len() > MAX_ID {
        return Err(Why::Form);
    }
    if claims.iss != client || claims.sub != client {
        return Err(Why::OtherClient);
    }
    let is_ours = match &claims.aud {
        Audience::One(one) => audiences.contain(one),
        Audience::Several(all) => all.len() <= MAX_AUDIENCES && all.iter().any(|one| audiences.contain(one)),
    };
    if !is_ours {
        return Err(Why::OtherAudience);
    }
    let (expires, now_seconds) = (seconds(claims.exp)?, now.0 / 1_000);
    if expires <= now_seconds {
        return Err(Why::Expired);
    }
    if expires > now_seconds.saturating_add(MAX_LIFE + LEEWAY) {
        return Err(Why::TooLong);
    }
    for begins in [claims.iat, claims.nbf].into_iter().flatten() {
        if seconds(begins)? > now_seconds.saturating_add(LEEWAY) {
            return Err(Why::NotYet);
        }
    }
    Ok(Wall(expires.saturating_mul(1_000)))
}

/// A time of a claim in whole seconds.
fn seconds(time: f64) -> Result<u64, Why> {
    // Beyond 2^53 a number of JSON is not exact, and no time either.
    if (0.0..9_007_199_254_740_992.0).contains(&time) { Ok(time as u64) } else { Err(Why::Form) }
}
