//! Nodes with IPv4 and IPv6: which media address a call gets, and when there is none.

use std::net::Ipv6Addr;

use crate::settings::Settings;

use super::device::Device;
use super::far_end::{answer, to, to_device};
use super::handover::{CALL, export, import};
use super::kit::{PHONE, Phone, Ports, SDP, World, address, header, response};
use super::user::{account, accounts};

/// A phone with IPv6, and what it offers.
const PHONE6: &str = "[2001:db8::2]:5062";
const SDP6: &str = "v=0\r\no=- 1 1 IN IP6 2001:db8::2\r\ns=-\r\nc=IN IP6 2001:db8::2\r\nt=0 0\r\n\
                    m=audio 4000 RTP/AVP 0\r\n";
/// The address of the node that a phone with IPv6 has called.
const CALLED6: &str = "[2001:db8::7]:5060";

const V4: &str = "c=IN IP4 192.0.2.1\r\n";
const V6: &str = "c=IN IP6 2001:db8::1\r\n";

/// A node with an address of IPv4, and perhaps one of IPv6.
fn node(sip: &str, media_v6: Option<Ipv6Addr>) -> World {
    let mut settings = Settings::new(address(sip), [192, 0, 2, 1].into());
    settings.media_v6 = media_v6;
    World::with(settings)
}

fn dual_stack() -> World {
    node("[::]:5060", Some("2001:db8::1".parse().expect("an address")))
}

/// What a node answers to a call of a phone with IPv6.
fn called6(world: &mut World, phone: &mut Phone, offer: &str) -> String {
    world.sip = address(CALLED6);
    (phone.via, phone.contact) = (format!("SIP/2.0/UDP {PHONE6}"), format!("<sip:phone@{PHONE6}>"));
    world.exchange(PHONE6, &phone.invite(offer))
}

/// A confirmed call of a phone with IPv6.
fn calling6(world: &mut World) -> Phone {
    let mut phone = Phone::new("a");
    let answer = called6(world, &mut phone, SDP6);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    phone.answered(&answer);
    world.receive(PHONE6, &phone.ack(""));
    phone
}

#[test]
fn offer_gets_a_media_address_of_the_family_that_it_names() {
    let check_each = |offer: &str, [expected, over_v4]: [&str; 2]| {
        let answer = called6(&mut dual_stack(), &mut Phone::new("a"), offer);
        assert!(answer.contains(expected), "{answer}");
        let origin = answer.lines().find(|line| line.starts_with("o=")).expect("o=");
        assert!(origin.ends_with(expected.trim_start_matches("c=").trim_end()), "{answer}");
        let mut world = dual_stack();
        world.sip = address("192.0.2.1:5060");
        let answer = world.exchange(PHONE, &Phone::new("a").invite(offer));
        assert!(answer.contains(over_v4), "{answer}");
    };
    let check = |offer: &str, expected| check_each(offer, [expected; 2]);
    check(SDP, V4);
    check(SDP6, V6);
    // The first one that is named, of those that the node has one for.
    check(&format!("{SDP}c=IN IP6 2001:db8::2\r\nc=IN IP4 192.0.2.2\r\n"), V6);
    check(&format!("{SDP6}c=IN IP4 phone.example\r\n"), V4);
    // Whoever names no address is reached by the family of its signalling.
    check_each(&SDP.replace("192.0.2.2", "0.0.0.0"), [V6, V4]);
}

#[test]
fn node_without_the_address_of_a_family_names_the_one_that_was_called_if_it_listens_on_all() {
    let answer = called6(&mut node("[::]:5060", None), &mut Phone::new("a"), SDP6);
    assert!(answer.contains("c=IN IP6 2001:db8::7\r\n"), "{answer}");
    assert_eq!(header(&answer, "Contact"), "<sip:[2001:db8::7]:5060;transport=udp>");
}

#[test]
fn call_in_a_family_without_a_media_address_is_refused_before_anything_is_opened() {
    let check = |mut world: World, answer: fn(&mut World) -> String, family: &str| {
        // Then a port that is asked for leaves the call without an answer.
        world.ports = Ports::Pending;
        let answer = answer(&mut world);
        assert!(answer.starts_with("SIP/2.0 488"), "{answer}");
        let expected = format!("301 pitlane \"no media address of the family {family} here; ");
        assert!(header(&answer, "Warning").starts_with(&expected), "{answer}");
        assert_eq!((world.count(), world.agent.entries(), world.stats().not_acceptable), (0, 0, 1));
    };
    let offers6 = |world: &mut World| world.exchange(PHONE, &Phone::new("a").invite(SDP6));
    check(node("192.0.2.1:5060", None), offers6, "IP6");
    check(node("0.0.0.0:5060", None), offers6, "IP6");
    let six = Settings::new(address("[2001:db8::7]:5060"), "2001:db8::7".parse().expect("an address"));
    check(World::with(six), |world| called6(world, &mut Phone::new("a"), SDP), "IP4");
    let link_local = |world: &mut World| {
        world.sip = address("[fe80::7]:5060");
        world.exchange("[fe80::2]:5062", &Phone::new("a").invite(SDP6))
    };
    check(node("[::]:5060", None), link_local, "IP6");
}

