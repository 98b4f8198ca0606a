//! Calls of phones, baresip and Linphone, that hear each other.

mod common;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use call::CallEngine;
use common::{address, both_hear_each_other, engine, hear_each_other, settings, wait_for_calls};
use phones::Codec;
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

/// A phone of baresip and one of Linphone with a codec hear each other, and before that one with another codec.
async fn phones_hear_each_other_in(codec: Codec, test: u8) {
    let engine = engine(settings(test)).await;
    let mut other = Baresip::dial_in(codec, 1000, &room(&engine, "udp"));
    other.established().await;
    let mut third = Baresip::dial(600, &room(&engine, "udp"));
    third.established().await;
    third.hears(1000).await;
    other.hears(600).await;
    third.hang_up().await;
    wait_for_calls(&engine, 1).await;
    let phone = Linphone::dial_in(codec, address(test, 3), 400, &room(&engine, "udp")).await;
    both_hear_each_other(engine, phone, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_with_opus_hear_each_other() {
    phones_hear_each_other_in(Codec::Opus, 184).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_with_g722_hear_each_other() {
    phones_hear_each_other_in(Codec::G722, 185).await;
}

/// One engine listens on all addresses, and each phone gets one of its family.
#[tokio::test(flavor = "multi_thread")]
async fn phones_with_ipv4_and_ipv6_hear_each_other() {
    let mut settings = settings(190);
    settings.sip = (Ipv6Addr::UNSPECIFIED, 0).into();
    let engine = engine(settings).await;
    let (port, six) = (engine.sip_address().port(), IpAddr::from(Ipv6Addr::LOCALHOST));
    let low = Baresip::dial_from(six, 400, &format!("sip:meet@[::1]:{port};transport=udp"));
    let high = Baresip::dial(1000, &format!("sip:meet@{}:{port};transport=tcp", address(190, 1)));
    hear_each_other(engine, low, high).await;
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
