//! Calls of phones, baresip and Linphone, that hear each other.

mod common;

use std::time::Duration;

use call::CallEngine;
use common::{address, both_hear_each_other, engine, hear_each_other, settings, wait_for_calls};
use phones::baresip::Baresip;
use phones::linphone::Linphone;

fn room(engine: &CallEngine, transport: &str) -> String {
    format!("sip:meet@{};transport={transport}", engine.sip_address())
}

async fn two_of_baresip(test: u8, transport: &str) {
    let engine = engine(settings(test)).await;
    let low = Baresip::dial(400, &room(&engine, transport));
    let high = Baresip::dial(1000, &room(&engine, transport));
    hear_each_other(engine, low, high).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_hear_each_other_over_udp() {
    two_of_baresip(120, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_hear_each_other_over_tcp() {
    two_of_baresip(121, "tcp").await;
}

async fn linphone_and_baresip(test: u8, transport: &str) {
    let engine = engine(settings(test)).await;
    let mut other = Baresip::dial(1000, &room(&engine, transport));
    other.established().await;
    let phone = Linphone::dial(address(test, 3), 400, &room(&engine, transport)).await;
    both_hear_each_other(engine, phone, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_and_baresip_hear_each_other_over_udp() {
    linphone_and_baresip(122, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_and_baresip_hear_each_other_over_tcp() {
    linphone_and_baresip(123, "tcp").await;
}

/// Neither phone asks for a session timer, so the node refreshes the sessions.
#[tokio::test(flavor = "multi_thread")]
async fn phones_accept_the_refreshes_of_a_node() {
    let mut settings = settings(124);
    settings.session_interval = Duration::from_secs(4);
    let engine = engine(settings).await;
    let mut first = Baresip::dial(1000, &room(&engine, "udp"));
    first.established().await;
    let mut second = Linphone::dial(address(124, 3), 400, &room(&engine, "tcp")).await;
    first.is_refreshed().await;
    second.is_refreshed().await;
    second.hears(1000).await;
    first.hears(400).await;
    assert_eq!(common::count(&engine), 2);
    second.hang_up().await;
    first.hang_up().await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().ended_by_far_end, 2);
    engine.shut_down().await;
}
