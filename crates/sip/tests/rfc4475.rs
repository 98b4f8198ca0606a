//! Torture messages of our own (`messages/rfc4475.txt`), one for each section of RFC 4475: it has the property that the
//! section is about, and is read, answered or dropped as the section asks, as far as syntax decides it.
//!
//! Where the text leaves a choice between repairing a request and answering 400, it is answered. Whatever needs more
//! than syntax (415, 416, 420, 482, 483, 501) is a message that can be read here.

#[allow(dead_code)] // The other tests need more of it.
mod support;

use core::net::Ipv4Addr;

use sip::address::Address;
use sip::error::FieldError;
use sip::escape;
use sip::fields::Contacts;
use sip::framer::Frame;
use sip::headers::Headers;
use sip::host::Host;
use sip::list::List;
use sip::message::{self, Message};
use sip::method::Method;
use sip::name::Name;
use sip::reply::{Reply, Source};
use sip::uri::{Scheme, Uri};
use sip::value::Token;
use sip::via::Transport;

use support::{described, frames, malformed, refused, request, response};

fn messages() -> Vec<(String, Vec<u8>)> {
    support::messages::messages(include_str!("messages/rfc4475.txt"))
}

fn find(name: &str) -> Vec<u8> {
    messages().into_iter().find(|(found, _)| found == name).expect("a message of the file").1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// It can be used.
    Read,
    /// It can be used, and a header that it need not have cannot.
    Partly,
    /// It is answered with a status.
    Answered(u16),
    /// It is no answerable request.
    Dropped,
}

use Expected::{Answered, Dropped, Partly, Read};

/// As a datagram, and as what a stream makes of it: the same, unless the end is unknown.
#[rustfmt::skip]
const EXPECTED: [(&str, Expected, &str); 49] = [
    ("wsinv", Read, "message"), ("intmeth", Read, "message"), ("esc01", Read, "message"),
    ("escnull", Read, "message"), ("esc02", Read, "message"), ("lwsdisp", Read, "message"),
    ("longreq", Read, "message"), ("dblreq", Read, "message"), ("semiuri", Read, "message"),
    ("transports", Read, "message"), ("mpart01", Read, "message"), ("unreason", Read, "message"),
    ("noreason", Read, "message"),
    ("badinv01", Answered(400), "refused"), ("clerr", Answered(400), "nothing"), ("ncl", Answered(400), "lost"),
    ("scalar02", Answered(400), "refused"), ("scalarlg", Dropped, "refused"), ("quotbal", Answered(400), "refused"),
    ("ltgtruri", Answered(400), "refused"), ("lwsruri", Answered(400), "refused"),
    ("lwsstart", Answered(400), "refused"), ("trws", Answered(400), "refused"),
    ("escruri", Answered(400), "refused"), ("baddate", Read, "message"), ("regbadct", Partly, "message"),
    ("badaspec", Answered(400), "refused"), ("baddn", Answered(400), "refused"),
    ("badvers", Answered(505), "refused"), ("mismatch01", Answered(400), "refused"),
    ("mismatch02", Answered(400), "refused"), ("bigcode", Dropped, "refused"),
    ("badbranch", Read, "message"), ("insuf", Answered(400), "refused"), ("unkscm", Read, "message"),
    ("novelsc", Read, "message"), ("unksm2", Read, "message"), ("bext01", Read, "message"),
    ("invut", Read, "message"), ("regaut01", Read, "message"), ("multi01", Answered(400), "refused"),
    ("mcl01", Answered(400), "lost"), ("bcast", Read, "message"), ("zeromf", Read, "message"),
    ("cparam01", Read, "message"), ("cparam02", Read, "message"), ("regescrt", Read, "message"),
    ("sdp01", Read, "message"), ("inv2543", Read, "lost"),
];

fn outcome(bytes: &[u8]) -> Expected {
    match message::datagram(bytes) {
        Ok(message) if malformed(message.headers()) == 0 => Read,
        Ok(_) => Partly,
        Err(refused) => refused.status().map_or(Dropped, |status| Answered(status.code())),
    }
}

