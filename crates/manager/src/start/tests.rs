//! Tests of the start of a release: the copy of the store, the confirmation, the fall-back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::{Extension, Router};
use fleet::run::{Lock, Outcome};
use slots::{UnixMillis, Why};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::driver::Ended;
use crate::link::ConnectionHandle;
use crate::packages;
use crate::testing::{BOUND, Bench};

/// Counts the messages to `boot`.
#[derive(Clone, Default)]
struct Boot {
    extended: Arc<AtomicU32>,
    ready: Arc<AtomicU32>,
}

impl Supervision for Boot {
    fn extend(&self, _: Duration) -> io::Result<()> {
        self.extended.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn ready(&self) -> io::Result<()> {
        self.ready.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The bytes of a store with its log.
fn bytes_of(bench: &Bench, slot: Slot) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(bench.root()).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    let of_slot = |name: &String| name.starts_with(&format!("store-{}.db", slot.name()));
    files
        .map(|entry| (name(&entry), entry.path()))
        .filter(|(name, _)| of_slot(name))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

/// A run whose manager has selected another package of this release in slot b, and has ended. There is a
/// node, at rest, so that the run does not end at once.
async fn left_for_slot_b(bench: &Bench) {
    let committer = bench.committer().await;
    let (id, name) = (fleet::node::NodeId(1), "node1".into());
    committer.apply(Event::NodeAdded { id, name, duty: fleet::node::Duty::Bursting }).await.unwrap();
    let held = packages::admit(&bench.layout(), &bench.upload()).unwrap();
    let mut package = held.for_run();
    package.manifest = bench.again().parse().unwrap();
    committer.start(package, Policy::standard()).await.unwrap().unwrap();
    committer.apply(Event::ManagerStaged).await.unwrap();
    bench.select_again();
    committer.store().close().await;
}

/// Starts the release in slot a.
async fn started_in_a(bench: &Bench) -> Committer {
    let own = bench.own(Slot::A);
    let (found, record) = release_status(&own).unwrap();
    assert_eq!(found, ReleaseStatus::Confirmed);
    let path = own.layout.store(Slot::A);
    let connection = open_store(&own.layout, found, Slot::A, &mut || {}).unwrap();
    take_over(connection, path, Policy::standard(), Release::PRESENT, record.fell_back.as_ref())
        .await
        .unwrap()
}

/// The captured log.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn first_password_is_in_its_file_alone_and_every_start_names_the_file_until_it_is_gone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let serve = async || {
        let prepared = Prepared::new(bench.own(Slot::A), &Boot::default()).await.unwrap();
        crate::rest::first_account(prepared.committer().store(), |made| prepared.hand_over(made))
            .await
            .unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        prepared.run(Router::new(), &Boot::default(), stop).await.unwrap();
        String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap()
    };
    let first = serve().await;
    let file = bench.layout().state().join("admin-password");
    let password = fs::read_to_string(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let place = format!("the first password of admin lies in {}", file.display());
    for said in [first, serve().await] {
        assert!(said.contains(&place) && said.contains("pitlane account password"), "{said}");
        assert!(!said.contains(password.trim()), "the log holds the password");
    }
    fs::remove_file(&file).unwrap();
    let later = serve().await;
    assert!(!later.contains("the first password"), "{later}");
    assert!(!file.exists(), "another password was made");
}

#[tokio::test]
async fn release_that_is_tried_leaves_the_old_store_as_it_is_byte_for_byte() {
    let bench = Bench::new();
    left_for_slot_b(&bench).await;
    let before = bytes_of(&bench, Slot::A);
    let own = bench.own(Slot::B);
    let (found, _) = release_status(&own).unwrap();
    assert_eq!(found, ReleaseStatus::Unconfirmed);
    let asked = Cell::new(0);
    let connection = open_store(&own.layout, found, Slot::B, &mut || asked.set(asked.get() + 1)).unwrap();
    assert!(asked.get() > 0, "no time was asked for");
    let committer =
        take_over(connection, own.layout.store(Slot::B), Policy::standard(), Release::PRESENT, None)
            .await
            .unwrap();
    committer.read(|fleet, _| assert!(fleet.platform.run.is_some(), "the run was not copied"));
    committer.store().close().await;
    assert_eq!(bytes_of(&bench, Slot::A), before);
}

#[tokio::test]
async fn store_that_was_never_closed_is_copied_with_its_log_and_left_as_it_is() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let event = Event::NodeAdded {
        id: fleet::node::NodeId(1),
        name: "node1".into(),
        duty: fleet::node::Duty::AlwaysOn,
    };
    committer.apply(event).await.unwrap();
    bench.select_again();
    let before = bytes_of(&bench, Slot::A);
    assert!(!before["store-a.db-wal"].is_empty(), "the log was folded in already");
    let layout = bench.layout();
    let connection = open_store(&layout, ReleaseStatus::Unconfirmed, Slot::B, &mut || {}).unwrap();
    assert_eq!(store::load(&connection).unwrap().unwrap().nodes().len(), 1);
    drop(connection);
    let after = bytes_of(&bench, Slot::A);
    assert_eq!(after["store-a.db"], before["store-a.db"]);
    assert_eq!(after["store-a.db-wal"], before["store-a.db-wal"]);
}

#[tokio::test]
async fn fall_back_ends_the_run_and_is_reported_once() {
    let bench = Bench::new();
    left_for_slot_b(&bench).await;
    let own = bench.own(Slot::B);
    drop(open_store(&own.layout, ReleaseStatus::Unconfirmed, Slot::B, &mut || {}).unwrap());
    own.machine.fall_back(Why::NeverConfirmed { within_seconds: 5 }, UnixMillis::now()).unwrap();
    let committer = started_in_a(&bench).await;
    committer.read(|fleet, _| {
        let ended = fleet.platform.last_run.as_ref().unwrap();
        let Outcome::ManagerFellBack { why } = &ended.outcome else { panic!("{:?}", ended.outcome) };
        assert!(why.contains("did not confirm itself in 5 s"), "{why}");
        assert!(fleet.platform.run.is_none());
        assert!(fleet.platform.epoch > 1, "nodes may have heard the release that is gone");
    });
    // The same package once more: the old fall-back does not belong to this run.
    let held = packages::admit(&bench.layout(), &bench.upload()).unwrap();
    let mut package = held.for_run();
    package.manifest = bench.again().parse().unwrap();
    committer.start(package, Policy::standard()).await.unwrap().unwrap();
    committer.apply(Event::ManagerStaged).await.unwrap();
    committer.store().close().await;
    let committer = started_in_a(&bench).await;
    committer.read(|fleet, _| assert!(fleet.platform.run.is_some(), "an old fall-back ended a new run"));
}

/// Ends a committer as a kill does: nothing is closed.
fn killed(committer: Committer) {
    std::mem::forget(committer);
}

#[tokio::test]
async fn try_that_was_killed_before_it_confirmed_itself_leaves_nothing_to_the_next_one() {
    let bench = Bench::new();
    left_for_slot_b(&bench).await;
    let own = bench.own(Slot::B);
    let path = own.layout.store(Slot::B);
    let names = |committer: &Committer| committer.read(|fleet, _| fleet.nodes().len());
    // Killed in the middle of the copy, with the log of an even earlier try beside it.
    let whole = fs::read(own.layout.store(Slot::A)).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    fs::write(path.with_extension("db-wal"), "of another store").unwrap();
    let connection = open_store(&own.layout, ReleaseStatus::Unconfirmed, Slot::B, &mut || {}).unwrap();
    let committer =
        take_over(connection, path.clone(), Policy::standard(), Release::PRESENT, None).await.unwrap();
    let (id, name) = (fleet::node::NodeId(2), "node2".into());
    committer.apply(Event::NodeAdded { id, name, duty: fleet::node::Duty::Bursting }).await.unwrap();
    assert_eq!(names(&committer), 2);
    // Killed after it has written to its copy.
    killed(committer);
    let (found, _) = release_status(&own).unwrap();
    assert_eq!(found, ReleaseStatus::Unconfirmed);
    let connection = open_store(&own.layout, found, Slot::B, &mut || {}).unwrap();
    let committer = take_over(connection, path, Policy::standard(), Release::PRESENT, None).await.unwrap();
    assert_eq!(names(&committer), 1, "a try that came to nothing is remembered");
    committer.read(|fleet, _| assert!(fleet.platform.run.is_some(), "the run was lost"));
}

#[tokio::test]
async fn manager_that_was_killed_between_selecting_and_ending_is_followed_by_the_new_release() {
    let bench = Bench::new();
    let committer = bench.committer().await;
    let (id, name) = (fleet::node::NodeId(1), "node1".into());
    committer.apply(Event::NodeAdded { id, name, duty: fleet::node::Duty::Bursting }).await.unwrap();
    bench.select_again();
    killed(committer);
    let machine = bench.own(Slot::A).machine;
    assert!(release_status(&bench.own(Slot::A)).is_err(), "the release that was left may still run");
    let boot = Boot::default();
    assert_eq!(run(&bench, Slot::B, &boot, served).await, Ended::Asked);
    assert_eq!(machine.record().unwrap(), Record::confirmed(Slot::B));
    let stored = store::open(&bench.layout().store(Slot::B), &mut || {}).unwrap();
    assert_eq!(store::load(&stored).unwrap().unwrap().nodes().len(), 1, "what was committed is gone");
}

/// Runs the release in `slot` until `check` is done.
async fn run<F>(
    bench: &Bench,
    slot: Slot,
    boot: &Boot,
    check: impl FnOnce(reqwest::Client, String) -> F,
) -> Ended
where
    F: Future<Output = ()>,
{
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let prepared = Prepared::new(bench.own(slot), boot).await.unwrap();
    let url = format!("https://{}/hello", prepared.listeners().people());
    let pem = prepared.context().nodes.authority;
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let stop = CancellationToken::new();
    // The API reads the peer, as this does.
    let hello = |_: Extension<ConnectionHandle>, _: ConnectInfo<SocketAddr>| async { "hello" };
    let people = Router::new().route("/hello", get(hello));
    let (ending, boot) = (stop.clone(), boot.clone());
    let running = tokio::spawn(async move { prepared.run(people, &boot, ending).await });
    check(client, url).await;
    stop.cancel();
    tokio::time::timeout(BOUND, running).await.unwrap().unwrap().unwrap()
}

/// Sends requests until the release serves; before that each gets 503.
async fn served(client: reqwest::Client, url: String) {
    let asking = async {
        loop {
            let answer = client.get(&url).send().await.unwrap();
            if answer.status() == reqwest::StatusCode::OK {
                break assert_eq!(answer.text().await.unwrap(), "hello");
            }
            assert_eq!(answer.status(), reqwest::StatusCode::SERVICE_UNAVAILABLE);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, asking).await.unwrap();
}

#[tokio::test]
async fn release_that_serves_confirms_itself_and_its_store() {
    let bench = Bench::new();
    bench.committer().await.store().close().await;
    bench.select_again();
    let boot = Boot::default();
    assert_eq!(run(&bench, Slot::B, &boot, served).await, Ended::Asked);
    assert_eq!(boot.ready.load(Ordering::Relaxed), 1);
    assert!(boot.extended.load(Ordering::Relaxed) > 0);
    let machine = bench.own(Slot::B).machine;
    assert_eq!(machine.record().unwrap(), Record::confirmed(Slot::B));
    assert_eq!(release_status(&bench.own(Slot::B)).unwrap().0, ReleaseStatus::Confirmed);
    assert!(release_status(&bench.own(Slot::A)).is_err(), "the release that was left may still run");
    assert_eq!(run(&bench, Slot::B, &boot, served).await, Ended::Asked);
}

#[tokio::test]
async fn release_that_cannot_listen_does_not_confirm_itself() {
    let bench = Bench::new();
    bench.committer().await.store().close().await;
    bench.select_again();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "[manager]\npeople = \"{}\"\nnodes = \"127.0.0.1:0\"\nnames = [\"127.0.0.1\"]\n",
        taken.local_addr().unwrap()
    );
    fs::write(bench.root().join("machine.toml"), settings).unwrap();
    let refusal = Prepared::new(bench.own(Slot::B), &Boot::default()).await.unwrap_err();
    assert!(matches!(refusal, StartError::Listen { .. }), "{refusal}");
    assert_eq!(bytes_of(&bench, Slot::B), BTreeMap::new(), "a start that came to nothing was stored");
    assert!(bench.own(Slot::B).machine.record().unwrap().trying.is_some());
}

#[tokio::test]
async fn restart_that_is_not_the_runs_own_lifts_the_lock_r10() {
    let bench = Bench::new();
    left_for_slot_b(&bench).await;
    bench.own(Slot::B).machine.confirm(Slot::B).unwrap();
    let (layout, path) = (bench.layout(), bench.layout().store(Slot::B));
    fs::copy(layout.store(Slot::A), &path).unwrap();
    // The run's release is later than this program: moves the run to the state after its start.
    let mut connection = store::open(&path, &mut || {}).unwrap();
    let mut fleet = store::load(&connection).unwrap().unwrap();
    let release = fleet.platform.run.as_ref().unwrap().package.release;
    fleet.apply(
        clock::Clock::start(None).now(),
        Event::ManagerStarted { release, fell_back: None, wall: None },
    );
    store::initialise(&mut connection, &fleet).unwrap();
    let committer = take_over(connection, path, Policy::standard(), Release::PRESENT, None).await.unwrap();
    committer.read(|fleet, _| assert_eq!(fleet.platform.run.as_ref().unwrap().lock, Lock::Lifted));
}

#[tokio::test]
async fn slot_of_another_release_is_refused() {
    let bench = Bench::new();
    let slot_json = bench.root().join("slots/a/slot.json");
    let text = fs::read_to_string(&slot_json).unwrap();
    let build = Release::PRESENT.build.to_string();
    fs::write(&slot_json, text.replace(&build, "1")).unwrap();
    let refusal = release_status(&bench.own(Slot::A)).unwrap_err();
    assert!(matches!(refusal, slots::Error::Disagrees { .. }), "{refusal}");
}
