//! Errors of the parts below as refusals.

use super::error::{Kind, Refusal};
use crate::packages::PackageError;
use crate::store::StoreError;

impl From<StoreError> for Refusal {
    fn from(cause: StoreError) -> Self {
        if let StoreError::Closed = cause {
            let hint = "wait until it has restarted; this takes less than a minute";
            return Self::new(Kind::Upgrading, "the Management Node is about to restart", hint)
                .retry_after(2);
        }
        if let StoreError::TooLong = cause {
            let hint = "name fewer fields of other objects in the filter, or one that fewer objects have";
            return Self::new(Kind::Malformed, "the list takes too long to filter", hint);
        }
        Self::internal(&cause)
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(cause: serde_json::Error) -> Self {
        Self::internal(&cause)
    }
}

impl From<PackageError> for Refusal {
    fn from(cause: PackageError) -> Self {
        match &cause {
            PackageError::NotHeld(manifest) => Self::no_such("upgrade package", manifest),
            PackageError::Refused(_)
            | PackageError::NoCommonProtocol { .. }
            | PackageError::Expired(_)
            | PackageError::Keys(_)
            | PackageError::Disk { .. } => Self::internal(&cause),
        }
    }
}
