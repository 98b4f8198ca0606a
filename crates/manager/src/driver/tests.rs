//! Tests of the committer and of the driver on a machine in a temporary directory.

use std::io;
use std::path::Path;
use std::time::Duration;

use fleet::node::{Duty, NodeId};
use fleet::platform::{Event, ManagerWants};
use fleet::policy::Policy;
use fleet::run::Outcome;
use fleet::time::Span;
use slots::Slot;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::gate::{Gate, GateState};
use crate::packages::{self, HeldPackage};
use crate::presence::Presence;
use crate::store::StoreError;
use crate::testing::{Bench, observed, until};

fn driver(bench: &Bench, committer: &Committer) -> (Driver, CancellationToken, Gate) {
    let (presence, downs) = Presence::new(Duration::from_secs(5));
    let (gate, stop) = (Gate::closed(), CancellationToken::new());
    gate.set(GateState::Open);
    let own = bench.own(Slot::A);
    let held = slots::Held::default();
    let (committer, passage, ends) = (committer.clone(), gate.clone(), stop.clone());
    let restored = CancellationToken::new();
    let driver = Driver { committer, own, held, presence, downs, restored, gate: passage, stop: ends };
    (driver, stop, gate)
}

async fn start(bench: &Bench, committer: &Committer) -> HeldPackage {
    start_from(bench, committer, &bench.upload()).await
}

async fn start_from(bench: &Bench, committer: &Committer, upload: &Path) -> HeldPackage {
    let held = packages::admit(&bench.layout(), upload).unwrap();
    committer.start(held.for_run(), Policy::standard()).await.unwrap().unwrap();
    held
}

#[tokio::test]
async fn registration_and_its_event_are_one() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let register = |name: &'static str| {
        committer.change(move |tx, _, _| {
            tx.execute("INSERT INTO worker_vm (name, body) VALUES (?1, '{}')", [name])
                .map_err(StoreError::from)?;
            let id = NodeId(u32::try_from(tx.last_insert_rowid()).unwrap());
            let event = Event::NodeAdded { id, name: name.into(), duty: Duty::AlwaysOn };
            Ok::<_, StoreError>((vec![event], id))
        })
    };
    assert_eq!(register("node1").await.unwrap(), NodeId(1));
    assert!(register("NODE1").await.is_err());
    committer.read(|fleet, _| assert_eq!(fleet.nodes().ids(), [NodeId(1)]));
}

#[tokio::test]
async fn change_sees_what_was_put_before_it_and_its_events_are_one_commit() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let id = NodeId(1);
    committer.apply(Event::NodeAdded { id, name: "node1".into(), duty: Duty::AlwaysOn }).await.unwrap();
    let maintenance = |text: &str| Event::Maintenance { id, operator: Some(text.into()) };
    let add_a_second = committer.change(move |_, fleet, _| {
        let operator = fleet.nodes().get(id).unwrap().operator_maintenance.clone();
        let events = vec![
            Event::NodeAdded { id: NodeId(2), name: "node2".into(), duty: Duty::AlwaysOn },
            Event::Maintenance { id: NodeId(2), operator: operator.clone() },
        ];
        Ok::<_, StoreError>((events, operator))
    });
    let commits = committer.commits();
    let before = *commits.borrow();
    let (first, seen) = tokio::join!(committer.apply(maintenance("a fan")), add_a_second);
    first.unwrap();
    assert_eq!(seen.unwrap().as_deref(), Some("a fan"));
    assert_eq!(*commits.borrow(), before + 2, "two events of one change were notified separately");
    let held =
        |fleet: &fleet::platform::Fleet| fleet.nodes().get(NodeId(2)).unwrap().operator_maintenance.clone();
    assert_eq!(committer.read(|fleet, _| held(fleet)).as_deref(), Some("a fan"));
    let stored = committer.store().read(crate::store::load).await.unwrap().unwrap();
    assert_eq!(held(&stored).as_deref(), Some("a fan"));
}

