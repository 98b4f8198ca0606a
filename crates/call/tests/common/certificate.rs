//! Certificates of a node for its TLS, and the authority behind them.

use std::net::SocketAddr;
use std::path::Path;

use call::{CallEngine, Settings, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::RootCertStore;

use super::{address, engine, settings};

/// An authority, and the files of a certificate of it.
pub struct Certified {
    pub roots: RootCertStore,
    pub settings: TlsSettings,
}

pub fn certified(dir: &Path, address: SocketAddr) -> Certified {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("key");
    let root = authority.self_signed(&key).expect("certificate");
    let own = KeyPair::generate().expect("key");
    let names = vec!["node.example.com".to_owned()];
    let leaf = CertificateParams::new(names).expect("names");
    let leaf = leaf.signed_by(&own, &Issuer::from_params(&authority, &key)).expect("certificate");
    let (certificate, private) = (dir.join("chain.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, leaf.pem()).expect("write");
    std::fs::write(&private, own.serialize_pem()).expect("write");
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).expect("root");
    Certified { roots, settings: TlsSettings { address, certificate, key: private } }
}

/// An engine of a test that listens for TLS as well.
pub async fn tls_engine(test: u8, dir: &TempDir, change: fn(&mut Settings)) -> (CallEngine, RootCertStore) {
    let certified = certified(dir.path(), (address(test, 1), 0).into());
    let mut settings = settings(test);
    settings.tls = Some(certified.settings);
    change(&mut settings);
    (engine(settings).await, certified.roots)
}
