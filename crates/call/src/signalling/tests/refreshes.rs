//! Session timers: our refreshes, and what the far end answers to them.

use std::time::Duration;

use super::kit::{PHONE, Phone, SDP, World, header, response};

const HALF: Duration = Duration::from_secs(900);

/// A call that this node refreshes, at the moment of its first refresh.
fn refreshing() -> (World, Phone, String) {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.pass(HALF - Duration::from_secs(1));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    world.pass(Duration::from_secs(1));
    let refresh = world.answer();
    assert!(refresh.starts_with("INVITE sip:phone@192.0.2.2:5062 SIP/2.0"), "{refresh}");
    (world, phone, refresh)
}

#[test]
fn session_is_refreshed_at_half_its_interval_and_the_answer_acknowledged() {
    let (mut world, _, refresh) = refreshing();
    assert_eq!(header(&refresh, "Session-Expires"), "1800;refresher=uac");
    assert!(refresh.contains("m=audio 40000 RTP/AVP 0"), "{refresh}");
    let answer = response(&refresh, "200 OK", "Contact: <sip:phone@192.0.2.2:5062>\r\n", SDP);
    world.receive(PHONE, &answer);
    let ack = world.answer();
    assert!(ack.starts_with("ACK sip:phone@192.0.2.2:5062 SIP/2.0"), "{ack}");
    world.receive(PHONE, &answer);
    assert_eq!(world.answer(), ack, "the 200 came again");
    world.pass(HALF);
    assert!(world.take_sent()[0].starts_with("INVITE "), "half an interval after the refresh");
    assert_eq!(world.count(), 1);
}

#[test]
fn session_without_a_refresh_of_the_far_end_lapses() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    phone.extra = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n".into();
    world.receive(PHONE, &phone.invite(SDP));
    let answer = world.answer();
    assert_eq!(header(&answer, "Session-Expires"), "120;refresher=uac");
    assert_eq!(header(&answer, "Require"), "timer");
    phone.answered(&answer);
    world.receive(PHONE, &phone.ack(""));
    world.pass(Duration::from_secs(80));
    world.receive(PHONE, &phone.next("UPDATE", ""));
    assert_eq!(header(&world.answer(), "Session-Expires"), "120;refresher=uac");
    world.pass(Duration::from_secs(87));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    world.pass(Duration::from_secs(1));
    assert_eq!(header(&world.answer(), "Reason"), "SIP;cause=408;text=\"session timer lapsed\"");
    world.pass(Duration::from_secs(10));
    assert_eq!((world.count(), world.stats().ended_by_session_timer), (0, 1));
}

#[test]
fn refresh_that_is_refused_for_now_is_tried_again() {
    let check = |status: &str, headers: &str, pause: u64| {
        let (mut world, _, refresh) = refreshing();
        world.receive(PHONE, &response(&refresh, status, headers, ""));
        assert!(world.answer().starts_with("ACK "));
        world.pass(Duration::ZERO);
        assert_eq!(world.take_sent(), [] as [&str; 0], "{status}");
        world.pass(Duration::from_secs(pause));
        let again = world.take_sent();
        assert!(again[0].starts_with("INVITE "), "{status}: {again:?}");
        assert_eq!(world.count(), 1);
        again[0].clone()
    };
    check("500 Later", "", 10);
    check("491 Request Pending", "", 2);
    let longer = check("422 Session Interval Too Small", "Min-SE: 3600\r\n", 1);
    assert_eq!(header(&longer, "Session-Expires"), "3600;refresher=uac");
    assert_eq!(header(&longer, "Min-SE"), "3600");
}

#[test]
fn refresh_to_a_far_end_that_is_gone_ends_the_call() {
    for status in ["481 Gone", "408 Timeout"] {
        let (mut world, _, refresh) = refreshing();
        world.receive(PHONE, &response(&refresh, status, "", ""));
        let sent = world.take_sent();
        assert!(sent[0].starts_with("ACK ") && sent[1].starts_with("BYE "), "{sent:?}");
        world.pass(Duration::from_secs(5));
        assert_eq!((world.count(), world.stats().ended_by_refusal), (0, 1));
    }
    let (mut world, _, _) = refreshing();
    world.pass(Duration::from_secs(40));
    assert_eq!((world.count(), world.stats().ended_by_session_timer), (0, 1));
}

#[test]
fn change_of_the_far_end_during_our_refresh_is_pending() {
    let (mut world, mut phone, refresh) = refreshing();
    world.receive(PHONE, &phone.next("UPDATE", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"), "it offers nothing");
    for method in ["INVITE", "UPDATE"] {
        world.receive(PHONE, &phone.next(method, SDP));
        assert!(world.answer().starts_with("SIP/2.0 491"));
    }
    world.receive(PHONE, &response(&refresh, "200 OK", "", SDP));
    let sent = world.take_sent();
    assert!(matches!(&sent[..], [ack] if ack.starts_with("ACK ")), "{sent:?}");
    phone.sequence += 1;
    world.receive(PHONE, &phone.invite(SDP));
    assert!(world.take_sent().iter().any(|text| text.starts_with("SIP/2.0 200")));
}

#[test]
fn refresh_that_is_pending_again_and_again_is_sent_at_most_every_time_it_is_due() {
    let (mut world, _, mut refresh) = refreshing();
    let mut refreshes = 0;
    while world.count() == 1 {
        world.receive(PHONE, &response(&refresh, "491 Request Pending", "", ""));
        world.pass(Duration::from_secs(2));
        for text in world.take_sent() {
            if text.starts_with("INVITE ") {
                refreshes += 1;
                refresh = text;
            }
        }
    }
    assert!((300..900).contains(&refreshes), "{refreshes} in the 868 s until the session lapses");
}

#[test]
fn change_of_the_far_end_replaces_a_refresh_that_is_pending() {
    let (mut world, mut phone, refresh) = refreshing();
    world.receive(PHONE, &response(&refresh, "491 Request Pending", "", ""));
    world.take_sent();
    world.receive(PHONE, &phone.invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    world.receive(PHONE, &phone.ack(""));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
}
