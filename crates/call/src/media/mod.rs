//! Media: the legs of calls, the conferences they are in, and the threads that carry their sound.
//!
//! All but `ports` and `thread` are pure: datagrams, time and random numbers in, datagrams out. Those two are their
//! shell. `handshake` does no I/O either, but OpenSSL reads the clock of the process there, and draws its own random
//! numbers. A leg of another kind (WebRTC, another node) joins at [`leg::Leg`].

pub(crate) mod budget;
pub(crate) mod control;
pub(crate) mod handshake;
pub(crate) mod latch;
pub(crate) mod leg;
pub(crate) mod pairs;
pub(crate) mod placement;
pub(crate) mod ports;
pub(crate) mod protection;
pub(crate) mod random;
pub(crate) mod reception;
pub(crate) mod shard;
mod sockets;
pub(crate) mod statistics;
pub(crate) mod thread;
