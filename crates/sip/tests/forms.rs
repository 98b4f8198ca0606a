//! Forms in which phones, gateways and proxies send messages, that are legal and have been rejected or damaged by SIP
//! stacks; and limits.

#[allow(dead_code)] // The other tests need more of it.
mod support;

use sip::error::Fault;
use sip::fields::Contacts;
use sip::limits::{self, Limit};
use sip::message;
use sip::method::Method;
use sip::name::Name;
use sip::session::Refresher;
use sip::via::Transport;

use support::{malformed, refused, request, response};

/// A request with these lines in its head beside the usual ones, and a body.
fn with(line: &str, headers: &str, body: &str) -> Vec<u8> {
    let method = line.split(' ').next().unwrap_or_default();
    let usual = format!(
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nMax-Forwards: 70\r\nFrom: <sip:a@a.example>;tag=f\r\nTo: \
         <sip:b@b.example>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n"
    );
    format!("{line} SIP/2.0\r\n{usual}{headers}\r\n{body}").into_bytes()
}

fn invite(headers: &str, body: &str) -> Vec<u8> {
    with("INVITE sip:meet@192.0.2.2", headers, body)
}

#[test]
fn body_of_a_datagram_is_what_content_length_says_or_all_that_is_left() {
    let typed = "Content-Type: application/sdp\r\n";
    assert_eq!(request(&invite(typed, "v=0\r\n")).body(), b"v=0\r\n");
    let shorter = format!("{typed}Content-Length: 3\r\n");
    let cut = request(&invite(&shorter, "v=0\r\n"));
    assert_eq!((cut.body(), cut.bytes().ends_with(b"v=0")), (&b"v=0"[..], true));
    let longer = refused(&invite("l: 6\r\n", "v=0\r\n"));
    assert_eq!(longer.fault(), Fault::BodyTooShort { declared: 6, found: 5 });
    assert_eq!(longer.status().unwrap().code(), 400);
    let same_twice = refused(&invite("l: 0\r\nContent-Length: 0\r\n", ""));
    assert!(matches!(same_twice.fault(), Fault::Field(error) if error.name == Name::ContentLength));
}

