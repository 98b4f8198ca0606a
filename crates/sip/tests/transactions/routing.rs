//! Where answers go, what stands in Via, which transport a request takes, keep-alives (RFC 3261 section 18, RFC
//! 3263, RFC 3581, RFC 5626).

use core::net::SocketAddr;

use sip::framer::Frame;
use sip::host::Host;
use sip::message;
use sip::transaction::input::Input;
use sip::transport::arrival::Arrival;
use sip::transport::flow::{Connection, Destination, Flow, Link, Peer, Protocol, Stream};
use sip::transport::listeners::{Listener, Listeners, SentBy};
use sip::transport::next_hop::{NextHop, Unroutable};
use sip::uri::Uri;
use sip::value::Value;
use sip::via::Via;

use crate::kit::{OURS, PEER, Side, at, settings, their, their_via};

/// `received`, `rport` and the address of the answer, for a datagram with this Via from this address.
fn arrived(via: &str, source: &str) -> (String, Option<u16>, SocketAddr) {
    let via = Via::whole(via.as_bytes()).expect("a Via");
    let arrival = Arrival::new(Flow::datagrams(at(OURS), at(source)), Some(&via));
    let Destination::Datagrams { remote, .. } = arrival.destination else { panic!("it came as a datagram") };
    let received = arrival.source.received.map(|address| address.to_string()).unwrap_or_default();
    (received, arrival.source.rport, remote)
}

#[test]
fn answer_of_a_datagram_goes_to_its_source_at_the_port_that_via_says() {
    let check = |via: &str, source: &str, received: &str, rport, to: &str| {
        let via = format!("SIP/2.0/UDP {via};branch=z9hG4bK1");
        assert_eq!(arrived(&via, source), (received.to_owned(), rport, at(to)), "{via} from {source}");
    };
    let source = "192.0.2.1:40000";
    check("192.0.2.1:5062", source, "", None, "192.0.2.1:5062");
    check("192.0.2.1", source, "", None, "192.0.2.1:5060");
    check("192.0.2.1:0", source, "", None, "192.0.2.1:5060");
    check("192.0.2.1:5062;rport", source, "192.0.2.1", Some(40_000), source);
    check("192.0.2.1:5062;rport=1", source, "192.0.2.1", Some(40_000), source);
    check("10.0.0.1:5062", source, "192.0.2.1", None, "192.0.2.1:5062");
    check("10.0.0.1:5062;rport", source, "192.0.2.1", Some(40_000), source);
    check("phone.example", source, "192.0.2.1", None, "192.0.2.1:5060");
    // What the sender writes into these is not believed.
    check("192.0.2.1:5062;received=203.0.113.9", source, "192.0.2.1", None, "192.0.2.1:5062");
    check("192.0.2.1:5062;maddr=203.0.113.9", source, "", None, "192.0.2.1:5062");
    let source = "[2001:db8::1]:40000";
    check("[2001:DB8:0::1]:5062", source, "", None, "[2001:db8::1]:5062");
    check("[2001:db8::2]:5062", source, "2001:db8::1", None, "[2001:db8::1]:5062");
    check("phone.example;rport", source, "2001:db8::1", Some(40_000), source);
    // A socket of IPv6 that takes IPv4 as well: the peer knows its address of IPv4.
    let source = "[::ffff:192.0.2.1]:40000";
    check("192.0.2.1:5062", source, "", None, "[::ffff:192.0.2.1]:5062");
    check("10.0.0.1;rport", source, "192.0.2.1", Some(40_000), source);
}

#[test]
fn answer_leaves_from_where_the_request_arrived() {
    let via = Via::whole(b"SIP/2.0/UDP 10.0.0.1").expect("a Via");
    let flow = Flow::datagrams(at("198.51.100.7:5080"), at(PEER));
    let destination = Arrival::new(flow, Some(&via)).destination;
    assert_eq!(destination, Destination::Datagrams { local: flow.local, remote: at("192.0.2.1:5060") });
}

#[test]
fn answer_has_received_and_rport_in_the_topmost_via() {
    let mut side = Side::new(Protocol::Udp);
    side.came(their_via("OPTIONS", "SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1, SIP/2.0/UDP p", ""));
    assert_eq!(side.respond(1, 200), "send 200");
    let via =
        "Via: SIP/2.0/UDP 10.0.0.1:5070;rport=5062;branch=z9hG4bK1;received=192.0.2.1, SIP/2.0/UDP p\r\n";
    assert!(side.text().contains(via), "{}", side.text());
}

#[test]
fn answer_goes_over_the_connection_and_over_a_new_one_when_it_is_closed() {
    let mut side = Side::new(Protocol::TCP);
    side.came(their_via("INVITE", "SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bK1", ""));
    assert_eq!(side.respond(1, 180), "send 180");
    assert_eq!(side.breaks(), "");
    assert_eq!(side.respond(1, 486), "open tcp 192.0.2.1:5070");
    let peer = Peer { stream: Stream::Tcp, remote: at("192.0.2.1:5070"), name: None };
    let link = Link::Connection(Stream::Tcp, Connection(2));
    let flow = Flow { link, local: at("192.0.2.2:40000"), remote: peer.remote };
    assert_eq!(side.input(Input::Opened { peer, flow }), "send 486 to 192.0.2.1:5070 over 2");
}

