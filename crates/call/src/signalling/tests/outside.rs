//! Requests outside of any call, and INVITEs that begin none.

use super::kit::{PHONE, Phone, SDP, World, header, settings};
use super::user::{account, accounts};

fn refusal(phone: &Phone, body: &str) -> String {
    let mut world = World::new();
    world.receive(PHONE, &phone.invite(body));
    assert_eq!(world.count(), 0);
    assert!(!world.take_done().iter().any(|done| done.starts_with("join")));
    world.answer()
}

#[test]
fn invite_that_cannot_be_taken_is_refused_with_what_is_wrong() {
    let check = |change: fn(&mut Phone), body: &str, status: &str, with: &str| {
        let mut phone = Phone::new("a");
        change(&mut phone);
        let refusal = refusal(&phone, body);
        assert!(refusal.starts_with(&format!("SIP/2.0 {status}")), "{refusal}");
        assert!(refusal.contains(with), "{refusal}");
    };
    check(|phone| phone.target = "sip:nobody@192.0.2.1".into(), SDP, "404", "");
    check(|phone| phone.target = "mailto:meet@192.0.2.1".into(), SDP, "416", "");
    check(
        |phone| phone.extra = "Require: 100REL, replaces, timer, x\r\n".into(),
        SDP,
        "420",
        "Unsupported: replaces, x\r\n",
    );
    check(|phone| phone.extra = "Supported: timer\r\nx: 89\r\n".into(), SDP, "422", "Min-SE: 90\r\n");
    check(
        |phone| phone.extra = "Accept: text/nobodyKnowsThis\r\n".into(),
        SDP,
        "406",
        "Warning: 399 pitlane",
    );
    check(|phone| phone.extra = "Accept:\r\n".into(), "", "406", "Warning: 399 pitlane");
    check(|_| {}, "not a description", "400", "Warning: 399 pitlane");
    check(|_| {}, &SDP.replace("AVP 0", "AVP 18"), "488", "Warning: 305 pitlane");
    check(|phone| phone.contact = "<tel:1>".into(), SDP, "400", "Warning: 399 pitlane");
}

#[test]
fn invite_that_accepts_a_description_among_others_is_answered() {
    for accept in ["text/plain, Application/SDP;level=1", "application/*", "*/*;q=0.1", "text"] {
        let (mut world, mut phone) = (World::new(), Phone::new("a"));
        phone.extra = format!("Accept: {accept}\r\n");
        let answer = world.exchange(PHONE, &phone.invite(SDP));
        assert!(answer.starts_with("SIP/2.0 200"), "{accept}: {answer}");
    }
}

#[test]
fn register_is_allowed_outside_of_calls_where_there_are_accounts() {
    let allowed = |world: &mut World, method: &str| {
        let answer = world.exchange(PHONE, &Phone::new(method).request(method, "", ""));
        header(&answer, "Allow").contains("REGISTER")
    };
    let mut world = World::new();
    assert!(["OPTIONS", "REFER", "REGISTER"].into_iter().all(|method| !allowed(&mut world, method)));
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    assert!(["OPTIONS", "MESSAGE", "FROBNICATE"].into_iter().all(|method| allowed(&mut world, method)));
    let mut phone = Phone::new("a");
    let answer = world.exchange(PHONE, &phone.invite(SDP));
    phone.answered(&answer);
    world.receive(PHONE, &phone.ack(""));
    for answer in [answer, world.exchange(PHONE, &phone.next("REFER", ""))] {
        assert!(!header(&answer, "Allow").contains("REGISTER"), "{answer}");
    }
}

#[test]
fn body_of_another_type_is_refused_with_what_is_accepted() {
    let invite = Phone::new("a").invite(SDP).replace("application/sdp", "text/plain");
    let mut world = World::new();
    world.receive(PHONE, &invite);
    let refusal = world.answer();
    assert!(refusal.starts_with("SIP/2.0 415"), "{refusal}");
    assert_eq!(header(&refusal, "Accept"), "application/sdp, multipart/mixed, multipart/alternative");
}

#[test]
fn room_is_found_by_any_form_of_its_alias() {
    let check = |target: &str| {
        let (mut world, mut phone) = (World::new(), Phone::new("a"));
        phone.target = target.into();
        world.receive(PHONE, &phone.invite(SDP));
        let answer = world.answer();
        assert!(answer.starts_with("SIP/2.0 200"), "{target}: {answer}");
    };
    check("sip:MEET@192.0.2.1");
    check("sip:m%65et@192.0.2.1;transport=udp");
    check("sips:meet@192.0.2.1");
    check("sip:team%20room@192.0.2.1");
    check("sip:8000;phone-context=example.com@192.0.2.1;user=phone");
    check("tel:80-00");
}

