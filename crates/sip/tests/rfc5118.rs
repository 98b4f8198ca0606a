//! Messages of our own (`messages/rfc5118.txt`), one for each case of RFC 5118: IPv6 in every place of a message.

#[allow(dead_code)] // The other tests need more of it.
mod support;

use core::net::IpAddr;

use sip::host::Host;
use sip::message::{self, Request};

use support::{malformed, refused};

fn find(name: &str) -> Vec<u8> {
    let all = support::messages::messages(include_str!("messages/rfc5118.txt"));
    all.into_iter().find(|(found, _)| found == name).expect("a message of the file").1
}

fn request(name: &str) -> Request {
    support::request(&find(name))
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

#[test]
fn every_message_but_the_invalid_one_can_be_used() {
    for (name, bytes) in support::messages::messages(include_str!("messages/rfc5118.txt")) {
        match message::datagram(&bytes) {
            Ok(message) => {
                assert_eq!((malformed(message.headers()), name == "ipv6-bad"), (0, false), "{name}")
            }
            Err(refused) => assert_eq!((name.as_str(), refused.status().unwrap().code()), ("ipv6-bad", 400)),
        }
    }
    assert_eq!(refused(&find("ipv6-bad")).fields().vias().count(), 1);
}

#[test]
fn port_stands_outside_of_the_brackets() {
    let uri = |name| {
        let request = request(name);
        let uri = request.uri().sip().unwrap();
        (uri.host.address(), uri.port)
    };
    assert_eq!(uri("port-ambiguous"), (address("2001:db8:a::53:5081"), None));
    assert_eq!(uri("port-unambiguous"), (address("2001:db8:a::53"), Some(5081)));
}

#[test]
fn received_is_read_with_brackets_and_without() {
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        assert_eq!(request(name).headers().top_via().received(), address("2001:db8:b:7::255"), "{name}");
    }
}

#[test]
fn addresses_of_both_kinds_stand_in_one_message() {
    let several = request("mult-ip-in-header");
    let vias = several.headers().vias().all().unwrap();
    let hosts: Vec<_> = vias.iter().map(|via| via.host.address()).collect();
    assert_eq!(hosts, [address("2001:db8:d::1"), address("203.0.113.47"), address("2001:db8:d::47")]);
    let ports: Vec<_> = vias.iter().map(|via| via.port).collect();
    assert_eq!(ports, [Some(6060), Some(5070), None]);
    assert_eq!(vias[2].received(), address("2001:db8:d::48"));
    let mapped = request("ipv4-mapped-ipv6");
    assert_eq!(mapped.headers().top_via().host.address(), address("::ffff:198.51.100.49"));
    assert_eq!(mapped.headers().top_via().port, Some(24_117));
}

#[test]
fn session_description_with_ipv6_is_whole() {
    for (name, connections) in [
        ("ipv6-in-sdp", &["c=IN IP6 2001:db8:c::9"][..]),
        ("mult-ip-in-sdp", &["c=IN IP4 192.0.2.48", "c=IN IP6 2001:db8:e::9"]),
        ("ipv4-mapped-ipv6", &["c=IN IP6 ::ffff:198.51.100.49"]),
    ] {
        let request = request(name);
        assert_eq!(request.bytes(), find(name), "{name}");
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        assert!(body.starts_with("v=0\r\n") && body.ends_with("\r\n"), "{name}");
        assert!(body.lines().filter(|line| line.starts_with("c=")).eq(connections.iter().copied()), "{name}");
    }
}

#[test]
fn three_colons_before_an_ipv4_address_are_two() {
    let host = |name| request(name).uri().sip().unwrap().host.address();
    assert_eq!(host("ipv6-bug-abnf-3-colons"), address("2001:db8:f::203.0.113.4"));
    assert_eq!(host("ipv6-bug-abnf-3-colons"), host("ipv6-correct-abnf-2-colons"));
    let both = [request("ipv6-bug-abnf-3-colons"), request("ipv6-correct-abnf-2-colons")];
    assert!(both[0].uri().matches(both[1].uri()));
    assert!(both[0].headers().to().uri.matches(both[1].headers().to().uri));
    assert_eq!(both[0].headers().top_via().host, both[1].headers().top_via().host);
    assert!(matches!(request("ipv6-good").uri().sip().unwrap().host, Host::V6(_)));
}
