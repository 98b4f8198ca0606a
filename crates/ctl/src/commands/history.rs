//! `pitlane alarm` and `history`: what an operator should look at, and what is over.

use reqwest::Method;

use super::session::Session;
use crate::args::{AlarmCommand, HistoryCommand, PastArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::config;

/// The columns of alarms that stand.
const STANDING: &[&str] = &["time_raised", "level", "name", "node", "details"];
/// The columns of alarms that are over.
const OVER: &[&str] = &["time_raised", "time_lowered", "level", "name", "node", "details"];
/// The columns of conferences.
const CONFERENCES: &[&str] = &["start_time", "name", "duration", "participant_count", "id"];
/// The columns of participants.
const PARTICIPANTS: &[&str] =
    &["start_time", "conference_name", "display_name", "remote_alias", "duration", "disconnect_reason"];
/// The columns of what has happened to nodes.
const EVENTS: &[&str] = &["time_changed", "workervm_configuration_name", "event_type", "details"];

/// Alarms.
pub(crate) async fn alarms(session: &Session, command: &AlarmCommand) -> Result<Exit, Failure> {
    match command {
        AlarmCommand::List { past: false, last } => {
            show(session, "status/v1/alarm/", STANDING, None, *last).await
        }
        AlarmCommand::List { past: true, last } => {
            show(session, "history/v1/alarm/", OVER, None, *last).await
        }
    }
}

/// What is over.
pub(crate) async fn history(session: &Session, command: &HistoryCommand) -> Result<Exit, Failure> {
    match command {
        HistoryCommand::Conference(PastArgs { room, last }) => {
            let only = room.as_deref().map(|room| ("name", room));
            show(session, "history/v1/conference/", CONFERENCES, only, *last).await
        }
        HistoryCommand::Participant(PastArgs { room, last }) => {
            let only = room.as_deref().map(|room| ("conference_name", room));
            show(session, "history/v1/participant/", PARTICIPANTS, only, *last).await
        }
        HistoryCommand::Node { node, last } => {
            let only = node.as_deref().map(|node| ("workervm_configuration_name", node));
            show(session, "history/v1/workervm_status_event/", EVENTS, only, *last).await
        }
    }
}

/// Shows the newest objects of a list; the first column is the time that orders them.
async fn show(
    session: &Session,
    path: &str,
    columns: &[&str],
    only: Option<(&str, &str)>,
    last: u32,
) -> Result<Exit, Failure> {
    let doing = format!("list {}", path.trim_end_matches('/').rsplit('/').next().unwrap_or(path));
    let (order, last) = (format!("-{}", columns.first().unwrap_or(&"id")), last.max(1).to_string());
    let mut query = vec![("order_by", order.as_str()), ("limit", last.as_str())];
    query.extend(only);
    let request = session.client.request(Method::GET, path, &query);
    let list = session.client.send(&doing, request).await?.json(&doing)?;
    session.answer(&list, || config::columns(&list, columns, session.canvas));
    Ok(Exit::Ok)
}
