//! The Virtual Meeting Rooms as the nodes receive them, with what has changed lately.
//!
//! They are kept in memory beside the store, so that 10,000 nodes do not each read them from the disk. A node that was
//! connected is sent what has changed since its revision, so that a change costs the same in a large platform as in a
//! small one; any other node is sent all of them.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;
use wire::{Configuration, ConfigurationChange};

/// How many of the last changes are kept, for nodes that were away for a moment.
const CHANGES: usize = 64;

/// How many rooms a change may name: one that has most of them saves nothing.
const ROOMS_IN_A_CHANGE: usize = 1_000;

/// The rooms in memory.
#[derive(Debug)]
pub(crate) struct Rooms(RwLock<Recent>);

#[derive(Debug)]
struct Recent {
    current: Arc<Configuration>,
    /// The last changes, which lead to the current rooms.
    changes: VecDeque<ConfigurationChange>,
}

/// What a node is sent of the rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoomsToSend {
    /// It has them.
    Nothing,
    /// What has changed since its revision.
    Change(ConfigurationChange),
    /// All of them.
    All(Arc<Configuration>),
}

impl Rooms {
    pub(crate) fn new(configuration: Configuration) -> Self {
        let (current, changes) = (Arc::new(configuration), VecDeque::new());
        Self(RwLock::new(Recent { current, changes }))
    }

    pub(crate) fn current(&self) -> Arc<Configuration> {
        self.0.read().current.clone()
    }

    /// Replaces the configuration by the one that was committed after it.
    pub(crate) fn replace(&self, configuration: Configuration) {
        let before = self.current();
        let change = configuration.change_since(&before);
        let mut recent = self.0.write();
        recent.current = Arc::new(configuration);
        if change.rooms() > ROOMS_IN_A_CHANGE {
            recent.changes.clear();
            return;
        }
        if recent.changes.len() == CHANGES {
            recent.changes.pop_front();
        }
        recent.changes.push_back(change);
    }

    /// What a node is sent that has this revision, and that can be sent changes or not.
    pub(crate) fn since(&self, revision: u64, takes_changes: bool) -> RoomsToSend {
        let recent = self.0.read();
        if recent.current.revision == revision {
            return RoomsToSend::Nothing;
        }
        match recent.change_since(revision).filter(|_| takes_changes) {
            Some(change) => RoomsToSend::Change(change),
            None => RoomsToSend::All(recent.current.clone()),
        }
    }
}

impl Recent {
    /// All changes since a revision as one, if they are kept and few enough. Rooms that become what they were before have
    /// their revision again, so the latest change of it counts.
    fn change_since(&self, revision: u64) -> Option<ConfigurationChange> {
        let first = self.changes.iter().rposition(|change| change.since == revision)?;
        let mut changes = self.changes.range(first..);
        let all = changes.next()?.clone();
        let all = changes.fold(all, |all, next| all.then(next));
        (all.rooms() <= ROOMS_IN_A_CHANGE).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Room;

    fn rooms(revision: u64, count: u64) -> Configuration {
        let room = |n: u64| Room { name: format!("room {n}"), aliases: vec![n.to_string()] };
        Configuration { revision, rooms: (0..count).map(room).collect() }
    }

    #[test]
    fn node_is_sent_what_has_changed_since_its_revision_or_all_rooms() {
        let known = Rooms::new(rooms(10, 1));
        assert_eq!(known.since(10, true), RoomsToSend::Nothing);
        for revision in 11..=13 {
            known.replace(rooms(revision, revision - 9));
        }
        let RoomsToSend::Change(change) = known.since(11, true) else { panic!("all rooms are sent") };
        assert_eq!(rooms(11, 2).with(&change), Some(rooms(13, 4)));
        let all = RoomsToSend::All(Arc::new(rooms(13, 4)));
        assert_eq!(known.since(11, false), all, "a node of an earlier release");
        assert_eq!(known.since(7, true), all, "a node that was away");
        assert_eq!(known.since(0, true), all, "a node that has none");
    }

    #[test]
    fn rooms_that_are_what_they_were_before_are_changed_from_there() {
        let known = Rooms::new(rooms(1, 1));
        known.replace(rooms(2, 2));
        known.replace(rooms(1, 1));
        known.replace(rooms(3, 3));
        let RoomsToSend::Change(change) = known.since(1, true) else { panic!("all rooms are sent") };
        assert_eq!(rooms(1, 1).with(&change), Some(rooms(3, 3)));
        assert_eq!(change.changed.len(), 2);
    }

    #[test]
    fn changes_are_bounded_in_number_and_size() {
        let known = Rooms::new(rooms(1, 1));
        for revision in 2..=66 {
            known.replace(rooms(revision, revision));
        }
        assert!(matches!(known.since(1, true), RoomsToSend::All(_)), "too long ago");
        assert!(matches!(known.since(2, true), RoomsToSend::Change(_)));
        known.replace(rooms(67, 2_000));
        assert!(matches!(known.since(66, true), RoomsToSend::All(_)), "nearly all have changed");
    }
}
