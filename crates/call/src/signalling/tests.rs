//! Calls by plain messages, without a socket: what is answered, what is released, what is counted.

mod authentication;
mod calls;
pub(crate) mod device;
pub(crate) mod kit;
mod outside;
mod refreshes;
mod registrations;
mod routing;
pub(crate) mod user;
