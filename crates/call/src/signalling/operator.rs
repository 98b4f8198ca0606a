//! What an operator sees of the participants, and does to them and to their conferences.

use crate::audio::Participant;
use crate::participants::{
    CommandError, Conference, Lock, ParticipantChanges, ParticipantId, ParticipantState, Voice,
};
use crate::rooms::RoomName;
use crate::time::Time;

use super::agent::UserAgent;
use super::call::{Call, Media, Progress};
use super::ending::End;
use super::input::Output;
use super::member::MemberIds;
use super::roster::{Change, Visible};

impl UserAgent {
    /// Rises with every change of what [`Self::participants`] shows.
    pub(crate) fn participant_revision(&self) -> u64 {
        self.roster.revision()
    }

    /// What has changed of the participants since a revision, so many changes at most.
    pub(crate) fn participants(&self, now: Time, since: u64, at_most: usize) -> ParticipantChanges {
        let (since, to, changes) = self.roster.changes(since, at_most);
        let mut answer = ParticipantChanges { since, to, ..ParticipantChanges::default() };
        for change in changes {
            match change {
                Change::Changed(call) => {
                    answer.changed.extend(self.calls.get(call).and_then(|call| self.state_of(now, call)));
                }
                Change::Removed(removal) => answer.removed.push(removal),
            }
        }
        answer
    }

    fn state_of(&self, now: Time, call: &Call) -> Option<ParticipantState> {
        let visible = Visible::of(call)?;
        let conference = self.roster.conference(&call.room)?;
        let member = &call.member;
        Some(ParticipantState {
            id: member.id,
            conference: Conference {
                id: conference.id,
                room: call.room.to_string(),
                age: now.since(conference.began),
                lock: conference.lock,
            },
            display_name: member.display_name.clone(),
            source_alias: member.source_alias.clone(),
            destination_alias: member.destination_alias.clone(),
            call_id: call.dialog.as_ref().map(|dialog| dialog.call_id().to_owned()).unwrap_or_default(),
            vendor: member.vendor.clone(),
            remote: visible.remote,
            direction: member.direction,
            joined: visible.joined.map(|joined| now.since(joined)),
            voice: visible.voice,
            on_hold: visible.on_hold,
            encryption: visible.encryption,
            codec: visible.codec,
        })
    }

    /// The name of the participant of a call.
    pub(crate) fn participant_of(&self, call: Participant) -> Option<ParticipantId> {
        self.calls.get(call).map(|call| call.member.id)
    }

    /// Names for a participant of a conference, which may have a name already.
    pub(super) fn member_ids(&mut self, room: &RoomName) -> MemberIds {
        let participant = self.random.participant();
        let conference = self.roster.conference(room).map(|conference| conference.id);
        MemberIds { participant, conference: conference.unwrap_or_else(|| self.random.conference()) }
    }

    /// Takes in a new call.
    pub(super) fn add_call(&mut self, call: Call) {
        self.roster.note(self.time(), &call);
        self.calls.insert(call);
    }

    /// Ends the call of a participant.
    ///
    /// # Errors
    /// There is none, or it is moving; nothing has changed then.
    pub(crate) fn disconnect(
        &mut self,
        now: Time,
        id: ParticipantId,
    ) -> (Result<(), CommandError>, Vec<Output>) {
        self.advance_to(now);
        let disconnected = match self.roster.find(id) {
            Some(call) => self.disconnect_call(call, End::ByOperator),
            None => Err(CommandError::NoParticipant),
        };
        (disconnected, self.finish())
    }

    fn disconnect_call(&mut self, call: Participant, end: End) -> Result<(), CommandError> {
        let ended = self.with_call(call, |agent, call| {
            if matches!(call.progress, Progress::Exported { .. } | Progress::Importing(_)) {
                return Err(CommandError::Moving);
            }
            agent.end(call, end);
            Ok(())
        });
        ended.unwrap_or(Err(CommandError::NoParticipant))
    }

    /// Ends all calls of a conference. Those that are moving go on.
    ///
    /// # Errors
    /// Nobody is in it.
    pub(crate) fn disconnect_all(
        &mut self,
        now: Time,
        room: &RoomName,
    ) -> (Result<(), CommandError>, Vec<Output>) {
        self.advance_to(now);
        let calls = self.calls_in(room);
        let outcomes: Vec<_> =
            calls.into_iter().map(|call| self.disconnect_call(call, End::WithConference)).collect();
        let failed = outcomes.iter().find_map(|outcome| outcome.err());
        let outcome =
            if outcomes.is_empty() { Err(CommandError::NoConference) } else { failed.map_or(Ok(()), Err) };
        (outcome, self.finish())
    }

    /// Has the others hear a participant no longer, or again. The far end stays in the call and hears the others.
    ///
    /// # Errors
    /// There is no such participant.
    pub(crate) fn set_voice(
        &mut self,
        now: Time,
        id: ParticipantId,
        voice: Voice,
    ) -> (Result<(), CommandError>, Vec<Output>) {
        self.advance_to(now);
        let call = self.roster.find(id);
        let set = call.and_then(|call| {
            self.with_call(call, |agent, call| {
                call.member.voice = voice;
                if call.media == Media::Leg {
                    agent.outputs.push(Output::SetVoice { call: call.id, voice });
                }
            })
        });
        (set.ok_or(CommandError::NoParticipant), self.finish())
    }

    /// Locks or unlocks a conference. It is unlocked when its last participant has left.
    ///
    /// # Errors
    /// Nobody is in it.
    pub(crate) fn set_lock(&mut self, room: &RoomName, lock: Lock) -> Result<(), CommandError> {
        if self.roster.set_lock(room, lock) { Ok(()) } else { Err(CommandError::NoConference) }
    }
}
