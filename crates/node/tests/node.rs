//! Tests the node as a process, from its enrolment to its restart into another release.

mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners};
use fleet::observed::{Admission, Calls, ReleaseState, Staging};
use fleet::time::Span;
use fleet::version::{Release, Version};
use node::identity::Identity;
use slots::{Slot, UnixMillis, Why};
use tokio::net::TcpListener;
use wire::{Configuration, ConfigurationChange, Room};

use support::machine::{Node, TestMachine};
use support::package::{Publisher, next_release};
use support::{Authority, Manager, Syncs, until};

fn desired(n: u64, owners: Owners, software: Option<(Assignment, Depth)>) -> Desired {
    Desired { generation: Generation { epoch: 1, n }, intent: Intent { owners, software } }
}

fn by_operator() -> Owners {
    Owners { operator: Some("a test".into()), ..Owners::default() }
}

fn by_run() -> Owners {
    Owners { run: Some(Span::hours(1)), ..Owners::default() }
}

/// A machine with an enrolled node that takes calls.
async fn in_service() -> (TestMachine, Manager, Node) {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    assert!(machine.enrol(&manager).await.status.success());
    let node = machine.start(Slot::A);
    until("the node takes calls", || {
        manager.last().is_some_and(|last| last.admission == Admission::Admitting)
    })
    .await;
    (machine, manager, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_file_is_good_for_one_use() {
    let (first, second, manager) =
        (TestMachine::installed(), TestMachine::installed(), Manager::start().await);
    let done = first.enrol(&manager).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mode = fs::metadata(Identity::path(first.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = first.enrol(&manager).await;
    assert!(String::from_utf8_lossy(&again.stderr).contains("enrolled already"), "{again:?}");
    let refused = second.enrol(&manager).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("it was used before"), "{said}");
    assert!(!Identity::path(second.path()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_whose_answer_was_lost_is_done_again_with_the_same_file() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    manager.with(|fake| fake.loses_enrolment = true);
    assert!(!machine.enrol(&manager).await.status.success());
    assert!(manager.with(|fake| fake.spent_on.is_some()) && !Identity::path(machine.path()).exists());
    let pending = machine.path().join("state/enrolment.json");
    assert_eq!(fs::metadata(&pending).unwrap().permissions().mode() & 0o777, 0o600);
    let done = machine.enrol(&manager).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!pending.exists(), "nothing is pending any more");
    let _node = machine.start(Slot::A);
    machine.until_web_says(200).await;
    until("its certificate fits its key", || manager.last().is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_says_what_the_machine_runs_and_a_refused_one_is_done_again_with_the_same_file_r29() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    manager.with(|fake| {
        fake.refuses_enrolment = Some("this machine has release 34.1 and the Management Node has 35")
    });
    let refused = machine.enrol(&manager).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("has release 34.1 and the Management Node has 35; install that release"), "{said}");
    assert!(!Identity::path(machine.path()).exists());
    assert_eq!(manager.with(|fake| fake.enrolled_with), Some(Release::PRESENT));
    manager.with(|fake| fake.refuses_enrolment = None);
    let done = machine.enrol(&manager).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_that_is_not_enrolled_waits_for_its_file_and_then_listens_no_more_r29() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    let address = SocketAddr::new(machine.web.ip(), 8443);
    machine.set("web = ", &format!("bootstrap = \"{address}\"\nweb = "));
    let mut node = machine.start(Slot::A);
    until("it listens", || std::net::TcpStream::connect(address).is_ok()).await;
    let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let post = async |file: String| {
        let request = client.post(format!("https://{address}/configuration/bootstrap"));
        let answer = request.header("Content-Type", "text/xml").body(file).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let file = manager.enrolment_file().to_text();
    assert_eq!(post("<configuration/>".into()).await.0, 400);
    assert_eq!(post("#".repeat(wire::ENROLMENT_FILE_BYTES + 1)).await.0, 413);
    manager.with(|fake| {
        fake.refuses_enrolment = Some("this machine has release 34.1 and the Management Node has 35")
    });
    let (status, said) = post(file.clone()).await;
    assert!(
        status == 409 && said.contains("has release 34.1 and the Management Node has 35"),
        "{status} {said}"
    );
    assert!(node.is_running() && manager.last().is_none());
    manager.with(|fake| fake.refuses_enrolment = None);
    assert_eq!(post(file).await, (200, "enrolled as \"node1\"\n".into()));
    machine.until_web_says(200).await;
    assert!(std::net::TcpStream::connect(address).is_err(), "an enrolled node listens for a file");
    node.terminate();
    assert!(node.ended().await.success());
    let _again = machine.start(Slot::A);
    machine.until_web_says(200).await;
    assert!(std::net::TcpStream::connect(address).is_err(), "an enrolled node listens for a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_that_waits_for_its_file_ends_when_it_is_asked_to() {
    let machine = TestMachine::installed();
    let address = SocketAddr::new(machine.web.ip(), 8443);
    machine.set("web = ", &format!("bootstrap = \"{address}\"\nweb = "));
    let mut node = machine.start(Slot::A);
    until("it listens", || std::net::TcpStream::connect(address).is_ok()).await;
    node.terminate();
    assert!(node.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_reports_what_is_wrong() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    let check = async |manager: &Manager, expected: &str| {
        let refused = machine.enrol(manager).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(expected), "{said}");
        assert!(!Identity::path(machine.path()).exists());
    };
    let nobody = manager.said_to_be_at("127.0.0.1:1".parse().unwrap());
    check(&nobody, "cannot be reached at 127.0.0.1:1").await;
    let impostor = manager.said_to_be_at(Manager::start().await.address);
    check(&impostor, "do not trust each other's certificates").await;
    let misnamed = format!("localhost:{}", manager.address.port());
    let file = wire::EnrolmentFile { manager: vec![misnamed], ..manager.enrolment_file() };
    let path = machine.path().join("misnamed.toml");
    fs::write(&path, file.to_text()).unwrap();
    let refused =
        node::enrol::enrol(machine.path(), &path, node::enrol::Existing::Keep, Release::PRESENT).await;
    let said = node::files::chain(&refused.unwrap_err());
    assert!(said.contains("do not trust each other's certificates"), "{said}");
    assert!(manager.with(|fake| fake.spent_on.is_none()), "the token was not spent");
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_that_is_not_enrolled_does_not_start_and_says_what_to_do() {
    let machine = TestMachine::installed();
    assert!(!machine.start(Slot::A).ended().await.success());
    assert_eq!(machine.web_status().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_goes_from_service_through_maintenance_mode_and_staging_into_another_release() {
    let (machine, manager, mut node) = in_service().await;
    let publisher = Publisher::new();
    publisher.install_key(machine.path());
    assert_eq!(machine.told_boot(), ["READY=1"]);
    machine.until_web_says(200).await;
    let served = publisher.publish(next_release(), Version::new(34, 0), 1_000_000);
    let software = served.assignment();
    manager.with(|fake| {
        fake.served = Some(served.dir.clone());
        fake.desired = desired(1, Owners::default(), Some((software, Depth::Stage)));
    });
    let staged = Staging::Staged { manifest: software.manifest };
    until("the release is staged", || manager.last().is_some_and(|last| last.staging == staged)).await;
    assert_eq!(manager.last().unwrap().admission, Admission::Admitting, "staging refuses no calls");
    manager.with(|fake| fake.desired = desired(2, by_run(), Some((software, Depth::Stage))));
    until("calls are refused", || manager.last().is_some_and(|last| last.admission == Admission::Refusing))
        .await;
    let said = machine.web_status().await.unwrap();
    assert_eq!(said, (503, r#"{"status":"failed","result":"Maintenance mode"}"#.into()));
    assert!(node.is_running(), "nobody asked for an install");
    manager.with(|fake| fake.desired = desired(3, by_run(), Some((software, Depth::Install))));
    assert!(node.ended().await.success());
    let record = machine.machine.record().unwrap();
    assert_eq!(record.trying.map(|trying| trying.manifest), Some(software.manifest.to_string()));
    let last = manager.last().unwrap();
    assert_eq!((last.release_state, last.calls), (ReleaseState::Leaving, Calls::NONE));
    assert_eq!(last.generation, Generation { epoch: 1, n: 3 });
    fall_back(&machine, &manager, software).await;
}

/// What boot does with a release that ends at its start, and what the old release says of it then.
async fn fall_back(machine: &TestMachine, manager: &Manager, software: Assignment) {
    let why = Why::EndedAtStart { tries: 1, exit: "exit status 101".into() };
    machine.machine.fall_back(why, UnixMillis::now()).unwrap();
    let mut node = machine.start(Slot::A);
    let said = || match manager.last().unwrap().staging {
        Staging::Rejected { run, manifest, why } => Some((run, manifest, why)),
        Staging::Nothing | Staging::Fetching { .. } | Staging::Staged { .. } => None,
    };
    until("the old release says what happened", || said().is_some()).await;
    let (run, manifest, why) = said().unwrap();
    assert_eq!((run, manifest), (software.run, software.manifest));
    assert!(why.contains("crashed at start, exit status 101"), "{why}");
    machine.until_web_says(503).await;
    assert!(node.is_running(), "it does not leave for that release again");
    manager.with(|fake| fake.desired = desired(4, Owners::default(), None));
    machine.until_web_says(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_last_is_valid_again_without_the_manager() {
    let (machine, manager, node) = in_service().await;
    manager.with(|fake| fake.desired = desired(7, by_operator(), None));
    machine.until_web_says(503).await;
    node.kill().await;
    manager.with(|fake| fake.syncs = Syncs::Refuse(503));
    let mut node = machine.start(Slot::A);
    machine.until_web_says(503).await;
    let seen = manager.with(|fake| fake.seen.len());
    until("the node tries again", || manager.with(|fake| fake.seen.len() >= seen + 3)).await;
    machine.until_web_says(503).await;
    let last = manager.last().unwrap();
    assert_eq!((last.generation.n, last.admission), (7, Admission::Refusing));
    node.terminate();
    assert!(node.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn older_desired_state_changes_nothing() {
    let (machine, manager, _node) = in_service().await;
    manager.with(|fake| fake.desired = desired(7, by_operator(), None));
    machine.until_web_says(503).await;
    manager.with(|fake| fake.desired = desired(6, Owners::default(), None));
    let seen = manager.with(|fake| fake.seen.len());
    until("it was fake twice", || manager.with(|fake| fake.seen.len() >= seen + 3)).await;
    let last = manager.last().unwrap();
    assert_eq!((last.generation.n, last.admission), (7, Admission::Refusing));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_never_bear_the_same_time_not_even_over_a_restart() {
    let (machine, manager, node) = in_service().await;
    manager.with(|fake| fake.desired = desired(1, by_operator(), None));
    machine.until_web_says(503).await;
    node.kill().await;
    let seen = manager.with(|fake| fake.seen.len());
    let _node = machine.start(Slot::A);
    until("it reports again", || manager.with(|fake| fake.seen.len() >= seen + 2)).await;
    let mut times: Vec<_> = manager.with(|fake| fake.seen.iter().map(|sync| sync.observed.at).collect());
    let count = times.len();
    times.sort();
    times.dedup();
    assert_eq!(times.len(), count);
    let (before, after) = manager.with(|fake| {
        let at = |sync: &wire::Sync| sync.observed.at;
        (fake.seen[..seen].iter().map(at).max(), fake.seen[seen..].iter().map(at).min())
    });
    assert!(after > before, "{after:?} is not after {before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_reach_the_node_once_and_are_known_after_a_restart() {
    let (machine, manager, node) = in_service().await;
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    manager.with(|fake| fake.configuration = Configuration { revision: 4, rooms: vec![room] });
    let has_them = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 4));
    until("the node has the rooms", has_them).await;
    node.kill().await;
    let seen = manager.with(|fake| fake.seen.len());
    let _node = machine.start(Slot::A);
    until("it reports again", || manager.with(|fake| fake.seen.len() > seen)).await;
    assert_eq!(manager.with(|fake| fake.seen[seen].configuration), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_rooms_is_applied_to_those_that_the_node_has() {
    let (machine, manager, node) = in_service().await;
    let room = |name: &str| Room { name: name.into(), aliases: vec![name.into()] };
    manager.with(|fake| {
        fake.configuration = Configuration { revision: 4, rooms: vec![room("team"), room("board")] }
    });
    let has =
        |revision| manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == revision));
    until("the node has the rooms", || has(4)).await;
    let (changed, removed) = (vec![room("garden")], vec!["board".into()]);
    manager.with(|fake| {
        // All rooms are not what it is sent: they are others.
        fake.configuration = Configuration { revision: 5, rooms: Vec::new() };
        fake.change = Some(ConfigurationChange { since: 4, revision: 5, changed, removed });
    });
    until("the node has the change", || has(5)).await;
    drop(node);
    let stored = std::fs::read_to_string(machine.path().join("state/configuration.json")).unwrap();
    let mut stored: Configuration = serde_json::from_str(&stored).unwrap();
    stored.rooms.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(stored, Configuration { revision: 5, rooms: vec![room("garden"), room("team")] });
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_is_renewed_in_time_and_the_new_one_is_used() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    manager.with(|fake| fake.renew_at = 1);
    assert!(machine.enrol(&manager).await.status.success());
    let before = Identity::load(machine.path()).unwrap();
    let _node = machine.start(Slot::A);
    until("it is renewed", || Identity::load(machine.path()).unwrap().certificate != before.certificate)
        .await;
    let after = Identity::load(machine.path()).unwrap();
    assert!(after.key != before.key && after.renew_at == u64::MAX);
    manager.with(|fake| fake.desired = desired(1, by_operator(), None));
    machine.until_web_says(503).await;
    assert_eq!(manager.with(|fake| fake.renewals), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_persistent_state_keeps_the_node_from_taking_calls() {
    let (machine, _manager, node) = in_service().await;
    node.kill().await;
    fs::write(machine.path().join("state/agent.json"), "{").unwrap();
    assert!(!machine.start(Slot::A).ended().await.success());
    assert_eq!(machine.web_status().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_state_cannot_be_written_is_in_maintenance_mode_until_it_can() {
    let (machine, manager, _node) = in_service().await;
    // A directory blocks the file that is renamed into place, for root as well.
    let obstacle = machine.path().join("state/agent.json.new");
    fs::create_dir(&obstacle).unwrap();
    manager.with(|fake| fake.desired = desired(1, by_operator(), None));
    until("it says that it is unfit", || manager.last().is_some_and(|last| last.unfit.is_some())).await;
    let last = manager.last().unwrap();
    assert_eq!(last.generation, Generation::default(), "what is not durable is not accepted");
    machine.until_web_says(503).await;
    manager.with(|fake| fake.desired = desired(2, Owners::default(), None));
    fs::remove_dir(&obstacle).unwrap();
    machine.until_web_says(200).await;
    until("it has accepted", || manager.last().is_some_and(|last| last.generation.n == 2)).await;
    assert_eq!(manager.last().unwrap().unfit, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_rooms_cannot_be_written_stays_closed_whatever_else_it_can_write() {
    let (machine, manager, _node) = in_service().await;
    let obstacle = machine.path().join("state/configuration.json.new");
    fs::create_dir(&obstacle).unwrap();
    manager.with(|fake| fake.configuration = Configuration { revision: 4, rooms: Vec::new() });
    until("it says that it is unfit", || manager.last().is_some_and(|last| last.unfit.is_some())).await;
    let since = manager.with(|fake| fake.seen.len());
    for n in 1..=3 {
        manager.with(|fake| fake.desired = desired(n, Owners::default(), None));
        until("it has accepted", || manager.last().is_some_and(|last| last.generation.n == n)).await;
    }
    let unfit = |sync: &wire::Sync| sync.observed.unfit.is_some();
    assert!(
        manager.with(|fake| fake.seen[since..].iter().all(unfit)),
        "a state that is written ends no other fault"
    );
    machine.until_web_says(503).await;
    fs::remove_dir(&obstacle).unwrap();
    machine.until_web_says(200).await;
    let has_them = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 4));
    until("the node has the rooms", has_them).await;
    assert_eq!(manager.last().unwrap().unfit, None);
}

/// A machine that tries the release under test, enrolled, and the place where its manager will be.
async fn trying(confirm_within_seconds: u64) -> (TestMachine, Manager) {
    let (machine, manager) = (TestMachine::trying(confirm_within_seconds), Manager::start().await);
    assert!(machine.enrol(&manager).await.status.success());
    (machine, manager)
}

fn look_for_manager_at(machine: &TestMachine, address: SocketAddr) {
    let mut identity = Identity::load(machine.path()).unwrap();
    identity.manager = vec![address.to_string()];
    identity.store(machine.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn release_confirms_itself_by_its_first_sync_and_then_takes_calls() {
    let (machine, manager) = trying(60).await;
    manager.with(|fake| fake.syncs = Syncs::Refuse(403));
    let _node = machine.start(Slot::B);
    until("it syncs", || manager.with(|fake| !fake.seen.is_empty())).await;
    machine.until_web_says(503).await;
    assert_eq!(machine.machine.record().unwrap().confirmed, Slot::A);
    manager.with(|fake| fake.syncs = Syncs::Answer);
    machine.until_web_says(200).await;
    let record = machine.machine.record().unwrap();
    assert_eq!((record.confirmed, record.trying), (Slot::B, None));
    assert_eq!(machine.told_boot(), ["READY=1"]);
    until("it says so", || manager.last().is_some_and(|last| last.release_state == ReleaseState::Confirmed))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_or_senseless_sync_does_not_extend_the_confirmation() {
    for syncs in [Syncs::Refuse(403), Syncs::Refuse(500), Syncs::Babble] {
        let (machine, manager) = trying(60).await;
        manager.with(|fake| fake.syncs = syncs);
        let _node = machine.start(Slot::B);
        until("it has tried often", || manager.with(|fake| fake.seen.len() >= 6)).await;
        assert_eq!(machine.told_boot(), [] as [&str; 0], "{syncs:?}");
        assert!(machine.machine.record().unwrap().trying.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmation_waits_for_a_manager_that_cannot_be_reached() {
    let (machine, known) = trying(2).await;
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    look_for_manager_at(&machine, address);
    let _node = machine.start(Slot::B);
    let mut asked = Vec::new();
    until("it asks boot for time, again and again", || {
        asked.extend(machine.told_boot());
        asked.len() >= 5
    })
    .await;
    for message in asked {
        let micros: u64 = message.strip_prefix("EXTEND_TIMEOUT_USEC=").unwrap().parse().unwrap();
        assert!((1..=2_000_000).contains(&micros), "{micros}");
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let _manager = Manager::on(listener, known.authority());
    until("it has confirmed itself", || machine.machine.record().unwrap().confirmed == Slot::B).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_of_another_platform_does_not_extend_the_confirmation() {
    let (machine, _known) = trying(60).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let impostor = Manager::on(listener, Arc::new(Authority::new()));
    look_for_manager_at(&machine, address);
    let _node = machine.start(Slot::B);
    until("it has tried often", || impostor.connections() >= 6).await;
    assert_eq!(machine.told_boot(), [] as [&str; 0]);
}