#[test]
fn request_that_comes_again_over_a_new_connection_is_answered_there() {
    for (waits, from) in [(false, "192.0.2.1:40002"), (true, "192.0.2.1:40002"), (true, PEER)] {
        let mut side = Side::new(Protocol::TCP);
        side.came(their("INVITE", "1"));
        side.respond(1, 180);
        side.breaks();
        if waits {
            assert_eq!(side.respond(1, 180), "open tcp 192.0.2.1:5062");
        }
        side.flow.link = Link::Connection(Stream::Tcp, Connection(2));
        side.flow.remote = at(from);
        side.input(Input::Accepted(side.flow));
        assert_eq!(side.came(their("INVITE", "1")), "send 180 over 2");
        assert_eq!(side.respond(1, 486), "send 486 over 2");
        let peer = Peer { stream: Stream::Tcp, remote: at(PEER), name: None };
        assert_eq!(side.input(Input::NotOpened(peer)), "");
    }
}

#[test]
fn final_answer_that_waits_goes_over_the_connection_that_the_request_comes_again_on() {
    let mut side = Side::new(Protocol::TCP);
    side.came(their("OPTIONS", "1"));
    side.breaks();
    assert_eq!(side.respond(1, 200), "open tcp 192.0.2.1:5062");
    side.flow.link = Link::Connection(Stream::Tcp, Connection(2));
    side.input(Input::Accepted(side.flow));
    assert_eq!(side.came(their("OPTIONS", "1")), "send 200 over 2");
    assert_eq!(side.entries(), 0);
}

#[test]
fn answer_that_waits_for_a_connection_is_sent_once() {
    let mut side = Side::new(Protocol::TCP);
    side.came(their("INVITE", "1"));
    side.breaks();
    assert_eq!(side.respond(1, 200), "open tcp 192.0.2.1:5062");
    let flow = |number| Flow { link: Link::Connection(Stream::Tcp, Connection(number)), ..side.flow };
    let (accepted, opened) = (Input::Accepted(flow(2)), flow(3));
    assert_eq!(side.input(accepted), "");
    assert_eq!(side.respond(1, 200), "");
    let peer = Peer { stream: Stream::Tcp, remote: at(PEER), name: None };
    let said = side.input(Input::Opened { peer, flow: opened });
    assert_eq!(said.matches("send 200").count(), 1, "{said}");
}

