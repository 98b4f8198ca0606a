//! Participants and conferences as tables.

use super::Canvas;
use super::table::table;
use crate::api::{Conference, Participant};

/// The participants in a table, by room and by when they came.
pub(crate) fn participants(mut participants: Vec<Participant>, canvas: Canvas) -> Vec<String> {
    if participants.is_empty() {
        return vec!["Nobody is in a call.".into()];
    }
    participants.sort_by(|a, b| (&a.conference, &a.connect_time).cmp(&(&b.conference, &b.connect_time)));
    let row = |participant: &Participant| {
        vec![
            participant.conference.clone(),
            participant.display_name.clone(),
            participant.source_alias.clone(),
            participant.media_node.clone(),
            since(participant.connect_time.as_deref()),
            states(participant),
            participant.id.clone(),
        ]
    };
    let headings = ["ROOM", "NAME", "FROM", "NODE", "SINCE (UTC)", "STATE", "ID"];
    table(canvas, &headings, participants.iter().map(row).collect())
}

/// The conferences in a table.
pub(crate) fn conferences(conferences: Vec<Conference>, canvas: Canvas) -> Vec<String> {
    if conferences.is_empty() {
        return vec!["Nobody is in a conference.".into()];
    }
    let row = |conference: &Conference| {
        let lock = if conference.is_locked { "locked" } else { "open" };
        vec![conference.name.clone(), since(conference.start_time.as_deref()), lock.into()]
    };
    table(canvas, &["ROOM", "SINCE (UTC)", "STATE"], conferences.iter().map(row).collect())
}

fn states(participant: &Participant) -> String {
    let ringing = participant.connect_time.is_none().then_some("not answered");
    let muted = participant.is_muted.then_some("muted");
    let held = participant.is_on_hold.then_some("on hold");
    let states: Vec<_> = [ringing, muted, held].into_iter().flatten().collect();
    if states.is_empty() { "in the call".into() } else { states.join(", ") }
}

/// A moment of the API without its fraction and its `T`.
fn since(moment: Option<&str>) -> String {
    let moment = moment.unwrap_or("-");
    moment.split('.').next().unwrap_or(moment).replace('T', " ")
}
