//! Session descriptions (RFC 8866) by offer and answer (RFC 3264), for one audio stream over RTP.
//!
//! [`Negotiation`] holds what the offers and answers of one call have to remember of each other; an [`Offer`] is an
//! offer of the far end that can be answered; [`Agreed`] is what came of it, for the media. Pure: bytes in, an
//! agreement and bytes out. Relies on `sdp_types` for the syntax of a line, opens no socket and knows no SIP beyond
//! the status of a refusal.
//!
//! In reading order: `description` reads bytes within limits; `address`, `direction`, `formats`, `packet_time` and
//! `rtcp` each read one concept of a media line, `crypto`, `fingerprint`, `handshake` and `security` how it is protected;
//! `codecs` is the table of what this node can do, and `numbers` the payload types that it has given; `offer` selects the
//! line to answer, `negotiation` decides, `ours` is what is written, and `exported` what goes along with a call to another
//! process. `body` finds the description in the body of a message.

mod address;
mod codecs;
mod crypto;
mod description;
mod direction;
mod fingerprint;
mod formats;
mod handshake;
mod numbers;
mod packet_time;
mod rtcp;
mod security;
mod unacceptable;

mod exported;
mod negotiation;
mod offer;
mod ours;

pub(crate) mod body;

pub(crate) use address::Family;
pub(crate) use codecs::Content;
pub(crate) use direction::Direction;
pub(crate) use exported::NoSession;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use formats::Format;
pub(crate) use handshake::{Handshake, Role};
pub(crate) use negotiation::{Agreed, Negotiation};
pub(crate) use offer::Offer;
pub(crate) use ours::{Local, Path};
pub(crate) use packet_time::PacketTime;
pub(crate) use rtcp::Rtcp;
pub(crate) use security::{Keys, Security};
pub(crate) use unacceptable::Unacceptable;

#[cfg(test)]
pub(crate) mod tests;
