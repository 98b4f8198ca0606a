//! Who is accepted as a source, when, and who is not.

use super::*;

/// A public address whose port is not translated.
const DECLARED: &str = "192.0.2.1:5004";
/// The SSRC of the far end, and that of somebody else.
const OURS: u32 = 0x1234_5678;
const THEIRS: u32 = 0x9abc_def0;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn far(declared: &str, signalling: &str) -> FarEnd {
    FarEnd { declared: Some(at(declared)), signalling: Some(signalling.parse().expect("an address")) }
}

fn sound(from: &str, ssrc: u32, sequence: u16) -> Arrival {
    Arrival { from: at(from), kind: Kind::Sound, ssrc, sequence }
}

fn sign(from: &str, ssrc: u32) -> Arrival {
    Arrival { kind: Kind::Sign, ..sound(from, ssrc, 0) }
}

/// A confirmed call.
fn latch(declared: &str, signalling: &str) -> Latch {
    let mut latch = Latch::new(far(declared, signalling));
    latch.confirm(Time(0));
    latch
}

#[test]
fn declared_address_is_accepted_whenever_it_sends_and_replaces_any_other() {
    let mut latch = latch(DECLARED, "192.0.2.1");
    assert_eq!(latch.target(), Some(at(DECLARED)));
    assert!(latch.accepts(Time(10), &sound("192.0.2.1:9", OURS, 1)), "another port, in the window");
    assert_eq!(latch.target(), Some(at("192.0.2.1:9")));
    assert!(latch.accepts(Time(20), &sign(DECLARED, THEIRS)));
    assert_eq!(latch.target(), Some(at(DECLARED)));
    assert!(!latch.accepts(Time(30), &sound("192.0.2.1:9", OURS, 2)), "the declared one lives");
    assert!(latch.accepts(Time(3_600_000), &sound(DECLARED, THEIRS, 1)));
}

#[test]
fn far_end_behind_address_translation_is_accepted_from_the_address_of_its_signalling() {
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    assert!(latch.accepts(Time(9_999), &sound("198.51.100.7:40001", OURS, 1)));
    assert_eq!(latch.target(), Some(at("198.51.100.7:40001")));
    assert!(latch.accepts(Time(3_600_000), &sound("198.51.100.7:40001", THEIRS, 9)), "whatever its SSRC");
}

#[test]
fn source_elsewhere_is_never_accepted() {
    let mut latch = latch(DECLARED, "198.51.100.7");
    for ms in (0..100_000).step_by(20) {
        assert!(!latch.accepts(Time(ms), &sound("203.0.113.9:5004", OURS, 1)));
        assert!(!latch.accepts_control(Time(ms), at("203.0.113.9:5005"), OURS));
    }
    assert_eq!(latch.target(), Some(at(DECLARED)));
}

#[test]
fn known_address_begins_no_source_after_the_window_nor_beside_another_nor_after_its_silence() {
    let mut late = latch(DECLARED, "192.0.2.1");
    assert!(!late.accepts(Time(10_000), &sound("192.0.2.1:9", OURS, 1)));
    let mut latch = latch(DECLARED, "192.0.2.1");
    assert!(latch.accepts(Time(0), &sound("192.0.2.1:9", OURS, 1)));
    for ms in (20..70_000).step_by(20) {
        assert!(!latch.accepts(Time(ms), &sound("192.0.2.1:11", THEIRS, 2)), "at {ms}");
    }
    assert_eq!(latch.target(), Some(at("192.0.2.1:9")));
}

#[test]
fn window_lasts_until_ten_seconds_after_the_confirmation() {
    let mut latch = Latch::new(far("10.0.0.5:5004", "198.51.100.7"));
    latch.confirm(Time(30_000));
    latch.confirm(Time(39_000));
    let mut late = latch;
    assert!(latch.accepts(Time(39_999), &sound("198.51.100.7:9", OURS, 1)));
    assert!(!late.accepts(Time(40_000), &sound("198.51.100.7:9", OURS, 1)));
}

#[test]
fn comfort_noise_begins_no_source_but_its_stream_may_do_so_after_the_window() {
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    assert!(latch.accepts(Time(0), &sign("198.51.100.7:9", OURS)), "a sign of life");
    assert_eq!(latch.target(), Some(at("10.0.0.5:5004")), "no source");
    assert!(!latch.accepts(Time(0), &sign("198.51.100.7:11", THEIRS)), "one stream is announced");
    assert!(!latch.accepts(Time(60_000), &sound("198.51.100.7:11", THEIRS, 1)));
    assert!(latch.accepts_control(Time(60_000), at("198.51.100.7:10"), OURS));
    assert!(latch.accepts(Time(60_000), &sound("198.51.100.7:9", OURS, 1)));
    assert_eq!(latch.target(), Some(at("198.51.100.7:9")));
}

