//! Media: the legs of calls, the conferences they are in, and the thread that carries their sound.
//!
//! `latch`, `leg` and `shard` are pure: datagrams and time in, datagrams out. `ports` and `thread` are
//! their shell. A leg of another kind (WebRTC, another node) joins at [`leg::Leg`].

pub(crate) mod latch;
pub(crate) mod leg;
pub(crate) mod ports;
pub(crate) mod shard;
pub(crate) mod thread;
