//! The callers against the call engine in the same process: the demo on a small scale.

#[path = "support/own_address.rs"]
mod own_address;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use call::{Admission, CallEngine, Callers, Closed, Rooms, Settings};
use callers::call_log::Drain;
use callers::time::Millis;
use callers::tone::Tone;
use callers::{
    Agent, CallId, CallLog, CallSettings, Cause, Codec, Crowd, CrowdSettings, Lengths, LiveCall, Node,
    NodeName, Pin, Room, Target, Transport,
};
use own_address::own_address;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far longer than any wait takes on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(60);
const ALIASES: [&str; 4] = ["lobby", "standup", "review", "board"];

async fn engine() -> CallEngine {
    let address = own_address();
    CallEngine::start(Settings::new(address, address.ip()), rooms(), Admission::Open).await.unwrap()
}

fn rooms() -> Rooms {
    Rooms::new(ALIASES.map(|alias| call::Room {
        name: alias.to_owned(),
        aliases: vec![alias.to_owned()],
        callers: Callers::Anyone,
    }))
}

fn node(name: &str, engine: &CallEngine) -> Node {
    Node { name: NodeName(name.to_owned()), sip: engine.sip_address() }
}

/// The crowd dials the first three aliases; the fourth one is for pinned calls.
fn crowd_settings(nodes: Vec<Node>, minimum: usize) -> CrowdSettings {
    let rooms = ALIASES[..3].iter().map(|alias| Room { alias: (*alias).to_owned(), seats: 6 }).collect();
    let lengths = Lengths {
        median: Millis::seconds(4),
        spread: 0.5,
        shortest: Millis::seconds(2),
        longest: Millis::seconds(8),
    };
    CrowdSettings {
        minimum,
        spare: 2,
        lengths,
        refresh_every: Some(Millis::seconds(3)),
        ..CrowdSettings::new(LOOPBACK, nodes, rooms)
    }
}

async fn start(settings: CrowdSettings) -> Crowd {
    let crowd = Crowd::start(settings).await.unwrap();
    tokio::time::timeout(TIMEOUT, crowd.populated()).await.expect("the crowd is complete in time");
    crowd
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(TIMEOUT, wait).await.is_ok(), "timed out waiting for: {what}");
}

fn assert_no_failures(calls: &[LiveCall]) {
    for call in calls {
        assert_eq!(call.judge(), vec![], "{}", call.id());
        assert_eq!((call.sound().own_tone, call.sound().strangers.len()), (0, 0), "{}", call.id());
    }
}

