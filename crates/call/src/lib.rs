//! The call engine of a Conferencing Node: SIP calls to Virtual Meeting Rooms, with mixed audio.
//!
//! A node starts a [`CallEngine`] with [`Settings`], [`Rooms`] and an [`Admission`], watches its
//! [`Calls`], and closes its admission to drain it. That never changes running calls.
//!
//! The modules in reading order: `audio`, `rtp`, `rtcp`, `sdp`, `session_timer`, `admission` and `media::shard` decide and
//! are pure (time and input in, output out); `registry` holds the set of calls and the admission under one lock;
//! `media::thread` and `sip` do the I/O around them. Audio is tagged with participant and epoch, so that a leg of
//! another kind, or a second leg of one participant on its way to another node, joins without a change of the mixer.
//!
//! When a part of the engine fails (its sockets, its dispatcher, its media thread), the calls stay
//! [`Calls::Unknown`]: nothing is restarted under running calls, because it is not known which are left. The node
//! reports itself unfit: it takes no new calls, and asks for a restart at a quiet time. Only a restart of the whole
//! program repairs it.
//!
//! [`CallEngine::probe_call`], a real call to itself, checks whether the engine carries calls.
//!
//! The SIP stack logs every message in full at level `info`, so a node logs only its errors.
//!
//! Not implemented: video, WebRTC, SRTP, TLS, registrations.

mod engine;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod preflight;
mod registry;
mod rooms;
mod settings;
mod time;

pub mod admission;
pub mod audio;
pub mod rtcp;
pub mod rtp;

mod media;
mod sdp;
mod session_timer;
mod sip;

pub use admission::{Admission, Closed};
pub use engine::{CallEngine, StartError};
pub use preflight::{PreflightError, Trial, preflight};
pub use registry::{Calls, Stats};
pub use rooms::{Room, RoomName, Rooms};
pub use settings::{MAX_MEDIA_TIMEOUT, Settings, SettingsError, SourceRate};
pub use sip::probe::{ProbeError, Probed};
pub use time::Time;
