//! The settings of the call engine: defaults, limits and the check of their values. Reading the file is the node's
//! part.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::signalling::Algorithm;

/// The longest `media_timeout` that may be set. With a longer one a vanished caller could block a drain for longer
/// than a drain may take.
pub const MAX_MEDIA_TIMEOUT: Duration = Duration::from_secs(1800);
/// The longest registration: a day.
const LONGEST_EXPIRES: Duration = Duration::from_secs(86_400);
/// The longest realm, in bytes: it stands in every challenge.
const LONGEST_REALM: usize = 128;

/// The most media threads that may be set: as many as the largest machines have cores for.
const MAX_MEDIA_THREADS: u32 = 256;

/// The settings of the call engine. Durations are whole seconds in files (`session_interval = 1800`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where SIP is answered, over UDP and TCP alike. Port 0 takes any free port.
    pub sip: SocketAddr,
    /// The address that callers send their audio to; it is written into the session description.
    pub media: IpAddr,
    /// The same for callers with IPv6, if `media` is an address of IPv4. Callers of a family without a media address are
    /// given the one by which they have reached SIP if that listens on all addresses, and are refused otherwise.
    #[serde(default)]
    pub media_v6: Option<Ipv6Addr>,
    /// The address that callers of its family are given instead of those of SIP and media: the outer one of a NAT that maps
    /// one to one.
    #[serde(default)]
    pub advertised: Option<IpAddr>,
    /// SIP over TLS, if it is wanted.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// The UDP ports for media. A call takes an even port for RTP and the odd one above it for RTCP.
    #[serde(default = "default_media_ports")]
    pub media_ports: RangeInclusive<u16>,
    /// The most calls at one time; the next is refused with "Out of resource".
    #[serde(default = "default_call_limit")]
    pub call_limit: u32,
    /// How many calls one address may make.
    #[serde(default)]
    pub source_rate: SourceRate,
    /// A call is ended when neither RTP nor RTCP arrived from the far end for this long (R4: a vanished caller must not block a
    /// drain). At most [`MAX_MEDIA_TIMEOUT`].
    #[serde(default = "default_media_timeout", with = "seconds")]
    pub media_timeout: Duration,
    /// How many threads mix conferences, each of them its own. One for each core, and 8 at most, unless it is set.
    #[serde(default)]
    pub media_threads: Option<NonZeroU32>,
    /// The session interval we ask for (RFC 4028).
    #[serde(default = "default_session_interval", with = "seconds")]
    pub session_interval: Duration,
    /// The shortest session interval we accept. RFC 4028 section 5 forbids less than 90 seconds; only
    /// tests set less.
    #[serde(default = "default_min_session_interval", with = "seconds")]
    pub min_session_interval: Duration,
    /// How long a call rings before it is answered.
    #[serde(default, with = "seconds")]
    pub ring_time: Duration,
    /// RFC 3261 T1 in milliseconds: the estimate of a round trip. A call without ACK is ended after 64 times T1.
    #[serde(default = "default_t1_ms")]
    pub t1_ms: u32,
    /// The most TCP connections at one time.
    #[serde(default = "default_tcp_connections")]
    pub tcp_connections: u32,
    /// A TCP connection that carries no call is closed when nothing came over it for this long.
    #[serde(default = "default_tcp_idle", with = "seconds")]
    pub tcp_idle: Duration,
    /// How accounts are asked who they are.
    #[serde(default)]
    pub authentication: AuthenticationSettings,
    /// How long devices are registered.
    #[serde(default)]
    pub registration: RegistrationSettings,
}

/// How accounts are asked who they are: by digest (RFC 7616, RFC 8760).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthenticationSettings {
    /// What phones show their users, and what hashes of passwords are made with: the same on all nodes.
    pub realm: String,
    /// The algorithms that are asked for, the preferred one first. Some phones that know MD5 alone fail at any other
    /// challenge beside it: they need it to be the only one.
    pub algorithms: Vec<Algorithm>,
}

