//! Participants reach the Management Node, and its commands are carried out, each once.

mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use callers::time::Millis;
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, Cause, LiveCall, Target, Transport};
use fleet::starts::StartId;
use slots::Slot;
use uuid::Uuid;
use wire::live::{Action, Command, Departure, Outcome, Participant};
use wire::{Configuration, Room, Wait};

use support::machine::{Node, TestMachine};
use support::{Manager, until};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn dial(agent: &Agent, machine: &TestMachine, n: usize) -> LiveCall {
    let target = Target { alias: "team".into(), node: machine.sip, transport: Transport::Udp };
    let settings = CallSettings::new(CallId(format!("caller-{n}")), target, Tone::nth(n));
    agent.dial(CallSettings { answer_within: Millis::seconds(10), ..settings }).await.unwrap()
}

/// A node that has a room, and its Management Node, which knows none of its participants.
async fn started() -> (TestMachine, Manager, Node) {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    manager.with(|fake| fake.configuration = Configuration { revision: 1, rooms: vec![room] });
    assert!(machine.enrol(&manager).await.status.success());
    let node = machine.start(Slot::A);
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    (machine, manager, node)
}

/// The participants as the changes of all requests have it.
fn shown(manager: &Manager) -> BTreeMap<Uuid, Participant> {
    manager.with(|fake| {
        let (mut shown, mut at) = (BTreeMap::new(), 0);
        for changes in fake.seen.iter().filter_map(|sync| sync.participants.as_ref()) {
            if changes.since == at {
                changes.removed.iter().for_each(|id| drop(shown.remove(id)));
                shown.extend(changes.changed.iter().map(|participant| (participant.id, participant.clone())));
                at = changes.to;
            }
        }
        shown
    })
}

fn start_of(manager: &Manager) -> StartId {
    manager.with(|fake| fake.seen.last().and_then(|sync| sync.observed.process).unwrap().start)
}

fn outcome(manager: &Manager, command: u128) -> Option<Outcome> {
    let is_it = |outcome: &&Outcome| outcome.command == Uuid::from_u128(command);
    manager.with(|fake| fake.seen.iter().flat_map(|sync| &sync.outcomes).find(is_it).cloned())
}

#[tokio::test(flavor = "multi_thread")]
async fn participants_are_sent_as_they_change_to_a_manager_that_wants_them() {
    let (machine, manager, mut node) = started().await;
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let one = dial(&agent, &machine, 1).await;
    until("the call is counted", || {
        manager
            .last()
            .is_some_and(|last| matches!(last.calls, fleet::observed::Calls::Known { count: 1, .. }))
    })
    .await;
    assert!(
        manager.with(|fake| fake.seen.iter().all(|sync| sync.participants.is_none())),
        "nobody has asked"
    );
    manager.with(|fake| fake.participants = Some(0));
    until("the participant is shown", || shown(&manager).values().any(|it| it.joined.is_some())).await;
    let two = dial(&agent, &machine, 2).await;
    until("both are shown", || shown(&manager).len() == 2).await;
    assert_eq!(one.hang_up().await.cause, Cause::HungUp);
    until("one is shown", || shown(&manager).len() == 1).await;
    let departures: Vec<Departure> = manager.with(|fake| {
        let changes = fake.seen.iter().filter_map(|sync| sync.participants.as_ref());
        changes.flat_map(|changes| &changes.departures).map(|departed| departed.why).collect()
    });
    assert!(departures.contains(&Departure::HungUp), "{departures:?}");
    // It has started anew, and knows nothing.
    manager.with(|fake| {
        fake.seen.clear();
        fake.participants = Some(0);
    });
    until("it is shown again", || shown(&manager).len() == 1).await;
    assert_eq!(two.hang_up().await.cause, Cause::HungUp);
    until("nobody is shown", || {
        shown(&manager).is_empty() && manager.with(|fake| fake.participants > Some(0))
    })
    .await;
    node.terminate();
    assert!(node.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn command_is_carried_out_once_and_by_the_process_that_it_names() {
    let (machine, manager, mut node) = started().await;
    manager.with(|fake| fake.participants = Some(0));
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let (one, two) = (dial(&agent, &machine, 1).await, dial(&agent, &machine, 2).await);
    until("both are shown", || shown(&manager).len() == 2).await;
    let start = start_of(&manager);
    let [first, second] = shown(&manager).into_keys().collect::<Vec<_>>()[..] else { panic!("two") };
    let command = |id, start, action| Command { id: Uuid::from_u128(id), start, action };
    let nobody = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let destination = format!("sip:nobody@{}", nobody.local_addr().unwrap());
    let dialled = Action::Dial { room: "Team".into(), destination, display_name: Some("Nobody".into()) };
    manager.with(|fake| {
        fake.commands = vec![
            command(1, StartId(start.0 ^ 1), Action::Disconnect { participant: second }),
            command(2, start, Action::SetMuted { participant: first, muted: true }),
            command(3, start, dialled.clone()),
            command(3, start, dialled),
            command(4, start, Action::Disconnect { participant: Uuid::nil() }),
            command(5, start, Action::SetLocked { room: "Team".into(), locked: true }),
            command(6, start, Action::Unknown),
        ];
    });
    until("there are outcomes", || (2..=6).all(|id| outcome(&manager, id).is_some())).await;
    let is_shown = || {
        let shown = shown(&manager);
        shown.len() == 3 && shown[&first].muted && !shown[&second].muted && shown.values().all(|it| it.locked)
    };
    until("they are carried out", is_shown).await;
    let dialled = outcome(&manager, 3).unwrap();
    let named: Vec<_> =
        shown(&manager).into_values().filter(|it| it.dialled).map(|it| (it.id, it.display_name)).collect();
    assert_eq!(named, [(dialled.participant.unwrap(), "Nobody".into())], "once, though it came many times");
    let failure = |id| outcome(&manager, id).unwrap().failure;
    assert_eq!((failure(2), failure(3), failure(5)), (None, None, None));
    assert!(failure(4).is_some_and(|failure| failure.missing));
    assert!(failure(6).is_some_and(|failure| failure.why.contains("upgrade")));
    assert_eq!(outcome(&manager, 1), None);

    let disconnect = command(7, start, Action::Disconnect { participant: first });
    manager.with(|fake| fake.commands = vec![disconnect]);
    until("it is disconnected", || [&one, &two].iter().any(|call| call.how_it_ended().is_some())).await;
    assert!([&one, &two].iter().any(|call| call.how_it_ended().is_none()), "the other goes on");
    node.terminate();
    assert!(node.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_is_said_in_requests_that_wait_and_in_no_others() {
    let (_machine, manager, mut node) = started().await;
    until("the machine is said", || manager.with(|fake| fake.seen.iter().any(|sync| sync.machine.is_some())))
        .await;
    manager.with(|fake| {
        assert!(fake.seen.iter().all(|sync| sync.machine.is_some() == (sync.wait == Wait::ForNews)));
        let machine = fake.seen.iter().find_map(|sync| sync.machine.as_ref()).unwrap();
        assert!(machine.cpu_count.is_some() && machine.call_limit.is_some(), "{machine:?}");
    });
    node.terminate();
    assert!(node.ended().await.success());
}
