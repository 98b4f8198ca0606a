//! Which transaction a request belongs to (RFC 3261 sections 17.2.3, 9.2 and 8.2.2.2).

use sip::transaction::responding::Unanswerable;
use sip::transport::flow::Protocol;

use crate::kit::{Side, their, their_via};

/// A request within a dialog, which merges with nothing.
fn inside(method: &str, sent_by: &str, branch: &str) -> String {
    their_via(method, &format!("SIP/2.0/UDP {sent_by};rport;branch={branch}"), ";tag=ours")
}

#[test]
fn request_is_matched_by_branch_sent_by_and_method() {
    let mut side = Side::new(Protocol::Udp);
    assert_eq!(side.came(inside("OPTIONS", "h.example:5060", "z9hG4bKa")), "request 1 OPTIONS");
    for same in [("H.Example:5060", "z9hG4bKa"), ("h.example", "z9hG4bKa"), ("h.example", "Z9hg4bkA")] {
        assert_eq!(side.came(inside("OPTIONS", same.0, same.1)), "", "{same:?}");
    }
    assert_eq!(side.came(inside("OPTIONS", "h.example:5061", "z9hG4bKa")), "request 2 OPTIONS");
    assert_eq!(side.came(inside("OPTIONS", "i.example", "z9hG4bKa")), "request 3 OPTIONS");
    assert_eq!(side.came(inside("OPTIONS", "h.example", "z9hG4bKb")), "request 4 OPTIONS");
    assert_eq!(side.came(inside("INFO", "h.example", "z9hG4bKa")), "request 5 INFO");
    assert_eq!(side.came(inside("INVITE", "h.example", "z9hG4bKa")), "request 6 INVITE");
}

#[test]
fn request_without_the_cookie_is_matched_by_the_rules_of_rfc_2543() {
    for via in [
        "SIP/2.0/UDP 192.0.2.1:5062",
        "SIP/2.0/UDP 192.0.2.1:5062;branch=1",
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK",
    ] {
        let mut side = Side::new(Protocol::Udp);
        let options = their_via("OPTIONS", via, ";tag=ours");
        assert_eq!(side.came(&options), "request 1 OPTIONS");
        assert_eq!(side.came(&options), "");
        let others = [
            options.replace("sip:meet@192.0.2.2 SIP/2.0", "sip:other@192.0.2.2 SIP/2.0"),
            options.replace("tag=theirs", "tag=another"),
            options.replace("Call-ID: c1", "Call-ID: C1"),
            options.replace("CSeq: 1", "CSeq: 2"),
            options.replace("Via: SIP", "Via: SIP/2.0/UDP proxy, SIP"),
        ];
        for (number, other) in others.iter().enumerate() {
            assert_eq!(side.came(other), format!("request {} OPTIONS", number + 2));
        }
    }
}

#[test]
fn ack_without_the_cookie_belongs_to_the_response_whose_tag_it_has() {
    let via = "SIP/2.0/UDP 192.0.2.1:5062";
    let mut side = Side::new(Protocol::Udp);
    assert_eq!(side.came(their_via("INVITE", via, "")), "request 1 INVITE");
    assert_eq!(side.respond(1, 486), "send 486");
    assert_eq!(side.came(their_via("ACK", via, ";tag=another")), "ack");
    assert_eq!(side.came(their_via("INVITE", via, "")), "send 486");
    assert_eq!(side.came(their_via("ACK", via, ";tag=ours")), "");
    assert_eq!(side.came(their_via("INVITE", via, "")), "");
    let mut side = Side::new(Protocol::Udp);
    side.came(their_via("INVITE", via, ""));
    side.respond(1, 200);
    assert_eq!(side.came(their_via("ACK", via, ";tag=ours")), "ack");
}

