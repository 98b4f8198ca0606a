//! Sound: codecs, the jitter buffer and the mixer. Pure: no sockets, no clock, no threads.

pub mod g711;
