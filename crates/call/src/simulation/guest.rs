//! Guests: callers whose call the node has to refuse, and with what.

use crate::signalling::kit::has_header;

/// Why a call has to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// The node is in maintenance mode.
    Maintenance,
    /// It has as many calls as it may have.
    CallLimit,
    /// It has no media port left.
    NoPort,
    /// There is no such room.
    UnknownRoom,
    /// The guest has no codec that the node has.
    UnknownCodec,
}

impl Guest {
    /// Those whom a node refuses that takes calls, and has room for them.
    pub(super) const USUAL: [Guest; 3] = [Guest::NoPort, Guest::UnknownRoom, Guest::UnknownCodec];

    /// What the guest dials.
    pub(super) fn target(self) -> &'static str {
        match self {
            Guest::UnknownRoom => "sip:nobody@192.0.2.1",
            Guest::Maintenance | Guest::CallLimit | Guest::NoPort | Guest::UnknownCodec => {
                "sip:meet@192.0.2.1"
            }
        }
    }

    /// The payload type that it offers if it is not that of its voice: G.729, which the node lacks.
    pub(super) fn payload_type(self) -> Option<u8> {
        match self {
            Guest::UnknownCodec => Some(18),
            Guest::Maintenance | Guest::CallLimit | Guest::NoPort | Guest::UnknownRoom => None,
        }
    }

    /// The status that it must get, and the text of the Reason beside it.
    fn answer(self) -> (&'static str, Option<&'static str>) {
        match self {
            Guest::Maintenance => ("503", Some("System in maintenance mode")),
            Guest::CallLimit | Guest::NoPort => ("503", Some("Out of resource")),
            Guest::UnknownRoom => ("404", None),
            Guest::UnknownCodec => ("488", None),
        }
    }

    /// Checks the response that it has got.
    ///
    /// # Errors
    /// It is another one than it must be.
    pub(super) fn check(self, response: &str) -> Result<(), String> {
        let (status, reason) = self.answer();
        let is_right = response.starts_with(&format!("SIP/2.0 {status} "))
            && reason.is_none_or(|reason| response.contains(reason) && has_header(response, "Retry-After"));
        if is_right { Ok(()) } else { Err(format!("a guest ({self:?}) is refused by {response}")) }
    }

    /// What is seen when it is refused.
    pub(super) fn seen(self) -> &'static str {
        match self {
            Guest::Maintenance => "refusal in maintenance mode",
            Guest::CallLimit => "refusal above the limit of calls",
            Guest::NoPort => "refusal without a media port",
            Guest::UnknownRoom => "refusal of an unknown room",
            Guest::UnknownCodec => "refusal of an unknown codec",
        }
    }
}
