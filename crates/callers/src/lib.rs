//! The people on the phone: callers that speak real SIP and RTP, each with a tone of its own, who
//! check that they hear the others and not themselves, and the ledger of what happened to them.
//!
//! They are the witness that no call is lost: everything they report was measured from what a node
//! sent them. They know nodes by address only and nothing of managers or runs.
//!
//! How it is laid out, in reading order: `tone`, `stream`, `ear`, `sdp`, `session`, `plan`, `roster` and
//! `ledger` decide and are pure; `agent`, `dial`, `live`, `media` and `signalling` are one call;
//! `crowd`, `person` and `book` are many.
//!
//! A demo keeps a crowd going while nodes are upgraded, and reads the ledger:
//!
//! ```no_run
//! # use callers::{Crowd, CrowdSettings, Node, NodeName, Pin, Room, ledger::Drain, time::Millis};
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
//! let ledger = crowd.stop().await;
//! let drain = Drain { node: NodeName("lon-1".into()), from, to, slack: Millis(0) };
//! println!("{:?} {:?}", ledger.drain(&drain), ledger.moves());
//! for failure in ledger.failures() {
//!     println!("{failure}");
//! }
//! # Ok(())
//! # }
//! ```

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
mod random;
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
