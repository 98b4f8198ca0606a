//! OAuth 2.0 for clients of the management API (RFC 6749 section 4.4) that prove who they are with a signed assertion
//! (RFC 7523), without I/O.
//!
//! A request for a token is parsed, and its assertion verified against the key of the client that it names; that it counts
//! once is held by `store::assertions`. An access token is an HMAC over client, revision and expiry with a key of the client's row:
//! nothing is stored, and a client that is deleted or whose role changes ends its tokens. The time is an argument; which
//! clients there are, and what they may do, belongs to the store.

mod refusal;

mod client_key;

mod assertion;
mod request;

mod access_token;

#[cfg(test)]
mod tests;

pub use access_token::{AccessToken, NotAToken, TokenKey};
pub use assertion::{Audiences, Verified, claimed_client, verify};
pub use client_key::{Algorithm, ClientKey, NewClientKey};
pub use refusal::{Refusal, Why};
pub use request::{SCOPES, TokenRequest};
