//! Which participants are shown, and what has changed of them since a revision.
//!
//! The revision rises with every change that whoever shows participants could see, and with no other: an idle node
//! reads one number. It relies on the user agent to note each call that was touched.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::audio::{Codec, Participant};
use crate::participants::{ConferenceId, Departure, Encryption, Lock, ParticipantId, Removal, Voice};
use crate::rooms::RoomName;
use crate::sdp::{Negotiation, Security};
use crate::time::Time;

use super::call::{Call, Progress, Purpose};
use super::member::Before;

/// How many participants that have left are remembered, so that a reader that is behind by less receives the
/// difference. It is twice the calls of a large node; at 100 bytes each it is less than half a megabyte.
const REMOVALS: usize = 4096;

/// What of a call is shown and may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visible {
    pub(super) joined: Option<Time>,
    pub(super) voice: Voice,
    pub(super) on_hold: bool,
    pub(super) encryption: Encryption,
    pub(super) codec: Option<Codec>,
    pub(super) remote: SocketAddr,
    has_dialog: bool,
}

impl Visible {
    /// `None` for a call that is not shown: the engine's own, one that has left, and one that is another process's still.
    pub(super) fn of(call: &Call) -> Option<Visible> {
        let is_elsewhere = matches!(call.progress, Progress::Importing(_));
        if call.purpose == Purpose::Probe || call.has_left() || is_elsewhere {
            return None;
        }
        let agreed = call.negotiation.as_ref().and_then(Negotiation::agreed);
        Some(Visible {
            joined: call.member.joined,
            voice: call.member.voice,
            on_hold: agreed.is_some_and(|agreed| agreed.held),
            encryption: agreed.map_or(Encryption::Unknown, |agreed| match agreed.security {
                Security::Plain => Encryption::Off,
                Security::Keys(_) | Security::Handshake(_) => Encryption::On,
            }),
            codec: agreed.map(|agreed| agreed.codec),
            remote: call.flow.remote,
            has_dialog: call.dialog.is_some(),
        })
    }
}

/// A participant that is shown.
#[derive(Clone, Debug)]
struct Entry {
    id: ParticipantId,
    room: RoomName,
    visible: Visible,
    revision: u64,
}

/// A conference that somebody is in.
#[derive(Clone, Debug)]
pub(super) struct Conference {
    pub(super) id: ConferenceId,
    pub(super) began: Time,
    pub(super) lock: Lock,
    members: usize,
}

/// One change, for whoever is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A participant is new or has changed.
    Changed(Participant),
    /// One has left.
    Removed(Removal),
}

/// Why a call is shown no longer.
fn departure(call: &Call) -> Option<Departure> {
    if matches!(call.progress, Progress::Moved { .. }) {
        return Some(Departure::Moved);
    }
    call.member.departure
}

/// The participants that are shown.
#[derive(Debug, Default)]
pub(super) struct Roster {
    revision: u64,
    shown: BTreeMap<Participant, Entry>,
    by_id: BTreeMap<ParticipantId, Participant>,
    by_revision: BTreeMap<u64, Participant>,
    removed: VecDeque<(u64, Removal)>,
    /// What has left up to this revision is not remembered.
    forgotten: u64,
    conferences: BTreeMap<RoomName, Conference>,
}

impl Roster {
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The call of a participant that is shown.
    pub(super) fn find(&self, id: ParticipantId) -> Option<Participant> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn conference(&self, room: &RoomName) -> Option<&Conference> {
        self.conferences.get(room)
    }

    pub(super) fn is_locked(&self, room: &RoomName) -> bool {
        self.conferences.get(room).is_some_and(|conference| conference.lock == Lock::Locked)
    }

    /// A call was touched: takes over what is to be seen of it.
    pub(super) fn note(&mut self, now: Time, call: &Call) {
        let before = self.shown.get(&call.id).map(|entry| entry.visible);
        match Visible::of(call) {
            visible if visible == before => {}
            None => self.remove(call.id, departure(call)),
            Some(visible) => {
                if before.is_none() {
                    self.enter(now, call);
                }
                let (id, room) = (call.member.id, call.room.clone());
                let entry = self.shown.entry(call.id).or_insert(Entry { id, room, visible, revision: 0 });
                entry.visible = visible;
                self.touch(call.id);
            }
        }
    }

    fn enter(&mut self, now: Time, call: &Call) {
        let id = call.member.conference;
        let new = Conference { id, began: now, lock: Lock::Open, members: 0 };
        let conference = self.conferences.entry(call.room.clone()).or_insert(new);
        conference.members += 1;
        // All its calls come from there, with the same lock.
        if let Some(Before { began, lock }) = call.member.before {
            conference.began = conference.began.min(began);
            conference.lock = if lock == Lock::Locked { lock } else { conference.lock };
        }
        self.by_id.insert(call.member.id, call.id);
    }

    fn remove(&mut self, call: Participant, departure: Option<Departure>) {
        let Some(Entry { id, room, revision, .. }) = self.shown.remove(&call) else { return };
        self.by_id.remove(&id);
        self.by_revision.remove(&revision);
        self.revision += 1;
        self.removed.push_back((self.revision, Removal { id, departure }));
        if self.removed.len() > REMOVALS {
            self.forgotten = self.removed.pop_front().map_or(self.forgotten, |(revision, _)| revision);
        }
        if let Some(conference) = self.conferences.get_mut(&room) {
            conference.members -= 1;
            if conference.members == 0 {
                self.conferences.remove(&room);
            }
        }
    }

    fn touch(&mut self, call: Participant) {
        let Some(entry) = self.shown.get_mut(&call) else { return };
        self.revision += 1;
        self.by_revision.remove(&entry.revision);
        self.by_revision.insert(self.revision, call);
        entry.revision = self.revision;
    }

    /// Locks or unlocks a conference. False when nobody is in it.
    pub(super) fn set_lock(&mut self, room: &RoomName, lock: Lock) -> bool {
        let Some(conference) = self.conferences.get_mut(room) else { return false };
        if conference.lock != lock {
            conference.lock = lock;
            let shown = self.shown.iter().filter(|(_, entry)| entry.room == *room);
            let members: Vec<_> = shown.map(|(call, _)| *call).collect();
            members.into_iter().for_each(|call| self.touch(call));
        }
        true
    }

    /// What has changed since a revision, so many changes at most, in order: the revision that they really follow, the
    /// one that they lead to, and the changes. What is too far behind, or was never reached, begins with nothing.
    pub(super) fn changes(&self, since: u64, at_most: usize) -> (u64, u64, Vec<Change>) {
        let since = if (self.forgotten..=self.revision).contains(&since) { since } else { 0 };
        // One more of each than is wanted shows whether there are more.
        let changed = self.by_revision.range(since + 1..).take(at_most.saturating_add(1));
        let changed = changed.map(|(revision, call)| (*revision, Change::Changed(*call)));
        let known = self.removed.partition_point(|(revision, _)| since == 0 || *revision <= since);
        let removed = self.removed.range(known..).take(at_most.saturating_add(1));
        let removed = removed.map(|(revision, removal)| (*revision, Change::Removed(*removal)));
        let mut changes: Vec<_> = changed.chain(removed).collect();
        changes.sort_unstable_by_key(|(revision, _)| *revision);
        let is_cut = changes.len() > at_most;
        changes.truncate(at_most);
        let last = changes.last().filter(|_| is_cut).map(|(revision, _)| *revision);
        (since, last.unwrap_or(self.revision), changes.into_iter().map(|(_, change)| change).collect())
    }
}
