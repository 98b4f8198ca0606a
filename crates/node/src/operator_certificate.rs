//! The certificate of the operator that this node shows to callers in place of the one of its machine: kept in a file of
//! its state, which only its owner can read, and shown by the call engine. The Management Node says which one it is. The
//! key is in no log and no report.

use std::path::{Path, PathBuf};

use call::{CallEngine, TlsCertificate};
use edge::text::visible;
use tracing::{error, info, warn};
use wire::{CertificateToShow, NodeCertificate, ShownCertificate};

use crate::files::{self, FileError, chain};

/// The file with the certificate that was received last.
#[derive(Clone, Debug)]
pub struct CertificateFile {
    path: PathBuf,
}

impl CertificateFile {
    /// The file in the node's state directory.
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("certificate.json") }
    }

    /// The certificate that was received last, if that was not taken away again. A damaged file is no loss: the Management
    /// Node sends it again, since the node reports that it has none.
    pub fn load(&self) -> Option<NodeCertificate> {
        let advice = "it is fetched again from the Management Node";
        files::load::<Option<NodeCertificate>>(&self.path, advice)
            .unwrap_or_else(|error| {
                warn!("{}", chain(&error));
                None
            })
            .flatten()
    }

    /// Makes it durable which certificate is shown, and that no other one is left here.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn store(&self, wanted: &CertificateToShow) -> Result<(), FileError> {
        match wanted {
            CertificateToShow::Own => files::store(&self.path, &None::<NodeCertificate>),
            CertificateToShow::Operators(certificate) => files::store(&self.path, certificate),
        }
    }
}

/// Which certificate this is, for a report.
pub fn reported(certificate: Option<&NodeCertificate>) -> ShownCertificate {
    certificate.map_or(ShownCertificate::Own, |certificate| ShownCertificate::Operators(certificate.id))
}

/// Shows a certificate from the next handshake on. Calls and connections stay as they are. One that cannot be used is
/// logged, and the one of the machine is shown.
pub fn show(engine: &CallEngine, wanted: &CertificateToShow) {
    match wanted {
        CertificateToShow::Own => {
            engine.show_certificate(None);
            info!("SIP over TLS shows the certificate of machine.toml again; the operator's was taken away");
        }
        CertificateToShow::Operators(certificate) => show_operators(engine, certificate),
    }
}

fn show_operators(engine: &CallEngine, certificate: &NodeCertificate) {
    let NodeCertificate { id, subject, chain: pem, key } = certificate;
    let subject = visible(subject);
    if engine.tls_address().is_none() {
        warn!(
            "the certificate of {subject} is for this node, which answers no SIP over TLS; add the table sip_tls to \
             machine.toml, and restart the node at a quiet time"
        );
        return;
    }
    match TlsCertificate::from_pem(pem, key) {
        Ok(given) => {
            engine.show_certificate(Some(given));
            info!("SIP over TLS shows the operator's certificate of {subject}, {id}");
        }
        Err(why) => {
            engine.show_certificate(None);
            error!(
                "the operator's certificate of {subject} cannot be used, and that of machine.toml is shown: {}; give \
                 another one on the Management Node",
                chain(&why)
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use fleet::version::Sha256;

    use super::*;

    fn certificate() -> NodeCertificate {
        let (chain, key) = ("a chain".to_string(), "a key".to_string());
        NodeCertificate { id: Sha256([7; 32]), subject: "CN=lon-1".into(), chain, key }
    }

    #[test]
    fn certificate_is_kept_for_its_owner_alone_until_it_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let (file, path) = (CertificateFile::new(dir.path()), dir.path().join("certificate.json"));
        assert_eq!(file.load(), None);
        file.store(&CertificateToShow::Operators(certificate())).unwrap();
        assert_eq!(file.load(), Some(certificate()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(reported(file.load().as_ref()), ShownCertificate::Operators(Sha256([7; 32])));
        file.store(&CertificateToShow::Own).unwrap();
        assert_eq!((file.load(), reported(None)), (None, ShownCertificate::Own));
        assert!(!fs::read_to_string(&path).unwrap().contains("a key"));
        fs::write(&path, "half").unwrap();
        assert_eq!(file.load(), None);
    }
}
