//! Where requests of the node go, and how it names itself.

use std::net::SocketAddr;

use sip::transport::flow::{Link, Peer, Protocol, Stream};

use crate::settings::TlsSettings;

use super::kit::{NODE, PHONE, Phone, SDP, World, address, header, settings};

/// Where the BYE of the node goes, over which kind of link, and the BYE.
fn bye_after(change: fn(&mut Phone), from: &str) -> (SocketAddr, Link, String) {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    change(&mut phone);
    world.receive(from, &phone.invite(SDP));
    phone.answered(&world.answer());
    world.receive(from, &phone.ack(""));
    world.silent(1);
    let (flow, bye) = world.sent.pop().unwrap_or_else(|| panic!("no BYE; {:?}", world.opening));
    (flow.remote, flow.link, bye)
}

#[test]
fn request_goes_to_the_contact_or_through_the_proxies_or_back() {
    let check = |change: fn(&mut Phone), from: &str, to: &str, uri: &str| {
        let (remote, _, bye) = bye_after(change, from);
        assert_eq!(remote, address(to), "{bye}");
        assert!(bye.starts_with(&format!("BYE {uri} SIP/2.0")), "{bye}");
    };
    check(|_| {}, PHONE, PHONE, "sip:phone@192.0.2.2:5062");
    // Another port of the same address is where it listens.
    check(
        |phone| phone.contact = "<sip:p@192.0.2.2:7000>".into(),
        PHONE,
        "192.0.2.2:7000",
        "sip:p@192.0.2.2:7000",
    );
    // Another address is where it wants to be called, unless its Via shows that it is behind a NAT.
    check(
        |phone| phone.contact = "<sip:p@192.0.2.7:7000>".into(),
        PHONE,
        "192.0.2.7:7000",
        "sip:p@192.0.2.7:7000",
    );
    let hidden: fn(&mut Phone) = |phone| {
        phone.contact = "<sip:p@10.0.0.5:7000>".into();
        phone.via = "SIP/2.0/UDP 10.0.0.5:7000;rport".into();
    };
    check(hidden, PHONE, PHONE, "sip:p@10.0.0.5:7000");
    // A gateway that sends from another port than it listens on, and names itself in its Via.
    let named: fn(&mut Phone) = |phone| {
        phone.contact = "<sip:p@192.0.2.2:5060>".into();
        phone.via = "SIP/2.0/UDP gateway.example.com:5060;rport".into();
    };
    check(named, PHONE, "192.0.2.2:5060", "sip:p@192.0.2.2:5060");
    let hidden: fn(&mut Phone) = |phone| {
        phone.contact = "<sip:p@10.0.0.5:7000>".into();
        phone.via = "SIP/2.0/UDP phone.example.com;rport".into();
    };
    check(hidden, PHONE, PHONE, "sip:p@10.0.0.5:7000");
    // Through a proxy that does not want to be in the way.
    let forwarded: fn(&mut Phone) = |phone| {
        phone.contact = "<sip:p@192.0.2.7:7000>".into();
        phone.via = "SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bKp, SIP/2.0/UDP 192.0.2.7:7000".into();
    };
    check(forwarded, PHONE, "192.0.2.7:7000", "sip:p@192.0.2.7:7000");
    check(|phone| phone.contact = "<sip:p@phone.invalid>".into(), PHONE, PHONE, "sip:p@phone.invalid");
    // Through a proxy, whatever the contact says.
    let routed: fn(&mut Phone) = |phone| {
        phone.extra = "Record-Route: <sip:198.51.100.9:5070;lr>\r\n".into();
        phone.contact = "<sip:p@df7jal23ls0d.invalid;transport=ws>".into();
    };
    check(routed, PHONE, "198.51.100.9:5070", "sip:p@df7jal23ls0d.invalid;transport=ws");
    let (_, _, bye) = bye_after(routed, PHONE);
    assert_eq!(header(&bye, "Route"), "<sip:198.51.100.9:5070;lr>");
    // A contact that this node cannot reach by its transport.
    let unsupported: fn(&mut Phone) = |phone| phone.contact = "<sip:p@192.0.2.2:5061;transport=tls>".into();
    check(unsupported, PHONE, PHONE, "sip:p@192.0.2.2:5061;transport=tls");
}

#[test]
fn link_local_far_end_is_called_over_its_link() {
    let node = "[fe80::1]:5060";
    let mut settings = settings();
    settings.sip = address(node);
    let (mut world, mut phone) = (World::with(settings), Phone::new("a"));
    phone.via = "SIP/2.0/UDP [fe80::2]:5062".into();
    phone.contact = "<sip:phone@[fe80::2]:7000>".into();
    world.receive("[fe80::2%3]:5062", &phone.invite(SDP));
    phone.answered(&world.answer());
    world.receive("[fe80::2%3]:5062", &phone.ack(""));
    world.silent(1);
    let (flow, _) = world.sent.pop().expect("a BYE");
    assert_eq!(flow.remote, address("[fe80::2%3]:7000"));
}

