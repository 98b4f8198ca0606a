//! Classifies why no sync with the Management Node succeeds, in sentences for the operator, each with what to do. A
//! reason has no address and no time, so that one lasting fault is one line of the log. It does not retry.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::http::RequestError;

/// Why no sync succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its name leads to no address.
    Name,
    /// Nothing listens there.
    ConnectionRefused,
    /// No route leads there.
    NoRoute,
    /// It does not answer in time.
    TimedOut,
    /// The connection was closed before an answer was complete.
    BrokenOff,
    /// The network failed in another way.
    Network,
    /// Its certificate is not valid yet, by this machine's clock.
    ManagerNotValidYet,
    /// Its certificate has expired, by this machine's clock.
    ManagerExpired,
    /// Its certificate is of another platform.
    ManagerUnknown,
    /// Its certificate is for other addresses than the one that was called.
    ManagerName,
    /// It says that this node's certificate is not valid now, and this machine's clock says so too.
    OwnExpired,
    /// It says that this node's certificate is not valid now, and this machine's clock says that it is.
    OwnDisputed,
    /// It does not take this node's certificate.
    OwnRefused,
    /// TLS failed in another way.
    Tls,
    /// It refuses with this HTTP status.
    Status(u16),
    /// Its answer cannot be understood.
    Malformed,
}

/// Whether the node's own certificate is valid by this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnCertificate {
    /// The time of its renewal is still to come, so it is valid.
    Valid,
    /// It is to be renewed, so it may have expired.
    Due,
}

impl Reason {
    /// The reason behind an error.
    pub fn of(error: &RequestError, own: OwnCertificate) -> Self {
        match error {
            RequestError::Unreachable { source, .. } => unreachable(source),
            RequestError::Untrusted { source, .. } => {
                find::<rustls::Error>(source).map_or(Self::Tls, |error| untrusted(error, own))
            }
            RequestError::Refused { status, .. } => Self::Status(status.as_u16()),
            RequestError::Malformed { .. } => Self::Malformed,
        }
    }
}

fn unreachable(error: &reqwest::Error) -> Reason {
    if error.is_timeout() {
        return Reason::TimedOut;
    }
    // The resolver's error has no type that can be named from here.
    if links(error).any(|error| error.to_string() == "dns error") {
        return Reason::Name;
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Reason::ConnectionRefused,
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => Reason::NoRoute,
        Some(io::ErrorKind::TimedOut) => Reason::TimedOut,
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) => Reason::BrokenOff,
        None if !error.is_connect() => Reason::BrokenOff,
        Some(_) | None => Reason::Network,
    }
}

fn untrusted(error: &rustls::Error, own: OwnCertificate) -> Reason {
    if let rustls::Error::InvalidCertificate(error) = error {
        return managers_certificate(error);
    }
    let rustls::Error::AlertReceived(alert) = error else { return Reason::Tls };
    if *alert == AlertDescription::CertificateExpired {
        return match own {
            OwnCertificate::Due => Reason::OwnExpired,
            OwnCertificate::Valid => Reason::OwnDisputed,
        };
    }
    let of_the_certificate = [
        AlertDescription::BadCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateUnknown,
        AlertDescription::CertificateRequired,
        AlertDescription::UnknownCA,
        AlertDescription::DecryptError,
        AlertDescription::AccessDenied,
        AlertDescription::UnsupportedCertificate,
    ];
    if of_the_certificate.contains(alert) { Reason::OwnRefused } else { Reason::Tls }
}

fn managers_certificate(error: &CertificateError) -> Reason {
    if matches!(error, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) {
        Reason::ManagerNotValidYet
    } else if matches!(error, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
        Reason::ManagerExpired
    } else if matches!(
        error,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ) {
        Reason::ManagerName
    } else {
        Reason::ManagerUnknown
    }
}

/// The first error of a type among the causes, those within I/O errors included.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let innermost = |error: &'a (dyn Error + 'static)| error.downcast_ref::<E>();
    links(error).filter_map(innermost).last()
}

