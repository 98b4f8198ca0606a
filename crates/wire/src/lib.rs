//! The messages between the Management Node and its Conferencing Nodes, and the names in their certificates.
//!
//! The messages are JSON over HTTP with mutual TLS. A field that a release adds has a default, and unknown fields
//! are ignored, so that a manager can communicate with nodes of the release before; recorded messages of earlier
//! releases are the tests of this. Types only: connections belong to `manager` and `node`.
//!
//! The messages have types of their own, and each field says since which protocol version it is sent. `manager` and
//! `node` convert where a message arrives or leaves, so that the core's types can change without the messages
//! (decision 26). Shared with the core are plain values with one form wherever they are written: the numbers `Time`,
//! `Span`, `Wall`, `RunId` and `StartId`, the texts `Version` and `Sha256`, and `Release` and `Generation`, pairs
//! of numbers or texts, and UUIDs, texts. `tests/protocol.rs` holds the bytes of these as well.

mod certificate;
mod configuration;
mod enrolment;
mod identity;
mod sync;

pub mod desired;
pub mod live;
pub mod machine;
pub mod report;
pub mod share;

pub use certificate::{CertificateToShow, NodeCertificate, ShownCertificate};
pub use configuration::{Configuration, ConfigurationChange, Room};
pub use enrolment::{
    CERTIFICATE_LIFE, ENROLMENT_FILE_BYTES, Enrolled, EnrolmentFile, EnrolmentFileError, EnrolmentRequest,
};
pub use identity::{IdentityName, NotARegistration, NotAnIdentity, RegistrationId};
pub use sync::{PROTOCOL, Protocols, SYNC_BYTES, Sync, SyncAnswer, Tally, Wait};
