//! The non-INVITE client transaction: figure 6 of RFC 3261.

use sip::transport::flow::Protocol;

use crate::kit::{BOTH, Side, answer};

fn trying(protocol: Protocol) -> (Side, Vec<u8>) {
    let mut side = Side::new(protocol);
    assert_eq!(side.request("OPTIONS"), "send OPTIONS");
    let options = side.sent.clone();
    (side, options)
}

#[test]
fn trying_repeats_by_timer_e_and_gives_up_by_timer_f() {
    let (mut side, options) = trying(Protocol::Udp);
    assert_eq!(
        side.until(60_000),
        "500: send OPTIONS, 1500: send OPTIONS, 3500: send OPTIONS, 7500: send OPTIONS, 11500: send OPTIONS, \
         15500: send OPTIONS, 19500: send OPTIONS, 23500: send OPTIONS, 27500: send OPTIONS, \
         31500: send OPTIONS, 32000: timeout 1"
    );
    assert_eq!((side.sent, side.layer.load().entries), (options, 0));
    let (mut side, _) = trying(Protocol::TCP);
    assert_eq!(side.until(60_000), "32000: timeout 1");
    assert_eq!(side.entries(), 0);
}

#[test]
fn proceeding_repeats_every_t2_and_gives_up_by_timer_f() {
    let (mut side, options) = trying(Protocol::Udp);
    assert_eq!(side.came(answer(&options, 100)), "response 1 100");
    assert_eq!(side.until(8_500), "500: send OPTIONS, 4500: send OPTIONS, 8500: send OPTIONS");
    assert_eq!(side.came(answer(&options, 183)), "response 1 183");
    assert!(side.until(60_000).ends_with("28500: send OPTIONS, 32000: timeout 1"));
    assert_eq!(side.entries(), 0);
    let (mut side, options) = trying(Protocol::TCP);
    assert_eq!(side.came(answer(&options, 100)), "response 1 100");
    assert_eq!(side.until(60_000), "32000: timeout 1");
}

#[test]
fn completed_absorbs_everything_until_timer_k() {
    for before in [None, Some(100)] {
        let (mut side, options) = trying(Protocol::Udp);
        before.map(|status| side.came(answer(&options, status)));
        side.now.0 = 100;
        assert_eq!(side.came(answer(&options, 200)), "response 1 200");
        for status in [100, 200, 500] {
            assert_eq!(side.came(answer(&options, status)), "");
        }
        assert_eq!(side.until(5_099), "");
        assert_ne!(side.entries(), 0);
        assert_eq!(side.until(5_100), "");
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn final_response_ends_the_transaction_at_once_on_a_reliable_transport() {
    for before in [None, Some(100)] {
        let (mut side, options) = trying(Protocol::TCP);
        before.map(|status| side.came(answer(&options, status)));
        assert_eq!(side.came(answer(&options, 486)), "response 1 486");
        assert_eq!(side.entries(), 0);
    }
}

#[test]
fn transport_failure_ends_it_until_a_final_response() {
    for protocol in BOTH {
        let (mut side, _) = trying(protocol);
        assert_eq!(side.breaks(), "failed 1");
        assert_eq!(side.entries(), 0);
    }
    let (mut side, options) = trying(Protocol::Udp);
    side.came(answer(&options, 100));
    assert_eq!(side.breaks(), "failed 1");
    let (mut side, options) = trying(Protocol::Udp);
    side.came(answer(&options, 200));
    assert_eq!(side.breaks(), "");
    // What was received goes on being processed: the answer may come over another connection.
    let (mut side, options) = trying(Protocol::TCP);
    side.came(answer(&options, 100));
    assert_eq!(side.breaks(), "");
    assert_ne!(side.entries(), 0);
}
