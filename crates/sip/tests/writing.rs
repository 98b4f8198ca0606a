//! Requests and responses that are written: what they hold, and that no value can begin another header.

#[allow(dead_code)] // The other tests need more of it.
mod support;

use core::net::IpAddr;

use sip::draft::{Draft, SentAddress, SentVia, Unwritable, escaped_user, quoted};
use sip::host::Host;
use sip::method::Method;
use sip::name::Name;
use sip::reply::{Reply, Source};
use sip::sequence::CSeq;
use sip::session::{Refresher, SessionExpires};
use sip::status::Status;
use sip::uri::Uri;
use sip::value::Token;
use sip::via::Transport;

use support::{request, response};

const INVITE: &str = "INVITE sip:meet@192.0.2.2 SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.1:5062 ; rport;branch=z9hG4bKa;\
                      received=9.9.9.9 , SIP/2.0/TCP p\r\nRecord-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\n\
                      Via: SIP/2.0/TLS phone\r\nf: \"M\u{fc}ller\" <sip:a@b>;tag=f\r\nt:\r\n <sip:meet@192.0.2.2>\r\n\
                      i: c\r\nCSeq: 7 INVITE\r\nTimestamp: 54\r\nSubject: x\r\n\r\n";

fn token(text: &str) -> Token<'_> {
    Token::new(text).expect("a token")
}

#[test]
fn answer_copies_what_the_section_says_and_fills_in_the_topmost_via() {
    let request = request(INVITE.as_bytes());
    let source = Source { received: Some(IpAddr::from([192, 0, 2, 1])), rport: Some(40_000) };
    let answer = |status| {
        let reply = Reply::to(&request, Status::new(status).unwrap());
        String::from_utf8(reply.seen_from(source).tagged(token("t")).draft().finish()).unwrap()
    };
    let vias =
        "Via: SIP/2.0/UDP 10.0.0.1:5062;rport=40000;branch=z9hG4bKa;received=192.0.2.1 , SIP/2.0/TCP p\r\n";
    let ok = answer(200);
    let expected = format!(
        "SIP/2.0 200 OK\r\n{vias}Record-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\nVia: SIP/2.0/TLS phone\r\n\
         From: \"M\u{fc}ller\" <sip:a@b>;tag=f\r\nTo: <sip:meet@192.0.2.2>;tag=t\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(ok, expected);
    assert!(answer(100).contains("Timestamp: 54\r\n") && !answer(100).contains("tag=t"));
    assert!(!answer(486).contains("Record-Route") && answer(486).contains(";tag=t"));
    assert_eq!(response(ok.as_bytes()).headers().top_via().received(), source.received);
}

#[test]
fn tag_that_is_there_stays_and_via_without_a_source_is_copied() {
    let tagged = INVITE.replace("<sip:meet@192.0.2.2>\r\n", "sip:meet@192.0.2.2;tag=x\r\n");
    let request = request(tagged.as_bytes());
    let answer = Reply::to(&request, Status::OK).tagged(token("t")).draft().finish();
    let answer = response(&answer);
    assert_eq!(answer.headers().to().tag(), Some("x"));
    let first =
        |message: &sip::headers::Headers| message.top_via().params.token("received").map(str::to_owned);
    assert_eq!(first(answer.headers()), first(request.headers()));
}

#[test]
fn ipv6_address_is_filled_in_without_brackets_and_read_back() {
    let request = request(INVITE.as_bytes());
    let address: IpAddr = "2001:db8::9".parse().unwrap();
    let source = Source { received: Some(address), rport: None };
    let answer = Reply::to(&request, Status::OK).seen_from(source).draft().finish();
    assert!(String::from_utf8_lossy(&answer).contains(";received=2001:db8::9 ,"));
    assert_eq!(response(&answer).headers().top_via().received(), Some(address));
}

#[test]
fn request_of_typed_parts_reads_back() {
    let uri = Uri::new(b"sip:b%20c@[2001:db8::1]:5070;transport=tcp").unwrap();
    let via = SentVia {
        transport: Transport::Tcp,
        host: Host::from(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2])),
        port: Some(5060),
        branch: token("z9hG4bKx"),
    };
    let from = SentAddress { display: "A \"b\" \\ c, <d>", uri, tag: Some(token("f")) };
    let to = SentAddress { display: "", uri, tag: None };
    let session = SessionExpires { seconds: 1800, refresher: Some(Refresher::Uac) };
    let draft = Draft::request(Method::Invite, uri).field(Name::Via, via).unwrap();
    let draft = draft.field(Name::MaxForwards, 70).unwrap().field(Name::From, from).unwrap();
    let draft = draft.field(Name::To, to).unwrap().field(Name::CallId, "c@d").unwrap();
    let draft = draft.field(Name::CSeq, CSeq { number: 1, method: Method::Invite }).unwrap();
    let draft = draft.field(Name::SessionExpires, session).unwrap().other(token("X-Y"), "z").unwrap();
    let bytes = draft.finish_with("application/sdp", b"v=0\r\n").unwrap();
    let request = request(&bytes);
    assert_eq!(request.bytes(), bytes);
    let headers = request.headers();
    assert!(request.uri().matches(uri) && headers.from().uri.matches(uri));
    assert_eq!(&*headers.from().display_name(), b"A \"b\" \\ c, <d>");
    assert_eq!((headers.top_via().host, headers.top_via().transaction()), (via.host, Some("z9hG4bKx")));
    assert_eq!(headers.session_expires(), Ok(Some(session)));
    assert_eq!((headers.content_length().unwrap().unwrap().0, request.body()), (5, &b"v=0\r\n"[..]));
}

