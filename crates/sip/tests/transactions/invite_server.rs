//! The INVITE server transaction: figure 7 of RFC 3261, as changed by RFC 6026 section 7.1.

use sip::transaction::responding::Unanswerable;
use sip::transport::flow::Protocol;

use crate::kit::{BOTH, Side, their};

/// A side with an INVITE that has been described to the user as transaction 1.
fn invited(protocol: Protocol) -> Side {
    let mut side = Side::new(protocol);
    assert_eq!(side.came(their("INVITE", "1")), "request 1 INVITE");
    side
}

/// A side that has answered the INVITE.
fn answered(protocol: Protocol, status: u16) -> Side {
    let mut side = invited(protocol);
    assert_eq!(side.respond(1, status), format!("send {status}"));
    side
}

#[test]
fn proceeding_sends_100_when_the_user_takes_long_and_never_after_another_response() {
    for protocol in BOTH {
        let mut side = invited(protocol);
        assert_eq!(side.until(60_000), "200: send 100");
        let mut side = invited(protocol);
        assert_eq!(side.until(199), "");
        assert_eq!(side.respond(1, 180), "send 180");
        assert_eq!(side.until(60_000), "");
    }
}

#[test]
fn proceeding_repeats_the_last_provisional_response_byte_for_byte() {
    let mut side = invited(Protocol::Udp);
    assert_eq!(side.came(their("INVITE", "1")), "send 100");
    // Once sent for a retransmission, 100 is not sent again by time.
    assert_eq!(side.until(1_000), "");
    for status in [180, 183] {
        assert_eq!(side.respond(1, status), format!("send {status}"));
        let first = side.sent.clone();
        side.sent.clear();
        assert_eq!(side.came(their("INVITE", "1")), format!("send {status}"));
        assert_eq!(side.sent, first);
    }
}

#[test]
fn completed_repeats_its_response_by_timer_g_and_gives_up_by_timer_h() {
    let mut side = answered(Protocol::Udp, 486);
    let first = side.sent.clone();
    assert_eq!(
        side.until(60_000),
        "500: send 486, 1500: send 486, 3500: send 486, 7500: send 486, 11500: send 486, 15500: send 486, \
         19500: send 486, 23500: send 486, 27500: send 486, 31500: send 486, 32000: timeout 1"
    );
    assert_eq!(side.sent, first);
    assert_eq!(side.entries(), 0);
    let mut side = answered(Protocol::TCP, 486);
    assert_eq!(side.until(60_000), "32000: timeout 1");
    assert_eq!(side.entries(), 0);
}

#[test]
fn completed_repeats_its_response_when_the_invite_comes_again_and_takes_no_other() {
    for protocol in BOTH {
        let mut side = answered(protocol, 486);
        let first = side.sent.clone();
        assert_eq!(side.came(their("INVITE", "1")), "send 486");
        assert_eq!(side.sent, first);
        for status in [100, 200, 500] {
            assert_eq!(side.respond_with(1, side.response(status)), Err(Unanswerable::Answered));
        }
    }
}

#[test]
fn confirmed_absorbs_everything_until_timer_i() {
    let mut side = answered(Protocol::Udp, 486);
    side.now.0 = 400;
    assert_eq!(side.came(their("ACK", "1")), "");
    for message in ["ACK", "INVITE"] {
        assert_eq!(side.came(their(message, "1")), "", "{message}");
    }
    assert_eq!(side.respond_with(1, side.response(486)), Err(Unanswerable::Answered));
    assert_eq!(side.until(5_399), "");
    assert_ne!(side.entries(), 0);
    assert_eq!(side.until(5_400), "");
    assert_eq!(side.entries(), 0);
}

#[test]
fn acknowledged_failure_is_over_at_once_on_a_reliable_transport() {
    let mut side = answered(Protocol::TCP, 486);
    assert_eq!(side.came(their("ACK", "1")), "");
    assert_eq!(side.entries(), 0);
    assert_eq!(side.respond_with(1, side.response(486)), Err(Unanswerable::Over));
}

#[test]
fn ack_in_proceeding_changes_nothing() {
    for protocol in BOTH {
        let mut side = invited(protocol);
        assert_eq!(side.came(their("ACK", "1")), "");
        assert_eq!(side.respond(1, 200), "send 200");
    }
}

#[test]
fn accepted_absorbs_the_invite_and_has_the_user_repeat_until_timer_l() {
    for protocol in BOTH {
        let mut side = answered(protocol, 200);
        let first = side.sent.clone();
        assert_eq!(side.came(their("INVITE", "1")), "");
        assert_eq!(side.until(31_999), "");
        assert_eq!(side.respond_with(1, first.clone()).as_deref(), Ok("send 200"));
        assert_eq!(side.sent, first);
        assert_eq!(side.respond_with(1, side.response(486)), Err(Unanswerable::Answered));
        assert_eq!(side.respond_with(1, side.response(180)), Err(Unanswerable::Answered));
        assert_ne!(side.entries(), 0);
        assert_eq!(side.until(32_000), "");
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn ack_of_a_2xx_is_passed_on_with_its_own_branch_and_with_that_of_the_invite() {
    for protocol in BOTH {
        let mut side = answered(protocol, 200);
        assert_eq!(side.came(their("ACK", "2")), "ack");
        assert_eq!(side.came(their("ACK", "1")), "ack");
        assert_eq!(side.came(their("ACK", "1")), "ack");
    }
}

#[test]
fn transport_failure_is_told_and_the_state_stays() {
    let mut side = answered(Protocol::Udp, 486);
    assert_eq!(side.breaks(), "failed 1");
    assert_eq!(side.until(500), "500: send 486");
    let mut side = answered(Protocol::Udp, 200);
    assert_eq!(side.breaks(), "failed 1");
    assert_eq!(side.respond(1, 200), "send 200");
    let mut side = answered(Protocol::Udp, 180);
    assert_eq!(side.breaks(), "failed 1");
    assert_eq!(side.respond(1, 486), "send 486");
}
