//! What the resources share when they read and write their rows: errors as refusals, counts, the address of a
//! new object.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rusqlite::{Connection, OptionalExtension as _, ToSql};

use super::error::{Kind, Refusal};
use crate::packages::PackageError;
use crate::store::StoreError;

/// How many objects of one kind there may be: ten times the largest platform that is planned for, so that a
/// faulty tool in a loop does not fill the store.
pub(crate) const OBJECTS: i64 = 100_000;

impl From<StoreError> for Refusal {
    fn from(cause: StoreError) -> Self {
        if let StoreError::Closed = cause {
            let hint = "wait until it has restarted; this takes less than a minute";
            return Self::new(Kind::Upgrading, "the Management Node is about to restart", hint)
                .retry_after(2);
        }
        Self::internal(&cause)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(cause: rusqlite::Error) -> Self {
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

/// The result of a query for one number, if there is one.
pub(crate) fn number(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()
}

/// 201 with the address of the new object.
pub(crate) fn created(list: &str, id: impl std::fmt::Display) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, location(list, id))]).into_response()
}

/// The address of an object as a header.
pub(crate) fn location(list: &str, id: impl std::fmt::Display) -> HeaderValue {
    HeaderValue::from_str(&format!("{list}{id}/")).unwrap_or(HeaderValue::from_static("/"))
}