#[test]
fn every_message_is_read_answered_or_dropped_as_its_text_asks() {
    let messages = messages();
    assert_eq!(messages.len(), EXPECTED.len());
    for ((name, bytes), (expected_name, expected, _)) in messages.iter().zip(EXPECTED) {
        assert_eq!(name, expected_name, "the table follows the file");
        assert_eq!(outcome(bytes), expected, "{name}: {:?}", message::datagram(bytes).err());
    }
}

#[test]
fn stream_makes_the_same_of_them_in_any_portions() {
    for ((name, bytes), (_, _, expected)) in messages().iter().zip(EXPECTED) {
        let whole: Vec<String> = frames(bytes, usize::MAX).iter().map(described).collect();
        let first =
            whole.first().map_or("nothing", |first| first.split([' ', ':']).next().unwrap_or_default());
        assert_eq!(first, expected, "{name}: {whole:?}");
        for portion in [1, 2, 3, 7, 100] {
            let found = frames(bytes, portion)
                .iter()
                .map(described)
                .filter(|described| described != "pong")
                .collect::<Vec<_>>();
            let expected: Vec<_> = whole.iter().filter(|described| *described != "pong").cloned().collect();
            assert_eq!(found, expected, "{name} in portions of {portion}");
        }
    }
}

#[test]
fn every_answer_that_is_owed_can_be_read_or_lacks_only_what_the_request_lacks() {
    for (name, bytes) in messages() {
        let Err(refused) = message::datagram(&bytes) else { continue };
        let Some(reply) = Reply::refusing(&refused) else { continue };
        let answer = reply.tagged(Token::new("t").unwrap()).seen_from(Source::default()).draft().finish();
        let status = refused.status().unwrap();
        assert!(answer.starts_with(format!("SIP/2.0 {status} {}\r\n", status.reason()).as_bytes()), "{name}");
        // Of these the headers that an answer copies are themselves wrong.
        if !["badinv01", "scalar02", "quotbal", "badaspec", "baddn", "insuf"].contains(&name.as_str()) {
            let answer = response(&answer);
            let first = |name| refused.fields().value(name);
            assert_eq!(answer.headers().value(Name::CallId), first(Name::CallId), "{name}");
            assert_eq!(answer.headers().value(Name::CSeq), first(Name::CSeq), "{name}");
            assert!(answer.headers().to().tag().is_some(), "{name}");
        }
    }
}

/// What is wrong with each message that is not read, and how to put it right: texts, and what to put in their places.
type Repair = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const REPAIRS: [Repair; 21] = [
    ("badinv01", "header Via: a token is missing", &[(";;rport,,", ";rport"), (";;expires=60;", ";expires=60")]),
    ("clerr", "Content-Length is 222, and the body has 221 bytes", &[("222", "221")]),
    ("ncl", "header Content-Length: it is not a number of 32 bits", &[(": -1\r\n", ": 1\r\n")]),
    ("scalar02", "header CSeq: its number is not one of 32 bits", &[("18446744073709551617 REG", "4294967295 REG")]),
    ("scalarlg", "header CSeq: its number is not one of 32 bits", &[("4294967296 INV", "4294967295 INV")]),
    ("quotbal", "header To: a quoted string does not end", &[("4 \\\"", "4 \\\"\"")]),
    ("ltgtruri", "start line: a URI has a byte that must be escaped in it", &[
        ("<sip:bed4@clinic.example> SIP", "sip:bed4@clinic.example SIP")]),
    ("lwsruri", "start line: a URI has a byte that must be escaped in it", &[(" ;lr", ";lr")]),
    ("lwsstart", "start line: a URI has a byte that must be escaped in it", &[("  SIP/2.0\r", " SIP/2.0\r")]),
    ("trws", "start line: one space must stand between its parts, and none behind", &[("0 \r\nVia", "0\r\nVia")]),
    ("escruri", "start line: a Request-URI must have no headers", &[
        ("?Replaces=c2.2002%3Bto-tag%3D1%3Bfrom-tag%3Dc2&Priority=urgent", "")]),
    ("regbadct", "header Contact: a URI with a question mark must stand in angle brackets", &[
        ("Contact: ", "Contact: <"), ("ward%207", "ward%207>")]),
    ("badaspec", "header To: a URI has a byte that must be escaped in it", &[(" >", ">")]),
    ("baddn", "header From: a URI has no scheme", &[("7, D", "7 D")]),
    ("badvers", "the version is not SIP/2.0", &[("SIP/2.1\r", "SIP/2.0\r")]),
    ("mismatch01", "CSeq names another method than the start line", &[("37 INVITE", "37 UPDATE")]),
    ("mismatch02", "CSeq names another method than the start line", &[("Nudge", "NUDGE")]),
    ("bigcode", "start line: the status is not one of 100 to 699", &[("18446744073709551816", "200")]),
    ("insuf", "header From: it must be there and is missing", &[
        ("Max", "From: <sip:a@b>\r\nMax"), ("CSeq", "To: <sip:a@b>\r\nCSeq"), ("Content-T", "i: c\r\nContent-T")]),
    ("multi01", "header From: it may stand once and stands several times", &[
        ("CSeq: 59 INVITE\r\n", ""), ("i: m38.second\r\n", ""), ("Max-Forwards: 7\r\n", ""),
        ("f: <sip:lift@clinic.example>;tag=m39\r\n", ""), ("t: <sip:bed5@clinic.example>\r\n", ""),
        ("c: text/plain\r\n", "")]),
    ("mcl01", "header Content-Length: it may stand once and stands several times", &[("l: 5\r\n", "")]),
];

