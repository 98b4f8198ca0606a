//! The registrations that were read since the start: every request of a node asks for its own, and 10,000 nodes would keep
//! the readers busy.
//!
//! The writer forgets a registration with the commit that changes it, before anybody is answered. It relies on the database
//! to say which rows a transaction changes, whoever writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::node::NodeId;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::StoreError;
use crate::registration::Registered;

/// The tables with the parts of a registration. The row ids are the numbers of the nodes.
const TABLES: [&str; 2] = ["registration", "enrolment"];

/// The registrations that were read.
#[derive(Debug, Default)]
pub(crate) struct KnownRegistrations(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    rows: BTreeMap<NodeId, Registered>,
    revision: Revision,
}

/// Counts the commits that have changed registrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revision(u64);

impl KnownRegistrations {
    /// The registration of a node.
    ///
    /// # Errors
    /// It is not known; what is read of it now may be noted with this revision.
    pub(crate) fn get(&self, node: NodeId) -> Result<Registered, Revision> {
        let known = self.0.lock();
        known.rows.get(&node).cloned().ok_or(known.revision)
    }

    /// Notes what was read, unless it may have changed since.
    pub(crate) fn note(&self, node: NodeId, read: &Registered, since: Revision) {
        let mut known = self.0.lock();
        if known.revision == since {
            known.rows.insert(node, read.clone());
        }
    }

    /// Forgets what a commit has changed.
    pub(super) fn forget(&self, changed: &BTreeSet<NodeId>) {
        if changed.is_empty() {
            return;
        }
        let mut known = self.0.lock();
        known.revision.0 += 1;
        for node in changed {
            known.rows.remove(node);
        }
    }
}

/// The nodes whose registrations a transaction has changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(Arc<Mutex<BTreeSet<NodeId>>>);

impl Changes {
    /// Notes every change that is made over this connection.
    pub(super) fn follow(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let changed = self.0.clone();
        let note = move |_: rusqlite::hooks::Action, _: &str, table: &str, row: i64| {
            if TABLES.contains(&table)
                && let Ok(node) = u32::try_from(row)
            {
                changed.lock().insert(NodeId(node));
            }
        };
        Ok(connection.update_hook(Some(note))?)
    }

    /// The changes since the last call.
    pub(super) fn take(&self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::Earlier;
    use crate::store::registrations::{begin, end};
    use wire::RegistrationId;

    const NODE: NodeId = NodeId(7);

    fn registered() -> Registered {
        Registered { current: Some(RegistrationId(1)), issued: None, earlier: Earlier::Refused }
    }

    #[test]
    fn registration_is_forgotten_when_it_has_changed_and_is_not_noted_as_it_was_before() {
        let known = KnownRegistrations::default();
        let before = known.get(NODE).unwrap_err();
        known.note(NODE, &registered(), before);
        assert_eq!(known.get(NODE), Ok(registered()));
        known.forget(&[NodeId(8)].into());
        assert_eq!(known.get(NODE), Ok(registered()), "another was changed");
        known.forget(&[NODE].into());
        assert!(known.get(NODE).is_err());
        known.note(NODE, &registered(), before);
        assert!(known.get(NODE).is_err(), "it was read before the change");
    }

    #[test]
    fn every_change_of_a_registration_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = crate::store::open(&dir.path().join("store-a.db"), &mut || {}).unwrap();
        let changes = Changes::default();
        changes.follow(&mut store).unwrap();
        let tx = store.transaction().unwrap();
        for change in [0, 1] {
            begin(&tx, NODE, RegistrationId(change)).unwrap();
            assert_eq!(changes.take(), [NODE].into(), "a registration began");
        }
        crate::store::enrolments::issue(&tx, NODE, fleet::time::Time(1)).unwrap();
        assert_eq!(changes.take(), [NODE].into(), "a token was issued");
        end(&tx, NODE).unwrap();
        assert_eq!(changes.take(), [NODE].into(), "a registration ended");
        crate::store::write_meta(&tx, "key", "value").unwrap();
        assert!(changes.take().is_empty(), "something else was written");
    }
}
