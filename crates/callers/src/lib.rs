//! The people on the phone: callers that speak real SIP and RTP, each with a tone of its own, who
//! check that they hear the others and not themselves, and the ledger of what happened to them.
//!
//! They are the witness that no call is lost: everything they report was measured from what a node
//! sent them. They know nodes by address only and nothing of managers or runs.

mod agent;
mod codec;
mod dial;
pub mod ear;
mod live;
mod media;
mod rng;
mod sdp;
mod session;
mod signalling;
mod stream;
pub mod time;
pub mod tone;

pub use agent::{Agent, AgentError};
pub use codec::Codec;
pub use dial::{CallId, CallSettings, DialError, NotATarget, Target, Transport};
pub use live::{Cause, Ended, LiveCall, RequestError};
pub use sdp::SdpError;
