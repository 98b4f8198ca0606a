//! Reads the tables of `machine.toml` that concern a Conferencing Node, and ignores other tables. They were written at
//! installation and no upgrade changes them, so a later release must read them as well. It writes nothing.

mod accounts;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use call::{Accounts, Logins, SourceRate, TlsSettings};
use edge::listen::collide;
use fleet::time::Span;
use serde::Deserialize;
use slots::{MACHINE_FILE, MACHINE_FILE_MAX, describe_fault};

use accounts::{AccountTable, AuthenticationTable, LoginTable, RegistrationTable};

/// The settings of this machine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("could not read the settings {}; check that the file is there and who may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The file system's answer.
        source: std::io::Error,
    },
    /// The contents of the file cannot be used.
    #[error("the settings {} cannot be used: {reason}; correct the file", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The settings of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How the call engine is set.
    pub calls: call::Settings,
    /// Who may register devices and call rooms that take accounts alone.
    pub accounts: Accounts,
    /// The rooms that take calls of accounts alone, by name.
    pub account_rooms: BTreeSet<String>,
    /// What the node shows to those who ask its calls who it is.
    pub logins: Logins,
    /// Where callers and load balancers ask whether the node takes calls.
    pub web: SocketAddr,
    /// Where a machine that is not enrolled waits for its enrolment file; nowhere if there is none.
    pub bootstrap: Option<SocketAddr>,
    /// How long boot gives a new release to confirm itself.
    pub confirm_within: Span,
}

#[derive(Deserialize)]
struct MachineFile {
    #[serde(default)]
    boot: BootTable,
    node: NodeTable,
    #[serde(default)]
    calls: CallsTable,
    #[serde(default)]
    authentication: AuthenticationTable,
    #[serde(default)]
    registration: RegistrationTable,
    #[serde(default)]
    accounts: Vec<AccountTable>,
    #[serde(default)]
    logins: Vec<LoginTable>,
}

/// Boot checks this table; here only the one setting is of interest.
#[derive(Deserialize)]
#[serde(default)]
struct BootTable {
    confirm_within_seconds: u64,
}

