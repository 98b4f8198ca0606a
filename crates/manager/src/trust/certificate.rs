//! One certificate: read with bounds, and what the platform asks of it. Whether anybody trusts it is not decided here.

use fleet::time::Wall;
use openssl::nid::Nid;
use openssl::pkey::{HasParams, HasPublic, Id, PKey, PKeyRef, Public};
use openssl::x509::{X509, X509VerifyResult};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Version;

use super::covered;
use super::fault::{Fault, Field};
use super::limits::{MAX_CERTIFICATE, MAX_CERTIFICATES, MAX_RSA_BITS, MAX_TEXT};
use super::name;
use super::pem::{self, Block};
use super::shown::{self, Shown};
use super::signature_hash::SignatureHash;

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// The labels under which certificates are written; the second and third are of older tools.
pub(super) const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// What a certificate may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// That of an authority, signed by itself.
    Root,
    /// That of an authority, signed by another.
    Intermediate,
    /// That of a server or a client.
    EndEntity,
}

/// A certificate that can be shown and whose key is of a kind that is taken.
#[derive(Clone, Debug)]
pub struct Certificate {
    x509: X509,
    public: PKey<Public>,
    kind: Kind,
    hash: SignatureHash,
    shown: Shown,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.x509 == other.x509
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads a certificate, DER. `position` is for the fault.
    fn of_der(der: &[u8], position: usize) -> Result<Self, Fault> {
        let unreadable = || Fault::NotACertificate { position };
        if der.len() > MAX_CERTIFICATE {
            return Err(unreadable());
        }
        let (rest, parsed) = x509_parser::parse_x509_certificate(der).map_err(|_| unreadable())?;
        let x509 = X509::from_der(der).map_err(|_| unreadable())?;
        if !rest.is_empty() {
            return Err(unreadable());
        }
        let shown = shown::of(&x509).ok_or_else(unreadable)?;
        let other_key = |key| Fault::CertificateKey { subject: name::shortened(&shown.subject_name), key };
        let public = x509.public_key().map_err(|_| other_key("a key of an unknown kind".into()))?;
        if !is_taken(&public) {
            return Err(other_key(described(&public)));
        }
        let kind = kind(&x509, &public, &parsed);
        let hash = SignatureHash::of(&x509, &parsed.signature_algorithm);
        Ok(Self { x509, public, kind, hash, shown })
    }

    /// Every value that is shown of it.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Its subject, as a message names it.
    pub fn subject(&self) -> String {
        name::shortened(&self.shown.subject_name)
    }

    /// Its issuer, as a message names it.
    pub(super) fn issuer(&self) -> String {
        name::shortened(&self.shown.issuer_name)
    }

    /// What it may do.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is that of an authority.
    pub fn is_authority(&self) -> bool {
        match self.kind {
            Kind::Root | Kind::Intermediate => true,
            Kind::EndEntity => false,
        }
    }

    /// The hash with which it was signed.
    pub fn signature_hash(&self) -> SignatureHash {
        self.hash
    }

    /// Whether its validity has ended.
    pub fn is_expired(&self, now: Wall) -> bool {
        now > self.shown.end_date
    }

    /// Whole days until its validity ends; negative when it has ended.
    pub fn days_left(&self, now: Wall) -> i64 {
        self.shown.end_date.ahead_of(now).0.div_euclid(DAY)
    }

    /// Whether it is valid for a host name or an IP address, by its subject alternative names (RFC 6125). The common
    /// name does not count: clients have ignored it since 2017.
    pub fn covers(&self, name: &str) -> bool {
        self.x509.subject_alt_names().is_some_and(|names| names.iter().any(|own| covered::is_name(own, name)))
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        // The encoding that was read; nothing can fail but memory.
        let pem = self.x509.to_pem().unwrap_or_default();
        String::from_utf8(pem).unwrap_or_default()
    }

    /// The certificate in DER.
    pub fn der(&self) -> Vec<u8> {
        self.x509.to_der().unwrap_or_default()
    }