#[test]
fn line_that_can_be_reached_is_taken_of_several() {
    let line = |family: &str, port: u16| format!("m=audio {port} RTP/AVP 0\r\nc=IN {family}\r\n");
    let offer = format!("v=0\r\ns=-\r\nt=0 0\r\n{}{}", line("IP6 2001:db8::2", 1), line("IP4 192.0.2.2", 2));
    let answer = node("192.0.2.1:5060", None).exchange(PHONE, &Phone::new("a").invite(&offer));
    let lines: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=audio 0 RTP/AVP 0", "m=audio 40000 RTP/AVP 0"]);
    assert!(answer.contains(V4), "{answer}");
    assert!(dual_stack().exchange(PHONE, &Phone::new("a").invite(&offer)).contains(V6));
}

#[test]
fn call_keeps_its_family_and_a_change_to_the_other_is_refused() {
    let mut world = dual_stack();
    let mut phone = calling6(&mut world);
    let refused = world.exchange(PHONE6, &phone.next("UPDATE", SDP));
    assert!(
        refused.starts_with("SIP/2.0 488") && header(&refused, "Warning").starts_with("301 "),
        "{refused}"
    );
    let hold = SDP.replace("192.0.2.2", "0.0.0.0");
    for offer in [&hold[..], SDP6] {
        let answer = world.exchange(PHONE6, &phone.next("UPDATE", offer));
        assert!(answer.starts_with("SIP/2.0 200") && answer.contains(V6), "{answer}");
    }
    assert_eq!(world.count(), 1);
}

#[test]
fn caller_without_an_offer_is_offered_an_address_of_the_family_of_its_signalling() {
    for (body, is_taken) in [(SDP6, true), (SDP, false)] {
        let (mut world, mut phone) = (dual_stack(), Phone::new("a"));
        let offer = called6(&mut world, &mut phone, "");
        assert!(offer.contains(V6), "{offer}");
        phone.answered(&offer);
        world.receive(PHONE6, &phone.ack(body));
        assert_eq!(world.take_sent().len(), usize::from(!is_taken), "a BYE");
        assert_eq!(world.take_done().iter().any(|done| done.starts_with("join")), is_taken);
    }
}

#[test]
fn outer_address_of_a_nat_is_that_of_its_own_family() {
    let mut settings = Settings::new(address("[::]:5060"), [10, 0, 0, 1].into());
    settings.advertised = Some([192, 0, 2, 1].into());
    let check = |offer: &str, expected: &str| {
        let answer = called6(&mut World::with(settings.clone()), &mut Phone::new("a"), offer);
        assert!(answer.contains(expected), "{answer}");
    };
    check(SDP, V4);
    check(SDP6, "c=IN IP6 2001:db8::7\r\n");
}

#[test]
fn far_end_that_is_dialled_is_offered_an_address_of_its_family() {
    for (uri, expected) in [("sip:bob@[2001:db8::2]", V6), ("sip:bob@192.0.2.2", V4)] {
        let mut world = dual_stack();
        let invite = world.dial(&to(uri));
        assert!(invite.contains(expected), "{invite}");
    }
    let mut world = dual_stack();
    let invite = world.dial(&to("sip:bob@[2001:db8::2]"));
    world.receive("[2001:db8::2]:5060", &answer(&invite, "200 OK", "bob", "Contact: <sip:bob@x>\r\n", SDP));
    let failed = world.take_done().into_iter().find(|done| done.starts_with("dialled"));
    assert_eq!(
        failed.as_deref(),
        Some("dialled 1: the far end has answered with what cannot be used: no codec of ours")
    );
}

#[test]
fn device_with_ipv6_is_offered_an_address_of_ipv6() {
    let mut world = dual_stack();
    world.sip = address(CALLED6);
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    let mut ann = Device::new("ann");
    (ann.from, ann.via) = (PHONE6.into(), format!("SIP/2.0/UDP {PHONE6}"));
    let registered = ann.register(&mut world, &format!("Contact: <sip:ann@{PHONE6}>\r\n"));
    assert!(registered.starts_with("SIP/2.0 200"), "{registered}");
    let invite = world.dial(&to_device("ann"));
    assert!(invite.contains(V6), "{invite}");
}

#[test]
fn call_moves_to_a_process_with_an_address_of_its_family() {
    let mut giving = dual_stack();
    calling6(&mut giving);
    let exported = export(&mut giving);
    let mut taking = dual_stack();
    assert_eq!(import(&mut taking, exported.clone()), Ok(CALL));
    let probe = taking.answer();
    assert!(probe.starts_with("OPTIONS "), "{probe}");
    taking.receive(PHONE6, &response(&probe, "200 OK", "", ""));
    taking.act(|agent, now| agent.take_over(now, CALL));
    let invite = taking.answer();
    assert!(invite.contains(V6), "{invite}");

    let refused = import(&mut node("[::]:5060", None), exported.clone()).expect_err("no address");
    assert!(refused.to_string().contains("family"), "{refused}");
    let mut by_v4 = exported;
    by_v4.path.remote = address(PHONE);
    let refused = import(&mut node("192.0.2.1:5060", None), by_v4).expect_err("no address");
    assert_eq!(refused.to_string(), "its session: there is no media address of its family");
}
