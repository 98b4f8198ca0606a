//! The hash with which a certificate was signed (R16): by the identifier of the signature's algorithm, and by its
//! parameters for RSASSA-PSS (RFC 4055 section 3.1).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use openssl::nid::Nid;
use openssl::x509::X509Ref;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use super::certificate::{Certificate, Kind};

/// The hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureHash {
    /// MD2.
    Md2,
    /// MD4.
    Md4,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// One that the algorithm contains, as Ed25519 does (RFC 8410).
    Inherent,
    /// One that is not known here. No list of forbidden hashes names it.
    Unknown,
}

impl SignatureHash {
    /// Those that have a name in a list of forbidden hashes.
    const NAMED: [Self; 8] =
        [Self::Md2, Self::Md4, Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The hash of a certificate's signature. `algorithm` is that of the same certificate.
    pub(super) fn of(certificate: &X509Ref, algorithm: &AlgorithmIdentifier<'_>) -> Self {
        let signature = certificate.signature_algorithm().object().nid();
        if signature == Nid::RSASSAPSS { Self::of_pss(algorithm) } else { Self::of_algorithm(signature) }
    }

    /// The hash of RSASSA-PSS, which is SHA-1 where the parameters name none.
    fn of_pss(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        let Some(Ok(parameters)) = algorithm.parameters.as_ref().map(RsaSsaPssParams::try_from) else {
            return Self::Unknown;
        };
        let object = openssl::asn1::Asn1Object::from_str(&parameters.hash_algorithm_oid().to_id_string());
        object.map_or(Self::Unknown, |object| Self::of_digest(object.nid()))
    }

    fn of_algorithm(signature: Nid) -> Self {
        match signature.signature_algorithms() {
            Some(algorithms) if algorithms.digest == Nid::UNDEF => Self::Inherent,
            Some(algorithms) => Self::of_digest(algorithms.digest),
            None => Self::Unknown,
        }
    }

    fn of_digest(digest: Nid) -> Self {
        let known = [
            (Nid::MD2, Self::Md2),
            (Nid::MD4, Self::Md4),
            (Nid::MD5, Self::Md5),
            (Nid::SHA1, Self::Sha1),
            (Nid::SHA224, Self::Sha224),
            (Nid::SHA256, Self::Sha256),
            (Nid::SHA384, Self::Sha384),
            (Nid::SHA512, Self::Sha512),
        ];
        known.into_iter().find(|(nid, _)| *nid == digest).map_or(Self::Unknown, |(_, hash)| hash)
    }
}

impl fmt::Display for SignatureHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md2 => "md2",
            Self::Md4 => "md4",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Inherent => "inherent",
            Self::Unknown => "unknown",
        })
    }
}

/// The text names no hash that can be forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is one of md2, md4, md5, sha1, sha224, sha256, sha384 and sha512")]
pub struct NotAHash;

impl FromStr for SignatureHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        Self::NAMED.into_iter().find(|hash| hash.to_string() == text).ok_or(NotAHash)
    }
}

/// Those of the certificates that are signed with one of the `forbidden` hashes and are no roots (R16). The signature
/// of a root proves nothing: who trusts it trusts its key.
pub fn with_forbidden_hash<'c>(
    certificates: impl IntoIterator<Item = &'c Certificate>,
    forbidden: &BTreeSet<SignatureHash>,
) -> Vec<&'c Certificate> {
    let counts = |certificate: &Certificate| match certificate.kind() {
        Kind::Root => false,
        Kind::Intermediate | Kind::EndEntity => true,
    };
    let offends =
        |certificate: &&Certificate| counts(certificate) && forbidden.contains(&certificate.signature_hash());
    certificates.into_iter().filter(offends).collect()
}
