//! What is wrong with certificates and keys that were given: sentences for the operator, each with the field that it
//! belongs to.

use std::fmt;

use super::limits::{
    MAX_ATTRIBUTES, MAX_CERTIFICATES, MAX_CHAIN, MAX_NAMES, MAX_PASSPHRASE, MAX_ROUNDS, MAX_RSA_BITS,
    MIN_RSA_BITS,
};

/// The field that a fault belongs to. Printed as the management API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// One or more certificates.
    Certificate,
    /// The private key.
    PrivateKey,
    /// The passphrase of the private key.
    Passphrase,
    /// The subject of a signing request.
    Subject,
    /// The names of a signing request besides its subject.
    Names,
    /// A signing request itself.
    Request,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private_key",
            Self::Passphrase => "private_key_passphrase",
            Self::Subject => "dn",
            Self::Names => "additional_subject_alt_names",
            Self::Request => "csr",
        })
    }
}

/// Why certificates, a key or a signing request are refused. Subjects and labels in it are cut to a readable length.
/// No fault holds any part of a key or passphrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A text is too long to be read.
    #[error("this has {has} bytes, and at most {limit} are read; leave out what does not belong here")]
    TooLong {
        /// The field.
        field: Field,
        /// Its bytes.
        has: usize,
        /// The most that are read.
        limit: usize,
    },
    /// A block of PEM begins and does not end.
    #[error(
        "the block \"BEGIN {label}\" has no line \"END {label}\"; copy the text again, with its first and its last line"
    )]
    Unended {
        /// The field.
        field: Field,
        /// What the block says that it is.
        label: String,
    },
    /// A block of PEM holds something else than base64.
    #[error(
        "the block \"BEGIN {label}\" holds characters that do not belong there; copy it again from its file"
    )]
    NotBase64 {
        /// The field.
        field: Field,
        /// What the block says that it is.
        label: String,
    },
    /// There is no certificate in the text.
    #[error("there is no certificate here{}; give it in PEM form, beginning with -----BEGIN CERTIFICATE-----", but(.found))]
    NoCertificate {
        /// What is there instead: the label of the first block.
        found: Option<String>,
    },
    /// There are more certificates than are read.
    #[error("there are more than {MAX_CERTIFICATES} certificates here; give those that are needed")]
    TooManyCertificates,
    /// A certificate cannot be read.
    #[error("certificate {position} of this text cannot be read; it is damaged, so export it again")]
    NotACertificate {
        /// Which one, counted from 1.
        position: usize,
    },
    /// A certificate is for a key that is not taken.
    #[error(
        "the certificate of {subject} is for {key}; use RSA with up to {MAX_RSA_BITS} bits, P-256, P-384, P-521 or Ed25519"
    )]
    CertificateKey {
        /// The subject of the certificate.
        subject: String,
        /// The kind and size of its key.
        key: String,
    },
    /// A certificate that should be that of an authority is not.
    #[error(
        "the certificate of {subject} is not that of a certificate authority; give it as a TLS certificate instead"
    )]
    NotAnAuthority {
        /// The subject of the certificate.
        subject: String,
    },
    /// There is no private key in the text.
    #[error("there is no private key here{}; give it in PEM form, beginning with -----BEGIN PRIVATE KEY-----", but(.found))]
    NoKey {
        /// What is there instead: the label of the first block.
        found: Option<String>,
    },
    /// There are several private keys.
    #[error("there are {count} private keys here; give the one that belongs to the certificate")]
    SeveralKeys {
        /// How many.
        count: usize,
    },
    /// The private key cannot be read.
    #[error("the private key cannot be read; it is damaged or of an unknown kind, so export it again")]
    NotAKey,
    /// The private key is of a kind or size that is not taken.
    #[error(
        "the private key is {key}; use RSA with {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, P-256, P-384, P-521 or Ed25519"
    )]
    PrivateKeyKind {
        /// Its kind and size.
        key: String,
    },
    /// The private key is encrypted in a way that would take too long, or that cannot be read.
    #[error(
        "the private key is encrypted in a way that is not read here (more than {MAX_ROUNDS} rounds, or an unknown \
         method); encrypt it anew, for example with: openssl pkcs8 -topk8 -v2 aes256"
    )]
    Encryption,
    /// The private key is encrypted, and there is no passphrase.
    #[error("the private key is encrypted; give its passphrase")]
    PassphraseNeeded,
    /// The passphrase does not decrypt the private key.
    #[error("the passphrase does not decrypt the private key; give the one with which it was exported")]
    WrongPassphrase,
    /// The passphrase is too long.
    #[error("a passphrase has at most {MAX_PASSPHRASE} bytes")]
    PassphraseTooLong,
    /// The private key belongs to none of the certificates.
    #[error("the private key belongs to none of the certificates ({}); give the key that was made for this certificate", list(.subjects))]
    KeyFitsNone {
        /// The subjects of the certificates.
        subjects: Vec<String>,
    },
    /// None of the certificates was issued for the signing request.
    #[error("none of the certificates ({}) was issued for this signing request; give the one that the authority sent back for it", list(.subjects))]
    NotForRequest {
        /// The subjects of the certificates.
        subjects: Vec<String>,
    },
    /// A certificate does not belong to the chain of the leaf.
    #[error(
        "the certificate of {subject} does not belong to the chain of {leaf}, which ends with {last}, issued by {issuer}; \
         remove it, or give the certificates between them"
    )]
    Leftover {
        /// The subject of the certificate that is left over.
        subject: String,
        /// The subject of the leaf.
        leaf: String,
        /// The subject of the last certificate of the chain.
        last: String,
        /// The issuer of the last certificate of the chain.
        issuer: String,
    },
    /// The chain is too long.
    #[error("the chain of {leaf} has more than {MAX_CHAIN} certificates; give those between it and its root")]
    ChainTooLong {
        /// The subject of the leaf.
        leaf: String,
    },
    /// A part of a subject is wrong.
    #[error(
        "{part:?} is no part of a subject ({why}); write a subject like CN=conf.example.com, O=Example, C=GB"
    )]
    Subject {
        /// The part.
        part: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A subject has too many parts.
    #[error("a subject has at most {MAX_ATTRIBUTES} parts; leave out those that the authority does not need")]
    SubjectTooLong,
    /// A name is neither a host name nor an address.
    #[error(
        "{name:?} is neither a host name nor an IP address; give names like conf.example.com, with commas between them"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// There are too many names.
    #[error("at most {MAX_NAMES} names fit into a signing request; ask for several certificates")]
    TooManyNames,
    /// A signing request cannot be read.
    #[error(
        "the signing request cannot be read; give it in PEM form, beginning with -----BEGIN CERTIFICATE REQUEST-----"
    )]
    NotARequest,
    /// OpenSSL could not make a key or a signing request: memory or randomness is missing.
    #[error(
        "the signing request could not be made, because the system gave no memory or no randomness; try again"
    )]
    NotMade,
}

