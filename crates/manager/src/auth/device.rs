//! Device tokens: a device that has logged in is recognised by its token, so that the guesses of others, even
//! from the same address, do not slow it down (OWASP, "Slow Down Online Guessing Attacks with Device
//! Cookies").
//!
//! A token authenticates nobody: the password is needed with it. It is bound to the stored hash of the
//! account's password, so that a new password invalidates every token of the account, and nothing has to be
//! stored.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::enrolment::random;

/// The name of the cookie that carries a token.
pub(crate) const COOKIE: &str = "pitlane-device";

/// How long a browser or tool keeps it, in seconds: 400 days, the most that browsers allow.
const KEPT_SECONDS: u32 = 400 * 24 * 3_600;

/// The purpose that is signed with the token, so that the signature is not valid for anything else.
const PURPOSE: &[u8] = b"pitlane device token 1";

/// Bytes of a signature: HMAC-SHA-256 (RFC 2104).
const SIGNATURE_BYTES: usize = 32;

/// The id of a device, random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeviceId(pub(crate) [u8; 16]);

/// A token for a device that has just logged in. `hash` is the stored hash of the account.
pub(crate) fn issue(user: &str, hash: &str) -> String {
    let id = DeviceId(random());
    let tag = hmac::sign(&key(hash), &message(user, id));
    format!("{}.{}", hex(&id.0), hex(tag.as_ref()))
}

/// The device of a token that was issued for this account and password.
pub(crate) fn verify(token: &str, user: &str, hash: &str) -> Option<DeviceId> {
    let (id, tag) = token.split_once('.')?;
    let id = DeviceId(bytes(id)?);
    let tag: [u8; SIGNATURE_BYTES] = bytes(tag)?;
    hmac::verify(&key(hash), &message(user, id), &tag).ok().map(|()| id)
}

/// The token that a request carries.
pub(crate) fn token_in(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|text| text.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

/// Where a browser shows a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownTo {
    /// In requests to the management API.
    Api,
    /// At the page where people log in.
    Pages,
}

/// The header that sets the token after a login.
pub(crate) fn cookie(token: &str, shown_to: ShownTo) -> Option<HeaderValue> {
    let path = match shown_to {
        ShownTo::Api => "/api/admin/",
        ShownTo::Pages => "/admin/",
    };
    let text =
        format!("{COOKIE}={token}; Path={path}; Max-Age={KEPT_SECONDS}; Secure; HttpOnly; SameSite=Strict");
    HeaderValue::from_str(&text).ok()
}

fn key(hash: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hash.as_bytes())
}

fn message(user: &str, id: DeviceId) -> Vec<u8> {
    [PURPOSE, &id.0, user.as_bytes()].concat()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_good_for_its_account_and_its_password_alone() {
        let token = issue("admin", "the hash");
        assert!(verify(&token, "admin", "the hash").is_some());
        assert_eq!(verify(&token, "admin", "another hash"), None);
        assert_eq!(verify(&token, "eve", "the hash"), None);
        let other = issue("admin", "the hash");
        assert_ne!(verify(&token, "admin", "the hash"), verify(&other, "admin", "the hash"));
        let last = if token.ends_with('0') { "1" } else { "0" };
        for forged in ["", ".", "x.y", &token[..40], &format!("{}{last}", &token[..token.len() - 1])] {
            assert_eq!(verify(forged, "admin", "the hash"), None, "{forged}");
        }
    }

    #[test]
    fn token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(token_in(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; pitlane-device=x.y; c=d"));
        assert_eq!(token_in(&headers), Some("x.y"));
    }
}
