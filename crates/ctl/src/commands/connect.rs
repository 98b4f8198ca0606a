//! Determines the connection of a command: address, trust, user and password, from arguments and environment first,
//! then from the saved profile. Opens no connection.

use std::path::PathBuf;

use reqwest::Url;

use crate::args::Global;
use crate::client::Connection;
use crate::failure::Failure;
use crate::password_input;
use crate::profile::{self, Profile};
use crate::trust::Trust;

/// The user of a Management Node that was just installed.
pub(crate) const FIRST_USER: &str = "admin";

/// The path of the profile.
pub(crate) fn profile_place() -> Result<PathBuf, Failure> {
    Ok(profile::place(|name| std::env::var(name).ok())?)
}

/// The connection of a command.
///
/// The profile belongs to one Management Node: its password is not used for another one.
///
/// # Errors
/// Something is missing or wrong; nothing was sent.
pub(crate) fn connection(global: &Global) -> Result<Connection, Failure> {
    let saved = profile::load(&profile_place()?)?;
    resolve(global, saved)
}

/// The connection of `login`: from an earlier profile only the device token is used, for the same user of the same
/// Management Node.
pub(crate) fn for_login(global: &Global) -> Result<Connection, Failure> {
    let connection = resolve(global, None)?;
    // A profile that cannot be read is about to be replaced.
    let saved = profile::load(&profile_place()?).ok().flatten();
    let device = saved.filter(|saved| matches(saved, &connection)).and_then(|saved| saved.device);
    Ok(Connection { device, ..connection })
}

/// Whether a profile is for the Management Node and the user of a connection.
pub(crate) fn matches(saved: &Profile, connection: &Connection) -> bool {
    saved.user == connection.user && address(&saved.manager).is_ok_and(|known| known == connection.manager)
}

fn resolve(global: &Global, saved: Option<Profile>) -> Result<Connection, Failure> {
    let manager = match (&global.manager, &saved) {
        (Some(given), _) => address(given)?,
        (None, Some(saved)) => address(&saved.manager)?,
        (None, None) => return Err(Failure::Usage(
            "no Management Node is given; run pitlane login --manager https://HOST:PORT first, or give --manager".into(),
        )),
    };
    let saved = saved.filter(|saved| address(&saved.manager).is_ok_and(|known| known == manager));
    let trust = trust(global, saved.as_ref())?;
    let user = global.user.clone();
    let saved_user = saved.as_ref().map(|saved| saved.user.clone());
    let user = user.or(saved_user).unwrap_or_else(|| FIRST_USER.into());
    let (kept, device) = match saved.filter(|saved| saved.user == user) {
        Some(saved) => (Some(saved.password), saved.device),
        None => (None, None),
    };
    let password = match password_input::given(global.password_file.as_deref())?.or(kept) {
        Some(password) => password,
        None => password_input::ask(&user, manager.as_str())?,
    };
    Ok(Connection { manager, trust, user, password, device })
}

/// The address of a Management Node: HTTPS, a host, and no path.
fn address(text: &str) -> Result<Url, Failure> {
    let refuse = || {
        Failure::Usage(format!(
            "{text:?} is not the address of a Management Node; it reads https://HOST:PORT"
        ))
    };
    let url: Url = text.parse().map_err(|_| refuse())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    if url.scheme() == "https" && url.has_host() && plain && nobody { Ok(url) } else { Err(refuse()) }
}

fn trust(global: &Global, saved: Option<&Profile>) -> Result<Trust, Failure> {
    match (&global.authority, &global.fingerprint) {
        (Some(_), Some(_)) => {
            return Err(Failure::Usage("give the authority's file or a fingerprint, not both".into()));
        }
        (Some(file), None) => return Ok(Trust::authority(file)?),
        (None, Some(fingerprint)) => return Ok(Trust::Fingerprint(fingerprint.parse()?)),
        (None, None) => {}
    }
    match saved {
        Some(Profile { authority: Some(pem), .. }) => Ok(Trust::Authority(pem.clone())),
        Some(Profile { fingerprint: Some(fingerprint), .. }) => Ok(Trust::Fingerprint(fingerprint.parse()?)),
        Some(_) | None => Err(Failure::Usage(
            "nothing is given to verify the Management Node by; give --authority FILE with the platform's authority, \
             or --fingerprint sha256:… as the Management Node printed it at its first start"
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Password;

    fn saved() -> Profile {
        Profile {
            manager: "https://one:8443".into(),
            user: "eve".into(),
            password: Password::new("kept"),
            device: Some(Password::new("0a.1b")),
            authority: None,
            fingerprint: Some(format!("sha256:{}", "ab".repeat(32))),
        }
    }

    #[test]
    fn profile_fills_in_what_is_not_given() {
        let connection = resolve(&Global::default(), Some(saved())).unwrap();
        assert_eq!(connection.manager.as_str(), "https://one:8443/");
        assert_eq!((connection.user.as_str(), connection.password.reveal()), ("eve", "kept"));
        assert_eq!(connection.device, Some(Password::new("0a.1b")));
    }

    #[test]
    fn saved_password_goes_to_no_other_management_node_and_serves_no_other_user() {
        let other = Global { manager: Some("https://two:8443".into()), ..Global::default() };
        assert!(resolve(&other, Some(saved())).is_err(), "the trust of one was used for two");
        let with_trust = Global { fingerprint: saved().fingerprint, ..other };
        let connection = resolve(&with_trust, Some(saved()));
        assert!(
            connection.is_err_and(|failure| failure.to_string().contains("no password is known for admin"))
        );
        let user = Global { user: Some("adam".into()), ..Global::default() };
        let connection = resolve(&user, Some(saved()));
        assert!(
            connection.is_err_and(|failure| failure.to_string().contains("no password is known for adam"))
        );
    }

    #[test]
    fn address_that_is_not_plain_https_is_refused() {
        assert!(address("https://[::1]:8443").is_ok());
        for wrong in
            ["http://one:8443", "one:8443", "https://one/admin", "https://a:b@one", "https://one?x", ""]
        {
            assert!(address(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn no_server_is_trusted_without_authority_and_fingerprint() {
        let global = Global { manager: Some("https://one:8443".into()), ..Global::default() };
        assert!(matches!(resolve(&global, None), Err(Failure::Usage(_))));
    }
}
