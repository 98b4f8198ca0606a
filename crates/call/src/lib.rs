//! The call engine of a Conferencing Node: SIP calls to Virtual Meeting Rooms, with mixed audio.

pub mod audio;
pub mod rtp;

pub mod admission;
mod ledger;
mod media;
mod rooms;
mod sdp;
mod session_timer;
mod settings;
mod time;
