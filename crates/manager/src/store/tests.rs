//! Tests of the store: what was committed is there, what was not committed is not.

use std::fs;
use std::sync::Arc;

use fleet::node::{Duty, NodeId};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::version::Release;
use parking_lot::RwLock;
use rusqlite::Connection;
use slots::Slot;

use super::schema::MIGRATIONS;
use super::*;
use crate::testing::{BOUND, Bench};

fn added(id: u32) -> Event {
    Event::NodeAdded { id: NodeId(id), name: format!("node{id}"), duty: Duty::AlwaysOn }
}

/// The history of a store, in order.
fn journal(connection: &Connection) -> Vec<(u64, Recorded)> {
    let mut statement = connection.prepare("SELECT at, body FROM journal ORDER BY seq").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(|row| {
        let (at, body) = row.unwrap();
        (at as u64, serde_json::from_str(&body).unwrap())
    })
    .collect()
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_crash() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    committer.apply(added(1)).await.unwrap();
    // What a kill leaves: the files as they are, never closed.
    let (from, to) = (bench.layout().store(Slot::A), bench.layout().store(Slot::B));
    copy_store(&from, &to, &mut || {}).unwrap();
    let restored = load(&open(&to, &mut || {}).unwrap()).unwrap().unwrap();
    committer.read(|fleet, _| assert_eq!(*fleet, restored));
    assert_eq!(restored.nodes().len(), 1);
}

#[tokio::test]
async fn refused_write_is_rolled_back_alone() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let insert = |alias: &'static str| {
        let committer = committer.clone();
        async move {
            let write = move |tx: &Transaction<'_>| {
                tx.execute("INSERT INTO conference (name) VALUES (?1)", [format!("{alias} first")])?;
                tx.execute("INSERT INTO conference (name) VALUES (?1)", [alias])?;
                Ok::<_, rusqlite::Error>(())
            };
            committer.store().write(move |tx| write(tx).map_err(StoreError::from)).await
        }
    };
    insert("one").await.unwrap();
    let (again, other) = tokio::join!(insert("ONE"), insert("two"));
    assert!(matches!(again, Err(StoreError::Sql(_))));
    other.unwrap();
    let count = |connection: &Connection| {
        Ok::<i64, StoreError>(connection.query_row("SELECT count(*) FROM conference", [], |row| row.get(0))?)
    };
    assert_eq!(committer.store().read(count).await.unwrap(), 4);
}

#[tokio::test]
async fn event_that_cannot_be_stored_is_never_seen_and_breaks_the_store() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    committer.apply(added(1)).await.unwrap();
    let drop_table = |tx: &Transaction<'_>| Ok::<_, StoreError>(tx.execute_batch("DROP TABLE journal")?);
    committer.store().write(drop_table).await.unwrap();
    assert!(matches!(committer.apply(added(2)).await, Err(StoreError::NotCommitted)));
    committer.read(|fleet, _| assert_eq!(fleet.nodes().ids(), [NodeId(1)]));
    let mut health = committer.store().health();
    health.wait_for(|health| *health == Health::Broken).await.unwrap();
    assert!(matches!(committer.apply(added(3)).await, Err(StoreError::Closed | StoreError::NotCommitted)));
}

#[tokio::test]
async fn commit_keeps_no_reader_waiting_and_none_sees_it_before_its_end() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let ((began, begins), (goes_on, wait)) = (oneshot::channel(), std::sync::mpsc::channel::<()>());
    let (store, now) = (committer.store().clone(), committer.now());
    let writing = tokio::spawn(async move {
        let job = move |batch: &mut Batch<'_>| {
            batch.apply(now, &Entry::Event { event: added(1) }).unwrap();
            _ = began.send(());
            _ = wait.recv();
            Ok(Ok::<_, StoreError>(()))
        };
        store.job(job, |()| ()).await
    });
    begins.await.unwrap();
    let reader = committer.clone();
    let seen = tokio::task::spawn_blocking(move || reader.read(|fleet, _| fleet.nodes().len()));
    let seen = tokio::time::timeout(BOUND, seen).await;
    drop(goes_on);
    assert_eq!(seen.expect("the reader waits for the commit").unwrap(), 0);
    writing.await.unwrap().unwrap();
    assert_eq!(committer.read(|fleet, _| fleet.nodes().len()), 1);
}