/// An error and its causes, from the outside in.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        within.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name cannot be resolved; check the name servers of this machine",
            Self::ConnectionRefused => {
                "nothing listens at its address; check that the Management Node is running and has this address"
            }
            Self::NoRoute => "no route leads to its address; check the network of this machine",
            Self::TimedOut => "it does not answer in time; check its power and the network between",
            Self::BrokenOff => "it closed the connection before its answer; check whether it is restarting",
            Self::Network => "the network failed; check the network of this machine",
            Self::ManagerNotValidYet => {
                "its certificate is not valid yet by this machine's clock; compare the clocks of both machines and \
                 set the one that is wrong"
            }
            Self::ManagerExpired => {
                "its certificate has expired by this machine's clock; compare the clocks of both machines and set \
                 the one that is wrong"
            }
            Self::ManagerUnknown => {
                "its certificate is not of this node's platform; check that the address is the right one, or enrol \
                 the node there with --replace"
            }
            Self::ManagerName => {
                "its certificate is for other addresses; check the addresses that the Management Node is set to"
            }
            Self::OwnExpired => {
                "this node's certificate has expired; make a new enrolment file for the node on the Management Node \
                 and run `pitlane-node enrol` with --replace"
            }
            Self::OwnDisputed => {
                "it says that this node's certificate is not valid now, and this machine's clock says that it is; \
                 compare the clocks of both machines and set the one that is wrong"
            }
            Self::OwnRefused => {
                "it does not take this node's certificate; make a new enrolment file for the node on the Management \
                 Node and run `pitlane-node enrol` with --replace"
            }
            Self::Tls => "no encrypted connection can be agreed on; check that a Management Node listens there",
            Self::Status(401 | 403) => {
                "it refuses this node; check that the node is registered there, else enrol it with --replace"
            }
            Self::Status(503) => "it has no time for this node; it is asked again",
            Self::Status(_) => "it refuses the request; look into its log",
            Self::Malformed => "its answer cannot be understood; check that the releases of both go together",
        })
    }
}

/// The reasons that were logged since the last success.
#[derive(Debug, Default)]
pub struct Reasons(BTreeSet<Reason>);

impl Reasons {
    /// Whether a reason is new, and so worth a line.
    pub fn is_new(&mut self, reason: Reason) -> bool {
        self.0.insert(reason)
    }

    /// A sync has succeeded. Returns whether the one before had failed.
    pub fn end(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_new_once_until_a_sync_succeeds() {
        let mut reasons = Reasons::default();
        let refused = Reason::ConnectionRefused;
        assert!(reasons.is_new(refused) && reasons.is_new(Reason::TimedOut));
        assert!(!reasons.is_new(refused), "two that alternate are two lines, not one for each attempt");
        assert!(reasons.end() && !reasons.end());
        assert!(reasons.is_new(refused));
    }

    #[test]
    fn errors_of_tls_are_distinguished() {
        let check = |error: rustls::Error, own, expected| assert_eq!(untrusted(&error, own), expected);
        let valid = OwnCertificate::Valid;
        let invalid = rustls::Error::InvalidCertificate;
        check(invalid(CertificateError::NotValidYet), valid, Reason::ManagerNotValidYet);
        check(invalid(CertificateError::Expired), valid, Reason::ManagerExpired);
        check(invalid(CertificateError::UnknownIssuer), valid, Reason::ManagerUnknown);
        check(invalid(CertificateError::NotValidForName), valid, Reason::ManagerName);
        let alert = rustls::Error::AlertReceived;
        check(alert(AlertDescription::CertificateExpired), valid, Reason::OwnDisputed);
        check(alert(AlertDescription::CertificateExpired), OwnCertificate::Due, Reason::OwnExpired);
        check(alert(AlertDescription::CertificateRevoked), valid, Reason::OwnRefused);
        check(alert(AlertDescription::HandshakeFailure), valid, Reason::Tls);
    }

    #[tokio::test]
    async fn errors_of_the_network_are_distinguished() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let reason = async |address: &str| {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let asked =
                client.get(format!("http://{address}/")).timeout(std::time::Duration::from_millis(300));
            unreachable(&asked.send().await.unwrap_err())
        };
        assert_eq!(reason("127.0.0.1:1").await, Reason::ConnectionRefused);
        assert_eq!(reason("nobody.invalid:1").await, Reason::Name);
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(reason(&silent.local_addr().unwrap().to_string()).await, Reason::TimedOut);
        let broken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = broken.local_addr().unwrap().to_string();
        tokio::spawn(async move { drop(broken.accept().await) });
        assert_eq!(reason(&address).await, Reason::BrokenOff);
    }
}
