//! The messages between the Management Node and its Conferencing Nodes, and the names in their certificates.
//!
//! The messages are JSON over HTTP with mutual TLS. A field that a release adds has a default, and unknown fields
//! are ignored, so that a manager can communicate with nodes of the release before; recorded messages of earlier
//! releases are the tests of this. Types only: connections belong to `manager` and `node`.

mod enrolment;
mod identity;
mod sync;

pub use enrolment::{
    CERTIFICATE_LIFE, ENROLMENT_FILE_BYTES, Enrolled, EnrolmentFile, EnrolmentFileError, EnrolmentRequest,
};
pub use identity::{IdentityName, NotARegistration, NotAnIdentity, RegistrationId};
pub use sync::{
    Configuration, PROTOCOL, Protocols, Room, SENTENCE_CHARACTERS, SYNC_BYTES, Sync, SyncAnswer, Tally, Wait,
};