#[tokio::test]
async fn snapshot_stays_as_it_is_while_others_commit() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    committer.apply(added(1)).await.unwrap();
    let (snapshot, _) = committer.snapshot();
    for id in 2..=5 {
        committer.apply(added(id)).await.unwrap();
    }
    committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("new fan".into()) }).await.unwrap();
    assert_eq!(snapshot.nodes().ids(), [NodeId(1)]);
    assert!(snapshot.nodes().get(NodeId(1)).unwrap().operator_maintenance.is_none());
}

#[tokio::test]
async fn replaying_the_journal_gives_the_same_state() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    for id in 1..=3 {
        committer.apply(added(id)).await.unwrap();
    }
    committer.apply(Event::Maintenance { id: NodeId(2), operator: Some("new fan".into()) }).await.unwrap();
    committer.apply(Event::NodeRemoved { id: NodeId(1) }).await.unwrap();
    committer.apply(Event::NodeRemoved { id: NodeId(3) }).await.unwrap();
    let policy = Policy { nodes_at_once: 3, ..Policy::standard() };
    committer.set_policy(policy.clone()).await.unwrap();
    let held = crate::packages::admit(&bench.layout(), &bench.upload()).unwrap();
    committer.apply(Event::NodeRemoved { id: NodeId(2) }).await.unwrap();
    committer.start(held.for_run(), policy).await.unwrap().unwrap();
    committer.apply(Event::ManagerStaged).await.unwrap();
    let read = |connection: &Connection| Ok::<_, StoreError>(journal(connection));
    let history = committer.store().read(read).await.unwrap();
    let mut replayed = Fleet::new(Release::PRESENT, Policy::standard());
    for (at, Recorded { entry, facts }) in history {
        let now = fleet::time::Time(at);
        assert_eq!(entry.apply(&mut replayed, now).unwrap().facts, facts);
    }
    committer.read(|fleet, _| assert_eq!(*fleet, replayed));
}

#[test]
fn store_of_an_earlier_release_is_migrated_with_its_contents() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(MIGRATIONS[0].sql).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute("INSERT INTO meta VALUES ('colour', 'green')", []).unwrap();
    drop(old);
    let mut steps = 0;
    let migrated = open(&path, &mut || steps += 1).unwrap();
    assert_eq!(steps, MIGRATIONS.len() - 1, "each migration must ask for time");
    assert_eq!(read_meta(&migrated, "colour").unwrap().as_deref(), Some("green"));
    let version: u32 = migrated.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version as usize, MIGRATIONS.len());
    drop(migrated);
    let mut steps = 0;
    open(&path, &mut || steps += 1).unwrap();
    assert_eq!(steps, 0, "a store of this release was migrated again");
}

#[test]
fn store_from_before_the_limits_keeps_its_runs_and_marks_those_that_lost_entries() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let old = Connection::open(&path).unwrap();
    let before = MIGRATIONS.iter().position(|migration| migration.sql.contains("journal_of_kind")).unwrap();
    MIGRATIONS[..before].iter().for_each(|migration| old.execute_batch(migration.sql).unwrap());
    old.pragma_update(None, "user_version", u32::try_from(before).unwrap()).unwrap();
    let row = |run: Option<u32>, entry: &str, facts: &str| {
        let body = format!("{{\"entry\": {entry}, \"facts\": {facts}}}");
        old.execute("INSERT INTO journal (at, run, body) VALUES (1, ?1, ?2)", rusqlite::params![run, body])
            .unwrap();
    };
    let event = |event: &str| format!("{{\"entry\": \"event\", \"event\": {{\"event\": \"{event}\"}}}}");
    let fact = "[{\"fact\": \"node\", \"node\": 1, \"name\": \"lon-1\", \"what\": \"rebooting\"}]";
    row(None, &event("node_added"), fact);
    row(Some(1), &event("report"), fact);
    row(Some(1), &event("report"), "[]");
    row(Some(2), "{\"entry\": \"start\"}", fact);
    row(Some(2), &event("report"), "[]");
    row(None, &event("manager_started"), "[]");
    old.execute_batch(
        "INSERT INTO run (id, body) VALUES (1, '{}'), (2, '{}');
         INSERT INTO upload (uuid, state, total_size, received, created_at) VALUES ('u', 'uploading', 9, 0, 7);",
    )
    .unwrap();
    drop(old);
    let migrated = open(&path, &mut || {}).unwrap();
    let mut statement = migrated.prepare("SELECT run, kind FROM journal ORDER BY seq").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(Option<u32>, String)> = rows.map(Result::unwrap).collect();
    let expected = [(None, "operator"), (Some(1), "run"), (Some(2), "run"), (None, "platform")];
    assert_eq!(rows, expected.map(|(run, kind)| (run, kind.to_string())));
    let runs = [1, 2].map(|run| evicted(&migrated, fleet::desired::RunId(run)).unwrap());
    assert_eq!(runs, [1, 0], "calls have pushed the beginning of run 1 out");
}

