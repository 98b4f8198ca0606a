//! Calls by sipp over UDP and TCP.

mod common;

use std::time::Duration;

use call::{Admission, Closed};
use common::{address, engine, settings, sipp, wait_for_calls};

/// UDP, TCP with one connection for all calls, TCP with a connection for each call.
const TRANSPORTS: [&str; 3] = ["u1", "t1", "tn"];

/// So many calls, up to 200 at a time.
async fn load(test: u8, transport: &str, calls: u64, a_second: u32) {
    let engine = engine(settings(test)).await;
    let each = ["-sf", "call.xml", "-s", "meet", "-t", transport, "-max_socket", "400"];
    let load = ["-m", &calls.to_string(), "-r", &a_second.to_string(), "-l", "200", "-d", "300"];
    sipp(&engine, address(test, 2), &[&each[..], &load[..]].concat()).await;
    wait_for_calls(&engine, 0).await;
    assert_eq!((engine.stats().carried, engine.stats().ended_by_far_end), (calls, calls));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_calls_are_carried_over_udp() {
    load(1, "u1", 2000, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_calls_are_carried_over_one_tcp_connection() {
    load(2, "t1", 300, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_calls_are_carried_over_a_tcp_connection_each() {
    load(3, "tn", 300, 100).await;
}

/// One call of sipp's own scenario over each transport.
#[tokio::test(flavor = "multi_thread")]
async fn built_in_caller_of_sipp_is_carried_over_all_transports() {
    let stats = each_transport(4, &["-sn", "uac", "-d", "100"], Duration::ZERO).await;
    assert_eq!((stats.carried, stats.ended_by_far_end), (3, 3));
}

/// Runs sipp over each transport at the same time against one engine.
async fn each_transport(test: u8, arguments: &[&str], ring: Duration) -> call::Stats {
    let mut settings = settings(test);
    settings.ring_time = ring;
    let engine = engine(settings).await;
    let run = async |host: u8, transport: &str| {
        let common = ["-s", "meet", "-t", transport, "-max_socket", "20", "-m", "1"];
        sipp(&engine, address(test, host), &[&common[..], arguments].concat()).await;
    };
    let [first, second, third] = TRANSPORTS;
    tokio::join!(run(2, first), run(3, second), run(4, third));
    wait_for_calls(&engine, 0).await;
    let stats = engine.stats();
    engine.shut_down().await;
    stats
}

async fn scenario(test: u8, name: &str) -> call::Stats {
    each_transport(test, &["-sf", &format!("{name}.xml")], Duration::ZERO).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_and_resume_are_answered() {
    assert_eq!(scenario(5, "hold").await.ended_by_far_end, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_is_cancelled_while_it_rings_ends() {
    let stats = each_transport(6, &["-sf", "cancel.xml"], Duration::from_secs(20)).await;
    assert_eq!((stats.cancelled, stats.carried), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ringing_is_reliable_for_a_caller_that_requires_it() {
    // Longer than it would take to send it again.
    let stats = each_transport(152, &["-sf", "prack.xml"], Duration::from_secs(2)).await;
    assert_eq!((stats.carried, stats.ended_by_far_end), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_not_refreshed_is_ended() {
    assert_eq!(scenario(8, "lapse").await.ended_by_session_timer, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_refreshed_by_update_continues() {
    let stats = scenario(9, "update").await;
    assert_eq!((stats.ended_by_session_timer, stats.ended_by_far_end), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_the_node_refreshes_continues() {
    let stats = scenario(7, "refresh").await;
    assert_eq!((stats.ended_by_session_timer, stats.ended_by_far_end), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_interval_under_the_shortest_is_refused() {
    assert_eq!(scenario(10, "too_short").await.not_acceptable, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_alias_is_refused() {
    let stats = each_transport(11, &["-sf", "not_found.xml", "-s", "nobody"], Duration::ZERO).await;
    assert_eq!(stats.not_found, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn offer_without_a_codec_of_ours_is_refused() {
    assert_eq!(scenario(12, "no_codec").await.not_acceptable, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_without_an_offer_is_offered_one() {
    let stats = scenario(13, "late_offer").await;
    assert_eq!((stats.carried, stats.ended_by_far_end), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_answered_with_what_the_node_can_do() {
    assert_eq!(scenario(16, "options").await, call::Stats::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_mode_new_calls_are_refused_with_a_reason() {
    let engine = engine(settings(14)).await;
    engine.set_admission(Admission::Closed(Closed::maintenance_mode()));
    for transport in TRANSPORTS {
        let run = ["-sf", "maintenance.xml", "-s", "meet", "-t", transport, "-max_socket", "20", "-m", "5"];
        sipp(&engine, address(14, 2), &run).await;
    }
    assert_eq!((engine.stats().refused_maintenance, common::count(&engine)), (15, 0));
    engine.set_admission(Admission::Open);
    sipp(&engine, address(14, 2), &["-sn", "uac", "-s", "MEET", "-m", "1", "-d", "10"]).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_under_load_leaves_only_what_was_counted() {
    let engine = engine(settings(15)).await;
    let caller = address(15, 2);
    let load = [
        "-sn",
        "uac",
        "-s",
        "meet",
        "-m",
        "300",
        "-r",
        "150",
        "-l",
        "300",
        "-d",
        "200",
        "-max_invite_retrans",
        "2",
    ];
    let close = async {
        common::wait_until("calls are carried", || engine.stats().carried > 50).await;
        engine.set_admission(Admission::Closed(Closed::maintenance_mode()));
        let at_close = (common::count(&engine), engine.stats());
        wait_for_calls(&engine, 0).await;
        at_close
    };
    // sipp reports the refused calls as failures of its own.
    let (_, (calls, at_close)) = tokio::join!(common::try_sipp(&engine, caller, &load), close);
    let after = engine.stats();
    let ended = after.ended_by_far_end - at_close.ended_by_far_end;
    // A call that has just ended may still be counted for the tick in which its media goes.
    assert!(ended > 0 && ended <= u64::from(calls), "{calls} {at_close:?} {after:?}");
    assert_eq!(after.carried, after.ended_by_far_end);
    assert!(after.refused_maintenance > 0 && after.carried + after.refused_maintenance == 300, "{after:?}");
    engine.shut_down().await;
}