#[test]
fn stream_goes_on_from_another_port_when_the_old_one_is_silent() {
    let bound = |sequence| {
        let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
        assert!(latch.accepts(Time(0), &sound("198.51.100.7:9", OURS, sequence)));
        latch
    };
    let check = |latch: &Latch, expected: bool, ms, from: &str, ssrc, sequence| {
        let mut latch = *latch;
        assert_eq!(latch.accepts(Time(ms), &sound(from, ssrc, sequence)), expected, "{ms} {from} {sequence}");
        assert_eq!(latch.target() == Some(at(from)), expected);
    };
    let source = bound(65_535);
    check(&source, false, 499, "198.51.100.7:11", OURS, 0);
    check(&source, true, 500, "198.51.100.7:11", OURS, 0);
    check(&source, true, 50_000, "198.51.100.7:11", OURS, 2999);
    check(&source, false, 50_000, "198.51.100.7:11", OURS, 3000);
    check(&source, false, 50_000, "198.51.100.7:11", OURS, 65_535);
    check(&source, false, 50_000, "198.51.100.7:11", OURS, 65_534);
    check(&source, false, 50_000, "198.51.100.7:11", THEIRS, 0);
    check(&source, false, 50_000, "203.0.113.9:9", OURS, 0);
}

#[test]
fn negotiation_of_another_address_lets_the_source_move_once() {
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    assert!(latch.accepts(Time(0), &sound("198.51.100.7:9", OURS, 1)));
    latch.negotiate(Time(20_000), far("10.0.0.5:6000", "198.51.100.7"));
    assert_eq!(latch.target(), Some(at("10.0.0.5:6000")));
    assert!(
        latch.accepts(Time(20_020), &sound("198.51.100.7:9", OURS, 2)),
        "its last packets from the old place"
    );
    assert_eq!(latch.target(), Some(at("10.0.0.5:6000")));
    assert!(latch.accepts(Time(20_040), &sound("198.51.100.7:11", THEIRS, 1)));
    assert!(!latch.accepts(Time(20_060), &sound("198.51.100.7:9", OURS, 3)));
    assert!(!latch.accepts(Time(20_060), &sound("198.51.100.7:13", OURS, 3)));
    assert_eq!(latch.target(), Some(at("198.51.100.7:11")));
}

#[test]
fn source_that_goes_on_after_a_negotiation_is_accepted_as_long_as_its_address_is_known() {
    let check = |far_end: FarEnd, expected: bool| {
        let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
        assert!(latch.accepts(Time(0), &sound("198.51.100.7:9", OURS, 1)));
        latch.negotiate(Time(20_000), far_end);
        assert!(latch.accepts(Time(20_999), &sound("198.51.100.7:9", OURS, 2)), "under way");
        assert_eq!(latch.accepts(Time(21_000), &sound("198.51.100.7:9", OURS, 3)), expected);
        assert_eq!(latch.target() == Some(at("198.51.100.7:9")), expected);
    };
    check(far("10.0.0.5:6000", "198.51.100.7"), true);
    check(far("192.0.2.1:5004", "192.0.2.1"), false);
}

#[test]
fn negotiation_without_a_change_opens_nothing_unless_the_source_is_silent() {
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    let same = far("10.0.0.5:5004", "198.51.100.7");
    assert!(latch.accepts(Time(20_000), &sound("10.0.0.5:5004", OURS, 1)));
    latch.negotiate(Time(22_999), same);
    assert!(!latch.accepts(Time(22_999), &sound("198.51.100.7:9", THEIRS, 1)));
    latch.negotiate(Time(23_000), same);
    let mut back = latch;
    assert!(back.accepts(Time(23_000), &sound("10.0.0.5:5004", OURS, 2)));
    assert!(!back.accepts(Time(23_000), &sound("198.51.100.7:9", THEIRS, 1)), "it is back");
    assert_eq!(latch.target(), Some(at("10.0.0.5:5004")), "nothing else is known yet");
    assert!(latch.accepts(Time(23_000), &sound("198.51.100.7:9", THEIRS, 1)));
}

#[test]
fn address_that_is_none_is_sent_nothing_until_a_source_is_accepted() {
    for declared in ["0.0.0.0:5004", "192.0.2.1:0", "224.0.0.1:5004", "255.255.255.255:9", "[ff02::1]:9"] {
        let mut latch = latch(declared, "198.51.100.7");
        assert_eq!(latch.target(), None, "{declared}");
        assert!(latch.accepts(Time(0), &sound("198.51.100.7:9", OURS, 1)));
        assert_eq!(latch.target(), Some(at("198.51.100.7:9")));
    }
}

