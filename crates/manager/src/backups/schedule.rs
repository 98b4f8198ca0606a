//! Makes backups at the hours that the operator has set, and uploads them. What has become of each is logged, and shown
//! among the requests for backups.

use std::time::Duration;

use edge::error_chain::chain;
use fleet::time::Wall;
use rustls::pki_types::CertificateDer;
use tracing::{error, info};
use uuid::Uuid;

use super::settings::Settings;
use super::upload::upload;
use super::{BackupError, BackupName, Backups, MadeBy, RequestState};
use crate::store::StoreError;

/// How often it is looked whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long after a failure a backup is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10 * 60);

/// What has become of a look at the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Nothing was due, or another backup is being made.
    NothingDue,
    /// A backup was made. Whether it was uploaded as well, its request says.
    Made,
    /// None was made.
    Failed,
}

/// Why it is not known whether a backup is due.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScheduleError {
    /// The settings cannot be read.
    #[error("the settings of the schedule cannot be read")]
    Store(#[from] StoreError),
    /// The backups that there are cannot be read.
    #[error("the backups that there are cannot be read")]
    Backups(#[from] BackupError),
}

/// Makes the backups of the schedule for as long as it runs.
pub(crate) async fn run(backups: Backups) {
    loop {
        let wait = match look(&backups, &[]).await {
            Ok(Looked::NothingDue | Looked::Made) => LOOK_EVERY,
            Ok(Looked::Failed) => RETRY_AFTER,
            Err(cause) => {
                error!(error = %chain(&cause), "no backup is made by the schedule; it is tried again");
                RETRY_AFTER
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Makes and uploads a backup if one is due. `more` are certificates of authorities that are trusted for the upload.
pub(super) async fn look(
    backups: &Backups,
    more: &[CertificateDer<'static>],
) -> Result<Looked, ScheduleError> {
    let committer = &backups.0.committer;
    let Some(settings) = committer.store().read(Settings::read).await? else { return Ok(Looked::NothingDue) };
    let (wall, is_run) = (committer.wall(), committer.read(|fleet, _| fleet.platform.run.is_some()));
    // After a run one is due at once, if it was during the run.
    if is_run || !settings.hours.is_due(wall, last(backups, wall).await?) {
        return Ok(Looked::NothingDue);
    }
    let Some(turn) = backups.turn() else { return Ok(Looked::NothingDue) };
    let id = Uuid::new_v4();
    backups.requests().lock().begin(id, committer.wall());
    let (looked, state) = match backups.make(turn, MadeBy::Schedule, settings.passphrase.clone()).await {
        Ok(kept) => {
            info!(backup = %kept.name, "a backup was made by the schedule");
            (Looked::Made, uploaded(backups, &settings, kept.name, more).await)
        }
        Err(cause) => {
            let why = chain(&cause);
            error!(
                error = why,
                "the schedule could not make a backup; check the disk of the Management Node"
            );
            (Looked::Failed, RequestState::Failed { why })
        }
    };
    backups.requests().lock().end(id, state, committer.wall());
    Ok(looked)
}

/// When the newest backup of the schedule was made. One that was made while the clock was ahead says nothing.
async fn last(backups: &Backups, now: Wall) -> Result<Option<Wall>, BackupError> {
    let all = backups.list().await?;
    let mut made =
        all.iter().filter(|kept| kept.name.made_by == MadeBy::Schedule).map(|kept| kept.name.made());
    Ok(made.find(|made| *made <= now))
}

/// Uploads a backup if that is set; the next one is tried whatever has become of this one.
async fn uploaded(
    backups: &Backups,
    settings: &Settings,
    name: BackupName,
    more: &[CertificateDer<'static>],
) -> RequestState {
    let Some(to) = &settings.upload else { return RequestState::Completed { name } };
    match upload(to, &backups.0.layout.backups(), name, more).await {
        Ok(()) => {
            info!(backup = %name, "a backup was uploaded");
            RequestState::Completed { name }
        }
        Err(cause) => {
            let why = chain(&cause);
            error!(backup = %name, error = why, "a backup could not be uploaded; check the settings of autobackup");
            RequestState::Failed {
                why: format!("The backup {name} is made, and could not be uploaded: {why}"),
            }
        }
    }
}
