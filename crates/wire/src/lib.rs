//! What the Management Node and its Conferencing Nodes say to each other, and the names by which
//! they know each other.
//!
//! The messages are JSON over HTTP, mutually authenticated. A field that a release adds has a
//! default, and one that it does not know is passed over, so a manager speaks with the nodes of the
//! release before. Recorded messages of earlier releases are tests.

mod enrolment;
mod identity;
mod sync;

pub use enrolment::{
    CERTIFICATE_LIFE, ENROLMENT_FILE_BYTES, Enrolled, EnrolmentFile, EnrolmentFileError, EnrolmentRequest,
};
pub use identity::{IdentityName, NotARegistration, NotAnIdentity, RegistrationId};
pub use sync::{Configuration, PROTOCOL, Protocols, Room, SYNC_BYTES, Sync, SyncAnswer, Tally, Wait};
