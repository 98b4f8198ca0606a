//! How the command line verifies the Management Node: by the platform's authority, given as a file or pinned by its
//! fingerprint. There is no other way, and verification cannot be turned off.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use sha2::Digest as _;

/// Largest accepted file of an authority, in bytes: a dozen certificates with their texts.
const MAX_AUTHORITY: u64 = 256 << 10;

/// How a server is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// By a certificate of this authority (PEM) for the host name of the request.
    Authority(String),
    /// By the authority, or the Management Node's own certificate, that has this fingerprint.
    Fingerprint(Fingerprint),
}

/// The SHA-256 of a certificate, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

/// Why the given authority or fingerprint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The file of the authority cannot be read.
    #[error("cannot read the authority's certificate from {}; check the path", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// There is no certificate in it.
    #[error(
        "the authority's file holds no certificate in PEM form; give the platform's authority certificate"
    )]
    NoCertificate,
    /// A certificate in it cannot be an authority.
    #[error("a certificate in the authority's file cannot be used")]
    Unusable(#[source] rustls::Error),
    /// The text is no fingerprint.
    #[error("{0:?} is not a fingerprint; it reads sha256: and 64 hexadecimal digits")]
    NotAFingerprint(String),
    /// The cryptography cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// None of the certificates that the server presents has the pinned fingerprint.
#[derive(Debug, thiserror::Error)]
#[error("none of its {shown} certificates has the pinned fingerprint {pinned}; its own is {own}")]
struct NotPinned {
    pinned: Fingerprint,
    own: Fingerprint,
    shown: usize,
}

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(sha2::Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = TrustError;

    /// Accepted without its prefix, as a log prints it, and with colons between the bytes, as other
    /// tools do.
    fn from_str(text: &str) -> Result<Self, TrustError> {
        let refuse = || TrustError::NotAFingerprint(text.chars().take(80).collect());
        let digits = text.strip_prefix("sha256:").unwrap_or(text).replace(':', "");
        let hash: fleet::version::Sha256 = digits.parse().map_err(|_| refuse())?;
        Ok(Self(hash.0))
    }
}

impl Trust {
    /// Reads the authority from a file.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub(crate) fn authority(file: &Path) -> Result<Self, TrustError> {
        let unreadable = |source| TrustError::Unreadable { file: file.into(), source };
        let size = std::fs::metadata(file).map_err(unreadable)?.len();
        if size > MAX_AUTHORITY {
            return Err(TrustError::NoCertificate);
        }
        let pem = std::fs::read_to_string(file).map_err(unreadable)?;
        roots(&pem)?;
        Ok(Self::Authority(pem))
    }

    /// The TLS configuration for it.
    ///
    /// # Errors
    /// The authority's certificates cannot be used.
    pub(crate) fn tls(&self) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Setup)?;
        let mut config = match self {
            Self::Authority(pem) => builder.with_root_certificates(roots(pem)?).with_no_client_auth(),
            Self::Fingerprint(pinned) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned::new(*pinned, provider)))
                .with_no_client_auth(),
        };
        // The Management Node shows the platform's own certificate to whoever names this protocol, and perhaps another
        // one to browsers.
        config.alpn_protocols = vec![b"pitlane-platform".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn roots(pem: &str) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| TrustError::NoCertificate)?;
        roots.add(certificate).map_err(TrustError::Unusable)?;
    }
    if roots.is_empty() { Err(TrustError::NoCertificate) } else { Ok(roots) }
}

/// Accepts a server that presents the pinned certificate: as its own, or as the authority that signed it. In the
/// second case chain, name and time are checked as with any authority; in the first the certificate itself is the
/// identity. The handshake's signature is verified in both.
#[derive(Debug)]
struct Pinned {
    pinned: Fingerprint,
    provider: Arc<CryptoProvider>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(pinned: Fingerprint, provider: Arc<CryptoProvider>) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { pinned, provider, algorithms }
    }

    /// The checks of a certificate whose authority is the pinned one.
    fn signed_by(&self, authority: &CertificateDer<'_>) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Fingerprint::of(own) == self.pinned {
            return Ok(ServerCertVerified::assertion());
        }
        if let Some(authority) = others.iter().find(|other| Fingerprint::of(other) == self.pinned) {
            return self.signed_by(authority)?.verify_server_cert(own, others, name, ocsp, now);
        }
        let reason = NotPinned { pinned: self.pinned, own: Fingerprint::of(own), shown: 1 + others.len() };
        Err(CertificateError::Other(OtherError(Arc::new(reason))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_reads_back_as_printed_and_with_colons() {
        let fingerprint = Fingerprint([0xab; 32]);
        assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
        let colons = format!("sha256:{}", ["AB"; 32].join(":"));
        assert_eq!(colons.parse::<Fingerprint>().unwrap(), fingerprint);
        assert_eq!("ab".repeat(32).parse::<Fingerprint>().unwrap(), fingerprint);
        for wrong in ["", "sha256:ab", "sha1:abab", &"ag".repeat(32)] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn file_without_a_certificate_is_no_authority() {
        assert!(matches!(roots("hello"), Err(TrustError::NoCertificate)));
        assert!(matches!(roots(""), Err(TrustError::NoCertificate)));
    }
}
