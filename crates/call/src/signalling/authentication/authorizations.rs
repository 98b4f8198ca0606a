//! The client's side of digest authentication: what this node answers to those who challenge its requests in one call.

use std::fmt;

use sip::draft::quoted;
use sip::message::Response;
use sip::method::Method;

use crate::logins::Logins;
use crate::signalling::headers::Field;

use super::algorithm::hex;
use super::challenge::{self, Asked, Challenge};
use super::digest::{Answered, Quality};

/// The most realms that one call is asked for: a proxy, one behind it, and the far end.
const REALMS: usize = 4;

/// The challenges of a call that its next requests answer, and what its last INVITE had.
#[derive(Clone, Debug, Default)]
pub(in crate::signalling) struct Authorizations {
    all: Vec<Authorization>,
    last: Vec<Field>,
}

#[derive(Clone)]
struct Authorization {
    challenge: Challenge,
    username: String,
    ha1: String,
    /// The requests with this nonce.
    count: u32,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("realm", &self.challenge.realm)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why a challenge is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::signalling) enum NotAnswered {
    /// There is no login for the realm.
    NoLogin(String),
    /// The login of the realm was refused.
    Wrong(String),
}

impl Authorizations {
    /// Takes in the challenges of a 401 or 407 to the last request, which may be sent again then.
    ///
    /// # Errors
    /// It is of no use to send it again.
    pub(in crate::signalling) fn learn(
        &mut self,
        response: &Response,
        logins: &Logins,
    ) -> Result<(), NotAnswered> {
        let chosen = challenge::answerable(response, logins);
        if chosen.is_empty() {
            return Err(NotAnswered::NoLogin(challenge::realm(response)));
        }
        for (challenge, login, ha1) in chosen {
            let place = self.all.iter().position(|known| known.challenge.is_for_the_same(&challenge));
            // A nonce that was used before that request may have been too old for it.
            let is_refused = place.is_some_and(|place| self.all[place].count == 1) && !challenge.is_stale;
            if is_refused {
                return Err(NotAnswered::Wrong(challenge.realm));
            }
            place.map(|place| self.all.remove(place));
            if self.all.len() == REALMS {
                return Err(NotAnswered::NoLogin(challenge.realm));
            }
            self.all.push(Authorization { challenge, username: login.username.clone(), ha1, count: 0 });
        }
        Ok(())
    }

    /// The headers of the next request, which is to this URI. `random` makes the client's nonce.
    pub(in crate::signalling) fn next(&mut self, method: Method<'_>, uri: &str, random: u64) -> Vec<Field> {
        let fields = self.all.iter_mut().map(|authorization| authorization.next(method, uri, random));
        let fields: Vec<_> = fields.collect();
        if method == Method::Invite {
            self.last.clone_from(&fields);
        }
        fields
    }

    /// The headers of the last INVITE, which its ACK has as well (RFC 3261 section 22.1).
    pub(in crate::signalling) fn of_ack(&self) -> &[Field] {
        &self.last
    }
}

impl Authorization {
    fn next(&mut self, method: Method<'_>, uri: &str, random: u64) -> Field {
        self.count = self.count.saturating_add(1);
        let Challenge { realm, nonce, opaque, algorithm, quality, answered_by, .. } = &self.challenge;
        let (count, cnonce) = (format!("{:08x}", self.count), hex(&random.to_be_bytes()));
        let (used, written) = match quality {
            Asked::Auth => (
                Quality::Auth { count: count.as_bytes(), cnonce: cnonce.as_bytes() },
                format!(", qop=auth, nc={count}, cnonce=\"{cnonce}\""),
            ),
            Asked::Nothing => (Quality::Absent, String::new()),
        };
        let (algorithm, nonce_bytes) = (*algorithm, nonce.as_bytes());
        let answered = Answered { algorithm, nonce: nonce_bytes, uri: uri.as_bytes(), quality: used };
        let response = answered.response(&self.ha1, method);
        let opaque =
            opaque.as_ref().map_or_else(String::new, |opaque| format!(", opaque={}", quoted(opaque)));
        let value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={algorithm}{written}{opaque}",
            quoted(&self.username),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
        );
        (*answered_by, value)
    }
}

#[cfg(test)]
mod tests {
    use sip::message::{self, Message};

    use crate::accounts::Secret;
    use crate::logins::Login;

    use super::*;

    fn logins() -> Logins {
        let secret = Secret::Password("Circle of Life".into());
        let login =
            |realm: &str| Login { realm: realm.into(), username: "Mufasa".into(), secret: secret.clone() };
        Logins::new(["http-auth@example.org", "proxy"].map(login))
    }

