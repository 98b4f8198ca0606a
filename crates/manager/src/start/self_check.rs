//! The self check of a release before its confirmation: whether it answers over HTTPS, with a certificate
//! that its own authority issued for its own name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edge::error_chain::chain;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::StartError;
use crate::authority::{Authority, ServerIdentity};
use crate::gate::SELF_CHECK_PATH;
use crate::link::server_config;
use crate::operator_certificate::PLATFORM;
use crate::settings::Settings;

/// How long the release may take to answer itself. It has no other requests yet.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The beginning of the answer; no more than that is read.
const EXPECTED: &[u8] = b"HTTP/1.1 204 ";

/// The release does not answer as expected.
#[derive(Debug, Error)]
pub enum SelfCheckError {
    /// It does not answer in time.
    #[error("{0} did not answer in time; check the load of the machine and start it again")]
    TooLate(SocketAddr),
    /// The connection or the handshake failed.
    #[error(
        "{address} could not be reached; check the firewall of the machine and [manager] in the settings"
    )]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// The error.
        source: std::io::Error,
    },
    /// The TLS settings of the client are invalid.
    #[error("the client of the self check cannot be made; check the authority in the directory state")]
    Tls(#[from] rustls::Error),
    /// The first name of the Management Node is neither a host name nor an address.
    #[error("{0:?} is neither a name nor an address; correct [manager] names")]
    Name(String),
    /// A client would not trust its certificate.
    #[error(
        "by the clock of this machine a client refuses the certificate that the Management Node makes; set the clock, \
         or put the authority in the directory state back from a backup"
    )]
    Distrusted(#[source] rustls::Error),
    /// It gives another answer.
    #[error("{0} gave another answer than expected; check what else listens on that port")]
    OtherAnswer(SocketAddr),
}

/// Sends a request to the listener at `address`, which is reached under `name`.
///
/// # Errors
/// What is wrong with the answer.
pub async fn self_check(
    authority: &Authority,
    address: SocketAddr,
    name: &str,
) -> Result<(), SelfCheckError> {
    let address = reachable(address);
    let asked = timeout(ANSWER_WITHIN, ask(authority, address, name)).await;
    match asked.map_err(|_| SelfCheckError::TooLate(address))?? {
        answer if answer == EXPECTED => Ok(()),
        _ => Err(SelfCheckError::OtherAnswer(address)),
    }
}

/// What is wrong with the certificate that the Management Node would show under these settings, for a client
/// that trusts the authority: an invalid name, or a clock by which it is not valid.
pub fn server_certificate_faults(
    settings: &Settings,
    authority: &Arc<Authority>,
    now: SystemTime,
) -> Vec<String> {
    let make = || {
        let identity = Arc::new(ServerIdentity::new(authority.clone(), settings.names.clone())?);
        server_config(identity.clone(), Some(authority))?;
        Ok::<_, StartError>(identity)
    };
    let name = settings.names.first().map_or("", String::as_str);
    match make() {
        Ok(identity) => {
            verify(authority, &identity.chain(), name, now).err().iter().map(|error| chain(error)).collect()
        }
        Err(error) => vec![chain(&error)],
    }
}

fn verify(
    authority: &Authority,
    certificates: &[CertificateDer<'_>],
    name: &str,
    now: SystemTime,
) -> Result<(), SelfCheckError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| SelfCheckError::Tls(rustls::Error::General(error.to_string())))?;
    let server =
        ServerName::try_from(name.to_string()).map_err(|_| SelfCheckError::Name(name.to_string()))?;
    let since = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    let Some((own, between)) = certificates.split_first() else { return Ok(()) };
    verifier
        .verify_server_cert(own, between, &server, &[], since)
        .map(drop)
        .map_err(SelfCheckError::Distrusted)
}

async fn ask(authority: &Authority, address: SocketAddr, name: &str) -> Result<Vec<u8>, SelfCheckError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The operator may have brought a certificate of another authority.
    config.alpn_protocols = vec![PLATFORM.to_vec(), b"http/1.1".to_vec()];
    let server =
        ServerName::try_from(name.to_string()).map_err(|_| SelfCheckError::Name(name.to_string()))?;
    let failed = |source| SelfCheckError::Unreachable { address, source };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(server, stream).await.map_err(failed)?;
    let request = format!("GET {SELF_CHECK_PATH} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = vec![0; EXPECTED.len()];
    stream.read_exact(&mut answer).await.map_err(failed)?;
    Ok(answer)
}

/// The address at which a listener on every address is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}