#[test]
fn address_in_another_form_is_the_same_address() {
    let mut latch = latch("[::ffff:192.0.2.1]:5004", "::ffff:198.51.100.7");
    assert!(latch.accepts(Time(60_000), &sound(DECLARED, OURS, 1)));
    let mut latch = self::latch("10.0.0.5:5004", "::ffff:198.51.100.7");
    assert!(latch.accepts(Time(0), &sound("198.51.100.7:9", OURS, 1)));
}

#[test]
fn control_packets_are_accepted_by_address_or_by_the_stream_they_belong_to() {
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    assert!(latch.accepts(Time(0), &sound("198.51.100.7:9", OURS, 1)));
    assert!(latch.accepts_control(Time(60_000), at("198.51.100.7:9"), THEIRS), "the source itself");
    assert!(latch.accepts_control(Time(60_000), at("198.51.100.7:77"), OURS));
    assert!(!latch.accepts_control(Time(60_000), at("198.51.100.7:77"), THEIRS));
    assert!(!latch.accepts_control(Time(60_000), at("203.0.113.9:9"), OURS));
}

#[test]
fn genuine_packet_is_followed_from_anywhere_unless_it_is_late_or_from_before_a_negotiation() {
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    let mut follow = |ms, from: &str, ssrc, sequence, expected: &str| {
        latch.follow(Time(ms), &sound(from, ssrc, sequence));
        assert_eq!(latch.target(), Some(at(expected)), "{ms} {from} {sequence}");
    };
    let (here, there) = ("203.0.113.9:9", "203.0.113.77:11");
    follow(0, here, OURS, 65_534, here);
    follow(20, there, OURS, 65_533, here);
    follow(20, there, OURS, 1, there);
    follow(40, here, OURS, 0, there);
    follow(60, here, THEIRS, 0, here);
    latch.negotiate(Time(20_000), far("10.0.0.5:6000", "198.51.100.7"));
    let mut follow = |ms, from: &str, sequence, expected: &str| {
        latch.follow(Time(ms), &sound(from, THEIRS, sequence));
        assert_eq!(latch.target(), Some(at(expected)), "{ms} {from} {sequence}");
    };
    follow(20_999, here, 1, "10.0.0.5:6000");
    follow(21_000, here, 2, here);
    follow(21_020, "10.0.0.5:6000", 3, "10.0.0.5:6000");
}

/// Whatever a third party sends that knows everything but the SSRC and cannot send from the far end's addresses, or only
/// from its translated one: once the far end is heard, it stays the only source.
#[test]
fn no_sequence_of_foreign_packets_moves_a_leg() {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200 {
        let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
        let (mut now, mut sequence) = (random(9_000), random(1 << 16) as u16);
        assert!(latch.accepts(Time(now), &sound("198.51.100.7:9", OURS, sequence)));
        for _ in 0..500 {
            now += random(4_000);
            match random(8) {
                0 => {
                    sequence = sequence.wrapping_add(1);
                    assert!(latch.accepts(Time(now), &sound("198.51.100.7:9", OURS, sequence)));
                }
                1 => latch.confirm(Time(now)),
                _ => {
                    let ip = ["198.51.100.7", "203.0.113.9"][random(2) as usize];
                    let kind = [Kind::Sound, Kind::Sign][random(2) as usize];
                    let from = at(&format!("{ip}:{}", 10 + random(60_000)));
                    // All but the one that only the far end knows.
                    let ssrc = OURS.wrapping_add(1 + random(u64::from(u32::MAX) - 1) as u32);
                    let arrival = Arrival { from, kind, ssrc, sequence: random(1 << 16) as u16 };
                    assert!(!latch.accepts(Time(now), &arrival), "{arrival:?}");
                    assert!(!latch.accepts_control(Time(now), from, ssrc), "{arrival:?}");
                }
            }
            assert_eq!(latch.target(), Some(at("198.51.100.7:9")));
        }
    }
}

#[test]
fn sound_goes_on_to_the_source_that_another_process_has_accepted_but_nowhere_else() {
    let translated = "198.51.100.7:40001";
    let mut latch = latch("10.0.0.5:5004", "198.51.100.7");
    latch.resume(Some(at(translated)));
    assert_eq!(latch.target(), Some(at(translated)));
    assert!(latch.accepts(Time(10), &sound("198.51.100.7:40002", OURS, 1)), "it has another port for us");
    latch.resume(Some(at(translated)));
    assert_eq!(latch.target(), Some(at("198.51.100.7:40002")), "who was heard here counts");

    let mut latch = self::latch(DECLARED, "198.51.100.7");
    latch.resume(Some(at("203.0.113.9:5004")));
    assert_eq!(latch.target(), Some(at(DECLARED)), "a stranger");
    latch.resume(None);
    assert_eq!(latch.target(), Some(at(DECLARED)));
}
