//! `configuration/v1/global/1/`: settings of the whole platform.

use crate::resources::{Field, Initial, Resource, Shape};

/// After how many minutes without a request a session ends.
pub(crate) const SESSION_TIMEOUT: Field = Field::whole("management_session_timeout", 5, 1_440)
    .or(Initial::Whole(30))
    .help("After how many minutes without a request a session of the pages ends.");

/// Whether a session ends when it is not used.
pub(crate) const TIMEOUT_ENABLED: Field = Field::boolean("session_timeout_enabled", true)
    .help("Whether a session of the pages ends when it is not used. It ends after 12 hours in any case.");

const ABSENT: &str = "This release does not have it.";

/// What this release does not have.
const fn absent(name: &'static str) -> Field {
    Field::boolean(name, false).refused(ABSENT)
}

/// What tools write with the value that it has in the compatible API, whether or not they want it.
const fn kept(name: &'static str, initial: bool) -> Field {
    Field::boolean(name, initial).kept()
}

/// The resource.
pub(crate) static GLOBAL: Resource = Resource {
    called: "setting of the platform",
    plural: "settings of the platform",
    help: "Settings of the whole platform.",
    fields: &[
        SESSION_TIMEOUT,
        TIMEOUT_ENABLED,
        Field::text("contact_email_address", Shape::Text(100))
            .or_empty()
            .kept()
            .help("Whom to write to about the platform."),
        Field::boolean("enable_sip", true)
            .refused("Conferencing Nodes always take calls of SIP.")
            .help("Whether Conferencing Nodes take calls of SIP."),
        kept("enable_sip_udp", false).help("Conferencing Nodes take SIP over UDP whatever it says."),
        Field::choice("crypto_mode", &["besteffort"])
            .or(Initial::Text("besteffort"))
            .help("Whether sound is encrypted: where the other side offers it."),
        kept("enable_h323", true).help("Conferencing Nodes take no calls of H.323, whatever it says."),
        kept("enable_webrtc", true).help("Conferencing Nodes take no calls of browsers, whatever it says."),
        kept("enable_rtmp", true).help("Conferencing Nodes send no streams, whatever it says."),
        absent("bursting_enabled").help("Whether nodes of a cloud are started when the others are full."),
        absent("enable_analytics").help("Whether usage statistics are sent to the publisher."),
        absent("error_reporting_enabled").help("Whether faults are reported to the publisher."),
    ],
    ..Resource::singleton("global")
};
