//! Follows each participant over the nodes that show it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fleet::node::NodeId;
use fleet::time::{Span, Time, Wall};
use uuid::Uuid;
use wire::live::Departure;

use super::super::LiveParticipant;
use super::{ConferenceKey, InterruptedCall, Past, PastConference, PastParticipant};

/// How long a participant is waited for that no node shows and of which none has said why: a process that takes calls
/// over reports them within seconds.
const WAIT: Span = Span::minutes(1);
/// How much may wait to be stored: a minute at the fastest rate at which calls are stored. Of more, the first is lost.
const WAITING_TO_BE_STORED: usize = 60_000;

/// A participant that is not over.
#[derive(Debug)]
struct Present {
    room: String,
    /// When it was shown first.
    since: Wall,
    /// The nodes that show it.
    at: BTreeSet<NodeId>,
    /// What the last node that showed it has said of why it left.
    why: Option<Departure>,
    /// What was known of it when the last node stopped showing it.
    gone: Option<Box<Gone>>,
}

#[derive(Debug)]
struct Gone {
    since: Time,
    end: Wall,
    node: NodeId,
    last: LiveParticipant,
}

/// A conference that is not over.
#[derive(Debug)]
struct Open {
    key: ConferenceKey,
    /// Whether a past participant names it, so that its identifier stays.
    is_named: bool,
    members: usize,
    /// When somebody has left last.
    end: Wall,
}

/// The participants and conferences that are not over, and what is over and not stored yet.
#[derive(Debug, Default)]
pub(in crate::calls) struct Tracker {
    present: BTreeMap<Uuid, Present>,
    waited_for: VecDeque<(Time, Uuid)>,
    conferences: BTreeMap<String, Open>,
    /// Until then no conference is over: after a start the nodes still have to say who takes part.
    held_until: Option<Time>,
    over: VecDeque<Past>,
    lost: u64,
}

impl Tracker {
    /// The Management Node has started. These conferences were not over before, as far as their past participants say,
    /// and these calls neither; nodes have to say which of them go on.
    pub(in crate::calls) fn restore(
        &mut self,
        now: Time,
        open: Vec<PastConference>,
        interrupted: Vec<InterruptedCall>,
    ) {
        self.held_until = Some(now + WAIT);
        for PastConference { room, key, end } in open {
            self.conferences.insert(room, Open { key, is_named: true, members: 0, end });
        }
        for InterruptedCall { last, node, conference, since, heard } in interrupted {
            let (id, room) = (last.reported.id, last.reported.room.clone());
            let new = Open { key: conference, is_named: true, members: 0, end: heard };
            self.conferences.entry(room.clone()).or_insert(new).members += 1;
            let gone = Some(Box::new(Gone { since: now, end: heard, node, last }));
            self.present.insert(id, Present { room, since, at: BTreeSet::new(), why: None, gone });
            self.waited_for.push_back((now, id));
        }
    }

    /// The calls that are not over: those that nodes show, with when each was heard of last, and those that are waited
    /// for.
    pub(in crate::calls) fn interrupted<'a>(
        &'a self,
        live: impl Iterator<Item = (NodeId, &'a LiveParticipant, Wall)>,
    ) -> Vec<InterruptedCall> {
        let gone = self.present.values().filter_map(|present| present.gone.as_ref());
        let all: BTreeMap<Uuid, _> = gone
            .map(|gone| (gone.node, &gone.last, gone.end))
            .chain(live)
            .map(|(node, last, heard)| (last.reported.id, (node, last, heard)))
            .collect();
        let call = |(id, (node, last, heard)): (Uuid, (NodeId, &LiveParticipant, Wall))| {
            let present = self.present.get(&id)?;
            let conference = self.conferences.get(&present.room)?.key;
            Some(InterruptedCall { last: last.clone(), node, conference, since: present.since, heard })
        };
        all.into_iter().filter_map(call).collect()
    }

    /// A node shows a participant that it has not shown before.
    pub(in crate::calls) fn came(&mut self, node: NodeId, participant: &LiveParticipant, wall: Wall) {
        let LiveParticipant { reported, conference_began, .. } = participant;
        if let Some(present) = self.present.get_mut(&reported.id) {
            present.at.insert(node);
            present.gone = None;
            return;
        }
        let key = ConferenceKey { id: reported.conference, began: *conference_began };
        let new = Open { key, is_named: false, members: 0, end: wall };
        let conference = self.conferences.entry(reported.room.clone()).or_insert(new);
        conference.members += 1;
        if !conference.is_named && key.began < conference.key.began {
            conference.key = key;
        }
        let (room, at) = (reported.room.clone(), BTreeSet::from([node]));
        self.present.insert(reported.id, Present { room, since: wall, at, why: None, gone: None });
    }

    /// A node does not show a participant any more, which it has shown until `end`; `why` is none if it may go on
    /// elsewhere.
    pub(in crate::calls) fn left(
        &mut self,
        (node, last): (NodeId, LiveParticipant),
        end: Wall,
        why: Option<Departure>,
        now: Time,
    ) {
        let id = last.reported.id;
        let Some(present) = self.present.get_mut(&id) else { return };
        present.at.remove(&node);
        // Why it left one node says nothing of the others that show it.
        if !present.at.is_empty() {
            return;
        }
        present.why = why;
        present.gone = Some(Box::new(Gone { since: now, end, node, last }));
        match present.why {
            Some(_) => self.end(id),
            None => self.waited_for.push_back((now, id)),
        }
    }

    /// Ends what was waited for long enough.
    pub(in crate::calls) fn settle(&mut self, now: Time) {
        while let Some((since, id)) = self.waited_for.pop_front_if(|(since, _)| *since + WAIT <= now) {
            let gone = self.present.get(&id).and_then(|present| present.gone.as_ref());
            if gone.is_some_and(|gone| gone.since == since) {
                self.end(id);
            }
        }
        if self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
            let rooms: Vec<String> = self.conferences.keys().cloned().collect();
            rooms.iter().for_each(|room| self.end_if_empty(room));
        }
    }

    /// Takes what is over and not stored yet, so many at most, and how many were lost before because too many waited.
    pub(in crate::calls) fn take_over(&mut self, at_most: usize) -> (Vec<Past>, u64) {
        let count = self.over.len().min(at_most);
        (self.over.drain(..count).collect(), std::mem::take(&mut self.lost))
    }

    fn end(&mut self, id: Uuid) {
        let Some(Present { room, since, at: _, why, gone: Some(gone) }) = self.present.remove(&id) else {
            return;
        };
        let Some(conference) = self.conferences.get_mut(&room) else { return };
        let Gone { since: _, end, node, last } = *gone;
        let start = last.joined_at.unwrap_or(since);
        let end = end.max(start);
        conference.members -= 1;
        conference.is_named = true;
        conference.end = conference.end.max(end);
        let conference = conference.key;
        self.add(Past::Participant(Box::new(PastParticipant { last, node, conference, start, end, why })));
        if self.held_until.is_none() {
            self.end_if_empty(&room);
        }
    }

    fn end_if_empty(&mut self, room: &str) {
        if self.conferences.get(room).is_some_and(|conference| conference.members == 0)
            && let Some((room, Open { key, end, .. })) = self.conferences.remove_entry(room)
        {
            self.add(Past::Conference(PastConference { room, key, end: end.max(key.began) }));
        }
    }

    fn add(&mut self, past: Past) {
        if self.over.len() >= WAITING_TO_BE_STORED {
            self.over.pop_front();
            self.lost += 1;
        }
        self.over.push_back(past);
    }
}
