//! A user of a phone who answers the challenges of the node.

use crate::accounts::{Account, Accounts, Secret};

use super::super::Algorithm;
use super::kit::{Phone, header};

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    /// The requests with the nonce of the last challenge.
    pub(crate) count: u32,
}

/// An account whose password is its username backwards.
pub(crate) fn account(username: &str, aliases: &[&str]) -> Account {
    Account {
        username: username.into(),
        secret: Secret::Password(username.chars().rev().collect()),
        aliases: aliases.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn accounts(all: impl IntoIterator<Item = Account>) -> Accounts {
    Accounts::new(all).expect("accounts")
}

/// The value of a parameter of a challenge.
pub(crate) fn param<'t>(challenge: &'t str, name: &str) -> &'t str {
    let start = format!("{name}=");
    let found = challenge.split([' ', ',', '\r']).find_map(|part| part.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("no {name} in {challenge}")).trim_matches('"')
}

impl User {
    pub(crate) fn new(name: &str) -> User {
        User { name: name.into(), password: name.chars().rev().collect(), count: 0 }
    }

    /// The headers of the phone's next request with the credentials that answer the first challenge of this 401.
    pub(crate) fn answer(&mut self, refusal: &str, phone: &Phone, method: &str) -> String {
        self.answer_to(header(refusal, "WWW-Authenticate"), method, &phone.target)
    }

    pub(crate) fn answer_to(&mut self, challenge: &str, method: &str, uri: &str) -> String {
        let (password, realm) = (self.password.clone(), param(challenge, "realm"));
        self.answer_by(challenge, method, uri, |algorithm, name| {
            algorithm.hash(&[name, realm, &password].map(|value: &str| value.as_bytes()))
        })
    }

    /// The same with another hash of the secret.
    pub(crate) fn answer_by(
        &mut self,
        challenge: &str,
        method: &str,
        uri: &str,
        ha1: impl FnOnce(Algorithm, &str) -> String,
    ) -> String {
        let (realm, nonce) = (param(challenge, "realm"), param(challenge, "nonce"));
        let name = param(challenge, "algorithm");
        let algorithm = match name {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            "SHA-512-256" => Algorithm::Sha512Over256,
            other => panic!("another algorithm: {other}"),
        };
        self.count += 1;
        let count = format!("{:08x}", self.count);
        let ha1 = ha1(algorithm, &self.name);
        let ha2 = algorithm.hash(&[method.as_bytes(), uri.as_bytes()]);
        let parts = [&ha1, nonce, &count, "cnonce", "auth", &ha2];
        let response = algorithm.hash(&parts.map(|value: &str| value.as_bytes()));
        format!(
            "Authorization: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={name}, qop=auth, nc={count}, cnonce=\"cnonce\", response=\"{response}\"\r\n",
            self.name
        )
    }
}
