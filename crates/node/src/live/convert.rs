//! Converts between the types of the call engine and those of the messages, and passes commands on to the engine.

use call::{
    CallDirection, CallEngine, CommandError, DialError, DialOptions, DialTarget, Encryption, Lock,
    ParticipantId, RoomName, Voice,
};
use fleet::time::Span;
use uuid::Uuid;
use wire::live::{self, Action, Failure};
use wire::report::{REPORTED_TEXT, cut};

/// Changes of participants as they are sent.
pub(super) fn changes(changes: call::ParticipantChanges) -> live::ParticipantChanges {
    let call::ParticipantChanges { since, to, changed, removed } = changes;
    live::ParticipantChanges {
        since,
        to,
        departures: removed.iter().filter_map(departed).collect(),
        removed: removed.into_iter().map(|removal| removal.id.0).collect(),
        changed: changed.into_iter().map(participant).collect(),
    }
}

fn departed(removal: &call::Removal) -> Option<live::Departed> {
    let why = match removal.departure? {
        call::Departure::HungUp => live::Departure::HungUp,
        call::Departure::Disconnected => live::Departure::Disconnected,
        call::Departure::ConferenceEnded => live::Departure::ConferenceEnded,
        call::Departure::Rejected => live::Departure::Rejected,
        call::Departure::NotAuthenticated => live::Departure::NotAuthenticated,
        call::Departure::Failed => live::Departure::Failed,
        call::Departure::TimedOut => live::Departure::TimedOut,
        call::Departure::ShutDown => live::Departure::ShutDown,
        call::Departure::Moved => live::Departure::Moved,
    };
    Some(live::Departed { participant: removal.id.0, why })
}

fn participant(state: call::ParticipantState) -> live::Participant {
    let call::ParticipantState {
        id,
        conference: call::Conference { id: conference, room, age, lock },
        display_name,
        source_alias,
        destination_alias,
        call_id,
        vendor,
        remote,
        direction,
        joined,
        voice,
        on_hold,
        encryption,
        // The statistics name it.
        codec: _,
    } = state;
    let participant = live::Participant {
        id: id.0,
        conference: conference.0,
        room,
        conference_age: span(age),
        locked: lock == Lock::Locked,
        display_name,
        source_alias,
        destination_alias,
        call_id,
        vendor,
        remote,
        dialled: direction == CallDirection::Out,
        joined: joined.map(span),
        muted: voice == Voice::Muted,
        on_hold,
        encrypted: match encryption {
            Encryption::Unknown => None,
            Encryption::Off => Some(false),
            Encryption::On => Some(true),
        },
    };
    participant.cut()
}

/// Statistics as they are sent.
pub(super) fn statistics(statistics: call::MediaStatistics) -> live::MediaStatistics {
    let call::MediaStatistics { participant, received, sent } = statistics;
    live::MediaStatistics { participant: participant.0, received: received.map(stream), sent: stream(sent) }
}

fn stream(stream: call::StreamStatistics) -> live::Stream {
    let call::StreamStatistics { codec, packets, lost, jitter } = stream;
    let jitter_us = jitter.map(|jitter| u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX));
    live::Stream { codec: codec.name().into(), packets, lost, jitter_us }
}

fn span(duration: std::time::Duration) -> Span {
    Span(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// What a command does, for the log.
pub(super) fn text(action: &Action) -> String {
    match action {
        Action::Disconnect { participant } => format!("disconnect participant {participant}"),
        Action::SetMuted { participant, muted: true } => format!("mute participant {participant}"),
        Action::SetMuted { participant, muted: false } => format!("unmute participant {participant}"),
        Action::DisconnectAll { room } => format!("disconnect all of {room:?}"),
        Action::SetLocked { room, locked: true } => format!("lock {room:?}"),
        Action::SetLocked { room, locked: false } => format!("unlock {room:?}"),
        Action::Dial { room, destination, .. } => format!("dial {destination:?} into {room:?}"),
        Action::Unknown => "one that this release does not know".into(),
    }
}

/// Has the engine carry a command out. The participant that was dialled, if one was.
///
/// # Errors
/// Why not.
pub(super) fn perform(engine: &CallEngine, action: Action) -> Result<Option<Uuid>, Failure> {
    let room = |name: &str| RoomName::from(name);
    let done = match action {
        Action::Disconnect { participant } => engine.disconnect(ParticipantId(participant)),
        Action::SetMuted { participant, muted } => {
            engine.set_voice(ParticipantId(participant), if muted { Voice::Muted } else { Voice::Heard })
        }
        Action::DisconnectAll { room: name } => engine.disconnect_all(&room(&name)),
        Action::SetLocked { room: name, locked } => {
            engine.set_lock(&room(&name), if locked { Lock::Locked } else { Lock::Open })
        }
        Action::Dial { room: name, destination, display_name } => {
            let options = DialOptions { display_name, ..DialOptions::default() };
            let participant =
                dial(engine, &room(&name), &destination, &options).map_err(|error| not_dialled(&error))?;
            return Ok(Some(participant.0));
        }
        Action::Unknown => {
            let why = "the node's release does not know this command; upgrade the node".into();
            return Err(Failure { missing: false, why });
        }
    };
    done.map(|()| None).map_err(|error| not_done(&error))
}

/// Dials a URI, or the devices of an alias, or else who has that alias at its host.
fn dial(
    engine: &CallEngine,
    room: &RoomName,
    destination: &str,
    options: &DialOptions,
) -> Result<ParticipantId, DialError> {
    let to = |target| engine.dial(room, target, options.clone()).map(|call| call.participant());
    if has_scheme(destination) {
        return to(DialTarget::Uri(destination.into()));
    }
    match to(DialTarget::Device(destination.into())) {
        Err(DialError::NotRegistered(_)) if destination.contains('@') => {
            to(DialTarget::Uri(format!("sip:{destination}")))
        }
        dialled => dialled,
    }
}

fn has_scheme(destination: &str) -> bool {
    let scheme = destination.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips"))
}

fn not_done(error: &CommandError) -> Failure {
    let missing = match error {
        CommandError::NoParticipant | CommandError::NoConference => true,
        CommandError::Moving => false,
    };
    Failure { missing, why: error.to_string() }
}

fn not_dialled(error: &DialError) -> Failure {
    let mut why = error.to_string();
    cut(&mut why, REPORTED_TEXT);
    Failure { missing: false, why }
}