#[test]
fn line_breaks_before_a_message_are_skipped_and_alone_are_a_keep_alive() {
    let late = [b"\r\n\r\n".to_vec(), invite("", "")].concat();
    assert!(request(&late).bytes().starts_with(b"INVITE"));
    for keep_alive in [&b"\r\n\r\n"[..], b"\r\n", b""] {
        let refused = refused(keep_alive);
        assert_eq!((refused.fault(), refused.status()), (Fault::Empty, None));
    }
    for noise in [&b"\0\0\0\0"[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"INVITE sip:a"] {
        assert_eq!(refused(noise).status(), None);
    }
}

#[test]
fn unknown_methods_and_parameters_of_a_request_uri_are_read() {
    for method in ["PING", "BENOTIFY", "FOO"] {
        let bytes = with(&format!("{method} sip:a@192.0.2.2"), "", "");
        assert_eq!(request(&bytes).method(), Method::Other(method));
    }
    let odd = request(&with("OPTIONS sip:a@192.0.2.2;method=FOO;transport=quic", "", ""));
    assert_eq!(odd.uri().sip().unwrap().transport(), Some("quic"));
    let port = refused(&with("OPTIONS sip:a@192.0.2.2:99999", "", ""));
    assert_eq!((port.status().unwrap().code(), port.fields().vias().count()), (400, 1));
}

#[test]
fn user_part_is_looked_up_by_what_it_stands_for() {
    let look = |uri: &str| {
        let request = request(&with(&format!("INVITE {uri}"), "", ""));
        String::from_utf8(request.uri().sip().unwrap().decoded_number().unwrap().into_owned()).unwrap()
    };
    assert_eq!(look("sip:%6Deet@192.0.2.2"), "meet");
    assert_eq!(look("sip:8000;phone-context=example.com@192.0.2.2;user=phone"), "8000");
    assert_eq!(look("sip:8000;npdi@192.0.2.2"), "8000");
    assert_eq!(look("sip:%23800@192.0.2.2"), "#800");
    assert_eq!(look("sip:#800@192.0.2.2"), "#800");
    assert_eq!(look("sip:team%20room@192.0.2.2"), "team room");
}

#[test]
fn names_of_headers_may_be_compact_and_have_space_before_the_colon() {
    for length in ["Content-Length :", "l\t:", "L:", "CONTENT-LENGTH:\r\n "] {
        let bytes = invite(&format!("c:application/sdp\r\n{length} 5\r\n"), "v=0\r\n");
        assert_eq!(request(&bytes).body(), b"v=0\r\n", "{length}");
    }
    let compact =
        request(&invite("m: <sip:a@c>\r\nk: timer, 100rel\r\nx: 90;refresher=uac\r\nr: <sip:d@e>\r\n", ""));
    let headers = compact.headers();
    assert!(headers.has_token(Name::Supported, "TIMER").unwrap());
    assert_eq!(headers.session_expires().unwrap().unwrap().refresher, Some(Refresher::Uac));
    assert_eq!(headers.refer_to().unwrap().unwrap().uri.as_str(), "sip:d@e");
}

#[test]
fn several_headers_and_one_with_commas_are_the_same() {
    let one = request(&invite("Route: <sip:a;lr>, \"x, y\" <sip:b;lr>;p=\"q, r\" ,<sip:c>\r\n", ""));
    let three = request(&invite(
        "Route: <sip:a;lr>\r\nX: y\r\nroute : \"x, y\" <sip:b;lr>;p=\"q, r\"\r\nRoute:<sip:c>\r\n",
        "",
    ));
    let uris = |request: &message::Message| {
        let routes = request.headers().routes().all().unwrap();
        routes.iter().map(|route| route.uri.as_str().to_owned()).collect::<Vec<_>>()
    };
    let expected = ["sip:a;lr", "sip:b;lr", "sip:c"];
    assert_eq!(uris(&message::Message::Request(one)), expected);
    assert_eq!(uris(&message::Message::Request(three)), expected);
    let empty = request(&invite("Supported:\r\nAllow: \r\n", ""));
    assert_eq!((empty.headers().supported().count(), empty.headers().allow().count()), (0, 0));
    for wrong in ["Route:\r\n", "Record-Route: \r\nRecord-Route: <sip:a>\r\n", "m:\r\n"] {
        assert_ne!(malformed(request(&invite(wrong, "")).headers()), 0, "{wrong}");
    }
    assert!(matches!(refused(&invite("Via: \r\n", "")).fault(), Fault::Field(_)));
    for wrong in ["Require: a,,b\r\n", "Require: a b\r\n", "Require: ,a\r\n", "Require: a,\r\n"] {
        assert!(request(&invite(wrong, "")).headers().require().all().is_err(), "{wrong}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let bytes = [
        b"SIP/2.0 486 Besch\xe4ftigt\r\nVia: SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKa\r\n".to_vec(),
        b"From: \"M\xfcller\" <sip:a@a>;tag=1\r\nTo: J\xf6rg <sip:b@b>;tag=2\r\nCall-ID: c\r\n".to_vec(),
        b"CSeq: 1 INVITE\r\nX-Ort: K\xf6ln\r\nOrganization: after it\r\n\r\n\xff\0\xfe".to_vec(),
    ]
    .concat();
    let response = response(&bytes);
    assert_eq!((response.status().code(), response.reason()), (486, &b"Besch\xe4ftigt"[..]));
    assert_eq!(&*response.headers().from().display_name(), b"M\xfcller");
    assert_eq!(&*response.headers().to().display_name(), b"J\xf6rg");
    assert_eq!(response.headers().others("x-ort").next(), Some(&b"K\xf6ln"[..]));
    assert_eq!(response.headers().others("Organization").next(), Some(&b"after it"[..]));
    assert_eq!((response.body(), response.bytes()), (&b"\xff\0\xfe"[..], &bytes[..]));
    assert_eq!(response.headers().top_via().transport, Transport::Tls);
}

#[test]
fn words_with_parameters_are_read() {
    let headers = "o: refer;id=93809824\r\nSubscription-State: terminated;reason=noresource\r\nContent-Disposition: \
                   session ; handling = optional\r\nReason: Q.850;cause=16;text=\"Terminated, normally\", SIP;cause=200\r\n";
    let notify = request(&with("NOTIFY sip:a", headers, ""));
    let headers = notify.headers();
    let event = headers.event().unwrap().unwrap();
    assert!(event.token.is("REFER") && event.params.token("id") == Some("93809824"));
    assert!(headers.subscription_state().unwrap().unwrap().token.is("terminated"));
    let disposition = headers.content_disposition().unwrap().unwrap();
    assert_eq!(disposition.params.token("Handling"), Some("optional"));
    let reasons = headers.reasons().all().unwrap();
    assert_eq!(reasons[0].params.text("text").as_deref(), Some("Terminated, normally"));
    assert!(reasons[1].token.is("sip"));
}

#[test]
fn contact_is_a_star_or_addresses() {
    let star = request(&with("REGISTER sip:a", "Contact: *\r\nExpires: 0\r\n", ""));
    assert!(matches!(star.headers().contacts(), Contacts::All));
    let both = request(&with("REGISTER sip:a", "Contact: *, <sip:a@b>\r\n", ""));
    let Contacts::Listed(mut list) = both.headers().contacts() else { panic!("it is not only a star") };
    assert!(list.next().unwrap().is_err());
    let ws =
        request(&invite("Contact: <sip:abc@df7jal23ls0d.invalid;transport=ws>;expires=99999999999\r\n", ""));
    let Contacts::Listed(mut list) = ws.headers().contacts() else { panic!("no star") };
    let contact = list.next().unwrap().unwrap();
    assert_eq!((contact.uri.sip().unwrap().transport(), contact.expires()), (Some("ws"), Some(u32::MAX)));
}

#[test]
fn another_version_is_answered_with_505_and_nothing_is_owed_to_an_ack_or_a_response() {
    let other = String::from_utf8(invite("", "")).unwrap().replacen("SIP/2.0\r\n", "SIP/2.1\r\n", 1);
    assert_eq!(refused(other.as_bytes()).status().unwrap().code(), 505);
    let ack = refused(&with("ACK sip:a@b:0x", "", ""));
    assert_eq!((ack.method(), ack.status()), (Some(Method::Ack), None));
    assert_eq!(refused(other.replacen("INVITE", "ACK", 1).as_bytes()).status(), None);
    assert_eq!(refused(b"SIP/2.0 200 OK\r\nCall-ID: a\r\n\r\n").status(), None);
}

#[test]
fn mandatory_headers_must_be_there_once_and_right() {
    let good = String::from_utf8(invite("", "")).unwrap();
    for (name, value) in [
        ("Via", "SIP/2.0/UDP"),
        ("From", "<sip:b>;tag"),
        ("To", "<sip:b"),
        ("Call-ID", "a b"),
        ("CSeq", "x INVITE"),
        ("Max-Forwards", "-1"),
    ] {
        let line = good.lines().find(|line| line.starts_with(name)).unwrap();
        let wrong = good.replace(line, &format!("{name}: {value}"));
        let twice = good.replace(line, &format!("{line}\r\n{line}"));
        let mut cases = vec![wrong];
        if name != "Max-Forwards" {
            cases.push(good.replace(&format!("{line}\r\n"), ""));
        }
        if name != "Via" {
            cases.push(twice);
        }
        for case in cases {
            let fault = refused(case.as_bytes()).fault();
            assert!(matches!(fault, Fault::Field(error) if error.name.as_str() == name), "{fault} in {case}");
        }
    }
    let mismatch = good.replace("1 INVITE", "1 BYE");
    assert_eq!(refused(mismatch.as_bytes()).fault(), Fault::MethodMismatch);
}

#[test]
fn stray_line_breaks_and_lines_that_are_no_headers_are_refused_and_the_rest_is_still_read() {
    for wrong in ["A: b\nC: d\r\n", "A: b\rC: d\r\n", "no colon\r\n", ": x\r\n", "A B: c\r\n"] {
        let refused = refused(&invite(wrong, ""));
        assert!(matches!(refused.fault(), Fault::Line(_)), "{wrong}: {}", refused.fault());
        assert_eq!(refused.fields().value(Name::CallId), Some(&b"c"[..]));
    }
    let endless = invite("", "");
    assert_eq!(refused(&endless[..endless.len() - 2]).fault(), Fault::NoEmptyLine);
}

#[test]
fn every_limit_is_held_and_answered_and_what_fits_is_read() {
    let check =
        |bytes: Vec<u8>, expected: Option<Limit>, status: u16| match (message::datagram(&bytes), expected) {
            (Ok(_), None) => {}
            (Err(refused), Some(limit)) => {
                assert_eq!(refused.fault(), Fault::TooLarge(limit));
                assert_eq!(refused.status().unwrap().code(), status);
            }
            (found, expected) => panic!("{expected:?}, but {:?}", found.map(|_| ())),
        };
    let field = |length: usize| invite(&format!("X: {}\r\n", "x".repeat(length - 3)), "");
    check(field(limits::FIELD), None, 0);
    check(field(limits::FIELD + 1), Some(Limit::Field), 513);
    let fields = |count: usize| invite(&"X: y\r\n".repeat(count - 6), "");
    check(fields(limits::FIELDS), None, 0);
    check(fields(limits::FIELDS + 1), Some(Limit::Fields), 513);
    let line = |length: usize| with(&format!("INVITE sip:{}", "a".repeat(length - 19)), "", "");
    check(line(limits::START_LINE), None, 0);
    check(line(limits::START_LINE + 1), Some(Limit::StartLine), 414);
    let head = "X: y\r\n".repeat(20) + &format!("X: {}\r\n", "x".repeat(8000)).repeat(5);
    check(invite(&head, ""), Some(Limit::Head), 513);
    check(invite("", &"x".repeat(limits::MESSAGE)), Some(Limit::Message), 413);
    let lists = |name: &str, count: usize| vec![name; count].join(",");
    let routes = |count| request(&invite(&format!("Route: {}\r\n", lists("<sip:a>", count)), ""));
    assert_eq!(routes(limits::ELEMENTS).headers().routes().all().unwrap().len(), limits::ELEMENTS);
    assert!(routes(limits::ELEMENTS + 1).headers().routes().all().is_err());
    let params = |count: usize| invite(&format!("Refer-To: <sip:a>{}\r\n", ";p".repeat(count)), "");
    assert!(request(&params(limits::PARAMETERS)).headers().refer_to().is_ok());
    assert!(request(&params(limits::PARAMETERS + 1)).headers().refer_to().is_err());
    let uri = |count: usize| with(&format!("INVITE sip:a{}", ";p".repeat(count)), "", "");
    assert!(message::datagram(&uri(limits::PARAMETERS)).is_ok());
    assert!(message::datagram(&uri(limits::PARAMETERS + 1)).is_err());
}
