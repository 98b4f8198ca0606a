//! Tests the node with live calls: a release is staged while they go on, and an install waits for them.

mod support;

use std::net::{IpAddr, Ipv4Addr};

use callers::time::Millis;
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, Cause, DialError, LiveCall, Target, Transport};
use fleet::desired::{Depth, Desired, Generation, Intent, Owners};
use fleet::observed::{Admission, Calls, Staging};
use fleet::time::Span;
use fleet::version::Version;
use slots::Slot;
use tokio::net::UdpSocket;
use wire::share::{CallShare, HeldShare};
use wire::{Configuration, Room};

use support::machine::TestMachine;
use support::package::{Publisher, Served, next_release};
use support::{Manager, until};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A payload that takes a while: some thirty pieces.
const LARGE: usize = 120_000_000;

async fn dial(agent: &Agent, machine: &TestMachine, n: usize) -> Result<LiveCall, DialError> {
    let target = Target { alias: "team".into(), node: machine.sip, transport: Transport::Udp };
    let settings = CallSettings::new(CallId(format!("caller-{n}")), target, Tone::nth(n));
    agent.dial(CallSettings { answer_within: Millis::seconds(10), ..settings }).await
}

fn send(manager: &Manager, n: u64, owners: Owners, served: &Served, depth: Depth) {
    let intent = Intent { owners, software: Some((served.assignment(), depth)) };
    let desired = Desired { generation: Generation { epoch: 1, n }, intent };
    manager.with(|fake| fake.desired = desired);
}

fn count(manager: &Manager) -> Option<u32> {
    match manager.last()?.calls {
        Calls::Known { count, oldest: _ } => Some(count),
        Calls::Unknown => None,
    }
}