#[test]
fn answer_that_no_connection_takes_is_reported() {
    let peer = Peer { stream: Stream::Tcp, remote: at(PEER), name: None };
    for (method, id) in [("INVITE", 1), ("OPTIONS", 1)] {
        let mut side = Side::new(Protocol::TCP);
        side.came(their(method, "1"));
        side.breaks();
        assert_eq!(side.respond(id, 486), "open tcp 192.0.2.1:5062");
        // What is over stays until it is sent.
        assert_ne!(side.entries(), 0);
        assert_eq!(side.input(Input::NotOpened(peer.clone())), "failed 1");
        side.until(60_000);
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn connection_for_an_answer_over_tls_must_have_the_name_of_via() {
    let mut side = Side::new(Protocol::TLS);
    side.came(their_via("INVITE", "SIP/2.0/TLS gw.example;branch=z9hG4bK1", ""));
    side.breaks();
    assert_eq!(side.respond(1, 486), "open tls 192.0.2.1:5061 as gw.example");
}

#[test]
fn keep_alive_on_a_connection_is_answered_and_others_are_dropped() {
    let mut side = Side::new(Protocol::TCP);
    assert_eq!(side.came("\r\n\r\n"), "send \\r\\n");
    assert_eq!(side.came("\r\n"), "");
    let mut side = Side::new(Protocol::Udp);
    assert_eq!(side.came("\r\n\r\n"), "");
}

#[test]
fn frames_of_a_connection_that_is_not_open_are_ignored() {
    let mut side = Side::new(Protocol::TCP);
    side.breaks();
    assert_eq!(side.came(their("INVITE", "1")), "");
    assert_eq!(side.came("\r\n\r\n"), "");
}

#[test]
fn connection_whose_end_of_message_is_lost_is_answered_and_closed() {
    let mut side = Side::new(Protocol::TCP);
    let wrong = their("INVITE", "1").replace("Content-Length: 0", "Content-Length: x");
    assert_eq!(side.came(&wrong), "send 400, close 1");
    let message = message::datagram(their("OPTIONS", "2").as_bytes()).expect("a message");
    // Until the shell has closed it, it is open.
    let frame = Frame::Message(message);
    assert_eq!(side.input(Input::Frame { connection: Connection(1), frame }), "request 1 OPTIONS");
}

#[test]
fn transport_of_a_request_is_that_of_its_uri() {
    let hop = |uri: &str| {
        let uri = Uri::new(uri.as_bytes()).expect("a URI");
        NextHop::of(uri).map(|hop| (hop.protocol, hop.host.to_string(), hop.port))
    };
    let to = |protocol, host: &str, port| Ok((protocol, host.to_owned(), port));
    assert_eq!(hop("sip:a@b.example"), to(Protocol::Udp, "b.example", 5060));
    assert_eq!(hop("sip:a@192.0.2.1:5070;transport=UDP"), to(Protocol::Udp, "192.0.2.1", 5070));
    assert_eq!(hop("sip:b;transport=tcp"), to(Protocol::TCP, "b", 5060));
    assert_eq!(hop("sip:b;transport=TLS"), to(Protocol::TLS, "b", 5061));
    assert_eq!(hop("sips:b"), to(Protocol::TLS, "b", 5061));
    assert_eq!(hop("sips:b:5070;transport=tcp"), to(Protocol::TLS, "b", 5070));
    assert_eq!(hop("sip:b;maddr=[2001:db8::1]"), to(Protocol::Udp, "[2001:db8::1]", 5060));
    assert_eq!(hop("sips:b;transport=udp"), Err(Unroutable::Insecure));
    assert_eq!(hop("sip:b;transport=ws"), Err(Unroutable::Transport));
    assert_eq!(hop("tel:+15550100"), Err(Unroutable::Scheme));
}

#[test]
fn request_goes_to_its_first_route() {
    let mut side = Side::new(Protocol::Udp);
    let route = "Route: <sip:p.example;lr;transport=tcp>, <sip:q.example;lr>\r\nCall-ID:";
    let text = their("OPTIONS", "1").replace("Call-ID:", route);
    side.came(&text);
    let (_, request) = side.arrival.as_ref().expect("it came");
    let hop = NextHop::of_request(request).expect("it can be sent");
    assert_eq!((hop.protocol, hop.host), (Protocol::TCP, Host::Name("p.example")));
    side.came(their_via("OPTIONS", "SIP/2.0/UDP h;branch=z9hG4bK2", ";tag=x"));
    let (_, request) = side.arrival.as_ref().expect("it came");
    assert_eq!(NextHop::of_request(request).expect("it can be sent").host, Host::V4([192, 0, 2, 2].into()));
}

#[test]
fn peer_is_told_the_address_that_it_can_reach() {
    let listener = |protocol, address: &str, advertised: Option<(&str, u16)>| Listener {
        protocol,
        address: at(address),
        advertised: advertised.map(|(host, port)| SentBy::new(host, port).expect("a host")),
    };
    let described = |listeners: &[Listener], protocol, local: &str| {
        Listeners(listeners.to_vec()).sent_by(protocol, local.parse().expect("an address")).to_string()
    };
    let some = [
        listener(Protocol::Udp, "192.0.2.2:5070", None),
        listener(Protocol::Udp, "[::]:5080", None),
        listener(Protocol::TCP, "0.0.0.0:5090", Some(("203.0.113.5", 5060))),
    ];
    assert_eq!(described(&some, Protocol::Udp, "192.0.2.2"), "192.0.2.2:5070");
    assert_eq!(described(&some, Protocol::Udp, "2001:db8::2"), "[2001:db8::2]:5080");
    assert_eq!(described(&some, Protocol::Udp, "::ffff:198.51.100.1"), "198.51.100.1:5080");
    assert_eq!(described(&some, Protocol::TCP, "10.0.0.2"), "203.0.113.5:5060");
    // A listener of IPv4 takes nothing of IPv6.
    assert_eq!(described(&some, Protocol::TCP, "2001:db8::2"), "[2001:db8::2]:5060");
    assert_eq!(described(&some, Protocol::TLS, "10.0.0.2"), "10.0.0.2:5061");
    // The outer address of a NAT is not reached over the other family; a name may be.
    for (outer, four, six) in [
        ("203.0.113.5", "203.0.113.5:5060", "[2001:db8::2]:5080"),
        ("2001:db8::5", "10.0.0.2:5080", "[2001:db8::5]:5060"),
        ("node.example", "node.example:5060", "node.example:5060"),
    ] {
        let outer = if outer.contains(':') { format!("[{outer}]") } else { outer.into() };
        let both = [listener(Protocol::Udp, "[::]:5080", Some((&outer, 5060)))];
        assert_eq!(described(&both, Protocol::Udp, "10.0.0.2"), four);
        assert_eq!(described(&both, Protocol::Udp, "::ffff:10.0.0.2"), four);
        assert_eq!(described(&both, Protocol::Udp, "2001:db8::2"), six);
    }
    assert!(SentBy::new("a b", 5060).is_err());
    assert_eq!(settings().listeners.0.len(), 3);
}
