//! Hostile input takes time linear in its length: measured in bytes that are looked at, for a size and for four times
//! that size.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::address::Address;
use crate::auth::Auth;
use crate::fields::Contacts;
use crate::framer::Framer;
use crate::message::datagram;
use crate::name::Name;
use crate::steps;
use crate::uri::Uri;
use crate::value::Value;
use crate::via::Via;

/// How often a byte may be looked at. Reading a message goes over its lines, its names, the values that are checked,
/// and white space once more.
const TIMES: usize = 12;

/// Checks that `work` looks at each byte of its input a few times, however long the input is.
fn check(what: &str, input: impl Fn(usize) -> Vec<u8>, work: impl Fn(&[u8])) {
    let cost = |size: usize| {
        let input = input(size);
        (steps::taken(|| work(&input)), input.len())
    };
    let (small, small_length) = cost(1000);
    let (large, large_length) = cost(4000);
    assert!(large <= TIMES * large_length, "{what}: {large} steps for {large_length} bytes");
    let grown = large * small_length <= 2 * small * large_length;
    assert!(grown, "{what}: {small} steps for {small_length} bytes, {large} for {large_length}");
}

fn with(headers: &str) -> Vec<u8> {
    format!(
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:a@b>\r\n\
         Call-ID: c\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
    )
    .into_bytes()
}

/// Reads a message, and all that may be in it.
fn read(bytes: &[u8]) {
    let Ok(message) = datagram(bytes) else { return };
    let headers = message.headers();
    let _ = headers.vias().all();
    let _ = headers.routes().all();
    if let Contacts::Listed(contacts) = headers.contacts() {
        let _ = contacts.all();
    }
    let _ = headers.has_token(Name::Supported, "timer");
    let _ = (headers.refer_to().is_ok(), headers.retry_after().is_ok(), headers.content_type().is_ok());
}

#[test]
fn hostile_messages_take_linear_time() {
    let line = |name: &'static str, piece: &'static str| {
        move |size: usize| with(&format!("{name}: {}\r\n", piece.repeat(size / piece.len())))
    };
    for (name, piece) in [
        ("Contact", "<"),
        ("Contact", "\""),
        ("Contact", "\\"),
        ("Contact", "\"\\"),
        ("Contact", "<sip:a>,"),
        ("Contact", "a "),
        ("Contact", ";"),
        ("Contact", ";a=\"\""),
        ("Contact", "sip:a,"),
        ("Contact", "\r\n "),
        ("Route", "<sip:a;b;b;b;b>,"),
        ("Via", ","),
        ("Via", "SIP/2.0/UDP a,"),
        ("Via", "SIP / "),
        ("Retry-After", "("),
        ("Retry-After", "1("),
        ("Supported", "a,"),
        ("Supported", ","),
        ("X", "\r\n "),
        ("X", "\r"),
        ("Content-Type", "a/"),
        ("Refer-To", "%41"),
    ] {
        check(&format!("{name}: {piece}"), line(name, piece), read);
    }
    check("many headers", |size| with(&"X:\r\n".repeat(size / 4)), read);
    check("many Via headers", |size| with(&"v:SIP/2.0/UDP a\r\n".repeat(size / 17)), read);
    check("many Content-Lengths", |size| with(&"l:0\r\n".repeat(size / 5)), read);
    check("line breaks", |size| b"\r\n".repeat(size), read);
    check("a start line", |size| "a ".repeat(size).into_bytes(), read);
}

#[test]
fn hostile_values_take_linear_time() {
    check(
        "URI parameters",
        |size| format!("sip:a{}", ";a=b".repeat(size / 4)).into_bytes(),
        |text| assert!(Uri::new(text).is_ok() || !text.is_empty()),
    );
    check(
        "escapes",
        |size| format!("sip:{}@a", "%41".repeat(size)).into_bytes(),
        |text| assert!(Uri::new(text).is_ok() || !text.is_empty()),
    );
    check(
        "at signs",
        |size| format!("sip:{}", "@".repeat(size)).into_bytes(),
        |text| assert!(Uri::new(text).is_ok() || !text.is_empty()),
    );
    check(
        "quotes",
        |size| format!("\"{}", "\\\"".repeat(size)).into_bytes(),
        |text| assert!(Address::whole(text).is_ok() || !text.is_empty()),
    );
    check(
        "Digest",
        |size| format!("Digest {}", "a=\"\\\"\",".repeat(size)).into_bytes(),
        |text| assert!(Auth::whole(text).is_ok() || !text.is_empty()),
    );
    check(
        "Via parameters",
        |size| format!("SIP/2.0/UDP a{}", " ; a".repeat(size)).into_bytes(),
        |text| assert!(Via::whole(text).is_ok() || !text.is_empty()),
    );
}

#[test]
fn stream_takes_linear_time_in_portions_of_one_byte() {
    let stream = |byte_by_byte: &[u8]| {
        let mut framer = Framer::new();
        for byte in byte_by_byte {
            framer.push(&[*byte]);
            while framer.next_frame().is_some() {}
        }
    };
    check("a head", |size| with(&"X: y\r\n".repeat(size / 6)), stream);
    check("a head without an end", |size| vec![b'x'; size], stream);
    check("line breaks", |size| b"\r\n".repeat(size), stream);
    check("a body", |size| [with(&format!("l: {size}\r\n")), vec![b'x'; size]].concat(), stream);
    let messages =
        |size: usize| String::from_utf8(with("l: 0\r\n")).unwrap_or_default().repeat(size / 100).into_bytes();
    check("many messages", messages, stream);
}

#[test]
fn comparing_uris_is_bounded_by_the_number_of_parameters() {
    let uri = |parameter: &str| format!("sip:a{}", parameter.repeat(64));
    let (one, other) = (uri(";a=b"), uri(";c=d"));
    let (one, other) = (Uri::new(one.as_bytes()), Uri::new(other.as_bytes()));
    let (Ok(one), Ok(other)) = (one, other) else { panic!("64 parameters are allowed") };
    let steps = steps::taken(|| assert!(one.matches(other)));
    assert!(steps < 64 * 64 * 8, "{steps} steps");
}
