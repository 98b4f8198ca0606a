//! The signalling of a node as one value without I/O: its calls by SIP, from their INVITE to their end.
//!
//! [`UserAgent`] takes the time and an [`Input`] and gives [`Output`]s; between two inputs, [`UserAgent::pass_time`] is
//! owed at [`UserAgent::next_deadline`]. It decides everything about a call that is no sound: admission, the room, the
//! answer, changes and refreshes of the session, and its end. Its count of calls is what a drain waits for (R4).
//!
//! It relies on crate `sip` for messages, transactions and dialogs, on [`crate::sdp`] for session descriptions, and on
//! the shell for sockets, media ports, the media threads, and a seed of random numbers. It opens nothing, reads no
//! clock, and starts no task.
//!
//! Reading order: `input`, `call`, `member` and `calls` (the data), `agent` (which event goes where), `outside` (a request that
//! begins a call, or belongs to none), `challenge` with `authentication` (who sends it), `media_address`, `ringing`,
//! `answer`, `within` (a request of a call), `change`, `refresh`, `ending`, and `exporting` and `importing` (a call that
//! moves to another process); `registrar`, `dialling` (calls to the outside), `roster` and `operator` (what is shown of
//! participants and done to them) and `refusals` (what is logged of refused calls) beside them.
//!
//! Not there: a call that changes from IPv4 to IPv6 or back, targets of both families in one call that is dialled, records
//! of DNS but for addresses (RFC 3263 has NAPTR and SRV), and reliable provisional responses of the far end.

mod agent;
mod answer;
mod authentication;
mod call;
mod calls;
mod challenge;
mod change;
mod destination;
mod dialling;
mod ending;
mod exporting;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod headers;
mod importing;
mod input;
mod media_address;
mod member;
mod names;
mod operator;
mod outside;
mod random;
mod refresh;
mod refusals;
mod registrar;
mod response;
mod ringing;
mod roster;
mod within;

pub(crate) use agent::UserAgent;
pub(crate) use answer::FULL;
pub use authentication::Algorithm;
pub(crate) use dialling::Dial;
pub(crate) use headers::SDP;
pub(crate) use input::{Handover, Input, NoPort, Output};
pub(crate) use refusals::RefusedCall;

#[cfg(test)]
pub(crate) use tests::kit;

#[cfg(test)]
mod tests;
