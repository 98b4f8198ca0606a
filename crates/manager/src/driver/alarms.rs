//! Writes the difference between the alarms that stand by the state of the platform and those that are stored. It decides
//! nothing: `alarms` says which ones stand.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::node::NodeId;
use tokio::time::sleep;

use super::Committer;
use crate::alarms::{Alarm, AlarmKey, standing};
use crate::store::alarms::{self as stored, StoredAlarm};
use crate::store::{StoreError, Transaction};

/// How often they are compared at most, so that the commits of a large platform cost nothing here.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Compares after commits, until it is aborted, or the store is broken, which the driver notices. `manager` is the name
/// of the Management Node.
pub(crate) async fn watch(committer: Committer, manager: String) {
    let mut commits = committer.commits();
    loop {
        commits.mark_unchanged();
        if compare(&committer, &manager).await.is_err() {
            return;
        }
        sleep(AT_MOST_EVERY).await;
        if commits.changed().await.is_err() {
            return;
        }
    }
}

/// Raises and lowers what differs.
///
/// # Errors
/// The store could not commit.
pub(crate) async fn compare(committer: &Committer, manager: &str) -> Result<(), StoreError> {
    let wanted = committer.read(|fleet, _| standing(fleet, manager));
    let known = committer.store().read(stored::standing).await?;
    let changes = changes(&wanted, &known)?;
    if changes.is_empty() {
        return Ok(());
    }
    let at = i64::try_from(committer.wall().0).unwrap_or(i64::MAX);
    committer.store().write(move |tx| changes.iter().try_for_each(|change| change.write(tx, at))).await
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Raise(AlarmKey, String),
    Restate(i64, String),
    Lower(i64),
}

impl Change {
    fn write(&self, tx: &Transaction<'_>, at: i64) -> Result<(), StoreError> {
        match self {
            Self::Raise(key, body) => stored::raise(tx, *key, body, at),
            Self::Restate(id, body) => stored::restate(tx, *id, body),
            Self::Lower(id) => stored::lower(tx, *id, at),
        }
    }
}

fn changes(
    wanted: &BTreeMap<AlarmKey, Alarm>,
    known: &BTreeMap<(String, Option<NodeId>), StoredAlarm>,
) -> Result<Vec<Change>, StoreError> {
    let mut over = known.clone();
    let mut changes = Vec::new();
    for (key, alarm) in wanted {
        let body = stored::body(alarm)?;
        match over.remove(&(key.name.to_string(), key.node)) {
            None => changes.push(Change::Raise(*key, body)),
            Some(known) if known.body != body => changes.push(Change::Restate(known.id, body)),
            Some(_) => {}
        }
    }
    changes.extend(over.into_values().map(|alarm| Change::Lower(alarm.id)));
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use fleet::node::Duty;
    use fleet::platform::Event;
    use fleet::time::Offset;

    use super::*;
    use crate::store::Connection;
    use crate::testing::Bench;

    /// How many alarms stand, and how many are over.
    async fn counts(committer: &Committer) -> (i64, i64) {
        let count = |connection: &Connection, table: &str| {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        };
        let read = move |connection: &Connection| {
            Ok::<_, StoreError>((count(connection, "alarm")?, count(connection, "past_alarm")?))
        };
        committer.store().read(read).await.unwrap()
    }

    #[tokio::test]
    async fn alarm_is_raised_once_kept_over_a_restart_and_lowered_when_its_reason_is_over() {
        let bench = Bench::new();
        let committer = bench.committer().await;
        let clock = |ahead| Event::ClockOffset { id: NodeId(1), ahead: Offset(ahead) };
        let all = async |committer: &Committer| {
            compare(committer, "manager").await.unwrap();
            counts(committer).await
        };
        let added = Event::NodeAdded { id: NodeId(1), name: "oslo-1".into(), duty: Duty::AlwaysOn };
        committer.apply(added).await.unwrap();
        assert_eq!(all(&committer).await, (0, 0));
        committer.apply(clock(300_000)).await.unwrap();
        assert_eq!(all(&committer).await, (1, 0));
        committer.apply(clock(7_200_000)).await.unwrap();
        assert_eq!(all(&committer).await, (1, 0));
        let known = committer.store().read(stored::standing).await.unwrap();
        assert!(known.values().all(|alarm| alarm.id == 1 && alarm.body.contains("2 h")), "{known:?}");
        committer.store().close().await;
        let committer = bench.committer().await;
        assert_eq!(all(&committer).await, (1, 0), "the restart has raised it again");
        committer.apply(clock(0)).await.unwrap();
        assert_eq!(all(&committer).await, (0, 1));
    }
}
