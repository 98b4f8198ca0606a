//! What is answered before there is any state (RFC 3261 sections 8.2.7, 16.3 and 18.3).

use sip::transaction::layer::Layer;
use sip::transaction::settings::Settings;
use sip::transport::flow::Protocol;

use crate::kit::{BOTH, Side, settings, their};

#[test]
fn request_that_cannot_be_used_is_answered_and_leaves_nothing() {
    let ok = their("INVITE", "1");
    let wrong = [
        ("400", ok.replace("CSeq: 1 INVITE", "CSeq: 1 BYE")),
        ("400", ok.replace("Call-ID: c1\r\n", "")),
        ("400", ok.replace("Max-Forwards: 70", "Max-Forwards: many")),
        ("400", ok.replace("192.0.2.1:5062;rport", "?")),
        ("505", ok.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia")),
        ("513", ok.replace("Max-Forwards", &format!("Subject: {}\r\nMax-Forwards", "x".repeat(9_000)))),
    ];
    for protocol in BOTH {
        for (status, text) in &wrong {
            let mut side = Side::new(protocol);
            assert_eq!(side.came(text), format!("send {status}"), "{text}");
            let first = side.sent.clone();
            assert_eq!(side.came(text), format!("send {status}"));
            assert_eq!((side.sent.clone(), side.entries()), (first, 0), "the answer is the same again");
            assert_eq!(side.came(&ok), "request 1 INVITE", "the connection goes on");
        }
    }
}

#[test]
fn answer_to_a_refused_request_goes_where_its_via_says() {
    let mut side = Side::new(Protocol::Udp);
    let wrong = their("INVITE", "1").replace("CSeq: 1 INVITE", "CSeq: x");
    let elsewhere = wrong.replace("192.0.2.1:5062;rport", "phone.example:5099");
    assert_eq!(side.came(elsewhere), "send 400 to 192.0.2.1:5099");
    assert!(side.text().contains(";received=192.0.2.1\r\n"), "{}", side.text());
    assert_eq!(side.came(wrong), "send 400");
    assert!(side.text().contains(";rport=5062;"), "{}", side.text());
}

#[test]
fn what_is_no_request_is_not_answered() {
    let mut side = Side::new(Protocol::Udp);
    for silent in [
        their("ACK", "1").replace("Call-ID: c1\r\n", ""),
        "SIP/2.0 200 OK\r\n\r\n".to_owned(),
        "SIP/3.0 200 OK\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "\0\u{1}\u{2}".to_owned(),
        String::new(),
    ] {
        assert_eq!(side.came(&silent), "", "{silent}");
    }
    assert_eq!(side.entries(), 0);
}

#[test]
fn ack_of_an_answer_without_a_transaction_is_ignored() {
    let mut side = Side::new(Protocol::Udp);
    let wrong = their("INVITE", "1").replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    assert_eq!(side.came(wrong), "send 400");
    let to = side.text().lines().find(|line| line.starts_with("To:")).expect("To").to_owned();
    let ack = their("ACK", "1").replace("To: <sip:meet@192.0.2.2>", &to);
    assert_ne!(ack, their("ACK", "1"));
    assert_eq!(side.came(&ack), "");
    assert_eq!(side.came(their("ACK", "1")), "ack");
    side.layer = Layer::new(settings(), 8);
    assert_eq!(side.came(ack), "ack", "another process gives other tags");
}

#[test]
fn request_beyond_the_bound_is_answered_503_with_retry_after() {
    let bounded = Settings { server_transactions: 1, reserved_for_dialogs: 0, ..settings() };
    let mut side = Side::with(Protocol::Udp, bounded);
    assert_eq!(side.came(their("INVITE", "1")), "request 1 INVITE");
    let before = side.layer.load();
    for method in ["INVITE", "OPTIONS"] {
        let second = their(method, "2").replace("Call-ID: c1", "Call-ID: c2");
        assert_eq!(side.came(second), "send 503");
        assert!(side.text().contains("Retry-After: 32\r\n"), "{}", side.text());
    }
    assert_eq!(side.layer.load(), before);
    assert_eq!(side.came(their("INVITE", "1")), "send 100");
}
