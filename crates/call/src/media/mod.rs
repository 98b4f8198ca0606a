//! Media: the legs of calls, the conferences they are in, and the thread that carries their sound.
//!
//! `latch`, `leg`, `shard`, `pairs` and `budget` are pure: datagrams and time in, datagrams out. `ports` and `thread` are
//! their shell. A leg of another kind (WebRTC, another node) joins at [`leg::Leg`].

pub(crate) mod budget;
pub(crate) mod latch;
pub(crate) mod leg;
pub(crate) mod pairs;
pub(crate) mod ports;
pub(crate) mod random;
pub(crate) mod shard;
pub(crate) mod thread;
