//! Accounts: who may register devices and call rooms that ask for it. Knows nothing of SIP messages.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::signalling::Algorithm;

/// The longest username and the longest alias, in bytes: an address of mail has at most 254 (RFC 5321).
const LONGEST: usize = 254;

/// An account as the operator configures it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name that devices authenticate with. Upper and lower case differ (RFC 7616 section 3.4).
    pub username: String,
    /// What they show that they know.
    pub secret: Secret,
    /// What they may register: the user part (`ann`) or the whole address (`ann@example.com`). Upper and lower case
    /// are the same, as in the aliases of rooms.
    pub aliases: Vec<String>,
}

/// The secret of an account. It is in no log: its debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A password.
    Password(String),
    /// The hash of `username:realm:password` in hexadecimal digits (RFC 7616 section 3.4.2), by algorithm. A device
    /// that answers by another algorithm is refused, so there should be one for each that this node asks for.
    Hashes(BTreeMap<Algorithm, String>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl Secret {
    /// The hash that an answer by this algorithm is made from; `None` when there is none.
    pub(crate) fn ha1(&self, algorithm: Algorithm, username: &str, realm: &str) -> Option<String> {
        match self {
            Secret::Password(password) => {
                Some(algorithm.hash(&[username, realm, password].map(|value: &str| value.as_bytes())))
            }
            Secret::Hashes(hashes) => hashes.get(&algorithm).map(|hash| hash.to_ascii_lowercase()),
        }
    }
}

/// An account that cannot be used. No text shows a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccountError {
    /// The username is empty, too long, or has characters that phones write in different ways.
    #[error(
        "the username {0:?} cannot be used; it has 1 to 254 bytes, no quotes, backslashes, colons or control characters"
    )]
    Username(String),
    /// Two accounts have the same username.
    #[error("two accounts have the username {0:?}; give each its own")]
    Repeated(String),
    /// There is nothing to know.
    #[error("the account {0:?} has no secret; set a password or its hashes")]
    NoSecret(String),
    /// A hash is none.
    #[error("the {1} hash of the account {0:?} does not have {digits} hexadecimal digits", digits = .1.digits())]
    Hash(String, Algorithm),
    /// The alias is empty or too long.
    #[error("the account {0:?} has an alias that is empty or longer than 254 bytes")]
    Alias(String),
    /// Two accounts have the same alias.
    #[error("the alias {alias:?} belongs to {first:?} and {second:?}; a call to it must reach one of them")]
    SharedAlias {
        /// The alias.
        alias: String,
        /// The account that has it.
        first: String,
        /// The other one.
        second: String,
    },
}

/// All accounts of a node. Replaced as a whole; never changed in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    by_username: BTreeMap<String, Account>,
    by_alias: BTreeMap<Arc<str>, String>,
}

