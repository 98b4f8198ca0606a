//! Virtual Meeting Rooms, and the lookup of a room by its alias. Knows nothing of calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A Virtual Meeting Room as the manager configures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The name of the conference; rooms of the same name are the same conference.
    pub name: String,
    /// What callers dial: the user part (`meet`) or the whole address (`meet@example.com`).
    pub aliases: Vec<String>,
    /// Who may call it. A conference of several rooms is as strict as the strictest of them.
    #[serde(default)]
    pub callers: Callers,
}

/// Who may call a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Callers {
    /// Everybody.
    #[default]
    Anyone,
    /// Whoever shows the secret of an account.
    Accounts,
}

/// The name of a Virtual Meeting Room, cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl From<&str> for RoomName {
    fn from(name: &str) -> RoomName {
        RoomName(name.into())
    }
}

impl std::fmt::Display for RoomName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// All rooms of a node, found by alias. Replaced as a whole; never changed in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rooms {
    by_alias: BTreeMap<String, RoomName>,
    for_accounts: BTreeSet<RoomName>,
}

impl Rooms {
    /// The rooms by their aliases. If two rooms have the same alias, it leads to the first.
    #[must_use]
    pub fn new(rooms: impl IntoIterator<Item = Room>) -> Rooms {
        let (mut by_alias, mut for_accounts) = (BTreeMap::new(), BTreeSet::new());
        for room in rooms {
            let name = RoomName::from(room.name.as_str());
            if room.callers == Callers::Accounts {
                for_accounts.insert(name.clone());
            }
            for alias in room.aliases {
                by_alias.entry(alias.to_lowercase()).or_insert_with(|| name.clone());
            }
        }
        Rooms { by_alias, for_accounts }
    }

    /// The room that `user@host` leads to: the whole address first, then the user part alone.
    /// Upper and lower case are the same.
    #[must_use]
    pub fn find(&self, user: &str, host: &str) -> Option<&RoomName> {
        let user = user.to_lowercase();
        let address = format!("{user}@{}", host.to_lowercase());
        self.by_alias.get(&address).or_else(|| self.by_alias.get(&user))
    }

    /// An alias of a room, by which it can be called; `None` if there is no such room.
    #[must_use]
    pub fn alias(&self, room: &RoomName) -> Option<&str> {
        self.by_alias.iter().find(|(_, name)| *name == room).map(|(alias, _)| alias.as_str())
    }

    /// Who may call a room.
    #[must_use]
    pub fn callers(&self, room: &RoomName) -> Callers {
        if self.for_accounts.contains(room) { Callers::Accounts } else { Callers::Anyone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conference_is_as_strict_as_the_strictest_of_its_rooms() {
        let room = |name: &str, callers| Room { name: name.into(), aliases: vec![name.into()], callers };
        let rooms = [("a", Callers::Anyone), ("b", Callers::Accounts), ("a", Callers::Accounts)];
        let rooms = Rooms::new(rooms.map(|(name, callers)| room(name, callers)));
        assert_eq!(rooms.callers(&"a".into()), Callers::Accounts);
        assert_eq!(rooms.callers(&"b".into()), Callers::Accounts);
        assert_eq!(rooms.callers(&"c".into()), Callers::Anyone);
    }

    #[test]
    fn alias_is_found_by_user_part_or_whole_address_in_any_case() {
        let room = |name: &str, aliases: &[&str]| Room {
            name: name.into(),
            aliases: aliases.iter().map(ToString::to_string).collect(),
            callers: Callers::Anyone,
        };
        let rooms =
            Rooms::new([room("Team", &["meet", "Team@Example.com"]), room("Other", &["MEET", "other"])]);
        let check = |user, host, expected: Option<&str>| {
            assert_eq!(rooms.find(user, host), expected.map(RoomName::from).as_ref(), "{user}@{host}");
        };
        check("meet", "10.0.0.1", Some("Team"));
        check("MeeT", "anywhere", Some("Team"));
        check("team", "EXAMPLE.com", Some("Team"));
        check("team", "elsewhere.com", None);
        check("other", "x", Some("Other"));
        check("", "x", None);
    }
}
