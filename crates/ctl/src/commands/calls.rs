//! `pitlane participant` and `pitlane conference`: who is in a call now, and what an operator does about it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::session::Session;
use crate::api::{Conference, List, Participant};
use crate::args::{ConferenceCommand, DialArgs, ParticipantCommand};
use crate::client::view;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::calls;

const PARTICIPANTS: &str = "status/v1/participant/";
const CONFERENCES: &str = "status/v1/conference/";
const COMMAND: &str = "command/v1";

/// How long the outcome of a command may take: longer than the Management Node waits for it.
const OUTCOME_LIMIT: Duration = Duration::from_secs(75);

/// Participants.
pub(crate) async fn participants(session: &Session, command: &ParticipantCommand) -> Result<Exit, Failure> {
    match command {
        ParticipantCommand::List { room } => {
            let doing = "list the participants";
            let query: Vec<(&str, &str)> = room.iter().map(|room| ("conference", room.as_str())).collect();
            let list = session.client.list(doing, PARTICIPANTS, &query).await?;
            let rows: List<Participant> = view(doing, &list)?;
            session.answer(&list, || calls::participants(rows.objects, session.canvas));
        }
        ParticipantCommand::Disconnect { id } => {
            to_participant(session, "disconnect", id).await?;
            session.done(&format!("The call of participant {id} is ended."));
        }
        ParticipantCommand::Mute { id } => {
            to_participant(session, "mute", id).await?;
            session.done(&format!("Participant {id} is muted."));
        }
        ParticipantCommand::Unmute { id } => {
            to_participant(session, "unmute", id).await?;
            session.done(&format!("Participant {id} is heard again."));
        }
        ParticipantCommand::Dial(args) => dial(session, args).await?,
    }
    Ok(Exit::Ok)
}

/// Conferences.
pub(crate) async fn conferences(session: &Session, command: &ConferenceCommand) -> Result<Exit, Failure> {
    match command {
        ConferenceCommand::List => {
            let doing = "list the conferences";
            let list = session.client.list(doing, CONFERENCES, &[]).await?;
            let rows: List<Conference> = view(doing, &list)?;
            session.answer(&list, || calls::conferences(rows.objects, session.canvas));
        }
        ConferenceCommand::Lock { room } => {
            to_conference(session, "lock", room).await?;
            session.done(&format!("The conference in {room} is locked; new callers are refused."));
        }
        ConferenceCommand::Unlock { room } => {
            to_conference(session, "unlock", room).await?;
            session.done(&format!("The conference in {room} is unlocked."));
        }
        ConferenceCommand::Disconnect { room } => {
            to_conference(session, "disconnect", room).await?;
            session.done(&format!("All calls in {room} are ended."));
        }
    }
    Ok(Exit::Ok)
}

async fn dial(session: &Session, args: &DialArgs) -> Result<(), Failure> {
    let DialArgs { room, destination, name, node, location } = args;
    let body = json!({
        "conference_alias": room, "destination": destination, "remote_display_name": name, "node": node,
        "system_location": location,
    });
    let answer = post(session, &format!("dial {destination}"), "participant/dial", &body).await?;
    let id = answer["data"]["participant_id"].as_str().unwrap_or_default().to_owned();
    session.answer(&answer, || vec![format!("{destination} is called into {room}, as participant {id}.")]);
    Ok(())
}

async fn to_participant(session: &Session, command: &str, id: &str) -> Result<(), Failure> {
    let body = json!({"participant_id": id});
    let doing = format!("{command} participant {id}");
    post(session, &doing, &format!("participant/{command}"), &body).await.map(drop)
}

async fn to_conference(session: &Session, command: &str, room: &str) -> Result<(), Failure> {
    let doing = format!("find the conference in {room}");
    let list = session.client.list(&doing, CONFERENCES, &[("name", room)]).await?;
    let found: List<Conference> = view(&doing, &list)?;
    let conference = found.objects.into_iter().next().ok_or_else(|| Failure::NotFound {
        what: format!("nobody is in {room}"),
        hint: "check the name; pitlane conference list shows all conferences that last".into(),
    })?;
    let body = json!({"conference_id": conference.id});
    let doing = format!("{command} the conference in {room}");
    post(session, &doing, &format!("conference/{command}"), &body).await.map(drop)
}

async fn post(session: &Session, doing: &str, command: &str, body: &Value) -> Result<Value, Failure> {
    let request = session.client.request(Method::POST, &format!("{COMMAND}/{command}/"), &[]);
    let answer = session.client.send(doing, request.json(body).timeout(OUTCOME_LIMIT)).await?;
    Ok(answer.json(doing)?)
}
