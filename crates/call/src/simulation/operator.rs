//! An operator: follows the participants by their changes, a few at a time, and mutes one of them.

use std::collections::BTreeMap;

use crate::participants::{ParticipantId, ParticipantState, Voice};

use super::caller::State;
use super::sabotage::Sabotage;
use super::world::{CALLERS, World};

/// How many changes are taken over at once.
const FEW: usize = 2;
/// More participants than there can be.
const ALL: usize = 1000;

/// The participants as their changes have it.
#[derive(Debug, Default)]
pub(super) struct Followed {
    revision: u64,
    participants: BTreeMap<ParticipantId, ParticipantState>,
}

impl World {
    /// Takes over what has changed of the participants. It must lead to those that there are.
    pub(super) fn follow(&mut self) -> Result<(), String> {
        if self.followed.revision == self.agent.participant_revision() {
            return Ok(());
        }
        let now = crate::time::Time(self.now);
        while self.followed.revision != self.agent.participant_revision() {
            let changes = self.agent.participants(now, self.followed.revision, FEW);
            let known = &mut self.followed.participants;
            if self.sabotage != Sabotage::ForgetRemovals {
                changes.removed.iter().for_each(|removal| drop(known.remove(&removal.id)));
            }
            known.extend(changes.changed.into_iter().map(|state| (state.id, state)));
            self.followed.revision = changes.to;
        }
        let shown = self.agent.participants(now, 0, ALL).changed;
        let is_same = |state: &ParticipantState| {
            self.followed.participants.get(&state.id).is_some_and(|known| visible(known) == visible(state))
        };
        let (followed, calls) =
            (self.followed.participants.len(), self.agent.calls_in(&"Meeting".into()).len());
        if shown.iter().all(is_same) && followed == shown.len() && shown.len() == calls {
            return Ok(());
        }
        Err(format!("at {now:?} {followed} participants are shown of {} in {calls} calls", shown.len()))
    }

    /// A caller is muted: nobody hears it, and it hears all others. Then it is heard again.
    pub(super) fn mute(&mut self) -> Result<(), String> {
        let first = (self.random.next() % CALLERS as u64) as usize;
        let numbers = (first..CALLERS).chain(0..first);
        let is_up = |number: &usize| self.callers[*number].state == State::Up;
        let Some(number) = numbers.into_iter().find(is_up) else { return Ok(()) };
        self.see("muted caller");
        for voice in [Voice::Muted, Voice::Heard] {
            let call_id = &self.callers[number].phone.call_id;
            let of_caller = |state: &&ParticipantState| state.call_id == *call_id;
            let Some(id) = self.followed.participants.values().find(of_caller).map(|state| state.id) else {
                return Err(format!("at {} ms caller {number} is not shown", self.now));
            };
            self.callers[number].is_muted = voice == Voice::Muted;
            self.act(|agent, now| agent.set_voice(now, id, voice).1)?;
            self.play()?;
        }
        Ok(())
    }
}

/// What is shown and does not change by itself.
fn visible(state: &ParticipantState) -> impl PartialEq {
    (state.voice, state.on_hold, state.encryption, state.codec, state.remote, state.joined.is_some())
}