    fn challenged(headers: &str) -> Response {
        let text = format!(
            "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=a\r\n\
             To: <sip:c@d>;tag=b\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        match message::datagram(text.as_bytes()) {
            Ok(Message::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    const NONCE: &str = "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"";

    fn learned(headers: &str) -> Result<Vec<String>, NotAnswered> {
        let mut authorizations = Authorizations::default();
        authorizations.learn(&challenged(headers), &logins())?;
        let fields = authorizations.next(Method::Invite, "/dir/index.html", 1);
        Ok(fields.into_iter().map(|(name, value)| format!("{name}: {value}")).collect())
    }

    #[test]
    fn first_challenge_of_a_known_algorithm_is_answered() {
        let realm = "realm=\"http-auth@example.org\"";
        let fields = learned(&format!(
            "WWW-Authenticate: Digest {realm}, {NONCE}, algorithm=SHA-1024, qop=\"auth\"\r\n\
             WWW-Authenticate: Digest {realm}, {NONCE}, algorithm=SHA-256, qop=\"auth-int, auth\", opaque=\"F\\\"h\"\r\n\
             WWW-Authenticate: Digest {realm}, {NONCE}, algorithm=MD5, qop=\"auth\"\r\n"
        ))
        .expect("a login");
        let [field] = &fields[..] else { panic!("{fields:?}") };
        assert!(
            field.starts_with("Authorization: Digest username=\"Mufasa\", realm=\"http-auth@example.org\", ")
        );
        let end = "algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"0000000000000001\", opaque=\"F\\\"h\"";
        assert!(field.ends_with(end), "{field}");
    }

    #[test]
    fn proxy_and_server_are_both_answered() {
        let fields = learned(&format!(
            "Proxy-Authenticate: Digest realm=\"proxy\", {NONCE}\r\n\
             WWW-Authenticate: Digest realm=\"http-auth@example.org\", {NONCE}, qop=\"auth\"\r\n"
        ))
        .expect("two logins");
        assert!(fields[0].starts_with("Authorization: ") && fields[0].contains("algorithm=MD5, qop=auth"));
        assert!(fields[1].starts_with("Proxy-Authorization: ") && !fields[1].contains("qop"), "RFC 2069");
    }

    #[test]
    fn challenge_without_a_login_or_an_algorithm_is_not_answered() {
        let check = |challenge: &str, realm: &str| {
            let refused = learned(&format!("WWW-Authenticate: {challenge}\r\n"));
            assert_eq!(refused, Err(NotAnswered::NoLogin(realm.into())), "{challenge}");
        };
        check(&format!("Digest realm=\"other\", {NONCE}"), "other");
        check(&format!("Digest realm=\"proxy\", {NONCE}, algorithm=SHA-1"), "proxy");
        check(&format!("Digest realm=\"proxy\", {NONCE}, qop=\"auth-int\""), "proxy");
        check("Digest realm=\"proxy\", nonce=\"a\tb\"", "proxy");
        check("Digest realm=\"proxy\"", "proxy");
        check("Basic realm=\"proxy\"", "proxy");
        assert_eq!(learned(""), Err(NotAnswered::NoLogin(String::new())));
    }

    #[test]
    fn login_is_wrong_when_the_answer_to_a_fresh_nonce_is_challenged_again() {
        let mut authorizations = Authorizations::default();
        let challenge = |stale: &str| {
            challenged(&format!("WWW-Authenticate: Digest realm=\"proxy\", {NONCE}, qop=\"auth\"{stale}\r\n"))
        };
        let logins = logins();
        assert_eq!(authorizations.learn(&challenge(""), &logins), Ok(()));
        authorizations.next(Method::Invite, "sip:a@b", 1);
        assert_eq!(authorizations.learn(&challenge(", stale=TRUE"), &logins), Ok(()));
        let invite = authorizations.next(Method::Invite, "sip:a@b", 1);
        authorizations.next(Method::Bye, "sip:a@b", 1);
        assert_eq!(authorizations.of_ack(), invite, "the ACK is that of the INVITE");
        assert_eq!(authorizations.learn(&challenge(""), &logins), Ok(()), "it was good before");
        authorizations.next(Method::Bye, "sip:a@b", 1);
        let refused = authorizations.learn(&challenge(""), &logins);
        assert_eq!(refused, Err(NotAnswered::Wrong("proxy".into())));
    }

    #[test]
    fn realms_of_a_call_are_bounded() {
        let realms: Vec<_> = (0..5).map(|n| n.to_string()).collect();
        let login = |realm: &String| Login {
            realm: realm.clone(),
            username: "a".into(),
            secret: Secret::Password("b".into()),
        };
        let logins = Logins::new(realms.iter().map(login));
        let mut authorizations = Authorizations::default();
        for (n, realm) in realms.iter().enumerate() {
            let challenge = challenged(&format!("WWW-Authenticate: Digest realm=\"{realm}\", {NONCE}\r\n"));
            assert_eq!(authorizations.learn(&challenge, &logins).is_ok(), n < 4);
        }
        assert!(!format!("{authorizations:?}").contains("ha1"));
    }
}
