//! The certificate of SIP over TLS, read from files that are replaced while the node runs.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

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
        "cannot read {path} for SIP over TLS; set certificate and key to files that the node's user can read"
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
}

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Identity {
    settings: TlsSettings,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    key: Arc<CertifiedKey>,
    changed: [Option<SystemTime>; 2],
}

impl Identity {
    /// Reads the certificate.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn load(settings: &TlsSettings) -> Result<Identity, CertificateError> {
        let changed = changed(settings);
        let key = Arc::new(read(settings)?);
        Ok(Identity { settings: settings.clone(), state: RwLock::new(State { key, changed }) })
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

    /// Reads the files again if one has changed. What cannot be used leaves the certificate as it is.
    pub(super) fn refresh(&self) {
        let changed = changed(&self.settings);
        if self.state.read().unwrap_or_else(PoisonError::into_inner).changed == changed {
            return;
        }
        let read = read(&self.settings);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Also when it cannot be used: it is said once for each change.
        state.changed = changed;
        match read {
            Ok(key) => {
                state.key = Arc::new(key);
                tracing::info!("the certificate of SIP over TLS was replaced");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the new certificate of SIP over TLS cannot be used; the one before stays"
            ),
        }
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn changed(settings: &TlsSettings) -> [Option<SystemTime>; 2] {
    [&settings.certificate, &settings.key]
        .map(|path| fs::metadata(path).and_then(|file| file.modified()).ok())
}

fn read(settings: &TlsSettings) -> Result<CertifiedKey, CertificateError> {
    let pem =
        |path: &Path, why: &dyn ToString| CertificateError::Pem { path: path.into(), why: why.to_string() };
    let (certificate, key) = (&settings.certificate, &settings.key);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(certificate)?).collect();
    let chain = chain.map_err(|error| pem(certificate, &error))?;
    if chain.is_empty() {
        return Err(pem(certificate, &"it has no certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| pem(key, &error))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|source| CertificateError::Pair {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes));
    read.map_err(|source| CertificateError::File { path: path.into(), source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// Writes another certificate, changed a second after the one before.
    fn replace(settings: &TlsSettings, second: u64) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("key");
        let certificate = CertificateParams::default().self_signed(&key).expect("certificate");
        fs::write(&settings.certificate, certificate.pem()).expect("write");
        fs::write(&settings.key, key.serialize_pem()).expect("write");
        change_time(settings, second);
        certificate.der().clone()
    }

    fn change_time(settings: &TlsSettings, second: u64) {
        for path in [&settings.certificate, &settings.key] {
            let file = File::options().write(true).open(path).expect("file");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).expect("time");
        }
    }

    #[test]
    fn replaced_certificate_is_used_and_one_that_cannot_be_used_is_not() {
        let dir = tempfile::tempdir().expect("directory");
        let file = |name| dir.path().join(name);
        let address = ([127, 0, 0, 1], 0).into();
        let settings = TlsSettings { address, certificate: file("chain.pem"), key: file("key.pem") };
        let first = replace(&settings, 1);
        let identity = Identity::load(&settings).expect("a certificate");
        let used = || identity.state.read().expect("lock").key.cert[0].clone();
        identity.refresh();
        assert_eq!(used(), first);
        let second = replace(&settings, 2);
        identity.refresh();
        assert_eq!(used(), second);
        fs::write(&settings.key, "half a file").expect("write");
        change_time(&settings, 3);
        identity.refresh();
        assert_eq!(used(), second);
        fs::remove_file(&settings.key).expect("remove");
        identity.refresh();
        assert_eq!(used(), second);
    }
}
