//! The certificate of SIP over TLS and the authorities that are trusted, read from files that are replaced while the
//! node runs. A certificate that is given takes the place of the one in the files, for as long as it is.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::client::ClientConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::settings::TlsSettings;

/// How often the files are looked at.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// The largest file that is read, in bytes. A chain of four certificates has 8 KB.
const FILE_BYTES: u64 = 256 * 1024;

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error(
        "cannot read {path} for SIP over TLS; set certificate, key and trust to files that the node's user can read"
    )]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is no PEM of what it should be.
    #[error("{path} is not the PEM file that SIP over TLS needs: {why}")]
    Pem {
        /// Which one.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The key does not belong to the certificate, or neither can be used.
    #[error("{certificate} and {key} cannot be used together for SIP over TLS: {source}")]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// A certificate that was given, or its key, cannot be used.
    #[error("the certificate that was given for SIP over TLS cannot be used: {why}")]
    Given {
        /// Why not.
        why: String,
    },
}

/// A certificate with its key that can be used for SIP over TLS. Cheap to clone.
#[derive(Clone)]
pub struct TlsCertificate(Arc<CertifiedKey>);

impl fmt::Debug for TlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsCertificate(a chain of {})", self.0.cert.len())
    }
}

impl TlsCertificate {
    /// Reads a certificate, with those between it and a root after it, and its key, all in PEM.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub fn from_pem(chain: &str, key: &str) -> Result<TlsCertificate, CertificateError> {
        let given = |why: &dyn ToString| CertificateError::Given { why: why.to_string() };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.map_err(|error| given(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| given(&error))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| given(&error))?;
        Ok(TlsCertificate(Arc::new(key)))
    }
}

/// The certificate in use, and whom this node trusts.
#[derive(Debug)]
pub(crate) struct Identity {
    settings: TlsSettings,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    files: Files,
    changed: [Option<SystemTime>; 3],
    /// The certificate that is shown in place of that of the files.
    given: Option<TlsCertificate>,
    /// How this node opens connections, if it trusts anybody: with the certificate that it shows.
    client: Option<Arc<ClientConfig>>,
}

/// What is in the files.
#[derive(Debug)]
struct Files {
    key: Arc<CertifiedKey>,
    /// Whom this node trusts, if anybody.
    roots: Option<Arc<RootCertStore>>,
}

impl State {
    fn new(files: Files, changed: [Option<SystemTime>; 3], given: Option<TlsCertificate>) -> State {
        let mut state = State { files, changed, given, client: None };
        state.client = state.files.roots.as_ref().map(|roots| Arc::new(client(roots, state.shown())));
        state
    }

    /// The certificate that is shown.
    fn shown(&self) -> &Arc<CertifiedKey> {
        self.given.as_ref().map_or(&self.files.key, |given| &given.0)
    }
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be used.
    pub(super) fn load(settings: &TlsSettings) -> Result<Identity, CertificateError> {
        let changed = changed(settings);
        let files = read(settings)?;
        Ok(Identity { settings: settings.clone(), state: RwLock::new(State::new(files, changed, None)) })
    }

    /// Shows another certificate than that of the files from the next handshake on, or that one again. Connections that
    /// are open stay as they are.
    pub(crate) fn show(&self, given: Option<TlsCertificate>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let files = Files { key: Arc::clone(&state.files.key), roots: state.files.roots.clone() };
        *state = State::new(files, state.changed, given);
    }

    /// An acceptor of connections that always uses the certificate of the moment.
    ///
    /// # Errors
    /// The library supports no version of TLS that it should.
    pub(super) fn acceptor(self: &Arc<Identity>) -> Result<TlsAcceptor, rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let config =
            builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A connector that shows the certificate of the moment, and accepts far ends that the authorities of the moment have
    /// certified; `None` without authorities.
    pub(super) fn connector(&self) -> Option<TlsConnector> {
        self.state().client.clone().map(TlsConnector::from)
    }