#[test]
fn value_that_would_begin_another_header_is_refused() {
    let draft = || Draft::request(Method::Options, Uri::new(b"sip:a").unwrap());
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\r\n b"] {
        assert_eq!(draft().field(Name::Subject, value).unwrap_err(), Unwritable::Control, "{value:?}");
        assert_eq!(draft().bytes(Name::Subject, value.as_bytes()).unwrap_err(), Unwritable::Control);
        assert_eq!(draft().other(token("X"), value).unwrap_err(), Unwritable::Control);
        assert_eq!(draft().finish_with(value, b"").unwrap_err(), Unwritable::Control);
        assert_eq!(Draft::response(Status::OK, value).unwrap_err(), Unwritable::Control);
        assert!(
            Token::new(value).is_none()
                && Method::new(value).is_none()
                && Uri::new(value.as_bytes()).is_err()
        );
        let from = SentAddress { display: value, uri: Uri::new(b"sip:a").unwrap(), tag: None };
        assert_eq!(draft().field(Name::From, from).unwrap_err(), Unwritable::Control);
    }
}

#[test]
fn headers_of_the_body_and_of_a_uri_are_not_written_twice() {
    let draft = || Draft::request(Method::Options, Uri::new(b"sip:a@b;lr?Subject=x").unwrap());
    assert!(draft().finish().starts_with(b"OPTIONS sip:a@b;lr SIP/2.0\r\n"));
    assert_eq!(draft().field(Name::ContentLength, 5).unwrap_err(), Unwritable::OfTheBody);
    assert_eq!(draft().other(token("l"), 5).unwrap_err(), Unwritable::OfTheBody);
}

#[test]
fn text_is_quoted_and_users_are_escaped() {
    assert_eq!(quoted(r#"a "b" \c"#), r#""a \"b\" \\c""#);
    let user = escaped_user("té m;#800@x".as_bytes());
    assert_eq!(user, "t%C3%A9%20m%3B%23800%40x");
    let uri = format!("sip:{user}@a");
    let uri = Uri::new(uri.as_bytes()).unwrap().sip().unwrap();
    assert_eq!(uri.decoded_user().as_deref(), Some("té m;#800@x".as_bytes()));
}
