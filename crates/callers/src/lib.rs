//! Test callers: they speak real SIP and RTP, send a tone each, and check that they hear the others and not themselves.
//!
//! Responsible for the evidence that no call is lost: everything in the call log is measured from what a node sent.
//! SIP, RTP and codec come from third-party crates and share no code with the call engine. Knows nodes by their
//! addresses only, and nothing of managers or runs.
//!
//! Reading order: `tone`, `stream`, `tone_monitor`, `sdp`, `session`, `plan`, `roster` and `call_log` are pure;
//! `agent`, `dial`, `live`, `media` and `signalling` are one call; `crowd`, `caller` and `crowd_state` are many
//! calls.
//!
//! The demo keeps a crowd running while nodes are upgraded, and reads the call log:
//!
//! ```no_run
//! # use callers::{Crowd, CrowdSettings, Node, NodeName, Pin, Room, call_log::Drain, time::Millis};
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! let node = |name: &str, sip: &str| Ok::<_, std::net::AddrParseError>(Node { name: NodeName(name.into()), sip: sip.parse()? });
//! let nodes = vec![node("lon-1", "127.0.0.1:5061")?, node("lon-2", "127.0.0.1:5062")?];
//! let rooms = (0..12).map(|n| Room { alias: format!("meet{n}"), seats: 6 }).collect();
//! let crowd = Crowd::start(CrowdSettings::new("127.0.0.1".parse()?, nodes, rooms)).await?;
//! crowd.populated().await;
//! let long = Pin { node: NodeName("lon-1".into()), alias: "board".into(), length: Millis::seconds(600) };
//! let long = crowd.pin(long).await?;
//! let from = crowd.clock().now();
//! // ... lon-1 goes into maintenance mode, and its calls clear but for the long one ...
//! let to = crowd.clock().now();
//! crowd.hang_up(&long).await;
//! let log = crowd.stop().await;
//! let drain = Drain { node: NodeName("lon-1".into()), from, to, slack: Millis(0) };
//! println!("{:?} {:?}", log.drain(&drain), log.moves());
//! for failure in log.failures() {
//!     println!("{failure}");
//! }
//! # Ok(())
//! # }
//! ```

mod agent;
pub mod call_log;
mod caller;
mod codec;
mod crowd;
mod crowd_state;
mod dial;
mod live;
mod media;
mod plan;
mod random;
mod roster;
mod sdp;
mod session;
mod signalling;
mod stream;
pub mod time;
pub mod tone;
pub mod tone_monitor;

pub use agent::{Agent, AgentError};
pub use call_log::{CallLog, NodeName};
pub use codec::Codec;
pub use crowd::{Crowd, CrowdError, CrowdSettings, Mode, Node, Pin};
pub use dial::{CallId, CallSettings, DialError, NotATarget, Target, Transport};
pub use live::{Cause, Ended, LiveCall, RequestError};
pub use plan::{Lengths, Room};
pub use sdp::SdpError;