    /// Reads the files again if one has changed. What cannot be used leaves all as it is.
    pub(super) fn refresh(&self) {
        let changed = changed(&self.settings);
        if self.state().changed == changed {
            return;
        }
        let read = read(&self.settings);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Also when it cannot be used: it is said once for each change.
        state.changed = changed;
        match read {
            Ok(files) => {
                *state = State::new(files, changed, state.given.clone());
                tracing::info!("the certificate of SIP over TLS, or whom it trusts, was replaced");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the new files of SIP over TLS cannot be used; those before stay in use"
            ),
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.state().shown()))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn changed(settings: &TlsSettings) -> [Option<SystemTime>; 3] {
    let TlsSettings { certificate, key, trust, address: _ } = settings;
    [Some(certificate), Some(key), trust.as_ref()]
        .map(|path| path.and_then(|path| fs::metadata(path).and_then(|file| file.modified()).ok()))
}

fn read(settings: &TlsSettings) -> Result<Files, CertificateError> {
    let key = Arc::new(certified_key(settings)?);
    let roots = settings.trust.as_ref().map(|trust| roots(trust)).transpose()?;
    Ok(Files { key, roots: roots.map(Arc::new) })
}

fn certified_key(settings: &TlsSettings) -> Result<CertifiedKey, CertificateError> {
    let (certificate, key) = (&settings.certificate, &settings.key);
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| pem(key, &error))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|source| CertificateError::Pair {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    })
}

/// The authorities in a file.
fn roots(trust: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(trust)? {
        roots.add(authority).map_err(|error| pem(trust, &error))?;
    }
    Ok(roots)
}

/// How connections are opened to far ends that these authorities have certified. The library checks that the certificate
/// is for the name or the address of the far end (RFC 5922 section 7.2), by its entries for DNS names and addresses.
fn client(roots: &Arc<RootCertStore>, key: &Arc<CertifiedKey>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.expect("the provider has the versions of TLS that are usual");
    let own = Arc::new(SingleCertAndKey::from(Arc::clone(key)));
    builder.with_root_certificates(Arc::clone(roots)).with_client_cert_resolver(own)
}

/// The certificates in a file: one at least.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(path)?).collect();
    let all = all.map_err(|error| pem(path, &error))?;
    if all.is_empty() { Err(pem(path, &"it has no certificate")) } else { Ok(all) }
}

fn pem(path: &Path, why: &dyn ToString) -> CertificateError {
    CertificateError::Pem { path: path.into(), why: why.to_string() }
}

