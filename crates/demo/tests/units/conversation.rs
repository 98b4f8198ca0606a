//! A call between two callers on the node: the restrictions of the unit must not prevent calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use callers::time::Millis;
use callers::{CallId, Crowd, CrowdSettings, Node, NodeName, Pin, Room};
use tokio::runtime::Runtime;

/// The Virtual Meeting Room that both dial.
pub(crate) const ROOM: &str = "meet";

/// The address of both callers.
const CALLERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Longer than any test: the calls last until the test ends them.
const LENGTH: Millis = Millis::seconds(3_600);

/// Two calls in one conference.
pub(crate) struct Conversation {
    runtime: Runtime,
    crowd: Crowd,
    calls: [CallId; 2],
}

impl Conversation {
    /// Places both calls.
    pub(crate) fn begin(sip: SocketAddr) -> Result<Self, String> {
        let runtime = Runtime::new().expect("a runtime");
        let node = NodeName("lon-1".to_owned());
        let nodes = vec![Node { name: node.clone(), sip }];
        let room = Room { alias: ROOM.to_owned(), seats: 2 };
        let settings = CrowdSettings {
            minimum: 0,
            spare: 0,
            ..CrowdSettings::new(IpAddr::V4(CALLERS), nodes, vec![room])
        };
        let crowd = runtime.block_on(Crowd::start(settings)).map_err(|error| error.to_string())?;
        let pin = || Pin { node: node.clone(), alias: ROOM.to_owned(), length: LENGTH };
        let one = runtime.block_on(crowd.pin(pin())).map_err(|error| error.to_string())?;
        let other = runtime.block_on(crowd.pin(pin())).map_err(|error| error.to_string())?;
        Ok(Self { runtime, crowd, calls: [one, other] })
    }

    /// Hangs up both calls, and checks that none was lost and that each caller heard the other.
    pub(crate) fn end(self) {
        for call in &self.calls {
            self.runtime.block_on(self.crowd.hang_up(call));
        }
        let log = self.runtime.block_on(self.crowd.stop());
        let failures: Vec<String> = log.failures().iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
