//! Logins: what this node shows to the providers that ask it who it is when it calls them.

use std::collections::BTreeMap;

use sip::host::Host;

use crate::accounts::{LONGEST, Secret, SecretFault, is_username};
use crate::signalling::Algorithm;

/// A login of a provider, for one realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The host of the provider, as the URIs that are dialled have it. Nobody else is shown this login. Upper and lower
    /// case are the same.
    pub host: String,
    /// What the far end calls itself in its challenge. It is compared as it is.
    pub realm: String,
    /// The username there.
    pub username: String,
    /// The secret there. With hashes, only their algorithms are used.
    pub secret: Secret,
}

/// A login that cannot be used. No text shows a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LoginError {
    /// The host is none.
    #[error("a login has the host {0:?}; write it as in the URIs that are dialled, without a port")]
    Host(String),
    /// The realm cannot be compared with one that a challenge has.
    #[error("a login at {0:?} has a realm that is empty, longer than 254 bytes, or has control characters")]
    Realm(String),
    /// The username is empty, too long, or has characters that are written in different ways.
    #[error(
        "the login of {realm:?} has the username {username:?}; it has 1 to 254 bytes, no quotes, backslashes, colons or control characters"
    )]
    Username {
        /// The realm of the login.
        realm: String,
        /// The username.
        username: String,
    },
    /// There is nothing to know.
    #[error("the login of {0:?} has no secret; set a password or its hashes")]
    NoSecret(String),
    /// A hash is none.
    #[error("the {1} hash of the login of {0:?} does not have {digits} hexadecimal digits", digits = .1.digits())]
    Hash(String, Algorithm),
    /// Two logins have the same host and realm.
    #[error("two logins have the host {host:?} and the realm {realm:?}; a challenge must have one answer")]
    Repeated {
        /// The host.
        host: String,
        /// The realm.
        realm: String,
    },
}

/// All logins of a node, by host in lower case and realm. Replaced as a whole; never changed in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins(BTreeMap<(String, String), Login>);

impl Logins {
    /// The logins by their hosts and realms.
    ///
    /// # Errors
    /// The first login that cannot be used, with what to set instead.
    pub fn new(logins: impl IntoIterator<Item = Login>) -> Result<Logins, LoginError> {
        let mut all = BTreeMap::new();
        for login in logins {
            let host = check(&login)?;
            let Login { realm, .. } = &login;
            if let Some(Login { host, realm, .. }) = all.insert((host, realm.clone()), login) {
                return Err(LoginError::Repeated { host, realm });
            }
        }
        Ok(Logins(all))
    }

    /// The login of a realm at a host, which is written as a URI has it.
    #[must_use]
    pub fn get(&self, host: &str, realm: &str) -> Option<&Login> {
        self.0.get(&(host.to_ascii_lowercase(), realm.to_owned()))
    }
}

/// The host of a login that can be used, in lower case.
fn check(login: &Login) -> Result<String, LoginError> {
    let Login { host, realm, username, secret } = login;
    let read = Host::new(host).map_err(|_| LoginError::Host(host.clone()))?;
    if realm.is_empty() || realm.len() > LONGEST || realm.contains(char::is_control) {
        return Err(LoginError::Realm(host.clone()));
    }
    if !is_username(username) {
        return Err(LoginError::Username { realm: realm.clone(), username: username.clone() });
    }
    match secret.fault() {
        Some(SecretFault::Missing) => Err(LoginError::NoSecret(realm.clone())),
        Some(SecretFault::Hash(algorithm)) => Err(LoginError::Hash(realm.clone(), algorithm)),
        None => Ok(read.to_string().to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        let secret = Secret::Password("secret".into());
        Login { host: "Sip.provider".into(), realm: "r".into(), username: "trunk".into(), secret }
    }

    #[test]
    fn logins_that_cannot_be_used_are_refused_with_what_is_wrong() {
        let check = |logins: Vec<Login>, expected: &str| {
            let error = Logins::new(logins).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("secret\""), "{error}");
        };
        for host in ["", "sip.provider:5060", "sip:provider", "2001:db8::1"] {
            check(vec![Login { host: host.into(), ..login() }], "without a port");
        }
        for realm in ["", "a\tb", &"a".repeat(255)] {
            check(vec![Login { realm: realm.into(), ..login() }], "realm");
        }
        for username in ["", "a\"b", "a:b", "a\r\nb", &"a".repeat(255)] {
            check(vec![Login { username: username.into(), ..login() }], "username");
        }
        check(vec![Login { secret: Secret::Password(String::new()), ..login() }], "no secret");
        let hashes = BTreeMap::from([(Algorithm::Md5, "abc".into())]);
        check(vec![Login { secret: Secret::Hashes(hashes), ..login() }], "MD5 hash of the login of \"r\"");
        let same = Login { host: "sip.PROVIDER".into(), username: "other".into(), ..login() };
        check(vec![login(), same], "two logins");
    }

    #[test]
    fn login_is_found_by_its_host_in_any_case_and_its_realm() {
        let address = Login { host: "[2001:DB8:0::1]".into(), ..login() };
        let other = Login { realm: "R".into(), username: "other".into(), ..login() };
        let logins = Logins::new([login(), address, other]).expect("logins");
        let username = |host: &str, realm: &str| Some(logins.get(host, realm)?.username.as_str());
        assert_eq!(username("SIP.provider", "r"), Some("trunk"));
        assert_eq!(username("sip.provider", "R"), Some("other"));
        assert_eq!(username("[2001:db8::1]", "r"), Some("trunk"));
        assert_eq!((username("provider", "r"), username("sip.provider", "x")), (None, None));
    }
}
