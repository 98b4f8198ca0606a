//! The non-INVITE server transaction: figure 8 of RFC 3261.

use sip::transaction::responding::Unanswerable;
use sip::transport::flow::Protocol;

use crate::kit::{BOTH, Side, their};

fn asked(protocol: Protocol) -> Side {
    let mut side = Side::new(protocol);
    assert_eq!(side.came(their("OPTIONS", "1")), "request 1 OPTIONS");
    side
}

#[test]
fn trying_absorbs_the_request_and_sends_nothing_of_its_own() {
    for protocol in BOTH {
        let mut side = asked(protocol);
        assert_eq!(side.came(their("OPTIONS", "1")), "");
        assert_eq!(side.until(31_999), "");
    }
}

#[test]
fn request_that_the_user_does_not_answer_ends_when_its_client_has_given_up() {
    for protocol in BOTH {
        let mut side = asked(protocol);
        assert_eq!(side.until(60_000), "32000: timeout 1");
        assert_eq!(side.entries(), 0);
        let mut side = asked(protocol);
        assert_eq!(side.respond(1, 100), "send 100");
        assert_eq!(side.until(60_000), "32000: timeout 1");
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn proceeding_repeats_the_last_provisional_response_byte_for_byte() {
    for protocol in BOTH {
        let mut side = asked(protocol);
        assert_eq!(side.respond(1, 100), "send 100");
        assert_eq!(side.respond(1, 183), "send 183");
        let first = side.sent.clone();
        assert_eq!(side.came(their("OPTIONS", "1")), "send 183");
        assert_eq!(side.sent, first);
    }
}

#[test]
fn completed_repeats_the_final_response_byte_for_byte_until_timer_j() {
    for before in [None, Some(100)] {
        let mut side = asked(Protocol::Udp);
        before.map(|status| side.respond(1, status));
        side.now.0 = 1_000;
        assert_eq!(side.respond(1, 200), "send 200");
        let first = side.sent.clone();
        assert_eq!(side.came(their("OPTIONS", "1")), "send 200");
        assert_eq!(side.sent, first);
        assert_eq!(side.respond_with(1, side.response(500)), Err(Unanswerable::Answered));
        assert_eq!(side.until(32_999), "");
        assert_eq!(side.came(their("OPTIONS", "1")), "send 200");
        assert_eq!(side.until(33_000), "");
        assert_eq!(side.entries(), 0);
        assert_eq!(side.came(their("OPTIONS", "1")), "request 2 OPTIONS");
    }
}

#[test]
fn final_response_ends_the_transaction_at_once_on_a_reliable_transport() {
    for before in [None, Some(100)] {
        let mut side = asked(Protocol::TCP);
        before.map(|status| side.respond(1, status));
        assert_eq!(side.respond(1, 200), "send 200");
        assert_eq!(side.entries(), 0);
        assert_eq!(side.respond_with(1, side.response(500)), Err(Unanswerable::Over));
    }
}

#[test]
fn transport_failure_is_told_and_the_state_stays() {
    let mut side = asked(Protocol::Udp);
    assert_eq!(side.respond(1, 200), "send 200");
    assert_eq!(side.breaks(), "failed 1");
    assert_eq!(side.came(their("OPTIONS", "1")), "send 200");
}
