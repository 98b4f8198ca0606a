//! The tables of `machine.toml` on accounts, until the Management Node configures them: who may register devices and
//! call rooms that take accounts alone, and what this node shows to those who ask who it is. Earlier releases ignore
//! these tables. No fault shows a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use call::{
    Account, Accounts, Algorithm, AuthenticationSettings, Login, Logins, RegistrationSettings, Secret,
};
use serde::{Deserialize, Deserializer, de};

/// How accounts are asked who they are, and in which rooms.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuthenticationTable {
    realm: Option<String>,
    algorithms: Option<Vec<Algorithm>>,
    rooms: BTreeSet<String>,
}

/// How long devices are registered.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RegistrationTable {
    min_expires_seconds: Option<u64>,
    max_expires_seconds: Option<u64>,
}

/// An account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountTable {
    username: String,
    password: Option<Hidden>,
    #[serde(default)]
    ha1: BTreeMap<Algorithm, Hidden>,
    #[serde(default)]
    aliases: Vec<String>,
}

/// A login for a provider that asks calls of this node for one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginTable {
    host: String,
    realm: String,
    username: String,
    password: Option<Hidden>,
    #[serde(default)]
    ha1: BTreeMap<Algorithm, Hidden>,
}

/// A secret in the file.
struct Hidden(String);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The faults of serde would show the value.
        match toml::Value::deserialize(from)? {
            toml::Value::String(secret) => Ok(Self(secret)),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => Err(de::Error::custom("a secret is not a text in quotes")),
        }
    }
}

impl AuthenticationTable {
    /// The settings of this table, and for those that it does not have, the given ones; and the rooms that take calls
    /// of accounts alone, by name.
    pub(super) fn over(
        self,
        settings: &AuthenticationSettings,
    ) -> (AuthenticationSettings, BTreeSet<String>) {
        let Self { realm, algorithms, rooms } = self;
        let settings = AuthenticationSettings {
            realm: realm.unwrap_or_else(|| settings.realm.clone()),
            algorithms: algorithms.unwrap_or_else(|| settings.algorithms.clone()),
        };
        (settings, rooms)
    }
}

impl RegistrationTable {
    /// The settings of this table, and for those that it does not have, the given ones.
    pub(super) fn over(self, settings: RegistrationSettings) -> RegistrationSettings {
        let Self { min_expires_seconds, max_expires_seconds } = self;
        RegistrationSettings {
            min_expires: min_expires_seconds.map_or(settings.min_expires, Duration::from_secs),
            max_expires: max_expires_seconds.map_or(settings.max_expires, Duration::from_secs),
        }
    }
}

/// The accounts of their tables, whose devices are asked for these algorithms.
pub(super) fn accounts(tables: Vec<AccountTable>, asked: &[Algorithm]) -> Result<Accounts, String> {
    let accounts = tables.into_iter().map(AccountTable::account).collect::<Result<Vec<_>, _>>()?;
    if let Some(account) = accounts.iter().find(|account| !is_answerable(&account.secret, asked)) {
        return Err(format!(
            "the account {:?} has no hash of an algorithm that is asked for; add one to its ha1, or its algorithm to \
             authentication.algorithms",
            account.username
        ));
    }
    Accounts::new(accounts).map_err(|error| error.to_string())
}

/// The logins of their tables.
pub(super) fn logins(tables: Vec<LoginTable>) -> Result<Logins, String> {
    let logins = tables.into_iter().map(LoginTable::login).collect::<Result<Vec<_>, _>>()?;
    Logins::new(logins).map_err(|error| error.to_string())
}

/// Whether a device can answer a challenge with this secret. One without any hash has a fault of its own.
fn is_answerable(secret: &Secret, asked: &[Algorithm]) -> bool {
    match secret {
        Secret::Password(_) => true,
        Secret::Hashes(hashes) => hashes.is_empty() || asked.iter().any(|by| hashes.contains_key(by)),
    }
}

impl AccountTable {
    fn account(self) -> Result<Account, String> {
        let Self { username, password, ha1, aliases } = self;
        let secret = secret(&format!("the account {username:?}"), password, ha1)?;
        Ok(Account { username, secret, aliases })
    }
}

impl LoginTable {
    fn login(self) -> Result<Login, String> {
        let Self { host, realm, username, password, ha1 } = self;
        let secret = secret(&format!("the login of {realm:?}"), password, ha1)?;
        Ok(Login { host, realm, username, secret })
    }
}

