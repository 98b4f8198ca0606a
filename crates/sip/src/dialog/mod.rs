//! Dialogs (RFC 3261 section 12) as plain data and functions without I/O.
//!
//! A [`state::Dialog`] is made of an INVITE and a response to it, on either side. It writes the requests of this side,
//! judges those of the other, repeats a 2xx until its ACK comes and a provisional response until its PRACK does, keeps
//! the ACK for a 2xx that comes again, and applies the rules for INVITEs that overlap (section 14). [`table::Dialogs`]
//! finds the dialog of a message and bounds their number.
//!
//! It relies on the transaction layer to absorb retransmissions, to match CANCEL, and to send: a dialog has no
//! transaction, no flow and no address of ours. Time and random numbers are arguments.
//!
//! The user removes a dialog when a function says that it ends, and the early ones of an INVITE together
//! ([`table::Dialogs::remove_early`]).
//!
//! It has no session timers (RFC 4028), no PRACK of ours (RFC 3262 section 4), no offer and answer (RFC 3264, and with it
//! the overlap of UPDATE), and no dialogs or usages of SUBSCRIBE and REFER.

pub mod id;
pub mod settings;
pub mod state;

pub mod creation;

mod routing;
pub mod sending;

pub mod receiving;

pub mod answering;
pub mod provisional;
pub mod responses;

pub mod overlap;

pub mod timing;

pub mod table;

pub mod exported;
