//! Certificates and keys that the operator brings: read, checked, shown, and asked for with a signing request.
//!
//! Everything here is a function of text: PEM in, typed values or a [`Fault`] out, which names the field that is wrong,
//! the certificate by its subject, and what to do. OpenSSL reads, decrypts and prints (decision 44). The clock, the
//! store, the disk and the network belong to the callers. What is read here is not used for connections here either;
//! the platform's own authority is [`crate::authority`].

pub mod limits;

mod fault;
mod pem;

mod name;
mod signature_hash;

mod certificate;
mod covered;
mod shown;

mod encryption;
mod private_key;

mod identity;

mod request;

#[cfg(test)]
mod tests;

pub use certificate::{Certificate, Kind, read_authorities, read_certificates};
pub(crate) use certificate::{curve, described};
pub use fault::{Fault, Field};
pub use identity::{Given, Identity};
pub use name::Subject;
pub use private_key::{KeyKind, PrivateKey};
pub use request::{Asked, SigningRequest, is_host_or_address};
pub use shown::Shown;
pub use signature_hash::{NotAHash, SignatureHash, with_forbidden_hash};
