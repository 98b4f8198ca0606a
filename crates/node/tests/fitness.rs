//! Tests a node on a machine on which it cannot carry calls: it does not confirm its release, and reports itself unfit.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use callers::time::Millis;
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, DialError, LiveCall, Target, Transport};
use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners, RunId};
use fleet::observed::{Calls, Observed, Staging};
use fleet::version::{Release, Sha256};
use slots::{Slot, UnixMillis, Why};
use wire::{Configuration, Room};

use support::machine::{Node, TestMachine};
use support::{Manager, PATIENCE, until};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn unfit(manager: &Manager) -> Option<String> {
    manager.last()?.unfit
}

fn says(manager: &Manager, text: &str) -> bool {
    unfit(manager).is_some_and(|why| why.contains(text))
}

async fn enrolled(machine: TestMachine) -> (TestMachine, Manager) {
    let manager = Manager::start().await;
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    manager.with(|fake| fake.configuration = Configuration { revision: 1, rooms: vec![room] });
    assert!(machine.enrol(&manager).await.status.success());
    (machine, manager)
}

async fn dial(agent: &Agent, machine: &TestMachine, name: &str) -> Result<LiveCall, DialError> {
    let target = Target { alias: "team".into(), node: machine.sip, transport: Transport::Udp };
    let settings = CallSettings::new(CallId(name.into()), target, Tone::nth(1));
    agent.dial(CallSettings { answer_within: Millis::seconds(10), ..settings }).await
}

