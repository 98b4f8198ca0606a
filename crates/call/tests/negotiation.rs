//! Offers and answers over real sockets: what phones send beyond the simplest call.

mod common;

use std::net::SocketAddr;

use call::CallEngine;
use call::audio::{Codec, FRAME_SAMPLES};
use call::rtp::HEADER_BYTES;
use common::{BOUND, Caller, address, engine, header, settings, wait_for_calls};

const SDP: &str = "Content-Type: application/sdp\r\n";

async fn caller(engine: &CallEngine, test: u8, host: u8) -> Caller {
    Caller::new(engine, address(test, host), &format!("caller-{test}-{host}")).await
}

/// Sends an INVITE and waits for the response with this status.
async fn invite(caller: &Caller, headers: &str, body: &str, status: &str) -> String {
    caller.send(&caller.request("INVITE", &caller.sequence.to_string(), headers, body)).await;
    caller.expect(&format!("SIP/2.0 {status}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn invite_without_a_description_after_a_hold_is_offered_everything() {
    let engine = engine(settings(90)).await;
    let mut a = caller(&engine, 90, 2).await;
    a.call(Codec::Pcma).await;
    a.invite("", Codec::Pcma, "inactive").await;
    a.ack().await;

    let offer = invite(&a, "", "", "200").await;
    assert!(offer.contains(" RTP/AVP 111 9 0 8 101 96\r\n") && offer.contains("a=sendrecv\r\n"), "{offer}");
    let answer = a.offer(Codec::Pcmu, "sendrecv").replace("RTP/AVP 0", "RTP/AVP 8 0");
    a.send(&a.request("ACK", "ack", SDP, &answer)).await;
    a.sequence += 1;
    let (header, _) = a.hear(Codec::Pcma).await;
    assert_eq!(header.payload_type, 8);
    a.bye().await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_are_as_long_as_the_caller_asks_for() {
    let engine = engine(settings(91)).await;
    let mut a = caller(&engine, 91, 2).await;
    let offer = a.offer(Codec::Pcmu, "sendrecv") + "a=ptime:60\r\n";
    let answer = invite(&a, SDP, &offer, "200").await;
    a.to_tag = format!(";tag={}", header(&answer, "To").split("tag=").nth(1).expect("tag"));
    a.ack().await;
    let mut buffer = [0; 2048];
    for _ in 0..5 {
        let received = tokio::time::timeout(BOUND, a.rtp.recv(&mut buffer)).await;
        assert_eq!(received.expect("no sound").expect("receive"), HEADER_BYTES + 3 * FRAME_SAMPLES);
    }
    a.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn body_in_parts_is_read_and_a_required_part_that_is_unknown_is_refused() {
    let engine = engine(settings(92)).await;
    let a = caller(&engine, 92, 2).await;
    let kind = "Content-Type: multipart/mixed;boundary=\"b1\"\r\n";
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    let parts = |disposition: &str| {
        format!(
            "--b1\r\nContent-Type: application/isup\r\nContent-Disposition: signal;handling={disposition}\r\n\r\nx\r\n\
             --b1\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--b1--\r\n"
        )
    };
    let refusal = invite(&a, kind, &parts("required"), "415").await;
    assert!(header(&refusal, "Accept").contains("application/sdp"), "{refusal}");
    assert!(header(&refusal, "Warning").contains("application/isup"), "{refusal}");

    let b = caller(&engine, 92, 3).await;
    let answer = invite(&b, kind, &parts("optional"), "200").await;
    assert!(answer.contains(" RTP/AVP 0\r\n"), "{answer}");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_of_a_description_says_why() {
    let engine = engine(settings(93)).await;
    let a = caller(&engine, 93, 2).await;
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    let refusals = [
        (offer.replace("RTP/AVP", "RTP/XYZ"), "488", "302 pitlane \"audio over RTP/XYZ is not supported; "),
        (offer.replace("RTP/AVP", "RTP/SAVP"), "488", "306 pitlane \"no SRTP suite in common: supported "),
        (
            offer.replace("RTP/AVP 0", "RTP/AVP 18"),
            "488",
            "305 pitlane \"no audio codec in common: offered 18; ",
        ),
        (offer.replace("m=audio", "m=video"), "488", "304 pitlane \"no audio is offered; "),
        (offer.replace("v=0", "v=9"), "400", "399 pitlane \"the session description cannot be read: "),
    ];
    for (host, (offer, status, warning)) in (3..).zip(refusals) {
        let refusal = invite(&caller(&engine, 93, host).await, SDP, &offer, status).await;
        assert!(header(&refusal, "Warning").starts_with(warning), "{refusal}");
    }
    engine.shut_down().await;
}

/// Whether what `talker` says is heard by `listener` within half a second.
async fn is_heard(talker: &mut Caller, listener: &Caller, media: SocketAddr) -> bool {
    let mut heard = false;
    talker.media = Some(media);
    for _ in 0..25 {
        talker.say(Codec::Pcmu, 1000).await;
        heard |= listener.hear(Codec::Pcmu).await.1 > 500;
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn music_of_a_call_on_hold_is_not_heard_in_the_room() {
    let engine = engine(settings(94)).await;
    let (mut a, mut b) = (caller(&engine, 94, 2).await, caller(&engine, 94, 3).await);
    a.call(Codec::Pcmu).await;
    b.call(Codec::Pcmu).await;
    let media = a.media.expect("media");
    assert!(is_heard(&mut a, &b, media).await);
    a.invite("", Codec::Pcmu, "sendonly").await;
    a.ack().await;
    // What was on its way to the listener when the hold began.
    is_heard(&mut a, &b, media).await;
    assert!(!is_heard(&mut a, &b, media).await);
    a.invite("", Codec::Pcmu, "sendrecv").await;
    a.ack().await;
    assert!(is_heard(&mut a, &b, media).await);
    engine.shut_down().await;
}
