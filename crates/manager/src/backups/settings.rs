//! What the operator has set for backups that are made by themselves: `configuration/v1/autobackup/1/`, as the schedule
//! needs it.

use backup::Passphrase;

use super::hours::Hours;
use super::upload::Destination;
use crate::resources::CoreFacts;
use crate::resources::configuration::autobackup::{
    AUTOBACKUP, ENABLED, INTERVAL, PASSPHRASE, START_HOUR, UPLOAD_PASSWORD, UPLOAD_URL, UPLOAD_USERNAME,
};
use crate::store::{Connection, StoreError, objects};

/// The schedule.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// When backups are made.
    pub(super) hours: Hours,
    /// What they are encrypted with.
    pub(super) passphrase: Passphrase,
    /// Where they are uploaded, if anywhere.
    pub(super) upload: Option<Destination>,
}

impl Settings {
    /// Reads the schedule; none when there is none.
    ///
    /// # Errors
    /// The database reports an error.
    pub(super) fn read(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let found = objects::find(connection, &AUTOBACKUP, 1, &CoreFacts::default())?;
        let Some(object) = found.filter(|object| object.is(&ENABLED)) else { return Ok(None) };
        let Ok(passphrase) = Passphrase::new(object.text(&PASSPHRASE)) else { return Ok(None) };
        let number = |field| object.get(field).as_u64().unwrap_or(0);
        let upload = Some(object.text(&UPLOAD_URL)).filter(|url| !url.is_empty()).map(|url| Destination {
            url: url.into(),
            username: object.text(&UPLOAD_USERNAME).into(),
            password: object.text(&UPLOAD_PASSWORD).into(),
        });
        Ok(Some(Self { hours: Hours::new(number(&START_HOUR), number(&INTERVAL)), passphrase, upload }))
    }
}