#[tokio::test]
async fn change_of_rooms_has_a_revision_of_its_own_and_a_refused_one_changes_nothing() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let insert = |name: &'static str| {
        committer.change_rooms(move |tx| {
            tx.execute("INSERT INTO conference (name) VALUES (?1)", [name])?;
            let alias = format!("{name}@example.com");
            tx.execute(
                "INSERT INTO conference_alias (alias, conference) VALUES (?1, last_insert_rowid())",
                [alias],
            )?;
            Ok::<_, StoreError>(())
        })
    };
    let before = committer.rooms().revision;
    insert("lounge").await.unwrap();
    assert!(insert("LOUNGE").await.is_err());
    let rooms = committer.rooms();
    assert_ne!(rooms.revision, before);
    assert_eq!(rooms.rooms.len(), 1);
    assert_eq!(rooms.rooms[0].aliases, ["lounge@example.com"]);
    let stored = committer.store().read(crate::store::read_rooms).await.unwrap();
    assert_eq!(stored, *rooms);
}

#[tokio::test]
async fn rooms_of_two_management_nodes_have_one_revision_only_if_they_are_the_same() {
    let (bench, restored) = (Bench::new(), Bench::new());
    let (committer, restored) = (bench.committer().await, restored.committer().await);
    let insert = async |committer: &Committer, name: &'static str| {
        let insert = move |tx: &crate::store::Transaction<'_>| {
            tx.execute("INSERT INTO conference (name) VALUES (?1)", [name])?;
            Ok::<_, StoreError>(())
        };
        committer.change_rooms(insert).await.unwrap();
        committer.rooms().revision
    };
    assert_eq!(committer.rooms().revision, restored.rooms().revision);
    assert_eq!(insert(&committer, "lounge").await, insert(&restored, "lounge").await);
    assert_ne!(insert(&committer, "team").await, insert(&restored, "board").await);
}

#[tokio::test]
async fn run_stages_and_selects_the_new_manager() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let (driver, _stop, gate) = driver(&bench, &committer);
    let running = tokio::spawn(driver.run());
    let held = start(&bench, &committer).await;
    let Ended::Selected(assignment) = running.await.unwrap() else { panic!("nothing was selected") };
    assert_eq!(assignment.manifest, held.verified.hash());
    let trying = bench.own(Slot::A).machine.record().unwrap().trying.unwrap();
    assert_eq!((trying.slot, trying.manifest), (Slot::B, held.verified.hash().to_string()));
    let slot = bench.root().join("slots/b");
    package::check_slot(&slot, held.verified.payload(package::Role::Manager)).unwrap();
    assert_eq!(std::fs::read(slot.join("manifest.json")).unwrap(), held.verified.manifest_bytes());
    assert_eq!(gate.state(), GateState::Closed, "requests were taken after the selection");
}

/// Checks that the Management Node keeps its release and serves, and that the outcome names the fault of the
/// new one.
async fn is_rejected(bench: &Bench, committer: &Committer) {
    let (driver, stop, gate) = driver(bench, committer);
    let running = tokio::spawn(driver.run());
    until(committer, |fleet| fleet.platform.run.is_none()).await;
    let ended = committer.read(|fleet, _| fleet.platform.last_run.clone()).unwrap();
    let Outcome::ManagerRejected { why } = ended.outcome else { panic!("{:?}", ended.outcome) };
    assert!(why.contains("port 443 is taken"), "{why}");
    assert_eq!(bench.own(Slot::A).machine.record().unwrap().trying, None);
    assert_eq!(gate.state(), GateState::Open);
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ended::Asked);
}

#[tokio::test]
async fn release_that_would_not_start_is_rejected_before_it_is_selected() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    start_from(&bench, &committer, &bench.upload_with("echo port 443 is taken; exit 1")).await;
    is_rejected(&bench, &committer).await;
}

#[tokio::test]
async fn release_that_an_earlier_process_has_staged_is_asked_once_more() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    start_from(&bench, &committer, &bench.upload_with("echo port 443 is taken; exit 1")).await;
    let ManagerWants::Stage(of) = committer.read(|fleet, _| fleet.manager_wants()) else { panic!() };
    bench.own(Slot::A).stage(of).unwrap();
    committer.apply(Event::ManagerStaged).await.unwrap();
    is_rejected(&bench, &committer).await;
}