impl Accounts {
    /// The accounts by their usernames and aliases.
    ///
    /// # Errors
    /// The first account that cannot be used, with what to set instead.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Result<Accounts, AccountError> {
        let mut all = Accounts::default();
        for account in accounts {
            check(&account)?;
            for alias in &account.aliases {
                all.add_alias(alias.to_lowercase(), &account.username)?;
            }
            let username = account.username.clone();
            if all.by_username.insert(username.clone(), account).is_some() {
                return Err(AccountError::Repeated(username));
            }
        }
        Ok(all)
    }

    fn add_alias(&mut self, alias: String, username: &str) -> Result<(), AccountError> {
        match self.by_alias.get(alias.as_str()) {
            Some(first) if first != username => {
                let (first, second) = (first.clone(), username.to_owned());
                Err(AccountError::SharedAlias { alias, first, second })
            }
            Some(_) | None => {
                self.by_alias.insert(alias.into(), username.to_owned());
                Ok(())
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_username.is_empty()
    }

    /// The alias that `user@host` is: the whole address first, then the user part alone, as with rooms.
    #[must_use]
    pub fn alias(&self, user: &str, host: &str) -> Option<Arc<str>> {
        let user = user.to_lowercase();
        let address = format!("{user}@{}", host.to_lowercase());
        let found = [address, user].into_iter().find_map(|alias| self.by_alias.get_key_value(alias.as_str()));
        found.map(|(alias, _)| Arc::clone(alias))
    }

    /// The account that may register an alias.
    #[must_use]
    pub fn owner(&self, alias: &str) -> Option<&Account> {
        self.get(self.by_alias.get(alias)?)
    }

    /// The account of a username.
    #[must_use]
    pub fn get(&self, username: &str) -> Option<&Account> {
        self.by_username.get(username)
    }
}

fn check(account: &Account) -> Result<(), AccountError> {
    let Account { username, secret, aliases } = account;
    let is_wrong = |character: char| matches!(character, '"' | '\\' | ':') || character.is_control();
    if username.is_empty() || username.len() > LONGEST || username.contains(is_wrong) {
        return Err(AccountError::Username(username.clone()));
    }
    if aliases.iter().any(|alias| alias.is_empty() || alias.len() > LONGEST) {
        return Err(AccountError::Alias(username.clone()));
    }
    let wrong = match secret {
        Secret::Password(password) if password.is_empty() => {
            return Err(AccountError::NoSecret(username.clone()));
        }
        Secret::Hashes(hashes) if hashes.is_empty() => return Err(AccountError::NoSecret(username.clone())),
        Secret::Password(_) => None,
        Secret::Hashes(hashes) => hashes.iter().find(|(algorithm, hash)| {
            hash.len() != algorithm.digits() || !hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        }),
    };
    wrong.map_or(Ok(()), |(algorithm, _)| Err(AccountError::Hash(username.clone(), *algorithm)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(username: &str, aliases: &[&str]) -> Account {
        let aliases = aliases.iter().map(ToString::to_string).collect();
        Account { username: username.into(), secret: Secret::Password("secret".into()), aliases }
    }

    #[test]
    fn accounts_that_cannot_be_used_are_refused_with_what_is_wrong() {
        let check = |accounts: Vec<Account>, expected: &str| {
            let error = Accounts::new(accounts).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("secret\""), "{error}");
        };
        let with = |secret| Account { secret, ..account("ann", &[]) };
        let hash = |text: &str| Secret::Hashes(BTreeMap::from([(Algorithm::Md5, text.into())]));
        for username in ["", "a\"b", "a:b", "a\r\nb", &"a".repeat(255)] {
            check(vec![account(username, &[])], "username");
        }
        check(vec![account("ann", &[]), account("ann", &[])], "two accounts");
        check(
            vec![account("ann", &["x"]), account("bob", &["X"])],
            "alias \"x\" belongs to \"ann\" and \"bob\"",
        );
        check(vec![account("ann", &[""])], "alias");
        check(vec![with(Secret::Password(String::new()))], "no secret");
        check(vec![with(Secret::Hashes(BTreeMap::new()))], "no secret");
        check(vec![with(hash("abc"))], "MD5 hash of the account \"ann\" does not have 32");
        check(vec![with(hash(&"x".repeat(32)))], "hexadecimal");
        assert!(Accounts::new([account("ann", &["a", "A"]), account("Ann", &["b"])]).is_ok());
    }

    #[test]
    fn alias_is_found_by_whole_address_or_user_part_in_any_case() {
        let all = [account("ann", &["ann", "desk@Example.com"]), account("bob", &["Desk"])];
        let accounts = Accounts::new(all).expect("accounts");
        let check = |user: &str, host: &str, expected: Option<(&str, &str)>| {
            let alias = accounts.alias(user, host);
            let owner = alias.as_deref().and_then(|alias| accounts.owner(alias));
            let found = alias.as_deref().zip(owner.map(|owner| owner.username.as_str()));
            assert_eq!(found, expected, "{user}@{host}");
        };
        check("ANN", "anywhere", Some(("ann", "ann")));
        check("desk", "example.COM", Some(("desk@example.com", "ann")));
        check("desk", "elsewhere.com", Some(("desk", "bob")));
        check("nobody", "example.com", None);
    }

    #[test]
    fn hash_is_that_of_the_password_for_each_algorithm() {
        let secret = Secret::Password("secret".into());
        let by_password = secret.ha1(Algorithm::Md5, "ann", "pitlane").expect("a password has all");
        assert_eq!(by_password, Algorithm::Md5.hash(&[b"ann", b"pitlane", b"secret"]));
        let hashes = Secret::Hashes(BTreeMap::from([(Algorithm::Md5, by_password.to_uppercase())]));
        assert_eq!(hashes.ha1(Algorithm::Md5, "any", "any"), Some(by_password));
        assert_eq!(hashes.ha1(Algorithm::Sha256, "any", "any"), None);
    }

    #[test]
    fn secret_is_in_no_debug_form() {
        let accounts = Accounts::new([account("ann", &["a"])]).expect("accounts");
        let shown = format!("{accounts:?}");
        assert!(shown.contains("ann") && !shown.contains("\"secret\""), "{shown}");
    }
}