impl Default for BootTable {
    /// Boot's own default.
    fn default() -> Self {
        Self { confirm_within_seconds: slots::CONFIRM_WITHIN_SECONDS }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    sip: SocketAddr,
    media: IpAddr,
    media_v6: Option<Ipv6Addr>,
    advertised: Option<IpAddr>,
    media_ports: Option<(u16, u16)>,
    web: SocketAddr,
    bootstrap: Option<SocketAddr>,
    sip_tls: Option<TlsSettings>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CallsTable {
    call_limit: Option<u32>,
    source_rate: Option<SourceRate>,
    media_timeout_seconds: Option<u64>,
    session_interval_seconds: Option<u64>,
    min_session_interval_seconds: Option<u64>,
    ring_time_seconds: Option<u64>,
    tcp_connections: Option<u32>,
    tcp_idle_seconds: Option<u64>,
}

impl Settings {
    /// Reads the settings of the machine with this root directory.
    ///
    /// # Errors
    /// The file cannot be read, or a setting cannot work; the message says which.
    pub fn read(root: &Path) -> Result<Self, SettingsError> {
        read_with(root, Self::parse)
    }

    /// Checks the table that boot reads at its own start, before any release.
    ///
    /// # Errors
    /// The table cannot be used; the message says why. A file that cannot be read at all is left to
    /// [`Settings::read`].
    pub fn check_boot_table(root: &Path) -> Result<(), SettingsError> {
        let parse = |text: &str| {
            let table = toml::from_str::<toml::Table>(text).ok().and_then(|mut file| file.remove("boot"));
            let Some(table) = table else { return Ok(()) };
            let table: slots::BootTable =
                table.try_into().map_err(|error: toml::de::Error| error.to_string())?;
            table.check()
        };
        match read_with(root, parse) {
            Err(SettingsError::Unreadable { .. }) => Ok(()),
            checked => checked,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let described = |error: toml::de::Error| describe_fault(text, error.span(), error.message());
        let file: MachineFile = toml::from_str(text).map_err(described)?;
        let MachineFile { boot, node, calls, authentication, registration, accounts, logins } = file;
        let NodeTable { sip, media, media_v6, advertised, media_ports, web, bootstrap, sip_tls } = node;
        if collide(sip, web) {
            return Err(format!(
                "sip ({sip}) and web ({web}) cannot both be listened on; give one another port"
            ));
        }
        let tls = sip_tls.as_ref().map(|tls| tls.address);
        if let Some(tls) = tls.filter(|tls| collide(*tls, sip) || collide(*tls, web)) {
            return Err(format!(
                "sip_tls ({tls}) cannot be listened on beside sip ({sip}) and web ({web}); give it another port"
            ));
        }
        let mut settings =
            call::Settings { media_v6, advertised, tls: sip_tls, ..call::Settings::new(sip, media) };
        if let Some((first, last)) = media_ports {
            settings.media_ports = first..=last;
        }
        let mut settings = calls.over(settings);
        let account_rooms;
        (settings.authentication, account_rooms) = authentication.over(&settings.authentication);
        settings.registration = registration.over(settings.registration);
        settings.check().map_err(|error| error.to_string())?;
        Ok(Self {
            accounts: accounts::accounts(accounts, &settings.authentication.algorithms)?,
            calls: settings,
            account_rooms,
            logins: accounts::logins(logins)?,
            web,
            bootstrap,
            confirm_within: Span::seconds(boot.confirm_within_seconds),
        })
    }
}

fn read_with<T>(root: &Path, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, SettingsError> {
    let path = root.join(MACHINE_FILE);
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(MACHINE_FILE_MAX + 1).read_to_string(&mut text));
    let length = read.map_err(|source| SettingsError::Unreadable { path: path.clone(), source })?;
    let parsed = if length as u64 > MACHINE_FILE_MAX {
        Err(format!("it has more than {MACHINE_FILE_MAX} bytes"))
    } else {
        parse(&text)
    };
    parsed.map_err(|reason| SettingsError::Unusable { path, reason })
}

impl CallsTable {
    /// The settings of this table, and for those that it does not have, the given ones.
    fn over(self, settings: call::Settings) -> call::Settings {
        let Self {
            call_limit,
            source_rate,
            media_timeout_seconds,
            session_interval_seconds,
            min_session_interval_seconds,
            ring_time_seconds,
            tcp_connections,
            tcp_idle_seconds,
        } = self;
        let seconds = |set: Option<u64>, default| set.map_or(default, Duration::from_secs);
        call::Settings {
            call_limit: call_limit.unwrap_or(settings.call_limit),
            source_rate: source_rate.unwrap_or(settings.source_rate),
            media_timeout: seconds(media_timeout_seconds, settings.media_timeout),
            session_interval: seconds(session_interval_seconds, settings.session_interval),
            min_session_interval: seconds(min_session_interval_seconds, settings.min_session_interval),
            ring_time: seconds(ring_time_seconds, settings.ring_time),
            tcp_connections: tcp_connections.unwrap_or(settings.tcp_connections),
            tcp_idle: seconds(tcp_idle_seconds, settings.tcp_idle),
            ..settings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const NODE: &str =
        "[node]\nsip = \"127.0.1.1:5060\"\nmedia = \"127.0.1.1\"\nweb = \"127.0.1.1:8080\"\n";

    #[test]
    fn what_is_not_set_has_a_default() {
        let settings = Settings::parse(NODE).unwrap();
        let default = call::Settings::new("127.0.1.1:5060".parse().unwrap(), "127.0.1.1".parse().unwrap());
        assert_eq!(settings.calls, default);
        assert_eq!(settings.confirm_within, Span::seconds(slots::CONFIRM_WITHIN_SECONDS));
        assert_eq!(settings.bootstrap, None);
    }

    #[test]
    fn sip_and_web_on_one_address_are_refused() {
        let check = |web: &str, expected: bool| {
            let settings = Settings::parse(&NODE.replace("127.0.1.1:8080", web));
            assert_eq!(settings.is_err_and(|error| error.contains("web")), expected, "{web}");
        };
        check("127.0.1.1:5060", true);
        check("0.0.0.0:5060", true);
        check("127.0.1.2:5060", false);
    }

    #[test]
    fn sip_over_tls_has_an_address_of_its_own() {
        let settings = |address: &str| {
            Settings::parse(&format!(
                "{NODE}advertised = \"203.0.113.9\"\n\
                 sip_tls = {{ address = \"{address}\", certificate = \"/c.pem\", key = \"/k.pem\" }}\n"
            ))
        };
        let calls = settings("127.0.1.1:5061").unwrap().calls;
        assert_eq!(calls.advertised, Some([203, 0, 113, 9].into()));
        assert_eq!(calls.tls.unwrap().key, std::path::Path::new("/k.pem"));
        for taken in ["127.0.1.1:5060", "0.0.0.0:8080"] {
            assert!(settings(taken).unwrap_err().contains("sip_tls"), "{taken}");
        }
    }

    #[test]
    fn what_is_set_is_used_and_other_tables_are_ignored() {
        let text = format!(
            "[boot]\nconfirm_within_seconds = 7\ntries = 2\n{NODE}bootstrap = \"127.0.1.1:8443\"\nmedia_v6 = \"2001:db8::1\"\nmedia_ports = [20000, 29999]\n\
             [calls]\ncall_limit = 3\nmedia_timeout_seconds = 9\nsource_rate = {{ burst = 5 }}\n[later]\nx = 1\n"
        );
        let settings = Settings::parse(&text).unwrap();
        assert_eq!(settings.confirm_within, Span::seconds(7));
        assert_eq!(settings.bootstrap, Some("127.0.1.1:8443".parse().unwrap()));
        assert_eq!((settings.calls.call_limit, settings.calls.media_ports), (3, 20_000..=29_999));
        assert_eq!(settings.calls.media_timeout, Duration::from_secs(9));
        assert_eq!(settings.calls.media_v6, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(settings.calls.source_rate, SourceRate { burst: 5, ..SourceRate::default() });
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let check = |text: &str, expected: &str| {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("", "node");
        check(&format!("{NODE}sipp = 1\n"), "sipp");
        check(&format!("{NODE}media_v6 = \"10.0.0.1\"\n"), "IPv6");
        check(&format!("{NODE}[calls]\ncall_limit = 0\n"), "call_limit is 0");
        check(&format!("{NODE}[calls]\nmedia_timeout_seconds = 7200\n"), "media_timeout");
    }
}
