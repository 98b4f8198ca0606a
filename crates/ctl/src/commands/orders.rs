//! `pitlane upgrade pause`, `resume` and `stop`.

use answers::UpgradeStatus;
use serde_json::json;

use super::confirm::Question;
use super::session::Session;
use super::upgrade::STATUS;
use crate::client::view;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;

const PAUSE: &str = "command/v1/platform/upgrade_pause/";
const RESUME: &str = "command/v1/platform/upgrade_resume/";
const STOP: &str = "command/v1/platform/upgrade_stop/";

/// Takes no further node until the run is resumed.
pub(crate) async fn pause(session: &Session, reason: Option<&str>) -> Result<Exit, Failure> {
    let said = "is paused: nodes under way finish, and no other is taken. Go on with: pitlane upgrade resume";
    order(session, ("pause the upgrade", PAUSE), reason, said).await
}

/// Goes on with a paused run.
pub(crate) async fn resume(session: &Session, reason: Option<&str>) -> Result<Exit, Failure> {
    let said = "goes on. Follow it with: pitlane upgrade watch";
    order(session, ("resume the upgrade", RESUME), reason, said).await
}

/// Ends a run, after asking.
pub(crate) async fn stop(session: &Session, reason: Option<&str>, yes: bool) -> Result<Exit, Failure> {
    if !yes && !confirmed(session).await? {
        terminal::message("Not stopped; the upgrade goes on.");
        return Ok(Exit::Failure);
    }
    let said =
        "is stopped: every node keeps the release it has. Take the rest later with: pitlane upgrade start";
    order(session, ("stop the upgrade", STOP), reason, said).await
}

/// Asks, with how far the run is.
async fn confirmed(session: &Session) -> Result<bool, Failure> {
    let doing = "show the upgrade";
    let status: UpgradeStatus = view(doing, &session.client.get(doing, STATUS).await?)?;
    let asks = match &status.run {
        Some(run) => format!(
            "Stop upgrade run {} to {}? {} nodes are out of service for it; those whose calls have not cleared go \
             back to service.",
            run.id, run.target, run.places_taken
        ),
        None => "Stop the upgrade?".into(),
    };
    Question { asks, subject: "whether to stop the upgrade".into(), unasked: "stop" }.confirmed()
}

async fn order(
    session: &Session,
    (doing, path): (&'static str, &str),
    reason: Option<&str>,
    said: &str,
) -> Result<Exit, Failure> {
    let body = json!({"reason": reason.unwrap_or_default()});
    let answer = session.client.post(doing, path, &body).await?.json(doing)?;
    let run = answer["data"]["run"].as_u64();
    session.answer(&answer, || {
        let number = run.map_or("The upgrade".into(), |run| format!("Upgrade run {run}"));
        vec![format!("{number} {said}")]
    });
    Ok(Exit::Ok)
}