/// How long devices are registered. A device asks for its time; what it gets lies between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationSettings {
    /// The shortest time; a shorter one is refused (RFC 3261 section 10.2.8). In maintenance mode devices get this one.
    #[serde(with = "seconds")]
    pub min_expires: Duration,
    /// The longest time, and that of a device that asks for none. A node that restarts has forgotten its devices, and
    /// they are not reached until they register anew.
    #[serde(with = "seconds")]
    pub max_expires: Duration,
}

impl Default for RegistrationSettings {
    fn default() -> RegistrationSettings {
        RegistrationSettings { min_expires: Duration::from_secs(60), max_expires: Duration::from_secs(600) }
    }
}

impl RegistrationSettings {
    fn check(self) -> Result<(), SettingsError> {
        let RegistrationSettings { min_expires, max_expires } = self;
        let is_good =
            min_expires >= Duration::from_secs(1) && (min_expires..=LONGEST_EXPIRES).contains(&max_expires);
        if is_good { Ok(()) } else { Err(SettingsError::Expires(min_expires, max_expires)) }
    }
}

impl Default for AuthenticationSettings {
    fn default() -> AuthenticationSettings {
        AuthenticationSettings { realm: "pitlane".into(), algorithms: vec![Algorithm::Sha256] }
    }
}

impl AuthenticationSettings {
    fn check(&self) -> Result<(), SettingsError> {
        let is_wrong = |character: char| matches!(character, '"' | '\\' | ':') || character.is_control();
        if self.realm.is_empty() || self.realm.len() > LONGEST_REALM || self.realm.contains(is_wrong) {
            return Err(SettingsError::Realm(self.realm.clone()));
        }
        let places = self.algorithms.iter().enumerate();
        let mut again = places.filter(|(place, algorithm)| self.algorithms[..*place].contains(algorithm));
        if again.next().is_some() || self.algorithms.is_empty() {
            return Err(SettingsError::Algorithms);
        }
        Ok(())
    }
}

/// SIP over TLS. The files are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Where it is answered.
    pub address: SocketAddr,
    /// The certificate and those between it and the root, as PEM: its own first.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// The certificates of the authorities that certify proxies and phones, as PEM. Without it this node opens no
    /// connections of TLS: others open them.
    #[serde(default)]
    pub trust: Option<PathBuf>,
}

/// How many calls one source address may make, and how often it may be wrong: token buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceRate {
    /// Calls a second that are admitted in the long run.
    pub admitted: u32,
    /// Calls that are admitted at once when the bucket is full.
    pub burst: u32,
    /// Answers a second (503 to calls, any answer to other requests); requests above that rate are dropped unanswered.
    pub answered: u32,
    /// Requests with wrong credentials a minute, and at once. Above that rate credentials are not looked at, but for those
    /// of a device that has shown its secret before.
    pub failed: u32,
}

impl Default for SourceRate {
    /// A trunk or a proxy is one source, so the figures are those of a busy trunk, not of a person.
    fn default() -> SourceRate {
        // 60 guesses a minute find no password of six random letters within 500 years.
        SourceRate { admitted: 50, burst: 200, answered: 500, failed: 60 }
    }
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// `media` is 0.0.0.0 or ::.
    #[error("media = {0} cannot stand in a session description; set the address that callers reach")]
    MediaAddress(IpAddr),
    /// `media_v6` is ::, or `media` is an address of IPv6 as well.
    #[error(
        "media_v6 = {0} cannot stand beside media = {1}; set one address of each family that callers reach"
    )]
    MediaV6(Ipv6Addr, IpAddr),
    /// `advertised` is 0.0.0.0 or ::.
    #[error("advertised = {0} is no address that callers can reach; set the outer address, or leave it out")]
    Advertised(IpAddr),
    /// There is no even port with an odd one above it.
    #[error("media_ports {0}-{1} holds no pair of ports; give a range that starts lower than it ends")]
    MediaPorts(u16, u16),
    /// Too long or zero.
    #[error("media_timeout is {0:?}; set between 1 and 1800 seconds")]
    MediaTimeout(Duration),
    /// More threads than any machine has cores for.
    #[error("media_threads is {0}; set at most 256")]
    MediaThreads(u32),
    /// The interval is shorter than the shortest one.
    #[error("session_interval is {0:?}; set at least min_session_interval, which is {1:?}")]
    SessionInterval(Duration, Duration),
    /// A limit of zero would refuse everything.
    #[error("{0} is 0; set at least 1")]
    Zero(&'static str),
    /// It cannot stand in a challenge.
    #[error(
        "the realm {0:?} cannot be used; it has 1 to 128 bytes, no quotes, backslashes, colons or control characters"
    )]
    Realm(String),
    /// An algorithm stands twice, or there is none.
    #[error(
        "algorithms of authentication are missing, or one stands twice; set SHA-256, unless phones need others"
    )]
    Algorithms,
    /// Registrations would last for no time, or for too long.
    #[error(
        "registrations last from {0:?} to {1:?}; set at least one second, at most a day, and the shorter time first"
    )]
    Expires(Duration, Duration),
}

