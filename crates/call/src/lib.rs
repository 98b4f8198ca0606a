//! The call engine of a Conferencing Node: SIP calls to Virtual Meeting Rooms, with mixed audio.
//!
//! A node starts a [`CallEngine`] with [`Settings`], [`Rooms`] and an [`Admission`], watches its
//! [`Calls`], and closes its admission to drain it. Running calls are never touched by that.
//!
//! How it is laid out, in reading order: `audio`, `rtp`, `sdp`, `session_timer`, `admission` and
//! `media::shard` decide and are pure (time and input in, output out); `ledger` holds the count of
//! calls and the admission under one lock; `media::thread` and `sip` are the shell around them. Every
//! piece of sound is tagged with participant and epoch, so that a leg of another kind, or a second leg
//! of one participant on its way to another node, joins without a change of the mixer.
//!
//! When a part of the engine fails (its sockets, its dispatcher, its media thread), [`Calls::Unknown`] stays
//! for good: nothing here is restarted under running calls, because nobody knows which are left. The node
//! makes itself unfit: it takes no new calls, and says that it wants a restart at a quiet time. That restart,
//! of the whole program, is the only way out.
//!
//! Whether the engine carries calls is found out by [`CallEngine::probe_call`], a real call to itself.
//!
//! The SIP stack logs every message in full at level `info`: a node lets only its errors into the log.
//!
//! What is not here: video, WebRTC, RTCP (neither sent nor read), SRTP, TLS, registrations.

mod engine;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod ledger;
mod preflight;
mod rooms;
mod settings;
mod time;

pub mod admission;
pub mod audio;
pub mod rtp;

mod media;
mod sdp;
mod session_timer;
mod sip;

pub use admission::{Admission, Closed};
pub use engine::{CallEngine, StartError};
pub use ledger::{Calls, Stats};
pub use preflight::{PreflightError, Trial, preflight};
pub use rooms::{Room, RoomName, Rooms};
pub use settings::{MAX_MEDIA_TIMEOUT, Settings, SettingsError, SourceRate};
pub use sip::probe::{ProbeError, Probed};
pub use time::Time;