#[test]
fn requests_outside_of_a_call_get_the_answers_of_the_rfcs() {
    let mut world = World::new();
    for (method, status) in [
        ("OPTIONS", 200),
        ("BYE", 481),
        ("UPDATE", 481),
        ("INFO", 481),
        ("PRACK", 481),
        ("NOTIFY", 481),
        ("CANCEL", 481),
        ("REGISTER", 405),
        ("SUBSCRIBE", 405),
        ("MESSAGE", 405),
        ("REFER", 405),
        ("FROBNICATE", 501),
    ] {
        world.receive(PHONE, &Phone::new(method).request(method, "x", ""));
        let answer = world.answer();
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{method}: {answer}");
        let mut phone = Phone::new(&format!("tagged-{method}"));
        phone.tag = ";tag=unknown".into();
        if method != "CANCEL" {
            world.receive(PHONE, &phone.request(method, "x", ""));
            assert!(world.answer().starts_with("SIP/2.0 481"), "{method}");
        }
    }
    world.receive(PHONE, &Phone::new("stray").request("ACK", "x", ""));
    assert!(world.sent.is_empty(), "an ACK is never answered");
}

#[test]
fn options_are_answered_as_an_invite_would_be() {
    let mut world = World::new();
    let mut check = |target: &str, status: &str| {
        let mut phone = Phone::new(target);
        phone.target = target.into();
        world.receive(PHONE, &phone.request("OPTIONS", "x", ""));
        let answer = world.answer();
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{target}: {answer}");
    };
    check("sip:192.0.2.1", "200");
    check("sip:meet@192.0.2.1", "200");
    check("tel:80-00", "200");
    check("sip:nobody@192.0.2.1", "404");
    check("mailto:meet@192.0.2.1", "416");
}

#[test]
fn source_above_its_rate_is_refused_and_far_above_it_not_answered() {
    let mut few = settings();
    few.source_rate =
        crate::settings::SourceRate { admitted: 1, burst: 2, answered: 3, ..Default::default() };
    let mut world = World::with(few);
    for n in 0..10 {
        world.receive(PHONE, &Phone::new(&format!("c{n}")).invite(SDP));
    }
    let sent = world.take_sent();
    let with = |status: &str| sent.iter().filter(|text| text.starts_with(status)).count();
    assert_eq!((with("SIP/2.0 200"), with("SIP/2.0 503"), sent.len()), (2, 3, 5));
    let stats = world.stats();
    assert_eq!((stats.refused_rate, stats.dropped), (3, 5));
    world.receive("192.0.2.7:5060", &Phone::new("other").invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 200"), "another source is not concerned");
}

#[test]
fn call_without_room_for_its_transaction_is_counted_as_refused() {
    let mut many = settings();
    many.source_rate = crate::settings::SourceRate {
        admitted: 50_000,
        burst: 50_000,
        answered: 50_000,
        ..Default::default()
    };
    let mut world = World::with(many);
    let refusal = (0..20_000).find_map(|n| {
        let mut phone = Phone::new(&format!("c{n}"));
        let answer = world.exchange(PHONE, &phone.invite(SDP));
        if answer.starts_with("SIP/2.0 503") {
            return Some(answer);
        }
        phone.answered(&answer);
        world.receive(PHONE, &phone.ack(""));
        world.receive(PHONE, &phone.next("BYE", ""));
        world.take_sent();
        world.take_done();
        None
    });
    assert!(header(&refusal.expect("no bound"), "Retry-After").parse::<u32>().is_ok());
    assert_eq!((world.count(), world.stats().refused_limit), (0, 1));
}

#[test]
fn what_has_no_transaction_is_answered_at_the_rate_of_its_source() {
    let mut few = settings();
    few.source_rate = crate::settings::SourceRate { answered: 3, ..Default::default() };
    let malformed = Phone::new("a").request("OPTIONS", "", "").replace("CSeq: 1", "CSeq: one");
    let unknown = Phone::new("b").request("CANCEL", "", "");
    for (text, status) in [(malformed, "SIP/2.0 400"), (unknown, "SIP/2.0 481")] {
        let mut world = World::with(few.clone());
        (0..10).for_each(|_| world.receive(PHONE, &text));
        let sent = world.take_sent();
        assert!(sent.len() == 3 && sent.iter().all(|text| text.starts_with(status)), "{sent:?}");
        assert_eq!(world.stats().dropped, 7);
    }
}

#[test]
fn stream_of_requests_without_a_call_leaves_nothing_and_each_gets_the_same_answer_again() {
    let mut world = World::new();
    for n in 0..100 {
        let options = Phone::new(&format!("o{n}")).request("OPTIONS", "x", "");
        let invite =
            Phone { target: "sip:nobody@192.0.2.1".into(), ..Phone::new(&format!("i{n}")) }.invite(SDP);
        for request in [options, invite] {
            world.receive(PHONE, &request);
            let answer = world.answer();
            world.receive(PHONE, &request);
            assert_eq!(world.answer(), answer);
        }
    }
    assert_eq!(world.agent.next_deadline(), None);
}