/// Three callers of one room, with UDP and TCP and both codecs, that expect each other's tones.
async fn three(agent: &Agent, engine: &CallEngine) -> Vec<LiveCall> {
    let mut calls: Vec<LiveCall> = Vec::new();
    for (n, (transport, codec)) in
        [(Transport::Udp, Codec::Pcmu), (Transport::Tcp, Codec::Pcma), (Transport::Udp, Codec::Pcma)]
            .into_iter()
            .enumerate()
    {
        let target = Target { alias: "lobby".to_owned(), node: engine.sip_address(), transport };
        let id = CallId(format!("three-{n}-{}", agent.address().port()));
        let settings = CallSettings { codec, ..CallSettings::new(id, target, Tone::nth(n * 7)) };
        let call = agent.dial(settings).await.unwrap();
        for other in &calls {
            other.expect(call.settings().tone, call.answered_at());
            call.expect(other.settings().tone, call.answered_at());
        }
        calls.push(call);
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn three_callers_hear_each_other_but_not_themselves_and_hold_silences_one() {
    let (engine, agent) = (engine().await, Agent::open(LOOPBACK).await.unwrap());
    let calls = three(&agent, &engine).await;
    until("all have received audio for five seconds", || calls.iter().all(|call| call.sound().windows > 50))
        .await;
    assert_no_failures(&calls);

    let held = &calls[0];
    held.hold().await.unwrap();
    until("the call on hold is not heard", || {
        calls[1..].iter().all(|call| call.absent()[&held.settings().tone] > Millis(1000))
    })
    .await;
    calls[1..].iter().for_each(|call| call.allow(held.settings().tone));
    held.resume().await.unwrap();
    let back = agent.clock().now();
    calls[1..].iter().for_each(|call| call.expect(held.settings().tone, back));
    let windows: Vec<u64> = calls.iter().map(|call| call.sound().windows).collect();
    until("all have received audio again", || {
        calls.iter().zip(&windows).all(|(call, before)| call.sound().windows > before + 45)
    })
    .await;
    assert_no_failures(&calls);
    held.refresh().await.unwrap();
    for call in &calls {
        assert_eq!(call.hang_up().await.cause, Cause::HungUp);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crowd_of_twenty_loses_no_call_and_all_hear_each_other() {
    let engine = engine().await;
    let crowd = start(crowd_settings(vec![node("a", &engine)], 16)).await;
    until("forty calls have ended", || crowd.log().totals().ended_by_caller >= 40).await;
    let log = crowd.stop().await;
    assert_eq!(log.failures(), vec![]);
    let totals = log.totals();
    assert_eq!((totals.alive, totals.lost, totals.refused_for_good), (0, 0, 0));
    assert!(totals.placed > 50 && totals.packets > 5000, "{totals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_engine_keeps_its_calls_and_new_ones_go_to_the_other() {
    let (a, b) = (engine().await, engine().await);
    let crowd = start(crowd_settings(vec![node("a", &a), node("b", &b)], 12)).await;
    let name = NodeName("a".to_owned());
    let pin = Pin { node: name.clone(), alias: "board".to_owned(), length: Millis::seconds(600) };
    let pinned = [crowd.pin(pin.clone()).await.unwrap(), crowd.pin(pin).await.unwrap()];
    a.set_admission(Admission::Closed(Closed::maintenance_mode()));
    let from = crowd.clock().now();
    let cleared = |log: CallLog| log.by_node()[&name].alive == 2 && log.totals().placed_elsewhere >= 3;
    until("only the pinned calls are left", || cleared(crowd.log())).await;
    let to = crowd.clock().now();
    for id in &pinned {
        assert_eq!(crowd.hang_up(id).await.unwrap().cause, Cause::HungUp);
    }
    let log = crowd.stop().await;
    assert_eq!(log.failures(), vec![]);
    let report = log.drain(&Drain { node: name, from, to, slack: Millis(0) });
    assert_eq!((report.lived_through, report.lost), (2, 0), "{report:?}");
    assert!(report.placed_elsewhere >= 3, "{report:?}");
    assert!(a.stats().refused_maintenance >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_an_engine_that_shuts_down_are_recorded_as_lost() {
    let (a, b) = (engine().await, engine().await);
    let mut settings = crowd_settings(vec![node("a", &a), node("b", &b)], 8);
    settings.lengths.shortest = Millis::seconds(60);
    settings.lengths.longest = Millis::seconds(60);
    let crowd = start(settings).await;
    let lost = |name: &str| {
        let log = crowd.log();
        let of_node = &log.by_node()[&NodeName(name.to_owned())];
        (of_node.lost, of_node.placed)
    };
    let (_, placed) = lost("a");
    assert!(placed > 0);
    a.shut_down().await;
    until("its calls are lost", || lost("a") == (placed, placed)).await;
    let log = crowd.stop().await;
    assert_eq!(log.by_node()[&NodeName("b".to_owned())].lost, 0);
    let causes: Vec<Cause> = log
        .calls
        .values()
        .filter(|call| call.is_lost())
        .filter_map(|call| call.ended.clone())
        .map(|ended| ended.cause)
        .collect();
    assert!(causes.iter().all(|cause| matches!(cause, Cause::FarEndBye { .. })), "{causes:?}");
}

/// An engine in a runtime of its own, which can be stopped at once.
async fn separate_engine() -> (tokio::runtime::Runtime, CallEngine) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let engine = runtime.spawn(engine()).await.unwrap();
    (runtime, engine)
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_that_crashes_without_a_bye_is_detected_by_its_silence() {
    let ((runtime, engine), agent) = (separate_engine().await, Agent::open(LOOPBACK).await.unwrap());
    let calls = three(&agent, &engine).await;
    until("audio arrives", || calls.iter().all(|call| call.sound().packets > 10)).await;
    // Its tasks are gone before the engine is dropped, so that nothing is left to send a BYE.
    tokio::task::spawn_blocking(move || runtime.shutdown_timeout(TIMEOUT)).await.unwrap();
    drop(engine);
    for call in &calls {
        let ended = tokio::time::timeout(TIMEOUT, call.ended()).await.unwrap();
        assert!(matches!(ended.cause, Cause::Silence { .. }), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_that_sends_audio_but_does_not_answer_is_detected_by_a_refresh() {
    let ((runtime, engine), agent) = (separate_engine().await, Agent::open(LOOPBACK).await.unwrap());
    let calls = three(&agent, &engine).await;
    runtime.shutdown_background();
    assert!(calls[0].refresh().await.is_err());
    let cause = calls[0].ended().await.cause;
    assert!(matches!(cause, Cause::RefreshFailed { .. } | Cause::Silence { .. }), "{cause:?}");
    drop(engine);
}

/// Starts an engine at the address of an earlier one, whose sockets may take a moment to close.
async fn restart(address: SocketAddr) -> CallEngine {
    loop {
        match CallEngine::start(Settings::new(address, address.ip()), rooms(), Admission::Open).await {
            Ok(engine) => return engine,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_was_drained_and_restarted_has_calls_again_over_udp_and_tcp() {
    let ((process, a), b) = (separate_engine().await, engine().await);
    let address = a.sip_address();
    let settings = crowd_settings(vec![node("a", &a), node("b", &b)], 10);
    let crowd = start(CrowdSettings { answer_within: Millis(500), ..settings }).await;
    let on_a = |log: &CallLog| log.by_node()[&NodeName("a".to_owned())].alive;
    a.set_admission(Admission::Closed(Closed::maintenance_mode()));
    until("the node is empty", || on_a(&crowd.log()) == 0).await;
    a.shut_down().await;
    process.shutdown_background();
    let restarted = tokio::time::timeout(TIMEOUT, restart(address)).await.expect("the port comes free");
    let back = crowd.clock().now();
    let has = |transport| {
        let on_node = |call: &&callers::call_log::CallRecord| call.node.0 == "a" && call.answered > back;
        crowd.log().calls.values().filter(on_node).any(|call| call.transport == transport)
    };
    until("it has calls over UDP and TCP", || has(Transport::Udp) && has(Transport::Tcp)).await;
    let log = crowd.stop().await;
    assert_eq!(log.failures(), vec![]);
    drop(restarted);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_with_a_session_timer_lasts_beyond_its_interval() {
    let mut settings = Settings::new(SocketAddr::new(LOOPBACK, 0), LOOPBACK);
    settings.min_session_interval = Duration::from_secs(2);
    settings.session_interval = Duration::from_secs(3);
    let engine = CallEngine::start(settings, rooms(), Admission::Open).await.unwrap();
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let target = Target { alias: "lobby".to_owned(), node: engine.sip_address(), transport: Transport::Udp };
    let settings =
        CallSettings::new(CallId(format!("timer-{}", agent.address().port())), target, Tone::nth(3));
    let call = agent.dial(CallSettings { session_timer: Some(3), ..settings }).await.unwrap();
    until("three intervals have passed", || call.sound().windows > 90 || call.how_it_ended().is_some()).await;
    assert_eq!(call.hang_up().await.cause, Cause::HungUp);
    assert_eq!(engine.stats().ended_by_session_timer, 0);
}
