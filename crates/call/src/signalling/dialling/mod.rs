//! Calls that this node makes: from its INVITE to the answer, or to the reason why there is none.
//!
//! A call that is dialled is counted from the start, has a media port from the start, and is a call like any other from
//! its answer on. Its targets (the devices of an alias; what a redirection names) are tried one after the other, each
//! by INVITEs of the same Call-ID, and the outcome is reported once ([`super::input::Output::Dialled`]).
//!
//! Reading order: `target` and `state` (the data), `begin`, `attempt` (one INVITE), `turn` (how long one target rings),
//! `response`, `giving_up`, `late` (an answer that nobody waits for any more), `credentials`.
//!
//! Not there: sound before the answer (RFC 3960), several devices that ring at the same time, reliable provisional
//! responses (RFC 3262, which this node does not offer), proxies of our own in front of all targets, and logins in a
//! call that has moved to another process.

mod attempt;
mod begin;
mod credentials;
mod giving_up;
mod late;
mod response;
mod state;
mod target;
mod turn;

pub(crate) use begin::Dial;
pub(super) use state::Dialling;