/// The secret of an account or a login, which is one of the two.
fn secret(whose: &str, password: Option<Hidden>, ha1: BTreeMap<Algorithm, Hidden>) -> Result<Secret, String> {
    match password {
        Some(_) if !ha1.is_empty() => Err(format!("{whose} has a password and ha1; give it one of them")),
        Some(Hidden(password)) => Ok(Secret::Password(password)),
        None => {
            let hashes = ha1.into_iter().map(|(algorithm, Hidden(hash))| (algorithm, hash));
            Ok(Secret::Hashes(hashes.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::tests::NODE;
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

    #[test]
    fn accounts_and_how_they_are_asked_are_read() {
        let text = format!(
            "{NODE}[authentication]\nrealm = 'video'\nalgorithms = ['SHA-512-256', 'MD5']\nrooms = ['Board']\n\
             [registration]\nmax_expires_seconds = 90\n\
             [[accounts]]\nusername = 'ann'\npassword = 'geheim'\naliases = ['ann', 'sales']\n\
             [[accounts]]\nusername = 'bob'\nha1 = {{ SHA-512-256 = '{HASH}' }}\n\
             [[logins]]\nhost = 'sip.provider'\nrealm = 'provider'\nusername = 'trunk'\npassword = 'geheim'\n"
        );
        let settings = Settings::parse(&text).unwrap();
        let expected = AuthenticationSettings {
            realm: "video".into(),
            algorithms: vec![Algorithm::Sha512Over256, Algorithm::Md5],
        };
        assert_eq!(settings.calls.authentication, expected);
        assert_eq!(settings.calls.registration.max_expires, Duration::from_secs(90));
        assert_eq!(settings.account_rooms, ["Board".to_string()].into());
        let secret = |username: &str| settings.accounts.get(username).unwrap().secret.clone();
        assert_eq!(secret("ann"), Secret::Password("geheim".into()));
        assert_eq!(secret("bob"), Secret::Hashes([(Algorithm::Sha512Over256, HASH.into())].into()));
        assert_eq!(settings.accounts.owner("sales").unwrap().username, "ann");
        let login = settings.logins.get("SIP.provider", "provider").unwrap();
        assert_eq!((login.username.as_str(), &login.secret), ("trunk", &secret("ann")));
        assert!(!format!("{settings:?}").contains("geheim"));
    }

    #[test]
    fn accounts_that_cannot_be_used_are_named_without_their_secrets() {
        let check = |text: &str, expected: &str| {
            let error =
                Settings::parse(&format!("{NODE}[[accounts]]\nusername = 'ann'\n{text}\n")).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("geheim") && !error.contains("4711"), "{error}");
        };
        check("", "\"ann\" has no secret");
        check("password = 4711", "line 7, password: a secret is not a text");
        check("password = \"geheim", "line 7, password: ");
        check("passwort = 'geheim'", "passwort");
        check("ha1 = { SHA-256 = 'geheim' }", "hexadecimal");
        check(
            "ha1 = { MD5 = '00000000000000000000000000000000' }",
            "no hash of an algorithm that is asked for",
        );
        check("ha1 = { MD4 = 'geheim' }", "MD4");
        check("password = 'geheim'\nha1 = { MD5 = 'geheim' }", "one of them");
        check("password = 'geheim'\n[[accounts]]\nusername = 'ann'\npassword = 'geheim'", "two accounts");
        let login = "[[logins]]\nhost = 'h'\nrealm = 'r'\nusername = 'u'\n";
        check(&format!("password = 'geheim'\n{login}"), "the login of \"r\" has no secret");
        check(&format!("password = 'geheim'\n{login}password = ''"), "the login of \"r\" has no secret");
        let right = format!("{login}password = 'geheim'\n");
        check(&format!("password = 'geheim'\n{right}{right}"), "two logins");
        check(&format!("password = 'geheim'\n{}", right.replace("'u'", "\"u\\tv\"")), "\"u\\tv\"");
        check(&format!("password = 'geheim'\n{}", right.replace("host = 'h'\n", "")), "host");
        let both = "password = 'geheim'\nha1 = { MD5 = 'geheim' }";
        check(&format!("password = 'geheim'\n{login}{both}"), "the login of \"r\" has a password and ha1");
        check("password = 'geheim'\n[authentication]\nalgorithms = []", "algorithms");
    }
}