/// The message of a name with some of its repairs.
fn repaired(name: &str, repairs: &[(&str, &str)], leave_out: Option<usize>) -> Vec<u8> {
    let mut text = String::from_utf8(find(name)).expect("it is text");
    for (at, (wrong, right)) in repairs.iter().enumerate() {
        assert_eq!(text.matches(wrong).count(), 1, "{name}: {wrong}");
        if Some(at) != leave_out {
            text = text.replace(wrong, right);
        }
    }
    text.into_bytes()
}

#[test]
fn message_that_is_not_read_has_the_fault_of_its_section_and_no_other() {
    let unread = EXPECTED.iter().filter(|(_, expected, _)| *expected != Read).map(|(name, ..)| *name);
    assert!(unread.eq(REPAIRS.map(|(name, ..)| name)));
    for (name, fault, repairs) in REPAIRS {
        let found = match message::datagram(&find(name)) {
            Ok(message) => contacts(message.headers()).expect_err("its Contact is wrong").to_string(),
            Err(refused) => refused.fault().to_string(),
        };
        assert_eq!(found, fault, "{name}");
        assert_eq!(outcome(&repaired(name, repairs, None)), Read, "{name}");
        for left_out in 0..repairs.len() {
            let bytes = repaired(name, repairs, Some(left_out));
            assert_ne!(outcome(&bytes), Read, "{name} without {:?}", repairs[left_out]);
        }
    }
}

/// The addresses of Contact.
fn contacts(headers: &Headers) -> Result<Vec<Address<'_>>, FieldError> {
    match headers.contacts() {
        Contacts::Listed(list) => list.all(),
        Contacts::All => panic!("a star"),
    }
}

