//! Bodies in one part and in several.

use super::*;
use crate::sdp::body::Headers;

const SDP: Option<&str> = Some("application/sdp");
const MIXED: Option<&str> = Some("multipart/mixed;boundary=b1");

fn read(kind: Option<&str>, disposition: Option<&str>, body: &str) -> Result<Option<String>, Unacceptable> {
    let headers = Headers { kind, disposition, encoding: None };
    let found = body::description(headers, body.as_bytes())?;
    Ok(found.map(|found| String::from_utf8_lossy(found).into_owned()))
}

fn check(kind: Option<&str>, disposition: Option<&str>, body: &str, expected: Option<&str>) {
    assert_eq!(
        read(kind, disposition, body),
        Ok(expected.map(str::to_owned)),
        "{kind:?} {disposition:?} {body:?}"
    );
}

fn refused(kind: Option<&str>, disposition: Option<&str>, body: &str, status: u16, words: &str) {
    let fault = read(kind, disposition, body).expect_err(body);
    assert_eq!(fault.status(), status, "{fault}");
    assert!(fault.text().contains(words), "{:?} does not say {words:?}", fault.text());
}

/// A body of parts, each a head without its empty line and a content.
fn parts(parts: &[(&str, &str)]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|(head, content)| format!("--b1\r\n{head}\r\n{content}\r\n")).collect();
    format!("{}--b1--\r\n", parts.concat())
}

#[test]
fn empty_body_asks_for_our_offer_whatever_its_type() {
    check(None, None, "", None);
    check(SDP, None, "", None);
    check(Some("text/plain"), None, "", None);
}

#[test]
fn single_description_is_read_with_parameters_and_any_case() {
    check(SDP, None, "v=0", Some("v=0"));
    check(Some("Application/SDP ; charset=utf-8"), None, "v=0", Some("v=0"));
    check(SDP, Some("session"), "v=0", Some("v=0"));
    check(SDP, Some("Session; handling=required"), "v=0", Some("v=0"));
}

#[test]
fn body_that_is_not_understood_is_refused_unless_it_is_optional() {
    refused(Some("application/xml; x=y"), None, "<a/>", 415, "type application/xml is not");
    refused(None, None, "v=0", 415, "text/plain");
    refused(SDP, Some("early-session"), "v=0", 415, "with disposition early-session");
    check(Some("application/xml"), Some("render;handling=optional"), "<a/>", None);
    let headers = Headers { kind: SDP, disposition: None, encoding: Some("gzip") };
    let fault = body::description(headers, b"x").expect_err("gzip");
    assert_eq!((fault.status(), fault.text().contains("encoding gzip")), (415, true), "{fault}");
    let headers = Headers { kind: SDP, disposition: None, encoding: Some("Identity") };
    assert_eq!(body::description(headers, b"v=0"), Ok(Some(&b"v=0"[..])));
}

#[test]
fn description_is_found_among_the_parts() {
    let isup = ("Content-Type: application/ISUP;version=nxv3\r\n", "x");
    let sdp = ("Content-Type: application/sdp\r\n", "v=0\r\ns=-\r\n");
    let found = Some("v=0\r\ns=-\r\n");
    check(MIXED, None, &parts(&[isup, sdp]), found);
    check(MIXED, None, &parts(&[sdp, isup]), found);
    check(Some("multipart/mixed; boundary=\"b1\"; x=y"), None, &parts(&[sdp]), found);
    check(Some("MULTIPART/MIXED;x;y=\"a;boundary=no\";Boundary=b1"), None, &parts(&[sdp]), found);
    check(Some("multipart/related;boundary=b1"), None, &parts(&[sdp]), found);
    let disposition =
        ("content-type:application/sdp\r\nContent-Disposition: session;handling=required\r\n", "v=0");
    check(MIXED, None, &parts(&[disposition]), Some("v=0"));
    check(MIXED, Some("session"), &parts(&[disposition]), Some("v=0"));
    let early = ("Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n", "v=1");
    check(MIXED, None, &parts(&[early, sdp]), found);
}

#[test]
fn parts_without_a_description_ask_for_our_offer() {
    check(MIXED, None, &parts(&[("Content-Type: text/plain\r\n", "hello"), ("", "text")]), None);
}

#[test]
fn last_alternative_that_is_understood_counts() {
    let kind = Some("multipart/alternative;boundary=b1");
    let (first, last) =
        (("Content-Type: application/sdp\r\n", "1"), ("Content-Type: application/sdp\r\n", "2"));
    let other = ("Content-Type: application/x\r\nContent-Disposition: session;handling=required\r\n", "x");
    check(kind, None, &parts(&[first, last, other]), Some("2"));
    refused(MIXED, None, &parts(&[first, last]), 400, "two session descriptions");
}

#[test]
fn required_part_that_is_not_understood_is_refused() {
    let required =
        ("Content-Type: application/x\r\nContent-Disposition: signal ; handling=Required\r\n", "x");
    let sdp = ("Content-Type: application/sdp\r\n", "v=0");
    refused(MIXED, None, &parts(&[sdp, required]), 415, "application/x with disposition signal");
    let encoded = (
        "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: \
         session;handling=required\r\n",
        "dj0w",
    );
    refused(MIXED, None, &parts(&[encoded]), 415, "encoding base64");
}

#[test]
fn parts_in_parts_are_read_to_a_depth() {
    let sdp = "Content-Type: application/sdp\r\n\r\nv=0";
    let inner = |depth: usize, content: &str| {
        let kind = format!("Content-Type: multipart/alternative; boundary=n{depth}\r\n\r\n");
        format!("{kind}--n{depth}\r\n{content}\r\n--n{depth}--")
    };
    let outer = |content: &str| format!("preamble\r\n--b1\r\n{content}\r\n--b1--\r\nepilogue");
    check(MIXED, None, &outer(&inner(1, sdp)), Some("v=0"));
    check(MIXED, None, &outer(&inner(1, &inner(2, sdp))), Some("v=0"));
    check(MIXED, None, &outer(&inner(1, &inner(2, &inner(3, sdp)))), None);
}

#[test]
fn line_ends_blanks_and_a_missing_end_are_tolerated() {
    check(MIXED, None, "--b1 \nContent-Type: application/sdp\n\nv=0\n--b1--", Some("v=0"));
    check(MIXED, None, "--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n", Some("v=0\r\n"));
    check(MIXED, None, "--b1\r\nContent-Type: application/sdp\r\n\r\n--b12\r\n--b1--", Some("--b12"));
}

#[test]
fn parts_that_cannot_be_told_apart_are_a_bad_request() {
    for kind in
        ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=\"b1", "multipart/"]
    {
        refused(Some(kind), None, "--b1\r\n\r\n", 400, "boundary");
    }
    let long = "b".repeat(71);
    refused(
        Some(&format!("multipart/mixed;boundary={long}")),
        None,
        &format!("--{long}\r\n\r\n"),
        400,
        "1 to 70",
    );
    refused(MIXED, None, "hello", 400, "occurs nowhere");
    refused(MIXED, None, "--b1\r\nContent-Type: application/sdp", 400, "no empty line");
    let head = format!("--b1\r\nx: {}\r\ny: z\r\n\r\n", "x".repeat(2048));
    refused(MIXED, None, &head, 400, "2048");
    refused(MIXED, None, &parts(&[("", ""); 17]), 400, "16 parts");
    check(MIXED, None, &parts(&[("", ""); 16]), None);
}