#[tokio::test]
async fn manager_that_was_killed_after_staging_goes_on_without_unpacking_again() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    start(&bench, &committer).await;
    let ManagerWants::Stage(of) = committer.read(|fleet, _| fleet.manager_wants()) else { panic!() };
    let own = bench.own(Slot::A);
    own.stage(of).unwrap();
    let slot_json = bench.root().join("slots/b/slot.json");
    let inode = |path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    let before = inode(&slot_json);
    own.stage(of).unwrap();
    assert_eq!(inode(&slot_json), before, "what lay staged was unpacked again");
    std::fs::write(bench.root().join("slots/b/bin/pitlane-manager"), "broken").unwrap();
    own.stage(of).unwrap();
    let (driver, _stop, _) = driver(&bench, &committer);
    assert_eq!(driver.run().await, Ended::Selected(of));
}

#[tokio::test]
async fn package_that_was_damaged_ends_the_run_and_touches_nothing() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let held = start(&bench, &committer).await;
    let mut bytes = std::fs::read(held.file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(held.file(), bytes).unwrap();
    let (driver, stop, gate) = driver(&bench, &committer);
    let running = tokio::spawn(driver.run());
    until(&committer, |fleet| fleet.platform.run.is_none()).await;
    committer.read(|fleet, _| {
        let ended = fleet.platform.last_run.as_ref().unwrap();
        assert!(matches!(&ended.outcome, Outcome::ManagerRejected { .. }), "{:?}", ended.outcome);
    });
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ended::Asked);
    assert_eq!(gate.state(), GateState::Open);
    assert_eq!(bench.own(Slot::A).machine.record().unwrap().trying, None);
}

#[tokio::test]
async fn slot_that_cannot_be_selected_ends_the_run_and_requests_are_taken_again() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    start(&bench, &committer).await;
    committer.apply(Event::ManagerStaged).await.unwrap();
    let (driver, stop, gate) = driver(&bench, &committer);
    let running = tokio::spawn(driver.run());
    until(&committer, |fleet| fleet.platform.run.is_none()).await;
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ended::Asked);
    assert_eq!(gate.state(), GateState::Open);
}

/// A disk on which directories cannot be synced any more, once the flag is set.
#[derive(Debug, Default)]
struct Worn(std::sync::atomic::AtomicBool);

impl slots::Disk for Worn {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        slots::RealDisk.read(path, limit)
    }
    fn kind(&self, path: &Path) -> io::Result<Option<slots::Kind>> {
        slots::RealDisk.kind(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<slots::Entry>> {
        slots::RealDisk.list(dir)
    }
    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        slots::RealDisk.write(path, contents)
    }
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        slots::RealDisk.create_dir(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        slots::RealDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        slots::RealDisk.remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        slots::RealDisk.remove_dir(dir)
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        slots::RealDisk.sync_file(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match self.0.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(io::Error::other("the disk is worn")),
            false => slots::RealDisk.sync_dir(dir),
        }
    }
}

#[tokio::test]
async fn selection_that_was_made_and_reported_as_failed_counts_as_made() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    start(&bench, &committer).await;
    let ManagerWants::Stage(of) = committer.read(|fleet, _| fleet.manager_wants()) else { panic!() };
    bench.own(Slot::A).stage(of).unwrap();
    committer.apply(Event::ManagerStaged).await.unwrap();
    let worn = std::sync::Arc::new(Worn::default());
    let (mut driver, _stop, gate) = driver(&bench, &committer);
    driver.own.machine = slots::Machine::on(bench.root(), worn.clone());
    worn.0.store(true, std::sync::atomic::Ordering::Relaxed);
    let before = bench.own(Slot::A).machine.record().unwrap();
    assert_eq!(before.trying, None);
    assert_eq!(driver.run().await, Ended::Selected(of));
    assert_eq!(gate.state(), GateState::Closed);
    let trying = bench.own(Slot::A).machine.record().unwrap().trying.unwrap();
    assert_eq!(trying.manifest, of.manifest.to_string());
}

#[tokio::test]
async fn deadline_is_handled_when_it_comes() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let id = NodeId(1);
    committer.set_policy(Policy { silent_after: Span(1), ..Policy::standard() }).await.unwrap();
    committer.apply(Event::NodeAdded { id, name: "node1".into(), duty: Duty::AlwaysOn }).await.unwrap();
    committer.apply(Event::Report { id, observed: observed(1) }).await.unwrap();
    committer.apply(Event::LinkDown { id }).await.unwrap();
    let (driver, stop, _) = driver(&bench, &committer);
    let running = tokio::spawn(driver.run());
    until(&committer, |fleet| fleet.nodes().get(id).unwrap().contact.is_lost()).await;
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ended::Asked);
}