fn bytes(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes));
    read.map_err(|source| CertificateError::File { path: path.into(), source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
    use tokio_rustls::rustls::pki_types::ServerName;

    use super::*;

    /// Writes another certificate, changed a second after the one before.
    fn replace(settings: &TlsSettings, second: u64) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("key");
        let certificate = CertificateParams::default().self_signed(&key).expect("certificate");
        fs::write(&settings.certificate, certificate.pem()).expect("write");
        fs::write(&settings.key, key.serialize_pem()).expect("write");
        change_time(&settings.certificate, second);
        change_time(&settings.key, second);
        certificate.der().clone()
    }

    /// Settings whose files lie in this directory, and are not there yet.
    fn settings_in(dir: &Path) -> TlsSettings {
        let (certificate, key) = (dir.join("chain.pem"), dir.join("key.pem"));
        TlsSettings { address: ([127, 0, 0, 1], 0).into(), certificate, key, trust: None }
    }

    fn change_time(path: &Path, second: u64) {
        let file = File::options().write(true).open(path).expect("file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).expect("time");
    }

    #[test]
    fn replaced_certificate_is_used_and_one_that_cannot_be_used_is_not() {
        let dir = tempfile::tempdir().expect("directory");
        let settings = settings_in(dir.path());
        let first = replace(&settings, 1);
        let identity = Identity::load(&settings).expect("a certificate");
        let used = || identity.state().shown().cert[0].clone();
        identity.refresh();
        assert_eq!(used(), first);
        let second = replace(&settings, 2);
        identity.refresh();
        assert_eq!(used(), second);
        fs::write(&settings.key, "half a file").expect("write");
        change_time(&settings.key, 3);
        identity.refresh();
        assert_eq!(used(), second);
        fs::remove_file(&settings.key).expect("remove");
        identity.refresh();
        assert_eq!(used(), second);
    }

    #[test]
    fn given_certificate_is_shown_until_it_is_taken_away_whatever_becomes_of_the_files() {
        let dir = tempfile::tempdir().expect("directory");
        let settings = settings_in(dir.path());
        let first = replace(&settings, 1);
        let identity = Identity::load(&settings).expect("a certificate");
        let used = || identity.state().shown().cert[0].clone();
        let (key, other) = (KeyPair::generate().expect("key"), KeyPair::generate().expect("key"));
        let certificate = CertificateParams::default().self_signed(&key).expect("certificate");
        let given = TlsCertificate::from_pem(&certificate.pem(), &key.serialize_pem()).expect("a pair");
        identity.show(Some(given.clone()));
        assert_eq!(used(), *certificate.der());
        let second = replace(&settings, 2);
        identity.refresh();
        assert_eq!(used(), *certificate.der());
        identity.show(None);
        assert!(used() == second && second != first);
        for (chain, key) in [
            (certificate.pem(), other.serialize_pem()),
            (certificate.pem(), String::new()),
            (String::new(), key.serialize_pem()),
        ] {
            assert!(TlsCertificate::from_pem(&chain, &key).is_err(), "{chain}");
        }
        assert_eq!(format!("{given:?}"), "TlsCertificate(a chain of 1)");
    }

    /// An authority, and a far end that it has certified for this name.
    fn certified(name: &str) -> (Certificate, TlsAcceptor) {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().expect("key"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).expect("certificate");
        let own = KeyPair::generate().expect("key");
        let leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let leaf = leaf.signed_by(&own, &Issuer::from_params(&params, &key)).expect("certificate");
        let own = PrivateKeyDer::from_pem_slice(own.serialize_pem().as_bytes()).expect("key");
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_no_client_auth();
        let config = builder.with_single_cert(vec![leaf.der().clone()], own).expect("a pair");
        (authority, TlsAcceptor::from(Arc::new(config)))
    }

    /// Whether a connection comes about to a far end that is reached by this name.
    async fn accepts(identity: &Identity, name: &'static str, far_end: &TlsAcceptor) -> bool {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let connector = identity.connector().expect("authorities");
        let name = ServerName::try_from(name).expect("a name");
        let (ours, _) = tokio::join!(connector.connect(name, ours), far_end.accept(theirs));
        ours.is_ok()
    }

    #[tokio::test]
    async fn far_end_is_accepted_by_its_name_and_by_the_authorities_of_the_moment() {
        let dir = tempfile::tempdir().expect("directory");
        let file = |name| dir.path().join(name);
        let (address, trust) = (([127, 0, 0, 1], 0).into(), file("trust.pem"));
        let settings = TlsSettings {
            address,
            certificate: file("chain.pem"),
            key: file("key.pem"),
            trust: Some(trust.clone()),
        };
        let (first, far_end) = certified("proxy.example.com");
        let (second, numbered) = certified("192.0.2.9");
        let trusted = |pem: &str, at| {
            fs::write(&trust, pem).expect("write");
            change_time(&trust, at);
        };
        fs::write(&trust, first.pem()).expect("write");
        replace(&settings, 1);
        let identity = Identity::load(&settings).expect("a certificate");
        assert!(accepts(&identity, "proxy.example.com", &far_end).await);
        assert!(!accepts(&identity, "other.example.com", &far_end).await);
        assert!(!accepts(&identity, "192.0.2.9", &numbered).await, "of another authority");
        trusted(&second.pem(), 2);
        identity.refresh();
        assert!(!accepts(&identity, "proxy.example.com", &far_end).await);
        assert!(accepts(&identity, "192.0.2.9", &numbered).await);
        assert!(!accepts(&identity, "192.0.2.8", &numbered).await);
        trusted("half a file", 3);
        identity.refresh();
        assert!(accepts(&identity, "192.0.2.9", &numbered).await, "those before stay");
        trusted(&(first.pem() + &second.pem()), 4);
        identity.refresh();
        assert!(accepts(&identity, "proxy.example.com", &far_end).await);
        assert!(accepts(&identity, "192.0.2.9", &numbered).await);
    }
}
