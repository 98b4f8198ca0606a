//! How accounts and clients prove who they are, as logins need it. As an object of the management API it is in
//! [`super::objects`].

use fleet::time::Span;
use rusqlite::Connection;

use super::{StoreError, objects};
use crate::resources::CoreFacts;
use crate::resources::configuration::authentication::{AUTHENTICATION, DISABLE_BASIC, EXPIRATION};

/// The settings of logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authentication {
    /// How long an access token is valid.
    pub(crate) token_life: Span,
    /// What becomes of requests with a password.
    pub(crate) basic: Basic,
}

/// What becomes of requests with HTTP Basic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basic {
    /// Their password is checked.
    Accepted,
    /// They are refused.
    Refused,
}

/// Reads the settings.
///
/// # Errors
/// The database reports an error.
pub(crate) fn read(connection: &Connection) -> Result<Authentication, StoreError> {
    let settings = objects::find(connection, &AUTHENTICATION, 1, &CoreFacts::default())?;
    let seconds = settings.as_ref().and_then(|settings| settings.get(&EXPIRATION).as_u64()).unwrap_or(3_600);
    let refused = settings.is_some_and(|settings| settings.is(&DISABLE_BASIC));
    let basic = if refused { Basic::Refused } else { Basic::Accepted };
    Ok(Authentication { token_life: Span::seconds(seconds), basic })
}
