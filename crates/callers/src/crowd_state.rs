//! The state of a crowd: which callers dial, which calls are active in which seat, and the call log.
//!
//! Plain data behind one lock. Nothing here waits or does I/O.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::call_log::{CallLog, CallRecord, GivenUp, MissingTone, Refusal};
use crate::caller::Attempt;
use crate::crowd::Shared;
use crate::dial::CallId;
use crate::live::{Ended, LiveCall};
use crate::plan::Occupancy;
use crate::roster::{Conference, Listener, Roster};
use crate::time::Time;
use crate::tone::Tone;

/// A seat in a conference: the caller's tone and Call-ID.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) id: CallId,
    pub(crate) tone: Tone,
}

/// The state of a crowd.
#[derive(Default)]
pub(crate) struct CrowdState {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    callers: u64,
    /// The number of callers without a call: dialling, or pausing after all nodes have refused.
    dialling: usize,
    roster: Roster<LiveCall>,
    active: BTreeMap<CallId, ActiveCall>,
    log: CallLog,
}

struct ActiveCall {
    call: LiveCall,
    conference: Conference,
    hang_up: CancellationToken,
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

impl CrowdState {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next caller if fewer than `wanted` are active or dialling.
    pub(crate) fn caller_wanted(&self, wanted: usize) -> Option<u64> {
        let mut inner = self.lock();
        if inner.alive() + inner.dialling >= wanted {
            return None;
        }
        inner.dialling += 1;
        inner.callers += 1;
        Some(inner.callers)
    }

    /// The number of an additional caller: one with a pinned call.
    pub(crate) fn next_caller(&self) -> u64 {
        let mut inner = self.lock();
        inner.dialling += 1;
        inner.callers += 1;
        inner.callers
    }

    /// Takes a seat for an attempt; `None` if the room is full.
    pub(crate) fn seat(&self, attempt: &Attempt, crowd: &Shared) -> Option<Seat> {
        let conference = (attempt.node.name.clone(), attempt.alias.clone());
        let mut inner = self.lock();
        let taken = inner.roster.occupancy().get(&conference).copied().unwrap_or(0);
        if taken >= crowd.seats(&attempt.alias) {
            return None;
        }
        let id = crowd.call_id(attempt);
        let tone = inner.roster.seat(&conference, &id, crowd.clock.now())?;
        Some(Seat { id, tone })
    }

    /// Releases the seat of an attempt that failed.
    pub(crate) fn release_seat(&self, attempt: &Attempt, seat: &Seat, at: Time) {
        let conference = (attempt.node.name.clone(), attempt.alias.clone());
        self.lock().roster.leave(&conference, &seat.id, at);
    }

    /// Counts a caller without a call as gone.
    pub(crate) fn stopped_dialling(&self) {
        let mut inner = self.lock();
        inner.dialling = inner.dialling.saturating_sub(1);
    }

    /// Records that all nodes have refused a caller.
    pub(crate) fn note_given_up(&self, given_up: GivenUp) {
        self.lock().log.given_up.push(given_up);
    }

    /// Records that an attempt was answered.
    pub(crate) fn answered(&self, attempt: &Attempt, call: &LiveCall, refused_before: Vec<Refusal>) {
        let conference = (attempt.node.name.clone(), attempt.alias.clone());
        let settings = call.settings();
        let record = CallRecord {
            id: settings.id.clone(),
            node: attempt.node.name.clone(),
            room: attempt.alias.clone(),
            transport: settings.target.transport,
            tone: settings.tone,
            kind: attempt.kind,
            answered: call.answered_at(),
            ended: None,
            refused_before,
            sound: call.sound(),
            own_stall: call.own_stall(),
        };
        let mut inner = self.lock();
        inner.dialling = inner.dialling.saturating_sub(1);
        inner.roster.answered(&conference, call.id(), call.answered_at(), call.clone());
        inner.log.calls.insert(call.id().clone(), record);
        let active =
            ActiveCall { call: call.clone(), conference, hang_up: CancellationToken::new(), leaving: false };
        inner.active.insert(call.id().clone(), active);
        inner.log.most_alive = inner.log.most_alive.max(inner.alive());
    }

    /// Records that a call began to end at `at`: from then on no caller has to hear it.
    pub(crate) fn leaves(&self, id: &CallId, at: Time) {
        let mut inner = self.lock();
        inner.judge();
        let Some(active) = inner.active.get_mut(id) else { return };
        active.leaving = true;
        let conference = active.conference.clone();
        inner.roster.leave(&conference, id, at);
    }

    /// Records how a call has ended.
    pub(crate) fn over(&self, call: &LiveCall, ended: Ended) {
        let mut inner = self.lock();
        inner.judge();
        inner.active.remove(call.id());
        if let Some(record) = inner.log.calls.get_mut(call.id()) {
            record.ended = Some(ended);
        }
    }

    /// Whether a call may end without the crowd falling below the minimum. If so, it counts as gone at once, so that
    /// two calls never use the same surplus.
    pub(crate) fn may_leave(&self, id: &CallId, minimum: usize) -> bool {
        let mut inner = self.lock();
        let may = inner.alive() > minimum;
        if let Some(active) = inner.active.get_mut(id).filter(|_| may) {
            active.leaving = true;
        }
        may
    }

    /// The token that is cancelled when a hang-up of the call is requested.
    pub(crate) fn hang_up_request(&self, id: &CallId) -> CancellationToken {
        self.lock().active.get(id).map(|active| active.hang_up.clone()).unwrap_or_default()
    }

    /// Requests a hang-up of a call.
    pub(crate) fn request_hang_up(&self, id: &CallId) -> Option<LiveCall> {
        let inner = self.lock();
        let active = inner.active.get(id)?;
        active.hang_up.cancel();
        Some(active.call.clone())
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.lock().roster.occupancy()
    }

    pub(crate) fn alive(&self) -> usize {
        self.lock().alive()
    }

    /// Updates the call log from all active calls.
    pub(crate) fn judge(&self) {
        self.lock().judge();
    }

    /// Records the fewest active calls, beginning when the minimum was reached for the first time.
    pub(crate) fn note_population(&self, minimum: usize) {
        let mut inner = self.lock();
        let alive = inner.alive();
        match &mut inner.log.fewest_alive {
            Some(fewest) => *fewest = alive.min(*fewest),
            none if alive >= minimum => *none = Some(alive),
            None => {}
        }
    }

    pub(crate) fn log(&self) -> CallLog {
        self.lock().log.clone()
    }
}

impl Inner {
    fn alive(&self) -> usize {
        self.active.values().filter(|active| !active.leaving).count()
    }

    fn judge(&mut self) {
        for (id, active) in &self.active {
            for missing in active.call.judge() {
                self.log.note_missing(MissingTone {
                    node: active.conference.0.clone(),
                    room: active.conference.1.clone(),
                    listener: id.clone(),
                    speaker: self.roster.owner(&active.conference, missing.tone),
                    missing,
                });
            }
            if let Some(record) = self.log.calls.get_mut(id) {
                record.sound = active.call.sound();
                record.own_stall = active.call.own_stall();
            }
        }
    }
}
