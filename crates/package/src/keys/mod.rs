//! Keys: the publisher's secret key that signs packages or licences, and the public keys that a machine trusts. Their files
//! are minisign's own, so the stock tool reads them too.

pub(crate) mod id;

mod file;
mod signature;
mod trusted;

mod signing;

pub use file::KeyError;
pub use id::KeyId;
pub use signature::{NotSigned, Signed};
pub use signing::{KeyPair, Passphrase, Protection, SigningKey, generate_kept_key, generate_key};
pub use trusted::{NoTrust, TRUST_DIR, TrustedKeys};
