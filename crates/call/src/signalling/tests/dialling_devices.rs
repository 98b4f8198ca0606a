//! Calls to the devices of an alias: over what each has registered.

use std::time::Duration;

use sip::transport::flow::{Protocol, Stream};

use crate::dial::DialError;

use super::device::Device;
use super::far_end::{answer, to_device};
use super::kit::{PHONE, SDP, World, address, header, settings};
use super::user::{account, accounts};

fn world() -> World {
    let mut world = World::new();
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    world
}

#[test]
fn alias_without_a_device_is_not_called() {
    let mut world = world();
    for alias in ["ann", "nobody", "ann@elsewhere"] {
        assert_eq!(world.try_to_dial(&to_device(alias)), Err(DialError::NotRegistered(alias.into())));
    }
    assert_eq!((world.count(), world.stats().dialled), (0, 0));
}

#[test]
fn device_is_called_where_it_listens_or_behind_its_translator_over_its_flow() {
    let check = |contact: &str, via: &str, expected: &str| {
        let (mut world, mut ann) = (world(), Device::new("ann"));
        ann.via = via.into();
        let registered = ann.register(&mut world, &format!("Contact: <{contact}>\r\n"));
        assert!(registered.starts_with("SIP/2.0 200"), "{registered}");
        world.try_to_dial(&to_device("ANN")).expect("dialled");
        let (flow, invite) = world.sent.pop().expect("an INVITE");
        assert_eq!(flow.remote, address(expected), "{contact}");
        assert!(invite.starts_with(&format!("INVITE {contact} SIP/2.0\r\n")), "{invite}");
        assert_eq!(header(&invite, "To"), "<sip:ANN@192.0.2.1:5060>");
    };
    check("sip:ann@192.0.2.2:7000", "SIP/2.0/UDP 192.0.2.2:5062", "192.0.2.2:7000");
    check("sip:ann@10.0.0.5:7000", "SIP/2.0/UDP 10.0.0.5:7000", PHONE);
    check("sip:ann@phone.invalid", "SIP/2.0/UDP 192.0.2.2:5062", PHONE);
}

#[test]
fn device_is_called_over_its_connection() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    ann.via = "SIP/2.0/TCP 10.0.0.5:5062".into();
    let over = world.accept("192.0.2.2:50123");
    let contact = "Contact: <sip:ann@10.0.0.5:5062;transport=tcp>\r\n";
    let request = ann.request(contact);
    world.receive_over_connection(&request);
    ann.challenge = Some(world.answer());
    let request = ann.request(contact);
    world.receive_over_connection(&request);
    world.take_sent();
    world.try_to_dial(&to_device("ann")).expect("dialled");
    let (flow, invite) = world.sent.pop().expect("an INVITE");
    assert_eq!(flow, over);
    assert!(header(&invite, "Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;"), "{invite}");
    assert_eq!(header(&invite, "Contact"), "<sip:192.0.2.1:5060;transport=tcp>");
    let accepted = answer(&invite, "200 OK", "ann", "Contact: <sip:ann@10.0.0.5:5062>\r\n", SDP);
    world.receive_over_connection(&accepted);
    let (flow, ack) = world.sent.pop().expect("an ACK");
    assert!(flow == over && ack.starts_with("ACK sip:ann@10.0.0.5:5062"), "{ack}");
    world.hang_up(1);
    let (flow, bye) = world.sent.pop().expect("a BYE");
    assert!(flow == over && bye.starts_with("BYE "), "{bye}");
}

#[test]
fn devices_are_tried_from_the_last_registered_one_on() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    for host in 2..=4 {
        ann.register(&mut world, &format!("Contact: <sip:ann@192.0.2.{host}>\r\n"));
    }
    let first = world.dial(&to_device("ann"));
    assert!(first.starts_with("INVITE sip:ann@192.0.2.4 "), "{first}");
    world.receive("192.0.2.4:5060", &answer(&first, "480 Away", "a", "", ""));
    let second = world.take_sent().pop().expect("an INVITE");
    assert!(second.starts_with("INVITE sip:ann@192.0.2.3 "), "{second}");
    world.pass(Duration::from_secs(32));
    let third = world.take_sent().pop().expect("an INVITE");
    assert!(third.starts_with("INVITE sip:ann@192.0.2.2 "), "the second does not respond: {third}");
    world.receive("192.0.2.2:5060", &answer(&third, "200 OK", "c", "Contact: <sip:c@192.0.2.2>\r\n", SDP));
    assert_eq!(world.take_done(), ["join 1 Meeting", "dialled 1: answered", "start 1"]);
    assert_eq!(world.count(), 1);
}

#[test]
fn keys_are_offered_over_tls_and_to_no_other_device() {
    let (node, secure) = ("192.0.2.1:5060", "192.0.2.1:5061");
    let listeners = [(Protocol::Udp, node), (Protocol::TCP, node), (Protocol::TLS, secure)];
    let mut world = World::listening(settings(), &listeners);
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    let mut ann = Device::new("ann");
    ann.register(&mut world, "Contact: <sip:ann@192.0.2.3>\r\n");
    ann.via = "SIP/2.0/TLS 192.0.2.2:5061".into();
    world.accept_over(Stream::Tls, "192.0.2.2:50123");
    let request = ann.request("Contact: <sips:ann@192.0.2.2:5061>\r\n");
    world.receive_over_connection(&request);
    assert!(world.answer().starts_with("SIP/2.0 200"));
    let first = world.dial(&to_device("ann"));
    assert!(first.starts_with("INVITE sips:ann@192.0.2.2:5061 ") && first.contains("a=crypto:"), "{first}");
    assert_eq!(header(&first, "Contact"), "<sips:192.0.2.1:5061>");
    world.receive_over_connection(&answer(&first, "480 Away", "a", "", ""));
    let second = world.take_sent().pop().expect("an INVITE");
    assert!(second.starts_with("INVITE sip:ann@192.0.2.3 ") && !second.contains("a=crypto:"), "{second}");
    assert_eq!(header(&second, "Contact"), "<sip:192.0.2.1:5060;transport=udp>");
}

#[test]
fn user_who_declines_everywhere_is_called_nowhere_else() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    ann.register(&mut world, "Contact: <sip:ann@192.0.2.3>, <sip:ann@192.0.2.4>\r\n");
    let first = world.dial(&to_device("ann"));
    world.receive("192.0.2.4:5060", &answer(&first, "603 Decline", "a", "", ""));
    assert!(world.answer().starts_with("ACK "));
    assert_eq!(world.take_done(), ["dialled 1: the call was refused with 603 Decline", "release 1"]);
}