impl Fault {
    /// The field that the fault belongs to.
    pub fn field(&self) -> Field {
        match self {
            Self::TooLong { field, .. } | Self::Unended { field, .. } | Self::NotBase64 { field, .. } => {
                *field
            }
            Self::NoCertificate { .. }
            | Self::TooManyCertificates
            | Self::NotACertificate { .. }
            | Self::CertificateKey { .. }
            | Self::NotAnAuthority { .. }
            | Self::NotForRequest { .. }
            | Self::Leftover { .. }
            | Self::ChainTooLong { .. } => Field::Certificate,
            Self::NoKey { .. }
            | Self::SeveralKeys { .. }
            | Self::NotAKey
            | Self::PrivateKeyKind { .. }
            | Self::Encryption
            | Self::KeyFitsNone { .. } => Field::PrivateKey,
            Self::PassphraseNeeded | Self::WrongPassphrase | Self::PassphraseTooLong => Field::Passphrase,
            Self::Subject { .. } | Self::SubjectTooLong => Field::Subject,
            Self::Name { .. } | Self::TooManyNames => Field::Names,
            Self::NotARequest | Self::NotMade => Field::Request,
        }
    }
}

/// What was found instead, as a part of a sentence.
fn but(found: &Option<String>) -> String {
    found.as_ref().map(|label| format!(", but a block \"BEGIN {label}\"")).unwrap_or_default()
}

/// The first few of these subjects.
fn list(subjects: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = subjects.len().saturating_sub(SHOWN);
    let shown = subjects.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{shown}; and {more} more") } else { shown }
}