#[test]
fn store_of_a_later_release_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let later = Connection::open(&path).unwrap();
    later.pragma_update(None, "user_version", 4_000).unwrap();
    drop(later);
    let before = fs::read(&path).unwrap();
    let refusal = open(&path, &mut || {}).unwrap_err().to_string();
    assert!(refusal.contains("has version 4000"), "{refusal}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn closed_store_is_one_file_and_refuses_writes() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    committer.apply(added(1)).await.unwrap();
    committer.store().close().await;
    assert!(matches!(committer.apply(added(2)).await, Err(StoreError::Closed)));
    let path = bench.layout().store(Slot::A);
    assert!(!path.with_file_name("store-a.db-wal").exists(), "the log was not folded in");
    assert_eq!(load(&open(&path, &mut || {}).unwrap()).unwrap().unwrap().nodes().len(), 1);
}

#[test]
fn copy_that_was_cut_short_is_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.db"), dir.path().join("b.db"));
    fs::write(&from, "the store").unwrap();
    for left_over in ["b.db", "b.db-wal", "b.db-shm"] {
        fs::write(dir.path().join(left_over), "left over").unwrap();
    }
    copy_store(&from, &to, &mut || {}).unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "the store");
    assert!(!dir.path().join("b.db-wal").exists() && !dir.path().join("b.db-shm").exists());
}

#[tokio::test]
async fn only_the_owner_may_read_a_store_its_log_and_its_copy() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let _desk = bench.committer().await;
    let (from, to) = (bench.layout().store(Slot::A), bench.layout().store(Slot::B));
    copy_store(&from, &to, &mut || {}).unwrap();
    for path in [from.clone(), from.with_file_name("store-a.db-wal"), to] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn writes_that_wait_together_are_all_committed() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let all = (1..=300).map(|id| {
        let committer = committer.clone();
        tokio::spawn(async move { committer.apply(added(id)).await })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    let fleet = Arc::new(RwLock::new(committer.read(|fleet, _| fleet.clone())));
    committer.store().close().await;
    let stored = load(&open(&bench.layout().store(Slot::A), &mut || {}).unwrap()).unwrap().unwrap();
    assert_eq!(*fleet.read(), stored);
    assert_eq!(stored.nodes().len(), 300);
}

#[test]
fn stores_of_every_release_so_far_are_read() {
    let recorded = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let releases: Vec<_> = fs::read_dir(recorded).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!releases.is_empty());
    for release in releases {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("store-b.db");
        fs::copy(release.join("store.db"), &copy).unwrap();
        let connection = open(&copy, &mut || {}).unwrap();
        let fleet = load(&connection).unwrap().unwrap();
        let names: Vec<&str> = fleet.nodes().iter().map(|(_, node)| node.name.as_str()).collect();
        assert_eq!(names, ["lon-1", "lon-2"], "{}", release.display());
        assert!(fleet.nodes().get(NodeId(1)).unwrap().observed.is_some());
        assert!(fleet.platform.run.is_none());
        let stamp = stored_time(&connection).unwrap().unwrap();
        assert!(stamp.now > fleet::time::Time::default() && stamp.readings.boot.is_empty());
        let rooms = read_rooms(&connection).unwrap();
        assert_eq!(rooms.rooms[0].aliases.len(), 2);
        assert!(journal(&connection).len() >= 4, "the history is gone");
        let kept = journal(&connection).into_iter().all(|(_, recorded)| kind_of(&recorded).is_some());
        assert!(kept, "a report from which nothing followed is in the history");
    }
}

#[tokio::test]
async fn read_that_takes_too_long_is_ended_and_the_next_one_is_not() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let forever = |connection: &Connection| {
        let sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
        Ok::<_, StoreError>(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    };
    let ended = committer.store().read(forever).await;
    assert!(matches!(ended, Err(StoreError::TooLong)), "{ended:?}");
    committer.store().read(accounts::is_any).await.unwrap();
}
