//! Calls by sipp over UDP and TCP.

mod common;

use std::time::Duration;

use call::{Admission, Closed};
use common::{address, engine, settings, sipp, wait_for_calls};

async fn built_in(test: u8, transport: &str) {
    let engine = engine(settings(test)).await;
    let caller = address(test, 2);
    let load = [
        "-sn",
        "uac",
        "-s",
        "meet",
        "-t",
        transport,
        "-m",
        "50",
        "-r",
        "25",
        "-l",
        "50",
        "-d",
        "300",
        "-max_socket",
        "200",
    ];
    sipp(&engine, caller, &load).await;
    wait_for_calls(&engine, 0).await;
    assert_eq!((engine.stats().carried, engine.stats().ended_by_far_end), (50, 50));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_calls_over_udp() {
    built_in(1, "u1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_calls_over_tcp() {
    built_in(2, "t1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_calls_over_a_tcp_connection_each() {
    built_in(3, "tn").await;
}

async fn scenario(test: u8, name: &str, transport: &str, ring: Duration) -> call::Stats {
    let mut settings = settings(test);
    settings.ring_time = ring;
    let engine = engine(settings).await;
    let file = format!("{name}.xml");
    sipp(&engine, address(test, 2), &["-sf", &file, "-s", "meet", "-t", transport, "-m", "1"]).await;
    wait_for_calls(&engine, 0).await;
    let stats = engine.stats();
    engine.shut_down().await;
    stats
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_and_resume_over_udp_and_tcp() {
    for (test, transport) in [(4, "u1"), (5, "t1")] {
        assert_eq!(scenario(test, "hold", transport, Duration::ZERO).await.ended_by_far_end, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_is_cancelled_while_it_rings_ends() {
    for (test, transport) in [(6, "u1"), (7, "t1")] {
        let stats = scenario(test, "cancel", transport, Duration::from_secs(20)).await;
        assert_eq!((stats.cancelled, stats.carried), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_not_refreshed_is_ended() {
    let stats = scenario(8, "lapse", "u1", Duration::ZERO).await;
    assert_eq!(stats.ended_by_session_timer, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_refreshed_by_update_continues() {
    let stats = scenario(9, "update", "u1", Duration::ZERO).await;
    assert_eq!((stats.ended_by_session_timer, stats.ended_by_far_end), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_interval_under_the_shortest_is_refused() {
    assert_eq!(scenario(10, "too_short", "u1", Duration::ZERO).await.not_acceptable, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_alias_is_refused() {
    let mut settings = settings(11);
    settings.ring_time = Duration::ZERO;
    let engine = engine(settings).await;
    for transport in ["u1", "t1"] {
        let run = ["-sf", "not_found.xml", "-s", "nobody", "-t", transport, "-m", "1"];
        sipp(&engine, address(11, 2), &run).await;
    }
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().not_found, 2);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offer_without_a_codec_of_ours_is_refused() {
    assert_eq!(scenario(12, "no_codec", "u1", Duration::ZERO).await.not_acceptable, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_without_an_offer_is_offered_one() {
    let stats = scenario(13, "late_offer", "u1", Duration::ZERO).await;
    assert_eq!((stats.carried, stats.ended_by_far_end), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_mode_new_calls_are_refused_with_a_reason() {
    let engine = engine(settings(14)).await;
    engine.set_admission(Admission::Closed(Closed::maintenance_mode()));
    for transport in ["u1", "t1"] {
        let run = ["-sf", "maintenance.xml", "-s", "meet", "-t", transport, "-m", "5"];
        sipp(&engine, address(14, 2), &run).await;
    }
    assert_eq!((engine.stats().refused_maintenance, common::count(&engine)), (10, 0));
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
