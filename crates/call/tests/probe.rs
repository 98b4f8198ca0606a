//! The engine's call to itself: which faults it detects, and that it affects no other call.

mod common;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use call::audio::Codec;
use call::{Admission, CallEngine, Closed, ProbeError, Probed, Settings, Stats};
use common::{Caller, address, count, engine, header, settings, wait_for_calls, wait_until};

/// Settings with a few media ports.
fn few_ports(test: u8, pairs: u16) -> Settings {
    let mut settings = settings(test);
    settings.media_ports = 20_000..=20_000 + 2 * pairs - 1;
    settings
}

/// Occupies the media ports of an engine, as another program would.
fn take_ports(settings: &Settings) -> Vec<UdpSocket> {
    let ports = settings.media_ports.clone().step_by(2);
    ports.filter_map(|port| UdpSocket::bind((settings.media, port)).ok()).collect()
}

async fn fault_text(engine: &CallEngine) -> String {
    engine.probe_call().await.expect_err("no call is possible").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_in_maintenance_mode_carries_a_probe_that_is_not_counted() {
    let closed = Admission::Closed(Closed::maintenance_mode());
    let engine = CallEngine::start(settings(70), common::rooms(), closed).await.expect("engine");
    let calls = engine.calls();
    for _ in 0..5 {
        assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
        assert_eq!(count(&engine), 0);
    }
    assert!(!calls.has_changed().expect("the engine"), "the call was counted");
    assert_eq!(engine.stats(), Stats::default());
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_probes_are_serialised() {
    let engine = engine(few_ports(71, 1)).await;
    let (a, b, c) = tokio::join!(engine.probe_call(), engine.probe_call(), engine.probe_call());
    for probed in [a, b, c] {
        assert_eq!(probed.expect("a call"), Probed::Carried, "each had the only port to itself");
    }
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_beside_calls_affects_neither_them_nor_their_ports() {
    let engine = engine(few_ports(72, 2)).await;
    let mut a = Caller::new(&engine, address(72, 2), "a").await;
    a.call(Codec::Pcmu).await;
    let (mut last, _) = a.hear(Codec::Pcmu).await;
    for _ in 0..3 {
        assert_eq!(
            engine.probe_call().await.expect("SIP answers"),
            Probed::Full,
            "the last port is a caller's"
        );
    }
    let mut b = Caller::new(&engine, address(72, 3), "b").await;
    b.call(Codec::Pcmu).await;
    assert_eq!(engine.probe_call().await.expect("SIP answers"), Probed::Full, "a full node is well");
    for _ in 0..20 {
        let (header, sample) = a.hear(Codec::Pcmu).await;
        assert_eq!((header.sequence, sample), (last.sequence.wrapping_add(1), 0));
        last = header;
    }
    assert_eq!(count(&engine), 2);
    a.bye().await;
    b.bye().await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
    assert_eq!((engine.stats().carried, engine.stats().ended_by_far_end), (2, 2));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_another_program_holds_are_named_until_they_are_free() {
    let settings = few_ports(73, 4);
    let engine = engine(settings.clone()).await;
    let held = take_ports(&settings);
    let text = fault_text(&engine).await;
    assert!(
        text.contains(&format!("refused with 503: cannot open a UDP port for media on {}", address(73, 1))),
        "{text}"
    );
    assert!(text.contains("Address already in use"), "{text}");
    assert_eq!(fault_text(&engine).await, text, "a fault that lasts has one text");

    let a = Caller::new(&engine, address(73, 2), "a").await;
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    a.send(&a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer)).await;
    let refusal = a.expect("SIP/2.0 503").await;
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"Out of resource\"", "callers learn no more");
    wait_until("the refusal is counted", || engine.stats().refused_resource == 1).await;
    assert_eq!(engine.stats().refused_limit, 0, "the node is not full");

    drop(held);
    assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_address_that_is_not_on_the_machine_is_named() {
    let mut settings = settings(74);
    settings.media = Ipv4Addr::new(192, 0, 2, 1).into();
    let engine = engine(settings).await;
    let error = engine.probe_call().await.expect_err("no such address");
    assert!(matches!(error, ProbeError::MediaAddress(_)), "{error}");
    assert!(error.to_string().starts_with("the media address 192.0.2.1 is not on this machine"), "{error}");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_that_answers_on_every_address_is_called_on_the_loopback() {
    let mut settings = settings(75);
    settings.sip = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let engine = engine(settings).await;
    assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
    engine.shut_down().await;
}

/// Behind a NAT that maps one to one, the outer address leads to the node from outside alone.
#[tokio::test(flavor = "multi_thread")]
async fn engine_with_an_advertised_address_is_called_at_the_address_that_it_has() {
    let mut settings = settings(180);
    settings.advertised = Some(Ipv4Addr::new(203, 0, 113, 9).into());
    let engine = engine(settings).await;
    assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
    let mut a = Caller::new(&engine, address(180, 2), "a").await;
    let answer = a.invite("", Codec::Pcmu, "sendrecv").await;
    assert!(answer.contains("c=IN IP4 203.0.113.9\r\n"), "callers are given the outer one: {answer}");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_imitates_a_probe_is_not_admitted_from_outside() {
    let closed = Admission::Closed(Closed::maintenance_mode());
    let engine = CallEngine::start(settings(76), common::rooms(), closed).await.expect("engine");
    for n in 0..20 {
        let probing = engine.probe_call();
        let a = Caller::new(&engine, address(76, 2), &format!("probe-{n:032x}")).await;
        let offer = a.offer(Codec::Pcmu, "sendrecv");
        let invite = a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer);
        let calling = async {
            a.send(&invite.replace("sip:meet@", &format!("sip:probe-{n:032x}@"))).await;
            a.expect("SIP/2.0 503").await
        };
        let (probed, refusal) = tokio::join!(probing, calling);
        assert_eq!(probed.expect("a call"), Probed::Carried);
        assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"System in maintenance mode\"");
    }
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_does_not_wait_for_the_ring_time_or_the_rate_of_its_address() {
    let mut settings = settings(77);
    settings.ring_time = Duration::from_secs(60);
    settings.source_rate.admitted = 1;
    settings.source_rate.burst = 1;
    settings.source_rate.answered = 1;
    let engine = engine(settings).await;
    for _ in 0..5 {
        assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
    }
    engine.shut_down().await;
}