impl Settings {
    /// Settings with the default of every field that has one.
    #[must_use]
    pub fn new(sip: SocketAddr, media: IpAddr) -> Settings {
        Settings {
            sip,
            media,
            media_v6: None,
            advertised: None,
            tls: None,
            media_ports: default_media_ports(),
            call_limit: default_call_limit(),
            source_rate: SourceRate::default(),
            media_timeout: default_media_timeout(),
            media_threads: None,
            session_interval: default_session_interval(),
            min_session_interval: default_min_session_interval(),
            ring_time: Duration::ZERO,
            t1_ms: default_t1_ms(),
            tcp_connections: default_tcp_connections(),
            tcp_idle: default_tcp_idle(),
            authentication: AuthenticationSettings::default(),
            registration: RegistrationSettings::default(),
        }
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// The first setting that cannot work, with what to set instead.
    pub fn check(&self) -> Result<(), SettingsError> {
        let zero = [
            ("call_limit", self.call_limit),
            ("tcp_connections", self.tcp_connections),
            ("t1_ms", self.t1_ms),
            ("source_rate.admitted", self.source_rate.admitted),
            ("source_rate.burst", self.source_rate.burst),
            ("source_rate.answered", self.source_rate.answered),
            ("source_rate.failed", self.source_rate.failed),
        ];
        if let Some((name, _)) = zero.into_iter().find(|(_, value)| *value == 0) {
            return Err(SettingsError::Zero(name));
        }
        if self.media.is_unspecified() {
            return Err(SettingsError::MediaAddress(self.media));
        }
        if let Some(second) = self.media_v6.filter(|second| second.is_unspecified() || self.media.is_ipv6()) {
            return Err(SettingsError::MediaV6(second, self.media));
        }
        if let Some(advertised) = self.advertised.filter(IpAddr::is_unspecified) {
            return Err(SettingsError::Advertised(advertised));
        }
        let (first, last) = (*self.media_ports.start(), *self.media_ports.end());
        if last <= first.next_multiple_of(2) || first == 0 {
            return Err(SettingsError::MediaPorts(first, last));
        }
        if self.media_timeout.is_zero() || self.media_timeout > MAX_MEDIA_TIMEOUT {
            return Err(SettingsError::MediaTimeout(self.media_timeout));
        }
        if let Some(threads) = self.media_threads.filter(|threads| threads.get() > MAX_MEDIA_THREADS) {
            return Err(SettingsError::MediaThreads(threads.get()));
        }
        if self.session_interval < self.min_session_interval || self.session_interval.as_secs() == 0 {
            return Err(SettingsError::SessionInterval(self.session_interval, self.min_session_interval));
        }
        self.authentication.check()?;
        self.registration.check()
    }

    /// The media addresses that are set, one of a family.
    pub(crate) fn media_addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        std::iter::once(self.media).chain(self.media_v6.map(IpAddr::V6))
    }

