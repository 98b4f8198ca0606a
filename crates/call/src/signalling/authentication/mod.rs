//! Digest authentication (RFC 7616) as SIP uses it (RFC 3261 section 22, RFC 8760), without I/O.
//!
//! [`Authenticator`] writes the challenges of this node and judges the credentials of others; it relies on its user
//! for accounts, time and random numbers, and for limiting how often a sender may be wrong. It keeps nothing of a
//! sender that has not shown a secret, and never writes a secret anywhere. [`Authorizations`] is the other side: what this
//! node answers to those who challenge its own requests.
//!
//! Not there: `auth-int`, the protection of bodies, which no phone asks for; `-sess` algorithms; `userhash`.

mod algorithm;
mod authenticator;
mod authorizations;
mod challenge;
mod credentials;
mod digest;
mod nonce;
mod used;

pub use algorithm::Algorithm;
pub(super) use authenticator::{Authenticator, Judgement, Reason};
pub(super) use authorizations::{Authorizations, NotAnswered};
pub(super) use credentials::Credentials;
