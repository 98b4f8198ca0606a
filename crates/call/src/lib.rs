//! The call engine of a Conferencing Node: SIP calls to Virtual Meeting Rooms, with mixed audio.
//!
//! A node starts a [`CallEngine`] with [`Settings`], [`Rooms`] and an [`Admission`], watches its
//! [`Calls`], and closes its admission to drain it. That never changes running calls.
//!
//! The modules in reading order: `signalling` (all that is decided about calls by SIP, on crate `sip`), `sdp`,
//! `session_timer`, `admission`, `rooms`, `accounts`, and `audio`, `rtp`, `rtcp`, `srtp` and `media::shard` for their
//! sound decide and are pure (time and input in, output out), but for the handshakes of `media::handshake`. [`handover`]
//! moves calls to another process. `driver` gives them the time and what happens, and performs what they decide;
//! `sockets` and `media::thread` do the I/O. Audio is tagged with participant and epoch, so that a leg of another kind,
//! or a second leg of one participant on its way to another node, joins without a change of the mixer.
//!
//! When a part of the engine fails (its sockets, its timers, a media thread), the calls stay
//! [`Calls::Unknown`]: nothing is restarted under running calls, because it is not known which are left. The node
//! reports itself unfit: it takes no new calls, and asks for a restart at a quiet time. Only a restart of the whole
//! program repairs it.
//!
//! [`CallEngine::dial`] calls somebody outside. Who may call a room that asks for it, and which devices may register,
//! are its [`Accounts`].
//!
//! Who takes part, and what an operator does to them, is at [`CallEngine::participants`] and after it.
//!
//! [`CallEngine::probe_call`], a real call to itself, checks whether the engine carries calls.
//!
//! Not implemented: video, WebRTC, ICE.

mod accounts;
mod calls;
mod dial;
mod driver;
mod engine;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod handover;
mod logins;
mod outgoing_call;
mod participants;
mod preflight;
mod probe;
mod refusal_log;
mod rooms;
mod settings;
mod time;

pub mod admission;
pub mod audio;
pub mod rtcp;
pub mod rtp;
pub mod srtp;

mod media;
mod sdp;
mod session_timer;
mod signalling;
#[cfg(test)]
mod simulation;
mod sockets;

pub use accounts::{Account, AccountError, Accounts, Secret};
pub use admission::{Admission, Closed};
pub use calls::{Calls, Stats};
pub use dial::{DialError, DialOptions, DialTarget};
pub use engine::{CallEngine, StartError};
pub use logins::{Login, LoginError, Logins};
pub use media::handshake::IdentityError;
pub use outgoing_call::OutgoingCall;
pub use participants::{
    CallDirection, CommandError, Conference, ConferenceId, Departure, Encryption, Lock, MediaStatistics,
    ParticipantChanges, ParticipantId, ParticipantState, Removal, StreamStatistics, Voice,
};
pub use preflight::{PreflightError, Trial, preflight};
pub use probe::{ProbeError, Probed};
pub use rooms::{Callers, Room, RoomName, Rooms};
pub use settings::{
    AuthenticationSettings, MAX_MEDIA_TIMEOUT, RegistrationSettings, Settings, SettingsError, SourceRate,
    TlsSettings,
};
pub use signalling::Algorithm;
pub use sockets::{CertificateError, TlsCertificate, TlsError};
pub use time::Time;