    /// 64 times T1: how long an answered call waits for its ACK (RFC 3261 section 13.3.1.4).
    #[must_use]
    pub fn ack_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.t1_ms)) * 64
    }
}

fn default_media_ports() -> RangeInclusive<u16> {
    40_000..=49_999
}

fn default_call_limit() -> u32 {
    500
}

fn default_media_timeout() -> Duration {
    Duration::from_secs(60)
}

fn default_session_interval() -> Duration {
    Duration::from_secs(1800)
}

fn default_min_session_interval() -> Duration {
    Duration::from_secs(90)
}

fn default_t1_ms() -> u32 {
    500
}

fn default_tcp_connections() -> u32 {
    1000
}

fn default_tcp_idle() -> Duration {
    Duration::from_secs(120)
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let good = Settings::new(([127, 0, 0, 1], 5060).into(), [127, 0, 0, 1].into());
        assert_eq!(good.check(), Ok(()));
        let check = |change: fn(&mut Settings), expected: &str| {
            let mut settings = good.clone();
            change(&mut settings);
            let error = settings.check().expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(|s| s.media = [0, 0, 0, 0].into(), "media = 0.0.0.0");
        check(|s| s.media_v6 = Some(Ipv6Addr::UNSPECIFIED), "media_v6 = ::");
        let both_of_one = |s: &mut Settings| {
            (s.media, s.media_v6) = (Ipv6Addr::LOCALHOST.into(), Some(Ipv6Addr::LOCALHOST));
        };
        check(both_of_one, "media_v6 = ::1 cannot stand beside media = ::1");
        check(|s| s.advertised = Some([0, 0, 0, 0].into()), "advertised = 0.0.0.0");
        check(|s| s.media_ports = 40_001..=40_002, "media_ports");
        check(|s| s.media_timeout = Duration::from_secs(1801), "media_timeout");
        check(|s| s.media_threads = NonZeroU32::new(257), "media_threads is 257");
        check(|s| s.session_interval = Duration::from_secs(89), "session_interval");
        check(|s| s.call_limit = 0, "call_limit is 0");
        check(|s| s.source_rate.failed = 0, "source_rate.failed is 0");
        check(|s| s.registration.min_expires = Duration::ZERO, "registrations last");
        check(|s| s.registration.max_expires = Duration::from_secs(59), "registrations last");
        check(|s| s.registration.max_expires = Duration::from_secs(86_401), "registrations last");
        check(|s| s.authentication.realm = "a\"b".into(), "the realm");
        check(|s| s.authentication.realm = String::new(), "the realm");
        check(|s| s.authentication.algorithms = Vec::new(), "algorithms");
        check(|s| s.authentication.algorithms = vec![Algorithm::Sha256; 2], "algorithms");
    }

    #[test]
    fn settings_with_a_default_are_optional_in_a_file() {
        let parse = toml::from_str::<Settings>;
        let least = parse("sip = '192.0.2.1:5060'\nmedia = '192.0.2.1'").expect("settings");
        assert_eq!(least, Settings::new(([192, 0, 2, 1], 5060).into(), [192, 0, 2, 1].into()));
        let more = parse(
            "sip = '[::]:5060'\nmedia = '2001:db8::1'\nmedia_ports = { start = 1000, end = 2000 }\n\
             media_timeout = 30\nsource_rate = { admitted = 5 }",
        )
        .expect("settings");
        assert_eq!((more.media_ports, more.media_timeout.as_secs()), (1000..=2000, 30));
        assert_eq!(more.source_rate, SourceRate { admitted: 5, ..SourceRate::default() });
        assert!(parse("sip = '192.0.2.1:5060'\nmedia = '192.0.2.1'\nmedia_port = 1").is_err());
    }

    #[test]
    fn pair_at_the_very_end_of_the_range_is_enough() {
        let mut settings = Settings::new(([127, 0, 0, 1], 5060).into(), [127, 0, 0, 1].into());
        settings.media_ports = 40_000..=40_001;
        assert_eq!(settings.check(), Ok(()));
    }
}