async fn in_service(machine: TestMachine) -> (TestMachine, Manager, Node) {
    let (machine, manager) = enrolled(machine).await;
    let node = machine.start(Slot::A);
    machine.until_web_says(200).await;
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    (machine, manager, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn release_without_media_ports_does_not_confirm_itself_until_they_are_free() {
    let (machine, manager) = enrolled(TestMachine::trying(60).with_few_ports()).await;
    let held = machine.take_ports();
    let _node = machine.start(Slot::B);
    until("it says why", || says(&manager, "no call is possible: ")).await;
    assert!(says(&manager, "cannot open a UDP port for media") && says(&manager, "Address already in use"));
    // It syncs and answers OPTIONS; that used to be enough.
    assert_eq!(machine.machine.record().unwrap().confirmed, Slot::A);
    assert_eq!(machine.told_boot(), [] as [&str; 0]);
    machine.until_web_says(503).await;
    drop(held);
    machine.until_web_says(200).await;
    assert_eq!(machine.machine.record().unwrap().confirmed, Slot::B);
    until("it is fit", || unfit(&manager).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn release_whose_media_address_is_not_on_the_machine_falls_back_with_the_reason() {
    let machine = TestMachine::trying(60);
    machine.set(&format!("media = \"{}\"", machine.sip.ip()), "media = \"192.0.2.1\"");
    let (machine, manager) = enrolled(machine).await;
    let node = machine.start(Slot::B);
    let expected = "no call is possible: the media address 192.0.2.1 is not on this machine";
    until("it says why", || says(&manager, expected)).await;
    assert!(machine.machine.record().unwrap().trying.is_some());
    node.kill().await;

    // What boot does when no confirmation comes. The release before was of the same build here.
    let own: Sha256 = machine.machine.release(Slot::B).unwrap().unwrap().manifest.parse().unwrap();
    let software = Assignment { run: RunId(1), release: Release::PRESENT, manifest: own };
    assert_eq!(machine.machine.record().unwrap().trying.map(|it| it.manifest), Some(own.to_string()));
    machine.machine.fall_back(Why::NeverConfirmed { within_seconds: 60 }, UnixMillis::now()).unwrap();
    let why = node::unconfirmed::UnconfirmedFile::new(&machine.path().join("state")).why(&own.to_string());
    assert!(why.is_some_and(|why| why.starts_with(expected)), "{software:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn release_before_says_why_the_one_that_fell_back_could_carry_no_call() {
    let (machine, manager, node) = in_service(TestMachine::installed()).await;
    let publisher = support::package::Publisher::new();
    publisher.install_key(machine.path());
    let next = support::package::next_release();
    let served = publisher.publish(next, fleet::version::Version::new(34, 0), 10_000);
    let software = served.assignment();
    let owners = Owners { run: Some(fleet::time::Span::hours(1)), ..Owners::default() };
    manager.with(|fake| {
        fake.served = Some(served.dir.clone());
        let intent = Intent { owners, software: Some((software, Depth::Install)) };
        fake.desired = Desired { generation: Generation { epoch: 1, n: 1 }, intent };
    });
    let mut node = node;
    assert!(node.ended().await.success(), "it leaves for the next release");
    let state = machine.path().join("state");
    let file = node::unconfirmed::UnconfirmedFile::new(&state);
    file.note(&software.manifest.to_string(), "no call is possible: a test");
    machine.machine.fall_back(Why::NeverConfirmed { within_seconds: 60 }, UnixMillis::now()).unwrap();
    let _node = machine.start(Slot::A);
    let rejected = |last: Observed| match last.staging {
        Staging::Rejected { why, .. } => Some(why),
        Staging::Nothing | Staging::Fetching { .. } | Staging::Staged { .. } => None,
    };
    let why = || manager.last().and_then(rejected);
    until("it says what became of the release", || why().is_some()).await;
    assert!(
        why().unwrap().ends_with("did not confirm itself in 60 s: no call is possible: a test"),
        "{why:?}",
        why = why()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmed_node_that_starts_without_media_ports_is_unfit_at_once_and_fit_when_they_are_free() {
    let (machine, manager) = enrolled(TestMachine::installed().with_few_ports()).await;
    let held = machine.take_ports();
    let _node = machine.start(Slot::A);
    until("it says that it is unfit", || says(&manager, "cannot open a UDP port for media")).await;
    let said = || async { machine.web_status().await };
    let began = Instant::now();
    while said().await != Some((503, r#"{"status":"failed","result":"Not fit to take calls"}"#.into())) {
        assert!(began.elapsed() < PATIENCE, "{:?}", said().await);
    }
    drop(held);
    machine.until_web_says(200).await;
    until("it is fit", || unfit(&manager).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_refuses_callers_though_it_is_not_full_makes_itself_unfit_and_keeps_its_calls() {
    let (machine, manager, _node) = in_service(TestMachine::installed().with_few_ports()).await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let call = dial(&agent, &machine, "first").await.unwrap();
    let mut held = machine.take_ports();
    // A probe may have one for a moment.
    until("the call has the only one that is left", || {
        held.extend(machine.take_ports());
        held.len() == 3
    })
    .await;
    let refused = dial(&agent, &machine, "second").await;
    assert!(matches!(refused, Err(DialError::Refused { status: 503, .. })));
    // Well before the next probe of a node that nobody calls, which is a minute off.
    until("it says that it is unfit", || says(&manager, "cannot open a UDP port for media")).await;
    machine.until_web_says(503).await;
    assert!(call.how_it_ended().is_none(), "the call goes on");
    assert!(!manager.last().unwrap().calls.cleared());
    drop(held);
    machine.until_web_says(200).await;
    let third = dial(&agent, &machine, "third").await.unwrap();
    assert!(call.how_it_ended().is_none() && call.judge().is_empty(), "{:?}", call.judge());
    call.hang_up().await;
    third.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_full_of_calls_is_fit() {
    let (machine, manager, node) = in_service(TestMachine::installed().with_few_ports()).await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let mut calls = Vec::new();
    for n in 0..4 {
        calls.push(dial(&agent, &machine, &format!("caller-{n}")).await.unwrap());
    }
    for n in 4..8 {
        let refused = dial(&agent, &machine, &format!("caller-{n}")).await;
        assert!(matches!(refused, Err(DialError::Refused { status: 503, .. })));
    }
    let full = |last: Observed| matches!(last.calls, Calls::Known { count: 4, .. });
    until("the manager knows of the calls", || manager.last().is_some_and(full)).await;
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    assert_eq!(unfit(&manager), None);
    machine.until_web_says(200).await;
    drop(node);
}
