//! Errors of the parts below as refusals.

use super::error::{Kind, Refusal};
use crate::auth::logins::LoginError;
use crate::packages::PackageError;
use crate::store::StoreError;

impl From<LoginError> for Refusal {
    fn from(cause: LoginError) -> Self {
        match cause {
            LoginError::Wrong => Self::new(
                Kind::Unauthenticated,
                "user name or password is missing or wrong",
                "send the user name and password of an account of the Management Node (HTTP Basic)",
            ),
            LoginError::Busy { seconds } => Self::new(
                Kind::TooManyAttempts,
                "too many logins failed, or too many are being checked",
                format!(
                    "try again in {seconds} s; where pitlane login has succeeded once, wrong passwords of others do \
                     not slow you down"
                ),
            )
            .retry_after(seconds),
        }
    }
}

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
