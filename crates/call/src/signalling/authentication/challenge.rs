//! The challenges of others (RFC 7616 section 3.3), and which of them this node answers.

use sip::auth::Auth;
use sip::message::Response;
use sip::name::Name;

use crate::logins::{Login, Logins};

use super::algorithm::Algorithm;

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) quality: Asked,
    /// The nonce before was good no more, and the secret right.
    pub(super) is_stale: bool,
    /// The header that answers it.
    pub(super) answered_by: Name,
}

/// `qop` of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `auth`, perhaps beside others.
    Auth,
    /// None: a server of RFC 2069.
    Nothing,
}

/// The challenges of a response that have a login, one for each realm, with its secret: the first that we know the
/// algorithm of (RFC 8760 section 2.4).
pub(super) fn answerable<'l>(response: &Response, logins: &'l Logins) -> Vec<(Challenge, &'l Login, String)> {
    let mut chosen: Vec<(Challenge, &Login, String)> = Vec::new();
    for challenge in challenges(response).filter_map(|(auth, name)| Challenge::read(&auth, name)) {
        let is_chosen = chosen.iter().any(|(other, ..)| other.is_for_the_same(&challenge));
        let Some(login) = logins.get(&challenge.realm).filter(|_| !is_chosen) else { continue };
        if let Some(ha1) = login.secret.ha1(challenge.algorithm, &login.username, &challenge.realm) {
            chosen.push((challenge, login, ha1));
        }
    }
    chosen
}

/// The realm that a response asks for first, as far as it can be read.
pub(super) fn realm(response: &Response) -> String {
    let realm = challenges(response).find_map(|(auth, _)| text(&auth, "realm"));
    realm.unwrap_or_default()
}

fn challenges(response: &Response) -> impl Iterator<Item = (Auth<'_>, Name)> {
    let headers = response.headers();
    let by_server = headers.www_authenticates().map(|auth| (auth, Name::Authorization));
    let by_proxy = headers.proxy_authenticates().map(|auth| (auth, Name::ProxyAuthorization));
    by_server.chain(by_proxy).filter_map(|(auth, name)| Some((auth.ok()?, name)))
}

impl Challenge {
    /// Reads a challenge; `None` for one that cannot be answered.
    fn read(auth: &Auth<'_>, answered_by: Name) -> Option<Challenge> {
        let quality = match auth.param("qop") {
            None => Asked::Nothing,
            Some(offered) if offers_auth(&offered) => Asked::Auth,
            Some(_) => return None,
        };
        Some(Challenge {
            realm: text(auth, "realm").filter(|_| auth.is_digest())?,
            nonce: text(auth, "nonce")?,
            opaque: text(auth, "opaque"),
            algorithm: Algorithm::named(auth.param("algorithm").as_deref())?,
            quality,
            is_stale: auth.param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case(b"true")),
            answered_by,
        })
    }

    /// Whether another challenge is for the same realm of the same kind.
    pub(super) fn is_for_the_same(&self, other: &Challenge) -> bool {
        self.realm == other.realm && self.answered_by == other.answered_by
    }
}

fn offers_auth(offered: &[u8]) -> bool {
    offered.split(|byte| *byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(b"auth"))
}

/// A parameter that can be written again.
fn text(auth: &Auth<'_>, name: &str) -> Option<String> {
    let text = String::from_utf8(auth.param(name)?.into_owned()).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}
