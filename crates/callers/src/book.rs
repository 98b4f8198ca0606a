//! The crowd's book: who talks, who dials, who sits where, and the ledger that grows from it. One
//! lock around plain data; nothing here waits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::crowd::Shared;
use crate::dial::CallId;
use crate::ledger::{CallRecord, GivenUp, Ledger, MissingTone, Refusal};
use crate::live::{Ended, LiveCall};
use crate::person::Visit;
use crate::plan::Occupancy;
use crate::roster::{Conference, Listener, Roster};
use crate::time::Time;
use crate::tone::Tone;

/// A seat in a conference: the tone to send, under the Call-ID to use.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) id: CallId,
    pub(crate) tone: Tone,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    people: u64,
    /// People on their way to a call: dialling, or resting after all nodes refused.
    dialling: usize,
    roster: Roster<LiveCall>,
    talking: BTreeMap<CallId, Talk>,
    ledger: Ledger,
}

struct Talk {
    call: LiveCall,
    conference: Conference,
    told: CancellationToken,
    leaving: bool,
}

impl Listener for LiveCall {
    fn expect(&self, tone: Tone, since: Time) {
        LiveCall::expect(self, tone, since);
    }
    fn allow(&self, tone: Tone) {
        LiveCall::allow(self, tone);
    }
    fn excuse(&self, tone: Tone, at: Time) {
        LiveCall::excuse(self, tone, at);
    }
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next person when fewer than `wanted` talk or dial.
    pub(crate) fn person_wanted(&self, wanted: usize) -> Option<u64> {
        let mut pages = self.pages();
        if pages.alive() + pages.dialling >= wanted {
            return None;
        }
        pages.dialling += 1;
        pages.people += 1;
        Some(pages.people)
    }

    /// The number of a person who comes without being wanted: one with a pinned call.
    pub(crate) fn next_person(&self) -> u64 {
        let mut pages = self.pages();
        pages.dialling += 1;
        pages.people += 1;
        pages.people
    }

    /// A seat for the visit, unless the room is full.
    pub(crate) fn seat(&self, visit: &Visit, crowd: &Shared) -> Option<Seat> {
        let conference = (visit.node.name.clone(), visit.alias.clone());
        let mut pages = self.pages();
        let taken = pages.roster.occupancy().get(&conference).copied().unwrap_or(0);
        if taken >= crowd.seats(&visit.alias) {
            return None;
        }
        let id = crowd.call_id(visit);
        let tone = pages.roster.seat(&conference, &id, crowd.clock.now())?;
        Some(Seat { id, tone })
    }

    /// The visit came to nothing.
    pub(crate) fn give_back(&self, visit: &Visit, seat: &Seat, at: Time) {
        let conference = (visit.node.name.clone(), visit.alias.clone());
        self.pages().roster.leave(&conference, &seat.id, at);
    }

    /// The person gave up and makes room for another.
    pub(crate) fn gave_up(&self) {
        let mut pages = self.pages();
        pages.dialling = pages.dialling.saturating_sub(1);
    }

    pub(crate) fn note_given_up(&self, given_up: GivenUp) {
        self.pages().ledger.given_up.push(given_up);
    }

    /// The visit is a call now.
    pub(crate) fn answered(&self, visit: &Visit, call: &LiveCall, refused_before: Vec<Refusal>) {
        let conference = (visit.node.name.clone(), visit.alias.clone());
        let settings = call.settings();
        let record = CallRecord {
            id: settings.id.clone(),
            node: visit.node.name.clone(),
            room: visit.alias.clone(),
            transport: settings.target.transport,
            tone: settings.tone,
            kind: visit.kind,
            answered: call.answered_at(),
            ended: None,
            refused_before,
            sound: call.sound(),
            own_stall: call.own_stall(),
        };
        let mut pages = self.pages();
        pages.dialling = pages.dialling.saturating_sub(1);
        pages.roster.answered(&conference, call.id(), call.answered_at(), call.clone());
        pages.ledger.calls.insert(call.id().clone(), record);
        let talk = Talk { call: call.clone(), conference, told: CancellationToken::new(), leaving: false };
        pages.talking.insert(call.id().clone(), talk);
        pages.ledger.most_alive = pages.ledger.most_alive.max(pages.alive());
    }

    /// The call began to end at `at`: nobody is judged by it from here on.
    pub(crate) fn leaves(&self, id: &CallId, at: Time) {
        let mut pages = self.pages();
        pages.judge();
        let Some(talk) = pages.talking.get_mut(id) else { return };
        talk.leaving = true;
        let conference = talk.conference.clone();
        pages.roster.leave(&conference, id, at);
    }

    /// The call is over.
    pub(crate) fn over(&self, call: &LiveCall, ended: Ended) {
        let mut pages = self.pages();
        pages.judge();
        pages.talking.remove(call.id());
        if let Some(record) = pages.ledger.calls.get_mut(call.id()) {
            record.ended = Some(ended);
        }
    }

    /// Whether a caller whose time is up may go without the crowd falling below the minimum; if so,
    /// it counts as gone from here on, so that two do not take the same leave.
    pub(crate) fn may_leave(&self, id: &CallId, minimum: usize) -> bool {
        let mut pages = self.pages();
        let may = pages.alive() > minimum;
        if let Some(talk) = pages.talking.get_mut(id).filter(|_| may) {
            talk.leaving = true;
        }
        may
    }

    /// The sign for a call to leave.
    pub(crate) fn told(&self, id: &CallId) -> CancellationToken {
        self.pages().talking.get(id).map(|talk| talk.told.clone()).unwrap_or_default()
    }

    /// Gives a call the sign to leave.
    pub(crate) fn tell_to_leave(&self, id: &CallId) -> Option<LiveCall> {
        let pages = self.pages();
        let talk = pages.talking.get(id)?;
        talk.told.cancel();
        Some(talk.call.clone())
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.pages().roster.occupancy()
    }

    pub(crate) fn alive(&self) -> usize {
        self.pages().alive()
    }

    /// Brings the ledger up to this moment.
    pub(crate) fn judge(&self) {
        self.pages().judge();
    }

    /// Notes how few talk, once enough have.
    pub(crate) fn note_population(&self, minimum: usize) {
        let mut pages = self.pages();
        let alive = pages.alive();
        match &mut pages.ledger.fewest_alive {
            Some(fewest) => *fewest = alive.min(*fewest),
            none if alive >= minimum => *none = Some(alive),
            None => {}
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.pages().ledger.clone()
    }
}

impl Pages {
    fn alive(&self) -> usize {
        self.talking.values().filter(|talk| !talk.leaving).count()
    }

    fn judge(&mut self) {
        for (id, talk) in &self.talking {
            for missing in talk.call.judge() {
                self.ledger.note_missing(MissingTone {
                    node: talk.conference.0.clone(),
                    room: talk.conference.1.clone(),
                    listener: id.clone(),
                    speaker: self.roster.owner(&talk.conference, missing.tone),
                    missing,
                });
            }
            if let Some(record) = self.ledger.calls.get_mut(id) {
                record.sound = talk.call.sound();
                record.own_stall = talk.call.own_stall();
            }
        }
    }
}