#[test]
fn cancel_belongs_to_its_invite_and_is_a_transaction_of_its_own() {
    for via in ["SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.1:5062"] {
        let mut side = Side::new(Protocol::Udp);
        assert_eq!(side.came(their_via("INVITE", via, "")), "request 1 INVITE");
        let invite = side.response(487);
        assert_eq!(side.came(their_via("CANCEL", via, "")), "cancel 2 of 1");
        assert_eq!(side.came(their_via("CANCEL", via, "")), "");
        assert_eq!(side.respond(2, 200), "send 200");
        assert_eq!(side.came(their_via("CANCEL", via, "")), "send 200");
        assert_eq!(side.respond_with(1, invite).as_deref(), Ok("send 487"));
        assert_eq!(side.came(their_via("ACK", via, ";tag=ours")), "");
        side.until(60_000);
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn cancel_of_an_answered_invite_is_told_and_changes_nothing() {
    let mut side = Side::new(Protocol::Udp);
    side.came(their("INVITE", "1"));
    let late = side.response(487);
    side.respond(1, 200);
    assert_eq!(side.came(their("CANCEL", "1")), "cancel 2 of 1");
    assert_eq!(side.respond_with(1, late), Err(Unanswerable::Answered));
}

#[test]
fn cancel_without_its_invite_is_answered_481_and_leaves_nothing() {
    let mut side = Side::new(Protocol::Udp);
    assert_eq!(side.came(their("CANCEL", "1")), "send 481");
    let first = side.sent.clone();
    assert_eq!(side.came(their("CANCEL", "1")), "send 481");
    assert_eq!((side.sent.clone(), side.entries()), (first, 0));
    // Only an INVITE can be cancelled.
    side.came(their("OPTIONS", "2"));
    assert_eq!(side.came(their("CANCEL", "2")), "send 481");
    side.came(their("INVITE", "3"));
    let elsewhere = their_via("CANCEL", "SIP/2.0/UDP 192.0.2.1:5099;rport;branch=z9hG4bK3", "");
    assert_eq!(side.came(elsewhere), "send 481");
}

#[test]
fn request_that_comes_over_a_second_path_is_answered_482() {
    let mut side = Side::new(Protocol::Udp);
    assert_eq!(side.came(their("INVITE", "1")), "request 1 INVITE");
    let before = side.entries();
    assert_eq!(side.came(their("INVITE", "2")), "send 482");
    assert_eq!(side.came(their("INVITE", "2")), "send 482");
    assert_eq!(side.entries(), before);
    for other in [
        their("INVITE", "3").replace("CSeq: 1", "CSeq: 2"),
        their("INVITE", "4").replace("tag=theirs", "tag=t2"),
        their("INVITE", "5").replace("Call-ID: c1", "Call-ID: c9"),
        their("OPTIONS", "6"),
        their("INVITE", "7").replace("To: <sip:meet@192.0.2.2>", "To: <sip:meet@192.0.2.2>;tag=x"),
    ] {
        assert!(side.came(&other).starts_with("request"), "{other}");
    }
    // Only as long as the first transaction lasts.
    side.respond_with(1, b"".to_vec()).expect_err("it is no response");
    let mut side = Side::new(Protocol::Udp);
    side.came(their("OPTIONS", "1"));
    side.respond(1, 200);
    assert_eq!(side.came(their("OPTIONS", "2")), "send 482");
    side.until(32_000);
    assert_eq!(side.came(their("OPTIONS", "2")), "request 2 OPTIONS");
}

#[test]
fn response_to_another_request_is_refused() {
    let mut side = Side::new(Protocol::Udp);
    side.came(inside("OPTIONS", "h", "z9hG4bKa"));
    let of_first = side.response(200);
    side.came(inside("OPTIONS", "h", "z9hG4bKb"));
    assert_eq!(side.respond_with(2, of_first.clone()), Err(Unanswerable::NotItsResponse));
    let request = inside("OPTIONS", "h", "z9hG4bKa").into_bytes();
    assert_eq!(side.respond_with(1, request), Err(Unanswerable::NotItsResponse));
    assert_eq!(side.respond_with(3, of_first.clone()), Err(Unanswerable::Over));
    assert_eq!(side.respond_with(1, of_first).as_deref(), Ok("send 200"));
}

#[test]
fn number_of_a_transaction_is_given_once() {
    let mut side = Side::new(Protocol::TCP);
    for number in 1..=5 {
        let branch = number.to_string();
        assert_eq!(side.came(their("OPTIONS", &branch)), format!("request {number} OPTIONS"));
        side.respond(number, 200);
        assert_eq!(side.entries(), 0);
    }
}
