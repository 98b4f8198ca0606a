//! What a node shows in all its handshakes, and what it agrees to in them.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509Ref, X509StoreContextRef};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::sdp::Fingerprint;

/// With keys of their own for each handshake. The last ones are for far ends that have no authenticated encryption.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES";
/// The curves of those keys, and of the far end's certificate if it has one.
const GROUPS: &str = "X25519:P-256:P-384:P-521";
/// The suites of SRTP that this node has, the preferred ones first: what most phones have costs the most.
const PROFILES: &str =
    "SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32";

/// The longest keys of certificates, which are those of RSA. OpenSSL would take 16,384 bits, whose signatures cost it up
/// to a whole tick of the media.
const MAX_KEY_BITS: u32 = 4096;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No certificate could be made.
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// OpenSSL does not take it.
    #[error("OpenSSL refuses it")]
    Refused(#[from] ErrorStack),
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(super) fingerprint: Fingerprint,
    pub(super) context: SslContext,
}

impl Identity {
    /// A new certificate with a key on P-256, signed by itself.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn generate() -> Result<Identity, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Conference");
        Ok(Identity::of(params.self_signed(&key)?.der(), &key.serialize_der())?)
    }

    /// That of a certificate and its key, both in DER.
    pub(super) fn of(certificate: &[u8], key: &[u8]) -> Result<Identity, ErrorStack> {
        Ok(Identity { fingerprint: Fingerprint::of(certificate), context: context(certificate, key)? })
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// What all handshakes have in common. No session is resumed, because its keys would be those of another call; and none is
/// negotiated anew, because both ends agree on that by signalling.
fn context(certificate: &[u8], key: &[u8]) -> Result<SslContext, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::dtls())?;
    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_cipher_list(CIPHERS)?;
    context.set_groups_list(GROUPS)?;
    context.set_tlsext_use_srtp(PROFILES)?;
    context.set_certificate(X509::from_der(certificate)?.as_ref())?;
    context.set_private_key(PKey::private_key_from_pkcs8(key)?.as_ref())?;
    context.check_private_key()?;
    // There must be a certificate, and whose it is does not matter here: the attempt compares its fingerprint before it
    // gives keys. OpenSSL trusts nobody, so it asks before it verifies a signature by any key of the chain.
    let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    context.set_verify_callback(mode, |_, verified| has_usual_keys(verified));
    context.set_verify_depth(0);
    Ok(context.build())
}

/// Whether no signature of these certificates costs the media thread more than those of phones do.
fn has_usual_keys(verified: &X509StoreContextRef) -> bool {
    let usual = |certificate: &X509Ref| certificate.public_key().is_ok_and(|key| key.bits() <= MAX_KEY_BITS);
    verified.chain().is_some_and(|chain| chain.iter().all(usual))
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fingerprint.fmt(f)
    }
}
