//! SIP: the only module that knows the SIP stack. Outside it there are calls, rooms and legs.
//!
//! The stack's transport and transaction layers are used; dialogs are our own, because they are small
//! and their state must one day be carried to another node. Reading order: `message` (headers),
//! `transport` (sockets and their limits), `dialog` (one dialog's state), `exchange` (transactions),
//! `uas` (what comes in), `answer` (a new call), `call` (its life), `negotiate` and `refresh` (changes of it).

mod answer;
mod call;
mod dialog;
mod exchange;
mod message;
mod negotiate;
pub(crate) mod probe;
mod refresh;
pub(crate) mod stack;
mod transport;
pub(crate) mod uas;
