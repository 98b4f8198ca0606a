//! The certificate that the listener for people shows: the operator's, while there is one that can be used, and the
//! platform's own otherwise.
//!
//! Whoever trusts the platform's authority asks for the platform's own certificate by a protocol name in the handshake
//! (ALPN, RFC 7301): `pitlane`, whose profiles have pinned it, and a release that checks itself before it is confirmed.
//! The listener for nodes never shows another one.

use std::sync::Arc;

use fleet::time::Wall;
use parking_lot::RwLock;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::{info, warn};

use crate::authority::ServerIdentity;
use crate::store::{Store, StoreError, certificates};
use crate::trust::{Certificate, Given, Identity};

/// The protocol name by which a client asks for the platform's own certificate.
pub const PLATFORM: &[u8] = b"pitlane-platform";

/// The certificate of the operator that is shown now. Cheap to clone; all clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct OperatorCertificate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    used: RwLock<Option<Used>>,
    /// Held while the store is read, so that an earlier state does not replace a later one.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Used {
    key: Arc<CertifiedKey>,
    ends: Wall,
}

impl OperatorCertificate {
    /// Shows from now on what the store says that the Management Node called `name` shows.
    ///
    /// # Errors
    /// The store cannot be read. A certificate that cannot be used is logged, and the platform's own is shown.
    pub async fn reload(&self, store: &Store, name: &str) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.reading.lock().await;
        let wanted = name.to_string();
        let (stored, authorities) =
            store.read(move |connection| certificates::shown_with_authorities(connection, &wanted)).await?;
        let used =
            stored.first().and_then(|(certificate, key)| match usable(certificate, key, &authorities) {
                Ok(used) => Some(used),
                Err(why) => {
                    warn!(
                        why,
                        "the certificate for the management pages cannot be used; the platform's own is shown"
                    );
                    None
                }
            });
        info!(operators = used.is_some(), "whose certificate the management pages show");
        *self.0.used.write() = used;
        Ok(())
    }

    /// The certificate, unless there is none or it has expired.
    fn at(&self, now: Wall) -> Option<Arc<CertifiedKey>> {
        let used = self.0.used.read();
        used.as_ref().filter(|used| now < used.ends).map(|used| used.key.clone())
    }
}

/// Checks that TLS can use a certificate with its key.
///
/// # Errors
/// Why it cannot.
pub(crate) fn check(certificate: &str, private_key: &str) -> Result<(), String> {
    usable(certificate, private_key, &[]).map(drop)
}

fn usable(certificate: &str, private_key: &str, authorities: &[Certificate]) -> Result<Used, String> {
    let given = Given { certificate, private_key, passphrase: "" };
    let identity = Identity::read(&given).map_err(|fault| fault.to_string())?.completed(authorities);
    let chain = identity.chain().iter().map(|one| CertificateDer::from(one.der())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key().to_der()));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| error.to_string())?;
    Ok(Used { key: Arc::new(key), ends: identity.leaf().shown().end_date })
}

/// Decides which certificate the listener for people shows.
#[derive(Debug)]
pub struct PeopleIdentity {
    own: Arc<ServerIdentity>,
    operators: OperatorCertificate,
}

impl PeopleIdentity {
    /// The operator's, if there is one, and else this one of the platform.
    pub fn new(own: Arc<ServerIdentity>, operators: OperatorCertificate) -> Self {
        Self { own, operators }
    }
}

impl ResolvesServerCert for PeopleIdentity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wants_own = hello.alpn().is_some_and(|mut names| names.any(|name| name == PLATFORM));
        let operators = if wants_own { None } else { self.operators.at(self.own.wall()) };
        operators.or_else(|| self.own.resolve(hello))
    }
}
