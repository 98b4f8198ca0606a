//! Logins: what this node shows to those who ask it who it is when it calls them.

use std::collections::BTreeMap;

use crate::accounts::Secret;

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

/// All logins of a node, by host in lower case and realm. Replaced as a whole; never changed in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins(BTreeMap<(String, String), Login>);

impl Logins {
    /// The logins by their hosts and realms. If two have the same ones, the last one counts.
    #[must_use]
    pub fn new(logins: impl IntoIterator<Item = Login>) -> Logins {
        let key = |login: &Login| (login.host.to_ascii_lowercase(), login.realm.clone());
        Logins(logins.into_iter().map(|login| (key(&login), login)).collect())
    }

    /// The login of a realm at a host.
    #[must_use]
    pub fn get(&self, host: &str, realm: &str) -> Option<&Login> {
        self.0.get(&(host.to_ascii_lowercase(), realm.to_owned()))
    }
}
