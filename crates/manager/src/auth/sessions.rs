//! Sessions of people who log in at a page: the token that a browser keeps, and how long a session lasts.
//!
//! Pure but for the random numbers. What is stored of a session is the hash of its token, in `store::sessions`; whoever
//! reads the store cannot log in with it. A session ends with the password, the activity, the role and the life of its
//! account as well: triggers of the store hold that.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use fleet::time::{Span, Time};
use sha2::Digest as _;

use super::device::{bytes, hex};
use crate::enrolment::random;

/// The name of the cookie. Browsers accept the prefix only from this host, over TLS, for every path (RFC 6265bis
/// section 4.1.3.2), so that no other server of the domain can set one.
pub(crate) const COOKIE: &str = "__Host-pitlane-session";

/// What every cookie of a session has: no script reads it, and no request that another site causes carries it.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// How long a session lasts at most: a working day.
pub(crate) const LONGEST: Span = Span::hours(12);

/// How exactly the last use is noted: not every request is to write.
const NOTED_EVERY: Span = Span::minutes(1);

/// The secret that a browser keeps. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionToken([u8; 32]);

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// What is stored of a token: its SHA-256. The token is random, so nothing has to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl SessionToken {
    /// A new one. Every login has its own, so that nobody can prepare one for somebody else.
    pub(crate) fn make() -> Self {
        Self(random())
    }

    /// The token that a request carries.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(name, value)| (name == COOKIE).then(|| bytes(value)).flatten()).map(Self)
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(sha2::Sha256::digest(self.0).into())
    }

    /// The header that gives it to a browser, which forgets it when it is closed.
    pub(crate) fn cookie(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{COOKIE}={}; {ATTRIBUTES}", hex(&self.0))).ok()
    }
}

/// The header that makes a browser forget its token.
pub(crate) fn forgotten() -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}=; Max-Age=0; {ATTRIBUTES}")).ok()
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is over.
    Over,
    /// It goes on, and its last use was noted just now.
    Good,
    /// It goes on, and this use is to be noted.
    ToNote,
}

/// Whether a session that began and was used then goes on, where one ends after `idle` without a request.
pub(crate) fn standing(began: Time, used: Time, idle: Span, now: Time) -> Standing {
    if now.since(began) >= LONGEST || now.since(used) >= idle {
        Standing::Over
    } else if now.since(used) >= NOTED_EVERY {
        Standing::ToNote
    } else {
        Standing::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_found_in_the_cookie_that_it_sets_and_is_no_part_of_what_is_stored() {
        let token = SessionToken::make();
        let cookie = token.cookie().unwrap();
        let text = cookie.to_str().unwrap();
        for attribute in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
            assert!(text.contains(attribute), "{text}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(SessionToken::of(&headers), None);
        let pair = text.split(';').next().unwrap();
        headers.append(header::COOKIE, HeaderValue::from_str(&format!("a=b; {pair}; c=d")).unwrap());
        assert_eq!(SessionToken::of(&headers), Some(token.clone()));
        assert_ne!(token.hash().0, token.0);
        assert_ne!(SessionToken::make(), SessionToken::make());
        assert!(!format!("{token:?}").contains(&hex(&token.0)[..8]));
    }

    #[test]
    fn session_ends_when_it_is_not_used_and_when_it_is_old() {
        let check = |began: u64, used: u64, now: u64, expected: Standing| {
            let [began, used, now] = [began, used, now].map(|seconds| Time(0) + Span::seconds(seconds));
            assert_eq!(standing(began, used, Span::minutes(30), now), expected, "{began:?} {used:?} {now:?}");
        };
        check(0, 0, 59, Standing::Good);
        check(0, 0, 60, Standing::ToNote);
        check(0, 0, 30 * 60 - 1, Standing::ToNote);
        check(0, 0, 30 * 60, Standing::Over);
        check(0, 12 * 3_600 - 1, 12 * 3_600 - 1, Standing::Good);
        check(0, 12 * 3_600 - 1, 12 * 3_600, Standing::Over);
    }
}
