//! The INVITE client transaction: figure 5 of RFC 3261, as changed by RFC 6026 section 7.2.

use sip::transaction::outgoing::Unsendable;
use sip::transport::flow::Protocol;

use crate::kit::{BOTH, Side, answer};

/// A side that has sent an INVITE, and the INVITE.
fn calling(protocol: Protocol) -> (Side, Vec<u8>) {
    let mut side = Side::new(protocol);
    assert_eq!(side.request("INVITE"), "send INVITE");
    let invite = side.sent.clone();
    (side, invite)
}

#[test]
fn calling_repeats_by_timer_a_and_gives_up_by_timer_b() {
    let (mut side, invite) = calling(Protocol::Udp);
    assert_eq!(
        side.until(60_000),
        "500: send INVITE, 1500: send INVITE, 3500: send INVITE, 7500: send INVITE, 15500: send INVITE, \
         31500: send INVITE, 32000: timeout 1"
    );
    assert_eq!((side.sent, side.layer.load().entries), (invite, 0));
    let (mut side, _) = calling(Protocol::TCP);
    assert_eq!(side.until(60_000), "32000: timeout 1");
    assert_eq!(side.entries(), 0);
}

#[test]
fn proceeding_sends_nothing_and_passes_on_every_provisional_response() {
    for protocol in BOTH {
        let (mut side, invite) = calling(protocol);
        assert_eq!(side.came(answer(&invite, 100)), "response 1 100");
        assert_eq!(side.until(60_000), "");
        assert_eq!(side.came(answer(&invite, 180)), "response 1 180");
        assert_eq!(side.until(259_999), "");
        assert_eq!(side.until(300_000), "260000: timeout 1");
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn failure_is_acknowledged_and_passed_on_once_from_both_states() {
    for before in [None, Some(180)] {
        let (mut side, invite) = calling(Protocol::Udp);
        before.map(|status| side.came(answer(&invite, status)));
        side.now.0 = 300;
        assert_eq!(side.came(answer(&invite, 486)), "send ACK, response 1 486");
        let first = side.sent.clone();
        assert_eq!(side.came(answer(&invite, 486)), "send ACK");
        assert_eq!(side.came(answer(&invite, 500)), "send ACK");
        assert_eq!(side.sent, first);
        assert_eq!(side.came(answer(&invite, 180)), "");
        assert_eq!(side.came(answer(&invite, 200)), "");
        assert_eq!(side.until(32_299), "");
        assert_ne!(side.entries(), 0);
        assert_eq!(side.until(32_300), "");
        assert_eq!(side.entries(), 0);
        assert_eq!(side.came(answer(&invite, 486)), "");
    }
}

#[test]
fn failure_ends_the_transaction_at_once_on_a_reliable_transport() {
    let (mut side, invite) = calling(Protocol::TCP);
    assert_eq!(side.came(answer(&invite, 486)), "send ACK, response 1 486");
    assert_eq!(side.entries(), 0);
}

#[test]
fn ack_has_what_the_section_says() {
    let (mut side, invite) = calling(Protocol::Udp);
    side.came(answer(&invite, 486));
    let invite = String::from_utf8(invite).expect("text");
    let ack = side.text();
    let line = |text: &str, start: &str| {
        text.lines().find(|line| line.starts_with(start)).map(str::to_owned).expect("the header is there")
    };
    assert_eq!(ack.lines().next(), Some("ACK sip:a@192.0.2.1:5062 SIP/2.0"));
    for same in ["Via:", "Route:", "From:", "Call-ID:", "Max-Forwards:"] {
        assert_eq!(line(&ack, same), line(&invite, same));
    }
    assert_eq!(line(&ack, "To:"), "To: <sip:a@192.0.2.1>;tag=theirs");
    assert_eq!(line(&ack, "CSeq:"), "CSeq: 1 ACK");
    assert_eq!(ack.matches("Via:").count(), 1);
}

#[test]
fn accepted_passes_on_every_2xx_and_nothing_else_until_timer_m() {
    for protocol in BOTH {
        for before in [None, Some(183)] {
            let (mut side, invite) = calling(protocol);
            before.map(|status| side.came(answer(&invite, status)));
            assert_eq!(side.came(answer(&invite, 200)), "response 1 200");
            assert_eq!(side.came(answer(&invite, 200)), "response 1 200");
            assert_eq!(side.came(answer(&invite, 180)), "");
            assert_eq!(side.came(answer(&invite, 486)), "");
            assert_eq!(side.until(31_999), "");
            assert_eq!(side.came(answer(&invite, 200)), "response 1 200");
            assert_eq!(side.until(32_000), "");
            assert_eq!(side.entries(), 0);
            assert_eq!(side.came(answer(&invite, 200)), "");
        }
    }
}

#[test]
fn transport_failure_ends_what_is_being_sent_and_nothing_else() {
    for protocol in BOTH {
        let (mut side, _) = calling(protocol);
        assert_eq!(side.breaks(), "failed 1");
        assert_eq!(side.entries(), 0);
        for status in [180, 200] {
            let (mut side, invite) = calling(protocol);
            side.came(answer(&invite, status));
            assert_eq!(side.breaks(), "");
            assert_ne!(side.entries(), 0);
        }
    }
    let (mut side, invite) = calling(Protocol::Udp);
    side.came(answer(&invite, 486));
    assert_eq!(side.breaks(), "failed 1");
    assert_eq!(side.entries(), 0);
}

#[test]
fn cancel_is_sent_between_the_first_and_the_final_response_once() {
    for protocol in BOTH {
        let (mut side, invite) = calling(protocol);
        assert_eq!(side.cancel(1), Err(Unsendable::NothingToCancel));
        side.came(answer(&invite, 180));
        assert_eq!(side.cancel(1).as_deref(), Ok("send CANCEL"));
        assert_eq!(side.cancel(1), Err(Unsendable::NothingToCancel));
        let cancel = side.sent.clone();
        let text = side.text();
        let via = String::from_utf8(invite.clone()).expect("text");
        assert_eq!(text.lines().nth(1), via.lines().nth(1));
        assert!(text.contains("CSeq: 1 CANCEL\r\n") && text.contains("To: <sip:a@192.0.2.1>\r\n"), "{text}");
        assert_eq!(side.came(answer(&cancel, 200)), "response 2 200");
        assert_eq!(side.came(answer(&invite, 180)), "response 1 180");
        assert_eq!(side.came(answer(&invite, 487)), "send ACK, response 1 487");
        assert_eq!(side.cancel(1), Err(Unsendable::NothingToCancel));
    }
}

#[test]
fn cancelled_invite_without_a_final_response_times_out() {
    for (protocol, rings) in BOTH.iter().flat_map(|protocol| [(*protocol, true), (*protocol, false)]) {
        let (mut side, invite) = calling(protocol);
        side.came(answer(&invite, 180));
        side.now.0 = 1_000;
        side.cancel(1).expect("it can be cancelled");
        let cancel = side.sent.clone();
        side.came(answer(&cancel, 200));
        side.now.0 = 2_000;
        if rings {
            side.came(answer(&invite, 180));
        }
        assert_eq!(side.until(60_000), "33000: timeout 1");
        assert_eq!(side.entries(), 0);
    }
}
