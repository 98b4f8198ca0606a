//! SIP: the only module that knows the SIP stack. Outside it there are calls, rooms and legs.
//!
//! The stack's transport and transaction layers are used; dialogs are our own, because they are small
//! and their state must one day be carried to another node. Reading order: `message` (headers),
//! `gate` (what the stack must not get), `transport` (sockets and their limits), `dialog` (one dialog's state), `exchange` (transactions),
//! `permits` and `reply` (answers nobody waits for), `uas` (what comes in), `answer` (a new call), `call` (its life), `negotiate` and `refresh` (changes of it).

mod answer;
mod call;
mod dialog;
mod exchange;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod gate;
mod message;
mod negotiate;
mod permits;
pub(crate) mod probe;
mod refresh;
pub(crate) mod reply;
pub(crate) mod stack;
pub(crate) mod transport;
pub(crate) mod uas;

#[cfg(test)]
pub(crate) use answer::new_stream;
