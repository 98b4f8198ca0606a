//! The credentials of a request that answer a challenge of ours (RFC 7616 section 3.4).

use std::borrow::Cow;

use sip::auth::Auth;
use sip::message::Request;
use sip::method::Method;
use sip::uri::Uri;

use crate::settings::AuthenticationSettings;

use super::algorithm::Algorithm;
use super::digest::{Answered, Quality};

/// Credentials for our realm that can be judged.
#[derive(Clone, Debug)]
pub(in crate::signalling) struct Credentials<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) username: String,
    pub(super) nonce: Cow<'a, [u8]>,
    /// The number of requests with this nonce.
    pub(super) count: u32,
    pub(super) response: Cow<'a, [u8]>,
    uri: Cow<'a, [u8]>,
    count_text: Cow<'a, [u8]>,
    cnonce: Cow<'a, [u8]>,
}

impl<'a> Credentials<'a> {
    /// The first credentials of a request that are for our realm and that it can be judged by. Those of another
    /// algorithm than we ask for, without `qop=auth`, with a part missing or for another request count as none: it
    /// is challenged then.
    pub(in crate::signalling) fn of(
        request: &'a Request,
        settings: &AuthenticationSettings,
    ) -> Option<Credentials<'a>> {
        let given = request.headers().authorizations().filter_map(Result::ok);
        let mut read = given.filter_map(|auth| Credentials::read(&auth, settings));
        read.find(|credentials| credentials.are_for(request.uri()))
    }

    pub(in crate::signalling) fn username(&self) -> &str {
        &self.username
    }

    fn read(auth: &Auth<'a>, settings: &AuthenticationSettings) -> Option<Credentials<'a>> {
        if !auth.is_digest() || auth.param("realm")? != settings.realm.as_bytes() {
            return None;
        }
        let algorithm = Algorithm::named(auth.param("algorithm").as_deref())?;
        let is_auth = auth.param("qop")?.eq_ignore_ascii_case(b"auth");
        if !is_auth || !settings.algorithms.contains(&algorithm) {
            return None;
        }
        let count_text = auth.param("nc")?;
        Some(Credentials {
            algorithm,
            username: String::from_utf8(auth.param("username")?.into_owned()).ok()?,
            nonce: auth.param("nonce")?,
            count: count(&count_text)?,
            response: auth.param("response")?,
            uri: auth.param("uri")?,
            count_text,
            cnonce: auth.param("cnonce")?,
        })
    }

    /// Whether they were made for this Request-URI. Host and parameters do not count: proxies write their own there
    /// (RFC 3261 section 22.1).
    fn are_for(&self, target: Uri<'_>) -> bool {
        match (Uri::new(&self.uri), target) {
            (Ok(Uri::Sip(made_for)), Uri::Sip(target)) => made_for.decoded_user() == target.decoded_user(),
            (Ok(Uri::Tel(made_for)), Uri::Tel(target)) => made_for.number == target.number,
            (Ok(Uri::Sip(_) | Uri::Tel(_) | Uri::Other(_)) | Err(_), _) => false,
        }
    }

    /// What `response` must be for the secret.
    pub(super) fn expected(&self, ha1: &str, method: Method<'_>) -> String {
        let answered = Answered {
            algorithm: self.algorithm,
            nonce: &self.nonce,
            uri: &self.uri,
            quality: Quality::Auth { count: &self.count_text, cnonce: &self.cnonce },
        };
        answered.response(ha1, method)
    }
}

/// `nc-value`: eight hexadecimal digits.
fn count(text: &[u8]) -> Option<u32> {
    let is_one = text.len() == 8 && text.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_one)?;
    u32::from_str_radix(text, 16).ok()
}
