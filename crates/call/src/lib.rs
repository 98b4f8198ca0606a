//! The call engine of a Conferencing Node: SIP calls to Virtual Meeting Rooms, with mixed audio.

pub mod audio;
pub mod rtp;