#[test]
fn contact_over_tcp_is_called_over_tcp() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    phone.contact = "<sip:p@192.0.2.2:7000;transport=tcp>".into();
    world.call(&mut phone);
    world.silent(1);
    assert_eq!(world.opening.len(), 1);
    assert_eq!(world.opening[0].remote, address("192.0.2.2:7000"));
}

#[test]
fn call_over_a_connection_is_answered_and_ended_over_it() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    phone.via = "SIP/2.0/TCP 10.0.0.5:5060".into();
    let flow = world.accept("192.0.2.2:50123");
    world.receive_over_connection(&phone.invite(SDP));
    let (over, answer) = world.sent.pop().expect("an answer");
    assert_eq!(over, flow);
    assert_eq!(header(&answer, "Contact"), "<sip:192.0.2.1:5060;transport=tcp>");
    phone.answered(&answer);
    world.receive_over_connection(&phone.ack(""));
    assert_eq!(world.agent.connections().len(), 1);
    world.silent(1);
    let (over, bye) = world.sent.pop().expect("a BYE");
    assert_eq!(over, flow);
    assert!(header(&bye, "Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;"), "{bye}");
}

#[test]
fn target_follows_the_changes_of_the_far_end() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    phone.contact = "<sip:p@198.51.100.3:6000>".into();
    phone.via = "SIP/2.0/UDP 198.51.100.3:6000".into();
    world.receive("198.51.100.3:6000", &phone.next("UPDATE", ""));
    world.take_sent();
    world.silent(1);
    let (flow, bye) = world.sent.pop().expect("a BYE");
    assert_eq!(flow.remote, address("198.51.100.3:6000"));
    assert!(bye.starts_with("BYE sip:p@198.51.100.3:6000"), "{bye}");
}

#[test]
fn name_of_a_proxy_is_resolved_when_the_call_is_confirmed() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.names.insert("proxy.example.com".into(), [198, 51, 100, 9].into());
    phone.extra = "Record-Route: <sip:proxy.example.com;lr>\r\n".into();
    let mut unconfirmed = Phone { call_id: "b".into(), ..phone.clone() };
    unconfirmed.answered(&world.exchange(PHONE, &unconfirmed.invite(SDP)));
    world.silent(1);
    let (flow, _) = world.sent.pop().expect("a BYE");
    assert_eq!(flow.remote, address(PHONE), "nothing is looked up for it");
    world.take_sent();
    world.call(&mut phone);
    world.silent(2);
    let (flow, _) = world.sent.pop().expect("a BYE");
    assert_eq!(flow.remote, address("198.51.100.9:5060"));
}

#[test]
fn request_goes_over_its_connection_only_where_that_leads() {
    let over = |extra: &str| {
        let (mut world, mut phone) = (World::new(), Phone::new("a"));
        phone.via = "SIP/2.0/TCP 192.0.2.2:5062".into();
        phone.extra = extra.into();
        world.accept("192.0.2.2:50123");
        world.receive_over_connection(&phone.invite(SDP));
        phone.answered(&world.answer());
        world.receive_over_connection(&phone.ack(""));
        world.silent(1);
        (world.sent.pop().map(|(flow, _)| flow.remote), world.opening.pop().map(|peer| peer.remote))
    };
    assert_eq!(over(""), (Some(address("192.0.2.2:50123")), None));
    assert_eq!(over("Record-Route: <sip:192.0.2.2:5080;lr>\r\n"), (Some(address("192.0.2.2:50123")), None));
    let elsewhere = "Record-Route: <sip:198.51.100.9:5080;transport=tcp;lr>\r\n";
    assert_eq!(over(elsewhere), (None, Some(address("198.51.100.9:5080"))));
    let by_datagrams = "Record-Route: <sip:198.51.100.9:5080;lr>\r\n";
    assert_eq!(over(by_datagrams), (Some(address("198.51.100.9:5080")), None));
}

#[test]
fn contact_of_a_secure_call_names_the_listener_of_tls_if_there_is_one() {
    let contact = |listeners: &[(Protocol, &str)], change: fn(&mut Phone)| {
        let (mut world, mut phone) = (World::listening(settings(), listeners), Phone::new("a"));
        change(&mut phone);
        world.receive(PHONE, &phone.invite(SDP));
        header(&world.answer(), "Contact").to_owned()
    };
    let plain = [(Protocol::Udp, NODE), (Protocol::TCP, NODE)];
    let with_tls = [plain[0], plain[1], (Protocol::TLS, "192.0.2.1:5071")];
    let dialled: fn(&mut Phone) = |phone| phone.target = "sips:meet@192.0.2.1".into();
    let named: fn(&mut Phone) = |phone| phone.contact = "<sips:phone@192.0.2.2>".into();
    let routed: fn(&mut Phone) =
        |phone| phone.extra = "Record-Route: <sips:198.51.100.9;lr>, <sip:198.51.100.8;lr>\r\n".into();
    for change in [dialled, named, routed] {
        assert_eq!(contact(&with_tls, change), "<sips:192.0.2.1:5071>");
        assert_eq!(contact(&plain, change), "<sip:192.0.2.1:5060;transport=udp>");
    }
    assert_eq!(contact(&with_tls, |_| {}), "<sip:192.0.2.1:5060;transport=udp>");
    // What the topmost proxy names counts, and not the Contact behind it.
    let insecure: fn(&mut Phone) = |phone| {
        phone.contact = "<sips:phone@192.0.2.2>".into();
        phone.extra = "Record-Route: <sip:198.51.100.9;lr>\r\n".into();
    };
    assert_eq!(contact(&with_tls, insecure), "<sip:192.0.2.1:5060;transport=udp>");
}

