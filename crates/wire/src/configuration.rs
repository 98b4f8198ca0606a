//! The Virtual Meeting Rooms that a node needs to carry calls, and what changes between two revisions of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A Virtual Meeting Room. Since protocol 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its name, which no other room has.
    pub name: String,
    /// What callers dial to reach it.
    pub aliases: Vec<String>,
}

/// The configuration that nodes need to carry calls. Since protocol 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Names these rooms: other rooms have another revision. 0 is that of a node that has received none.
    pub revision: u64,
    /// The Virtual Meeting Rooms, in no order.
    pub rooms: Vec<Room>,
}

/// What has changed since another revision. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationChange {
    /// The revision that it changes.
    pub since: u64,
    /// The revision after it.
    pub revision: u64,
    /// The rooms that are new or have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Room>,
    /// The names of the rooms that there are no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

impl Configuration {
    /// What has changed since these rooms.
    pub fn change_since(&self, before: &Self) -> ConfigurationChange {
        let mut gone: BTreeMap<&str, &Room> = before.by_name().collect();
        let mut changed = self.rooms.clone();
        changed.retain(|room| gone.remove(room.name.as_str()) != Some(room));
        let removed = gone.into_keys().map(String::from).collect();
        ConfigurationChange { since: before.revision, revision: self.revision, changed, removed }
    }

    /// The rooms after a change; none when it is a change of another revision.
    pub fn with(&self, change: &ConfigurationChange) -> Option<Self> {
        if change.since != self.revision {
            return None;
        }
        let mut rooms: BTreeMap<&str, &Room> = self.by_name().collect();
        for name in &change.removed {
            rooms.remove(name.as_str());
        }
        rooms.extend(change.changed.iter().map(|room| (room.name.as_str(), room)));
        Some(Self { revision: change.revision, rooms: rooms.into_values().cloned().collect() })
    }

    fn by_name(&self) -> impl Iterator<Item = (&str, &Room)> {
        self.rooms.iter().map(|room| (room.name.as_str(), room))
    }
}

impl ConfigurationChange {
    /// This change and the next one as one.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let mut all: BTreeMap<&str, Option<&Room>> = BTreeMap::new();
        for change in [self, next] {
            all.extend(change.removed.iter().map(|name| (name.as_str(), None)));
            all.extend(change.changed.iter().map(|room| (room.name.as_str(), Some(room))));
        }
        let changed = all.values().flatten().map(|room| (*room).clone()).collect();
        let removed = all.iter().filter(|(_, room)| room.is_none()).map(|(name, _)| (*name).into()).collect();
        Self { since: self.since, revision: next.revision, changed, removed }
    }

    /// How many rooms it names.
    pub fn rooms(&self) -> usize {
        self.changed.len() + self.removed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(revision: u64, rooms: &[(&str, &str)]) -> Configuration {
        let room =
            |(name, alias): &(&str, &str)| Room { name: (*name).into(), aliases: vec![(*alias).into()] };
        Configuration { revision, rooms: rooms.iter().map(room).collect() }
    }

    fn one() -> Configuration {
        configuration(1, &[("board", "100"), ("lounge", "200"), ("team", "300")])
    }

    fn two() -> Configuration {
        configuration(2, &[("board", "100"), ("garden", "500"), ("team", "400")])
    }

    fn three() -> Configuration {
        configuration(3, &[("garden", "500"), ("lounge", "600"), ("team", "300")])
    }

    #[test]
    fn change_has_what_is_new_has_changed_or_is_gone_and_gives_the_other_rooms() {
        let change = two().change_since(&one());
        assert_eq!((change.since, change.revision, change.rooms()), (1, 2, 3));
        assert_eq!(change.removed, ["lounge"]);
        let names: Vec<&str> = change.changed.iter().map(|room| room.name.as_str()).collect();
        assert_eq!(names, ["garden", "team"]);
        assert_eq!(one().with(&change), Some(two()));
    }

    #[test]
    fn change_of_another_revision_is_not_applied() {
        let change = three().change_since(&two());
        assert_eq!(one().with(&change), None);
    }

    #[test]
    fn two_changes_as_one_give_what_they_give_one_after_the_other() {
        let (first, second) = (two().change_since(&one()), three().change_since(&two()));
        assert_eq!(one().with(&first.then(&second)), Some(three()));
    }
}
