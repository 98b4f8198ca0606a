//! The calls that there are, with their deadlines and their count.

use std::collections::{BTreeMap, BTreeSet};

use sip::transport::flow::{Connection, Link};

use crate::audio::Participant;
use crate::time::Time;

use super::call::Call;

/// All calls. A call is counted from its admission until its signalling and its media are gone, or another process has
/// taken it over.
#[derive(Debug, Default)]
pub(super) struct CallTable {
    last: u64,
    // Boxed, because a call is taken out and put back at every event.
    all: BTreeMap<Participant, Box<Call>>,
    deadlines: BTreeSet<(Time, Participant)>,
    /// The callers' calls of this node, the oldest first.
    counted: BTreeSet<(Time, Participant)>,
}

impl CallTable {
    /// The identifier of the next call. None is given twice.
    pub(super) fn next_id(&mut self) -> Participant {
        self.last += 1;
        Participant(self.last)
    }

    /// Takes in a new call.
    pub(super) fn insert(&mut self, call: Call) {
        self.put(Box::new(call));
    }

    /// Takes a call out to change it. [`Self::put`] is owed.
    pub(super) fn take(&mut self, id: Participant) -> Option<Box<Call>> {
        let call = self.all.remove(&id)?;
        call.deadline().map(|at| self.deadlines.remove(&(at, id)));
        Some(call)
    }

    /// Puts a call back. One that is over is returned and no longer counted.
    pub(super) fn put(&mut self, call: Box<Call>) -> Option<Box<Call>> {
        if call.is_counted() {
            self.counted.insert((call.began, call.id));
        } else {
            self.counted.remove(&(call.began, call.id));
        }
        if call.is_over() {
            return Some(call);
        }
        self.deadlines.extend(call.deadline().map(|at| (at, call.id)));
        self.all.insert(call.id, call);
        None
    }

    pub(super) fn get(&self, id: Participant) -> Option<&Call> {
        self.all.get(&id).map(Box::as_ref)
    }

    pub(super) fn ids(&self) -> Vec<Participant> {
        self.all.keys().copied().collect()
    }

    /// The calls that have media, and what they have.
    #[cfg(feature = "fuzz")]
    pub(super) fn media(&self) -> impl Iterator<Item = (Participant, super::call::Media)> {
        let media = self.all.values().map(|call| (call.id, call.media));
        media.filter(|(_, media)| *media != super::call::Media::None)
    }

    /// The callers' calls of this node.
    pub(super) fn callers(&self) -> impl Iterator<Item = &Call> {
        self.counted.iter().filter_map(|(_, id)| self.all.get(id)).map(Box::as_ref)
    }

    /// How many callers' calls there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.counted.len()).unwrap_or(u32::MAX)
    }

    /// When the oldest callers' call began.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.counted.first().map(|(began, _)| *began)
    }

    /// The next deadline of a call.
    pub(super) fn next_deadline(&self) -> Option<(Time, Participant)> {
        self.deadlines.first().copied()
    }

    /// The connections that calls use.
    pub(super) fn connections(&self) -> BTreeSet<Connection> {
        let links = self.all.values().map(|call| call.flow.link);
        links
            .filter_map(|link| match link {
                Link::Connection(_, connection) => Some(connection),
                Link::Datagrams => None,
            })
            .collect()
    }
}