/// A node that trusts an authority, or none.
fn world_of_tls(trust: Option<&str>) -> World {
    let mut settings = settings();
    settings.tls = Some(TlsSettings {
        address: address("192.0.2.1:5061"),
        certificate: "chain.pem".into(),
        key: "key.pem".into(),
        trust: trust.map(Into::into),
    });
    let listeners = [(Protocol::Udp, NODE), (Protocol::TCP, NODE), (Protocol::TLS, "192.0.2.1:5061")];
    World::listening(settings, &listeners)
}

/// Over what the BYE of a call by UDP goes, or whom a connection is opened to for it.
fn bye_to(trust: Option<&str>, change: fn(&mut Phone)) -> Result<SocketAddr, Peer> {
    let (mut world, mut phone) = (world_of_tls(trust), Phone::new("a"));
    world.names.insert("Proxy.example.com".into(), [198, 51, 100, 9].into());
    change(&mut phone);
    world.call(&mut phone);
    world.silent(1);
    world.sent.pop().map(|(flow, _)| flow.remote).ok_or_else(|| world.opening.remove(0))
}

#[test]
fn connection_of_tls_is_opened_to_the_name_of_the_next_hop_if_somebody_is_trusted() {
    let peer = |remote: &str, name: Option<&str>| Peer {
        stream: Stream::Tls,
        remote: address(remote),
        name: name.map(Into::into),
    };
    let named: fn(&mut Phone) =
        |phone| phone.extra = "Record-Route: <sip:Proxy.example.com;transport=tls;lr>\r\n".into();
    let secure: fn(&mut Phone) = |phone| phone.extra = "Record-Route: <sips:198.51.100.9:5071;lr>\r\n".into();
    let contact: fn(&mut Phone) = |phone| phone.contact = "<sip:p@192.0.2.2:7000;transport=tls>".into();
    for (change, expected) in [
        (named, peer("198.51.100.9:5061", Some("proxy.example.com"))),
        (secure, peer("198.51.100.9:5071", None)),
        (contact, peer("192.0.2.2:7000", None)),
    ] {
        assert_eq!(bye_to(Some("trust.pem"), change), Err(expected));
        assert_eq!(bye_to(None, change), Ok(address(PHONE)), "back to where the call came from");
    }
}

#[test]
fn call_over_tls_is_ended_over_its_connection_or_over_one_to_the_name_of_its_proxy() {
    for is_closed in [false, true] {
        let (mut world, mut phone) = (world_of_tls(Some("trust.pem")), Phone::new("a"));
        world.names.insert("proxy.example.com".into(), [192, 0, 2, 2].into());
        phone.via = "SIP/2.0/TLS 192.0.2.2:5061".into();
        phone.extra = "Record-Route: <sip:proxy.example.com;transport=tls;lr>\r\n".into();
        let flow = world.accept_over(Stream::Tls, "192.0.2.2:50123");
        world.receive_over_connection(&phone.invite(SDP));
        phone.answered(&world.answer());
        world.receive_over_connection(&phone.ack(""));
        if is_closed {
            world.close();
        }
        world.silent(1);
        let over = world.sent.pop().map(|(flow, _)| flow);
        assert_eq!(over, (!is_closed).then_some(flow));
        let name = world.opening.pop().map(|peer| (peer.stream, peer.remote, peer.name));
        let expected = (Stream::Tls, address("192.0.2.2:5061"), Some("proxy.example.com".into()));
        assert_eq!(name, is_closed.then_some(expected));
    }
}

#[test]
fn what_must_be_secured_goes_over_no_connection_of_tcp() {
    let (mut world, mut phone) = (world_of_tls(Some("trust.pem")), Phone::new("a"));
    phone.via = "SIP/2.0/TCP 192.0.2.2:5062".into();
    phone.extra = "Record-Route: <sip:192.0.2.2;transport=tls;lr>\r\n".into();
    world.accept("192.0.2.2:50123");
    world.receive_over_connection(&phone.invite(SDP));
    phone.answered(&world.answer());
    world.receive_over_connection(&phone.ack(""));
    world.silent(1);
    assert_eq!((world.sent.len(), world.opening.len()), (0, 1));
    assert_eq!(world.opening[0].stream, Stream::Tls);
}
