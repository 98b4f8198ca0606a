//! The people on the phone: callers that speak real SIP and RTP, each with a tone of its own, who
//! check that they hear the others and not themselves, and the ledger of what happened to them.
//!
//! They are the witness that no call is lost: everything they report was measured from what a node
//! sent them. They know nodes by address only and nothing of managers or runs.

mod agent;
mod book;
mod codec;
mod crowd;
mod dial;
pub mod ear;
pub mod ledger;
mod live;
mod media;
mod person;
mod plan;
mod rng;
mod roster;
mod sdp;
mod session;
mod signalling;
mod stream;
pub mod time;
pub mod tone;

pub use agent::{Agent, AgentError};
pub use codec::Codec;
pub use crowd::{Crowd, CrowdError, CrowdSettings, Mode, Node, Pin};
pub use dial::{CallId, CallSettings, DialError, NotATarget, Target, Transport};
pub use ledger::{Ledger, NodeName};
pub use live::{Cause, Ended, LiveCall, RequestError};
pub use plan::{Lengths, Room};
pub use sdp::SdpError;