async fn until_staged(manager: &Manager, served: &Served) {
    let staged = Staging::Staged { manifest: served.verified.hash() };
    until("the release is staged", || manager.last().is_some_and(|last| last.staging == staged)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_a_release_is_staged_and_an_install_waits_for_them() {
    let (machine, manager, publisher) = (TestMachine::installed(), Manager::start().await, Publisher::new());
    publisher.install_key(machine.path());
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    manager.with(|fake| fake.configuration = Configuration { revision: 1, rooms: vec![room] });
    let served = publisher.publish(next_release(), Version::new(34, 0), LARGE);
    manager.with(|fake| fake.served = Some(served.dir.clone()));
    assert!(machine.enrol(&manager).await.status.success());
    let mut node = machine.start(Slot::A);
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let [one, two] = [dial(&agent, &machine, 1).await.unwrap(), dial(&agent, &machine, 2).await.unwrap()];
    let since = agent.clock().now();
    one.expect(Tone::nth(2), since);
    two.expect(Tone::nth(1), since);
    until("the manager knows of the calls", || count(&manager) == Some(2)).await;

    send(&manager, 1, Owners::default(), &served, Depth::Stage);
    until_staged(&manager, &served).await;
    assert_eq!((one.judge(), two.judge()), (vec![], vec![]), "both heard each other all the time");
    assert_eq!((one.sound().lost, two.sound().lost), (0, 0), "no packet was left out");

    let by_run = Owners { run: Some(Span::hours(1)), ..Owners::default() };
    send(&manager, 2, by_run, &served, Depth::Install);
    let refusing = || manager.last().is_some_and(|last| last.admission == Admission::Refusing);
    until("calls are refused", refusing).await;
    match dial(&agent, &machine, 3).await {
        Err(DialError::Refused { status: 503, .. }) => {}
        other => panic!("a call in maintenance mode: {:?}", other.map(|call| call.id().clone())),
    }
    assert_eq!(one.hang_up().await.cause, Cause::HungUp);
    until("one call is left", || count(&manager) == Some(1)).await;
    assert!(node.is_running() && two.how_it_ended().is_none(), "the install waits for the last call");
    assert_eq!(machine.machine.record().unwrap().trying, None);
    assert_eq!(two.hang_up().await.cause, Cause::HungUp);
    assert!(node.ended().await.success());
    assert!(machine.machine.record().unwrap().trying.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_asked_to_end_hangs_up() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    manager.with(|fake| fake.configuration = Configuration { revision: 1, rooms: vec![room] });
    assert!(machine.enrol(&manager).await.status.success());
    let mut node = machine.start(Slot::A);
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let call = dial(&agent, &machine, 1).await.unwrap();
    node.terminate();
    assert!(node.ended().await.success());
    until("the caller is fake", || call.how_it_ended().is_some()).await;
    assert!(matches!(call.ended().await.cause, Cause::FarEndBye { .. }));
}

/// The answer to a REGISTER without credentials.
async fn register(machine: &TestMachine) -> String {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    socket.connect(machine.sip).await.unwrap();
    let (node, here) = (machine.sip, socket.local_addr().unwrap());
    let request = format!(
        "REGISTER sip:{node} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKr\r\nMax-Forwards: 70\r\n\
         From: <sip:ann@{node}>;tag=r\r\nTo: <sip:ann@{node}>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:ann@{here}>\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answer = [0; 4096];
    socket.send(request.as_bytes()).await.unwrap();
    let length = socket.recv(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn room_that_the_settings_give_to_accounts_and_a_registrar_ask_who_it_is() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    let accounts = "[authentication]\nrealm = \"video\"\nrooms = [\"Team\"]\n\
                    [[accounts]]\nusername = \"ann\"\npassword = \"nna\"\naliases = [\"ann\"]\n[node]";
    machine.set("[node]", accounts);
    let room = |name: &str, alias: &str| Room { name: name.into(), aliases: vec![alias.into()] };
    let rooms = vec![room("Team", "team"), room("Lobby", "lobby")];
    manager.with(|fake| fake.configuration = Configuration { revision: 1, rooms });
    assert!(machine.enrol(&manager).await.status.success());
    let mut node = machine.start(Slot::A);
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    let admitting = || manager.last().is_some_and(|last| last.admission == Admission::Admitting);
    until("calls are admitted", admitting).await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    match dial(&agent, &machine, 1).await {
        Err(DialError::Refused { status: 401, .. }) => {}
        other => panic!("a call without an account: {:?}", other.map(|call| call.id().clone())),
    }
    let answer = register(&machine).await;
    assert!(answer.starts_with("SIP/2.0 401") && answer.contains("realm=\"video\""), "{answer}");
    node.terminate();
    assert!(node.ended().await.success());
}

/// What the node says of its share of the licences.
fn held(manager: &Manager) -> Option<HeldShare> {
    manager.with(|fake| fake.seen.last().and_then(|sync| sync.call_share))
}

#[tokio::test(flavor = "multi_thread")]
async fn share_of_the_licences_limits_new_calls_and_no_running_one() {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    let share = |most| CallShare { most };
    manager.with(|fake| {
        fake.configuration = Configuration { revision: 1, rooms: vec![room] };
        fake.call_share = Some(share(Some(2)));
    });
    assert!(machine.enrol(&manager).await.status.success());
    let _node = machine.start(Slot::A);
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    until("the node has its share", || held(&manager).is_some_and(|held| held.share.most == Some(2))).await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let [one, two] = [dial(&agent, &machine, 1).await.unwrap(), dial(&agent, &machine, 2).await.unwrap()];
    let is_refused = async |n| match dial(&agent, &machine, n).await {
        Err(DialError::Refused { status: 503, reason: Some(reason), .. }) => {
            assert!(reason.contains("Insufficient licenses"), "{reason}");
        }
        other => panic!("a call beyond the share: {:?}", other.map(|call| call.id().clone())),
    };
    is_refused(3).await;
    until("the manager knows of it", || held(&manager).is_some_and(|held| held.refused == 1)).await;
    assert_eq!(one.hang_up().await.cause, Cause::HungUp);
    until("one call is left", || count(&manager) == Some(1)).await;
    let three = dial(&agent, &machine, 4).await.unwrap();

    manager.with(|fake| fake.call_share = Some(share(Some(0))));
    until("the node has no share", || held(&manager).is_some_and(|held| held.share.most == Some(0))).await;
    is_refused(5).await;
    assert!(two.how_it_ended().is_none() && three.how_it_ended().is_none(), "running calls go on");
    manager.with(|fake| fake.call_share = None);
    let is_unlimited = || held(&manager).is_some_and(|held| held.share.most.is_none());
    until("an older Management Node limits nothing", is_unlimited).await;
    drop(dial(&agent, &machine, 6).await.unwrap());
}