#[test]
fn wsinv_has_white_space_and_folding_wherever_they_may_be() {
    let request = request(&find("wsinv"));
    let headers = request.headers();
    assert_eq!(request.uri().as_str(), "sip:ward7@pager.clinic.example;colour=teal");
    assert_eq!((headers.to().tag(), headers.from().tag()), (Some("lk4-2207"), Some("d9-33")));
    assert_eq!(&*headers.from().display_name(), br#"Ida "Bo" Holm\"#);
    assert_eq!(headers.max_forwards().unwrap().unwrap().0, 31);
    assert_eq!((headers.cseq().number, headers.cseq().method), (417, Method::Invite));
    assert_eq!(headers.call_id(), "417.round@desk9");
    let vias = headers.vias().all().unwrap();
    let branches: Vec<_> = vias.iter().map(|via| via.branch().unwrap()).collect();
    assert_eq!(branches, ["old71", "z9hG4bK-71b", "z9hG4bK.71.c"]);
    let transports: Vec<_> = vias.iter().map(|via| via.transport).collect();
    assert_eq!(transports, [Transport::Udp, Transport::Tls, Transport::Tcp]);
    assert_eq!((vias[0].port, vias[2].received()), (Some(5080), "198.51.100.9".parse().ok()));
    assert_eq!(headers.top_via().transaction(), None);
    assert_eq!(headers.value(Name::Subject), Some(&b""[..]));
    assert_eq!(headers.others("X-CHART~7").next(), Some(&b"first\r\n\tsecond\r\n    third"[..]));
    assert_eq!(headers.others("odd.value").next(), Some(&b";=,\",;;,<"[..]));
    let route = headers.routes().next().unwrap().unwrap().uri.sip().unwrap();
    assert!(route.is_loose() && route.params.value("grade") == Some("b"));
    let contacts = contacts(headers).unwrap();
    assert_eq!(&*contacts[0].display_name(), br#"She said "go" ""#);
    assert_eq!((contacts[0].params.token("kind"), contacts[0].preference()), (Some("walk-in"), Some(875)));
    assert!(contacts[0].params.has("urgent") && contacts.len() == 1);
    assert!(headers.content_type().unwrap().unwrap().is("application", "sdp"));
    assert_eq!(request.body(), [&support::messages::sdp("203.0.113.71")[..], b"\r\n"].concat());
    let folded = |three: &&[u8]| matches!(three, [b'\r', b'\n', b' ' | b'\t']);
    assert_eq!(request.bytes().windows(3).filter(folded).count(), 26);
    assert!(
        request.bytes().windows(2).any(|two| two == b"\t:")
            && headers.iter().any(|field| field.name == "ROUTE")
    );
}

#[test]
fn intmeth_has_every_character_that_is_allowed() {
    let request = request(&find("intmeth"));
    let headers = request.headers();
    let method = "Poll-.!%*_+`'~4567890123";
    assert_eq!((request.method(), headers.cseq().method), (Method::Other(method), Method::Other(method)));
    let uri = request.uri().sip().unwrap();
    assert_eq!(uri.user, Some("0bed-_.!~*'()&=+$,;?/Z"));
    assert_eq!(uri.password, Some("p-_.!~*'()&=+$,9"));
    assert_eq!(headers.top_via().transaction(), Some("z9hG4bK'~`_+*%!.-42"));
    assert_eq!(&*headers.to().display_name(), b"nul \0, escape \x1b, delete \x7f, tab \t, \\");
    assert_eq!(&*headers.from().display_name(), b"Night`~'+_*%!.- desk");
    assert_eq!(headers.from().tag(), Some("7%-'`+!_~.*t"));
    assert_eq!(headers.from().params.text("x'~`_+*%!.-7").as_deref(), Some("νυχτερινή βάρδια"));
    let call_id = r#"bed-.!%*_+`'~4()<>:\"/[]?{}@{}?[]/"\:><)(~'`+_*%!.-panel"#;
    assert_eq!(headers.call_id(), call_id);
    let chart = headers.others("chart-.!%*_+`'~7").next();
    assert_eq!(chart, Some("\u{feff}病棟七 – палата 🩺".as_bytes()));
    for token in [method, "7%-'`+!_~.*t", "x'~`_+*%!.-7", "Chart-.!%*_+`'~7", "z9hG4bK'~`_+*%!.-42"] {
        assert!("-.!%*_+`'~".chars().all(|mark| token.contains(mark)), "{token}");
    }
}

#[test]
fn escapes_are_kept_and_count_as_what_they_stand_for() {
    let esc01 = request(&find("esc01"));
    let uri = esc01.uri().sip().unwrap();
    assert_eq!((uri.scheme, uri.host), (Scheme::Sip, Host::Name("clinic.example")));
    assert_eq!(uri.decoded_user().as_deref(), Some(&b"sips:bed4@video.example;lr"[..]));
    let to = esc01.headers().to().uri;
    assert!(to.matches(Uri::new(b"sip:reception%3aday@clinic.example").unwrap()));
    assert!(!to.matches(Uri::new(b"sip:reception:day@clinic.example").unwrap()));
    assert!(esc01.headers().from().uri.matches(Uri::new(b"sip:Ida.holm@CLINIC.example").unwrap()));
    let contact = contacts(esc01.headers()).unwrap()[0].uri.sip().unwrap();
    assert!(contact.is_loose());
    assert_eq!(contact.params.value("room"), Some("%62ed%2525%37"));
    assert_eq!(&*escape::decoded("%62ed%2525%37"), b"bed%257");

    let escnull = request(&find("escnull"));
    let registered = contacts(escnull.headers()).unwrap();
    let users = registered.iter().filter_map(|contact| contact.uri.sip().unwrap().decoded_user());
    assert!(users.eq([&b"mon\0"[..], b"mon\0\0", b"mon"]));
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        assert!(!registered[one].uri.matches(registered[other].uri));
    }
    let to = escnull.headers().to().uri.sip().unwrap();
    assert_eq!(to.decoded_user().as_deref(), Some(&b"mon\0itor"[..]));

    let esc02 = request(&find("esc02"));
    assert_eq!(esc02.method(), Method::Other("%52EGISTE%52"));
    let registered = contacts(esc02.headers()).unwrap();
    let uris: Vec<_> = registered.iter().map(|contact| contact.uri.as_str()).collect();
    assert_eq!(uris, ["sip:first@203.0.113.5", "sip:third@203.0.113.5"]);
    assert_eq!(esc02.headers().others("con%74act").count(), 1);
    assert_eq!(&*esc02.headers().to().display_name(), b"%C3%A9 %G0 %4");
    assert_eq!(&*esc02.headers().from().display_name(), b"%41nna");
    assert_eq!(
        (esc02.headers().from().tag(), esc02.headers().call_id()),
        (Some("%66"), "p%65rcent@203.0.113.5")
    );
}

#[test]
fn long_values_forms_of_names_and_transports_are_read() {
    let long = request(&find("longreq"));
    let headers = long.headers();
    assert_eq!(headers.vias().all().unwrap().len(), 41);
    assert_eq!(headers.vias().last().unwrap().unwrap().branch().unwrap().len(), 900);
    assert_eq!(long.uri().sip().unwrap().user.unwrap().len(), 19 * 120 + 1);
    assert_eq!(headers.to().display_name().len(), 22 * 160);
    assert_eq!(headers.from().params.iter().map(|param| param.name.len()).max(), Some(2004));
    assert_eq!((headers.from().tag().unwrap().len(), headers.call_id().len()), (420, 1818));
    assert_eq!(headers.others(&"chart".repeat(150)).next().unwrap().len(), 6503);
    assert_eq!(contacts(headers).unwrap()[0].uri.as_str().len(), 1027);

    let lwsdisp = request(&find("lwsdisp"));
    let (from, to) = (lwsdisp.headers().from(), lwsdisp.headers().to());
    assert_eq!((&*from.display_name(), &*to.display_name()), (&b"Night desk"[..], &b"Bed 4"[..]));
    assert!(from.text().starts_with(b"Night desk<") && to.text().starts_with(b"\"Bed 4\"<"));

    let semiuri = request(&find("semiuri"));
    let uri = semiuri.uri().sip().unwrap();
    assert_eq!((uri.user, uri.params.iter().count()), (Some("bed4;side=left%40window;lr"), 0));
    let accepted = semiuri.headers().accept().all().unwrap();
    assert_eq!(accepted.len(), 6);
    assert!(accepted[3].is("application", "simple-message-summary") && accepted[5].is("*", "*"));

    let transports = request(&find("transports"));
    let vias = transports.headers().vias().all().unwrap();
    let found: Vec<_> = vias.iter().map(|via| via.transport).collect();
    let expected = [
        Transport::Tcp,
        Transport::TlsSctp,
        Transport::Sctp,
        Transport::Other("Quic-9+x"),
        Transport::Tls,
        Transport::Wss,
        Transport::Udp,
    ];
    assert_eq!(found, expected);
}

#[test]
fn binary_part_of_a_body_is_kept() {
    let bytes = find("mpart01");
    let mpart01 = request(&bytes);
    let kind = mpart01.headers().content_type().unwrap().unwrap();
    assert_eq!(kind.params.text("boundary").as_deref(), Some("ward 7/night=2?"));
    assert_eq!(mpart01.body().len(), 256);
    assert!(mpart01.body().ends_with(b"\r\n--ward 7/night=2?--\r\n"));
    let binary = b"\x00\xff\x80\xc3\r\n\r\nSIP/2.0 200 OK\r\nl: 7\r\n\r\n--ward 7\n\r\x1a\x00\xfe\r\n--ward 7/night=2?--";
    assert!(mpart01.body().windows(binary.len()).any(|found| found == binary));
    // Nothing in it is taken for a message or a line break behind one.
    let twice: Vec<_> = frames(&bytes.repeat(2), usize::MAX).iter().map(described).collect();
    assert!(twice.len() == 2 && twice[0] == twice[1] && twice[0].starts_with("message MESSAGE"), "{twice:?}");
}

#[test]
fn two_requests_in_a_datagram_are_one_and_in_a_stream_two() {
    let dblreq = find("dblreq");
    let only = request(&dblreq);
    assert_eq!((only.method(), only.body()), (Method::Register, &b""[..]));
    let described: Vec<_> = frames(&dblreq, usize::MAX).iter().map(described).collect();
    assert!(
        described[0].starts_with("message REGISTER")
            && described[1] == "pong"
            && described[2].starts_with("message INVITE")
    );
    assert_eq!((only.headers().call_id(), described.len()), ("first.8080@198.51.100.8", 3));
}

#[test]
fn reason_phrases_are_any_bytes_or_none() {
    let reason = ";/?:@&=+$,-_.!~*'()\t%3D 4 приём ログイン済み";
    assert_eq!(response(&find("unreason")).reason(), reason.as_bytes());
    let noreason = find("noreason");
    assert!(noreason.starts_with(b"SIP/2.0 182 \r\n"));
    assert_eq!((response(&noreason).status().code(), response(&noreason).reason()), (182, &b""[..]));
}

#[test]
fn branch_that_is_only_a_cookie_identifies_no_transaction() {
    let badbranch = request(&find("badbranch"));
    let via = badbranch.headers().top_via();
    assert_eq!((via.branch(), via.transaction()), (Some("Z9hG4bK"), None));
}

#[test]
fn whatever_needs_more_than_syntax_can_be_asked_for() {
    let bext01 = request(&find("bext01"));
    let tags =
        |list: List<'_, Token<'_>>| -> Vec<_> { list.map(|tag| tag.unwrap().as_str().to_owned()).collect() };
    assert_eq!(tags(bext01.headers().require()), ["lamp-signal", "bed~rail"]);
    assert_eq!(tags(bext01.headers().proxy_require()), ["lift.first", "stairs_second"]);
    let unkscm = request(&find("unkscm"));
    assert!(matches!(unkscm.uri(), Uri::Other("wardcall-7.x:bed4/window?lamp=on;dim")));
    assert!(matches!(request(&find("novelsc")).uri(), Uri::Other("coap+tcp://192.0.2.77:5683/bed/4")));
    let unksm2 = request(&find("unksm2"));
    let headers = unksm2.headers();
    assert_eq!(headers.to().uri.as_str(), "wardcall:bed4");
    assert_eq!(headers.from().uri.as_str(), "gopher://archive.clinic.example/1/desk");
    let contact = &contacts(headers).unwrap()[0];
    assert_eq!(contact.uri.as_str(), "mailto:porter@video.example?subject=round,%20now");
    assert_eq!(contact.expires(), Some(0));
    let invut = request(&find("invut"));
    assert!(invut.headers().content_type().unwrap().unwrap().is("application", "vnd.ward-chart"));
    let regaut01 = request(&find("regaut01"));
    let credentials = regaut01.headers().authorizations().next().unwrap().unwrap();
    assert_eq!((credentials.scheme, credentials.is_digest()), ("WardBadge", false));
    assert_eq!(credentials.param("night").as_deref(), Some(&br#"late, "and" early"#[..]));
    assert_eq!(request(&find("zeromf")).headers().max_forwards().unwrap().unwrap().0, 0);
    let bcast = response(&find("bcast"));
    let vias = bcast.headers().vias().all().unwrap();
    assert_eq!((vias.len(), vias[1].host), (2, Host::V4(Ipv4Addr::BROADCAST)));
    let sdp01 = request(&find("sdp01"));
    let accepted = sdp01.headers().accept().all().unwrap();
    assert!(accepted.len() == 1 && accepted[0].is("text", "vnd.ward-chart"));
    let date = request(&find("baddate")).headers().value(Name::Date).map(<[u8]>::to_vec);
    assert_eq!(date.as_deref(), Some(&b"Tue, 08 Sep 2026 11:20:05 CEST"[..]));
}

#[test]
fn numbers_beyond_their_range_are_the_largest_there_are() {
    let scalar02 = refused(&find("scalar02"));
    let fields = scalar02.fields();
    assert_eq!(fields.max_forwards().unwrap().unwrap().0, u8::MAX);
    assert_eq!(fields.expires().unwrap().unwrap().seconds, u32::MAX);
    let Contacts::Listed(mut contacts) = fields.contacts() else { panic!("no star") };
    assert_eq!(contacts.next().unwrap().unwrap().expires(), Some(u32::MAX));
    let scalarlg = refused(&find("scalarlg"));
    assert_eq!(scalarlg.fields().retry_after().unwrap().unwrap().seconds, u32::MAX);
}

#[test]
fn parameters_belong_to_the_header_or_to_the_uri_by_the_brackets() {
    for (name, of_header) in [("cparam01", true), ("cparam02", false)] {
        let request = request(&find(name));
        let contact = contacts(request.headers()).unwrap()[0];
        assert_eq!(contact.params.has("shift"), of_header, "{name}");
        assert_eq!(contact.uri.sip().unwrap().params.has("shift"), !of_header, "{name}");
    }
    let regescrt = request(&find("regescrt"));
    let contact = contacts(regescrt.headers()).unwrap()[0];
    let headers: Vec<_> = contact.uri.sip().unwrap().headers.iter().collect();
    assert_eq!(headers, [("Route", "%3Csip:edge.video.example%3Blr%3E"), ("Priority", "urgent")]);
    assert_eq!(contact.preference(), Some(500));
}

#[test]
fn request_of_rfc_2543_has_no_tag_no_branch_and_no_length() {
    let old = request(&find("inv2543"));
    assert_eq!((old.headers().from().tag(), old.headers().top_via().branch()), (None, None));
    assert_eq!(old.headers().max_forwards(), Ok(None));
    assert!(old.headers().content_length().unwrap().is_none());
    assert_eq!(old.body(), [&support::messages::sdp("198.51.100.66")[..], b"\r\n"].concat());
}

#[test]
fn answer_to_a_request_without_its_headers_has_those_that_are_there() {
    let refused = refused(&find("insuf"));
    let answer = Reply::refusing(&refused).unwrap().draft().finish();
    let expected = "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.51;branch=z9hG4bKi31\r\nCSeq: 4051 INVITE\r\n\
                    Content-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
    assert_eq!(refused.method(), Some(Method::Invite));
}

#[test]
fn every_message_that_is_read_is_kept_byte_for_byte() {
    for (name, bytes) in messages() {
        let Ok(message) = message::datagram(&bytes) else { continue };
        assert!(bytes.starts_with(message.bytes()), "{name}");
        assert_eq!(bytes.len() == message.bytes().len(), name != "dblreq", "{name}");
        let again = frames(message.bytes(), 5);
        let expected = matches!(
            (&again[..], &message),
            ([Frame::Message(Message::Request(_))], Message::Request(_))
                | ([Frame::Message(Message::Response(_))], Message::Response(_))
                | ([Frame::Lost(_)], _)
        );
        assert!(expected, "{name}: {again:?}");
    }
}
