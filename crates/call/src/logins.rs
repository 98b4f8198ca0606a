//! Logins: what this node shows to those who ask it who it is when it calls them.

use std::collections::BTreeMap;

use crate::accounts::Secret;

/// A login for one realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// What the far end calls itself in its challenge. It is compared as it is.
    pub realm: String,
    /// The username there.
    pub username: String,
    /// The secret there. With hashes, only their algorithms are used.
    pub secret: Secret,
}

/// All logins of a node, by realm. Replaced as a whole; never changed in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins(BTreeMap<String, Login>);

impl Logins {
    /// The logins by their realms. If two have the same realm, the last one counts.
    #[must_use]
    pub fn new(logins: impl IntoIterator<Item = Login>) -> Logins {
        Logins(logins.into_iter().map(|login| (login.realm.clone(), login)).collect())
    }

    /// The login of a realm.
    #[must_use]
    pub fn get(&self, realm: &str) -> Option<&Login> {
        self.0.get(realm)
    }
}
