//! Calls of real phones that move from one engine to another.

mod common;

use std::collections::BTreeMap;

use call::audio::Participant;
use call::handover::{Given, NotTakenOver};
use call::{CallEngine, Settings};
use common::baresip::Baresip;
use common::{address, count, engine, settings, wait_for_calls};
use std::net::SocketAddr;

/// Both engines of a test, at addresses of their own and the same port.
async fn two_engines(test: u8) -> (CallEngine, CallEngine) {
    let first = engine(settings(test)).await;
    let other = address(test, 100);
    let sip = SocketAddr::new(other, first.sip_address().port());
    let second = Settings { sip, media: other, ..settings(test) };
    (first, engine(second).await)
}

/// Moves the conference of the tests; returns what has become of its calls, and how many are at the other engine.
async fn move_conference(from: &CallEngine, to: &CallEngine) -> (BTreeMap<Participant, Given>, usize) {
    let (here, there) = tokio::io::duplex(4096);
    let give = async move { from.give_conference(&"Meeting".into(), here).await };
    tokio::join!(give, to.take_calls(there))
}

async fn phones_of_baresip_move(test: u8, transport: &str) {
    let (first, second) = two_engines(test).await;
    let room = format!("sip:meet@{};transport={transport}", first.sip_address());
    let (mut low, mut high) = (Baresip::dial(400, &room), Baresip::dial(1000, &room));
    low.established().await;
    high.established().await;
    low.hears(1000).await;
    high.hears(400).await;
    for (from, to) in [(&first, &second), (&second, &first), (&first, &second)] {
        let (given, taken) = move_conference(from, to).await;
        assert!(given.len() == 2 && given.values().all(|given| *given == Given::Moved), "{given:?}");
        assert_eq!((taken, count(to)), (2, 2));
        wait_for_calls(from, 0).await;
        low.hears(1000).await;
        high.hears(400).await;
    }
    low.hang_up().await;
    wait_for_calls(&second, 1).await;
    first.shut_down().await;
    assert!(!high.is_over(), "the first engine has nothing to do with it any more");
    second.shut_down().await;
    high.wait_for_hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_move_and_hear_each_other_over_udp() {
    phones_of_baresip_move(125, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_move_and_hear_each_other_over_tcp() {
    phones_of_baresip_move(126, "tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_that_answers_whom_it_called_keeps_its_conference_where_it_is() {
    let (first, second) = two_engines(127).await;
    let room = format!("sip:meet@{};transport=udp", first.sip_address());
    let mut phone = Baresip::dial(400, &room);
    phone.established().await;
    // sipp sends its responses to the address that it has called, whoever asks.
    let caller = tokio::spawn(common::run_sipp(
        first.sip_address(),
        address(127, 3),
        &["-sn", "uac", "-aa", "-s", "meet", "-m", "1", "-d", "6000"],
    ));
    wait_for_calls(&first, 2).await;
    let given = loop {
        let (given, taken) = move_conference(&first, &second).await;
        assert_eq!(taken, 0);
        if !given.values().any(|given| matches!(given, Given::NotExported(_))) {
            break given;
        }
        tokio::task::yield_now().await;
    };
    let outcomes: Vec<_> = given.into_values().collect();
    assert_eq!(outcomes, [Given::StaysWithOthers, Given::NotTakenOver(NotTakenOver::NoAnswer)]);
    assert_eq!(count(&first), 2);
    wait_for_calls(&second, 0).await;
    let output = caller.await.expect("sipp runs");
    common::check_sipp(&output, "its call was left alone");
    wait_for_calls(&first, 1).await;
    assert!(!phone.is_over());
    phone.hang_up().await;
    wait_for_calls(&first, 0).await;
    first.shut_down().await;
    second.shut_down().await;
}