    /// Whether `issuer` has issued it: by name, key identifier, use of the key and signature.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        issuer.x509.issued(&self.x509) == X509VerifyResult::OK
            && self.x509.verify(&issuer.public).unwrap_or(false)
    }

    /// Whether it is for this key.
    pub(super) fn is_for<T: HasPublic>(&self, key: &PKeyRef<T>) -> bool {
        self.public.public_eq(key)
    }
}

/// Reads all certificates of a text, in their order, each once.
///
/// # Errors
/// There is none, or one cannot be read.
pub fn read_certificates(text: &str) -> Result<Vec<Certificate>, Fault> {
    of_blocks(&pem::blocks(text, Field::Certificate, MAX_TEXT)?)
}

/// Reads the certificates of authorities.
///
/// # Errors
/// As [`read_certificates`], and [`Fault::NotAnAuthority`].
pub fn read_authorities(text: &str) -> Result<Vec<Certificate>, Fault> {
    let certificates = read_certificates(text)?;
    match certificates.iter().find(|certificate| !certificate.is_authority()) {
        Some(other) => Err(Fault::NotAnAuthority { subject: other.subject() }),
        None => Ok(certificates),
    }
}

/// The certificates in these blocks. Blocks of other kinds, such as parameters of Diffie-Hellman, are passed over.
pub(super) fn of_blocks(blocks: &[Block<'_>]) -> Result<Vec<Certificate>, Fault> {
    let mut certificates = Vec::new();
    let own = blocks.iter().filter(|block| LABELS.contains(&block.label));
    for (position, block) in (1..).zip(own) {
        if position > MAX_CERTIFICATES {
            return Err(Fault::TooManyCertificates);
        }
        let der = block.decoded(Field::Certificate)?;
        let certificate = Certificate::of_der(&der, position)?;
        // A file that was put together from others has one twice easily, and that is no fault.
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        let found = blocks.first().map(|block| pem::shortened(block.label).into());
        return Err(Fault::NoCertificate { found });
    }
    Ok(certificates)
}

/// Whether a root, an intermediate or neither. Version 1 has no constraints: one that is signed by itself is a root.
fn kind(x509: &X509, public: &PKey<Public>, parsed: &X509Certificate<'_>) -> Kind {
    let is_self_signed = x509.issued(x509) == X509VerifyResult::OK && x509.verify(public).unwrap_or(false);
    let is_authority = parsed.is_ca() || (is_self_signed && parsed.version() == X509Version::V1);
    match (is_authority, is_self_signed) {
        (true, true) => Kind::Root,
        (true, false) => Kind::Intermediate,
        (false, _) => Kind::EndEntity,
    }
}

/// Whether a public key is of a kind and size that is taken.
fn is_taken(key: &PKey<Public>) -> bool {
    match key.id() {
        Id::RSA | Id::RSA_PSS => key.bits() <= MAX_RSA_BITS,
        Id::EC => curve(key).is_some(),
        Id::ED25519 => true,
        _ => false,
    }
}

/// The curve of a key, if it is one that is taken, as people call it.
pub(crate) fn curve<T: HasParams>(key: &PKey<T>) -> Option<&'static str> {
    match key.ec_key().ok()?.group().curve_name()? {
        Nid::X9_62_PRIME256V1 => Some("P-256"),
        Nid::SECP384R1 => Some("P-384"),
        Nid::SECP521R1 => Some("P-521"),
        _ => None,
    }
}

/// The kind and size of a key, for a fault.
pub(crate) fn described<T: HasPublic>(key: &PKey<T>) -> String {
    let bits = key.bits();
    match key.id() {
        Id::RSA | Id::RSA_PSS => format!("an RSA key of {bits} bits"),
        Id::EC => "a key on another elliptic curve".into(),
        Id::DSA => "a DSA key".into(),
        _ => "a key of another kind".into(),
    }
}
