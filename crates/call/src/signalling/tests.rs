//! Calls by plain messages, without a socket: what is answered, what is released, what is counted.

mod authentication;
mod calls;
pub(crate) mod device;
mod dialled;
mod dialling;
mod dialling_devices;
mod families;
pub(crate) mod far_end;
mod handover;
mod keys;
pub(crate) mod kit;
mod logins;
mod outside;
mod participants;
mod recorded;
mod refreshes;
mod registrations;
mod ringing;
mod routing;
mod torture;
pub(crate) mod user;
