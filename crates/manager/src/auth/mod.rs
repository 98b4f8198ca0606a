//! Who sends a request: passwords of accounts with protection against guesses, devices that have logged in before, and
//! OAuth 2.0 for tools.
//!
//! It relies on `store` for accounts and clients. What they may do is decided in `rest::access`.

mod throttle;

pub(crate) mod device;
pub(crate) mod logins;
pub(crate) mod password;
pub(crate) mod sessions;

pub mod first_password;
pub mod oauth;
