//! The advice of R19: to have a restore point of the Management Node before an upgrade. It relies on the backups that
//! the Management Node keeps; one that was made by another way is not known here.

use answers::{Finding, UtcTime};
use fleet::time::{Span, Wall};
use serde_json::json;

use super::precheck::finding;
use crate::rest::Api;
use crate::rest::backups::LIST;
use crate::rest::error::Refusal;

/// How old the newest backup may be: what was configured within a week is still known to those who did it.
const RECENT: Span = Span::hours(7 * 24);

/// The warning before a start if there is no backup of this release that is recent.
pub(super) async fn warning(api: &Api) -> Result<Option<Finding>, Refusal> {
    let newest = api.context.backups.newest().await?;
    let text = match age(newest, api.committer().wall()) {
        Some(age) if age <= RECENT => return Ok(None),
        Some(age) => format!("the newest backup of the Management Node is {age} old"),
        None => format!("there is no backup of the Management Node by {}", api.context.release),
    };
    let reason = json!({"warning": "no_recent_backup", "newest": newest.map(UtcTime::of)});
    let place = (api.context.name.clone(), LIST.into());
    let text = format!(
        "{text}; make one before the upgrade (pitlane backup create), or take a snapshot of its machine"
    );
    Ok(Some(finding(&reason, Some("R19"), place, text)))
}

/// How old a backup is. One from the future, for the clock has gone back since, is new.
fn age(newest: Option<Wall>, now: Wall) -> Option<Span> {
    newest.map(|newest| Span(now.0.saturating_sub(newest.0)))
}
