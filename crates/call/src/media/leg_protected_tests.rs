//! Legs whose packets are protected: what counts, where sound goes, and what a change of keys does.

use super::super::protection::State;
use super::tests::{said, spoken};
use super::*;
use crate::audio::{Epoch, FRAME_SAMPLES, Participant};
use crate::sdp::{Keys, PacketTime};
use crate::srtp::{MasterKey, Received, Receiver, Sender, Sent, Stream, Suite};

const DECLARED: &str = "192.0.2.1:5004";
const ELSEWHERE: &str = "203.0.113.9:1234";

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn key(n: u8) -> MasterKey {
    MasterKey::new(Suite::AesCm128Sha80, &[n; 30]).expect("a key")
}

fn keys(ours: u8, theirs: u8) -> Keys {
    Keys { ours: key(ours), theirs: key(theirs), mki: 0 }
}

fn plan(security: Security) -> Plan {
    Plan {
        codec: Codec::Pcmu,
        payload_type: 0,
        packet_time: PacketTime::USUAL,
        receives: vec![Format { payload_type: 0, content: Content::Sound(Codec::Pcmu) }],
        remote: Some(at(DECLARED)),
        rtcp: Some(Rtcp::Address(at("192.0.2.1:5005"))),
        signalling: Some(at(DECLARED).ip()),
        direction: Direction::SendReceive,
        held: false,
        security,
    }
}

/// A confirmed leg under the keys 1 and 2.
fn leg(outgoing: Outgoing) -> Leg {
    let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
    let mut leg = Leg::new(Time(0), tag, plan(Security::Keys(keys(1, 2))), outgoing);
    leg.start(Time(0));
    leg
}

const OUTGOING: Outgoing = Outgoing { ssrc: 7, sequence: 100, timestamp: 0 };

/// The far end: what it sends under its key.
struct Far {
    sender: Sender,
    sequence: u16,
}

impl Far {
    fn new(n: u8) -> Far {
        Far { sender: Sender::new(Sent::new(key(n))), sequence: 0 }
    }

    fn plain(&mut self) -> Vec<u8> {
        let (mut payload, mut datagram) = (Vec::new(), Vec::new());
        Codec::Pcmu.encode(&[1000; FRAME_SAMPLES], &mut payload);
        let timestamp = u32::from(self.sequence) * FRAME_SAMPLES as u32;
        let header = Header { payload_type: 0, marker: false, sequence: self.sequence, timestamp, ssrc: 9 };
        header.write(&payload, &mut datagram);
        self.sequence += 1;
        datagram
    }

    fn sound(&mut self) -> Vec<u8> {
        let mut datagram = self.plain();
        assert!(self.sender.seal(&mut datagram));
        datagram
    }

    fn report(&mut self) -> Vec<u8> {
        let mut datagram = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
        assert!(self.sender.seal(&mut datagram));
        datagram
    }
}

/// The packet that a leg sends in a tick, sealed, and where to.
fn sent(leg: &mut Leg) -> (Vec<u8>, SocketAddr) {
    leg.hear(&mut spoken(500));
    let mut datagram = Vec::new();
    let to = leg.next_packet(&mut datagram).expect("a packet");
    (datagram, to)
}

/// Whether a leg has heard of its far end since the media timeout of a second began.
fn lives(leg: &mut Leg, now: u64) -> bool {
    !leg.fell_silent(Time(now), Duration::from_secs(1))
}

/// The loudest that is heard of a leg in some ticks.
fn heard(leg: &mut Leg) -> i16 {
    (0..9).map(|_| said(leg)).max().unwrap_or(0)
}

fn receive(leg: &mut Leg, now: u64, from: &str, datagram: &[u8]) {
    leg.receive(Time(now), Channel::Media, at(from), datagram);
}

#[test]
fn sound_and_reports_are_sealed_and_opened() {
    let (mut leg, mut far) = (leg(OUTGOING), Far::new(2));
    let mut receiver = Receiver::new(Received::new(key(1), 0));
    let (datagram, to) = sent(&mut leg);
    let mut opened = Vec::new();
    assert!(receiver.open(&datagram, None, &mut opened));
    let (header, payload) = Header::parse(&opened).expect("RTP");
    assert_eq!((to, header.ssrc, payload.len(), datagram.len()), (at(DECLARED), 7, 160, 182));
    (0..12).for_each(|_| receive(&mut leg, 0, DECLARED, &far.sound()));
    assert!(heard(&mut leg) > 900);

    let mut report = Vec::new();
    assert!(leg.report(Time(10_000), "node", &mut report).is_some());
    assert!(receiver.open(&report, None, &mut opened));
    assert_eq!(rtcp::read(&opened, 0).map(|received| received.ssrc), Some(7));
    leg.receive(Time(10_000), Channel::Control, at("192.0.2.1:5005"), &far.report());
    assert!(lives(&mut leg, 10_999));
}

#[test]
fn packet_that_is_not_genuine_is_no_sign_of_life_is_not_heard_and_moves_nothing() {
    for from in [DECLARED, ELSEWHERE] {
        let (mut leg, mut forger) = (leg(OUTGOING), Far::new(3));
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        for _ in 0..12 {
            for datagram in [forger.plain(), forger.sound(), forger.report(), report.to_vec()] {
                receive(&mut leg, 1000, from, &datagram);
            }
        }
        assert_eq!(heard(&mut leg), 0, "{from}");
        assert!(!lives(&mut leg, 1000), "{from}");
        assert_eq!(sent(&mut leg).1, at(DECLARED), "{from}");
    }
}

#[test]
fn repeated_packet_does_not_count() {
    let (mut leg, mut far) = (leg(OUTGOING), Far::new(2));
    let (packet, report) = (far.sound(), far.report());
    receive(&mut leg, 0, DECLARED, &packet);
    receive(&mut leg, 0, DECLARED, &report);
    for datagram in [packet, report] {
        receive(&mut leg, 1000, ELSEWHERE, &datagram);
    }
    assert!(!lives(&mut leg, 1000));
    assert_eq!(sent(&mut leg).1, at(DECLARED));
}

#[test]
fn genuine_packet_moves_the_sound_whenever_and_wherever_it_comes_from() {
    let (mut leg, mut far) = (leg(OUTGOING), Far::new(2));
    receive(&mut leg, 0, DECLARED, &far.sound());
    let late = far.sound();
    receive(&mut leg, 60_000, ELSEWHERE, &far.sound());
    assert_eq!(sent(&mut leg).1, at(ELSEWHERE));
    receive(&mut leg, 60_001, DECLARED, &late);
    assert_eq!(sent(&mut leg).1, at(ELSEWHERE), "a late packet moves nothing");
    receive(&mut leg, 60_002, "198.51.100.8:77", &far.report());
    assert_eq!(sent(&mut leg).1, at(ELSEWHERE), "nor does a report");
    assert!(lives(&mut leg, 61_001), "it is a sign of life all the same");
    receive(&mut leg, 61_003, DECLARED, &far.sound());
    assert_eq!(sent(&mut leg).1, at(DECLARED));
}

#[test]
fn new_key_of_the_far_end_counts_at_once_and_the_old_one_for_packets_under_way() {
    let (mut leg, mut old, mut new) = (leg(OUTGOING), Far::new(2), Far::new(3));
    receive(&mut leg, 0, DECLARED, &old.sound());
    leg.change(Time(0), plan(Security::Keys(keys(1, 3))));
    let counts = |leg: &mut Leg, now: u64, far: &mut Far| {
        leg.heard = Time(0);
        receive(leg, now, DECLARED, &far.sound());
        leg.heard == Time(now)
    };
    new.sequence = 500;
    receive(&mut leg, 18_000, DECLARED, &new.report());
    let mut counts = |now: u64, far: &mut Far| counts(&mut leg, now, far);
    assert!(counts(20_000, &mut old), "a report under the new key is no sound");
    assert!(counts(20_020, &mut new));
    assert!(counts(21_019, &mut old), "still under way");
    assert!(!counts(21_020, &mut old));
    assert!(counts(21_040, &mut new));
}

#[test]
fn key_that_was_never_used_replaces_none() {
    let (mut leg, mut far) = (leg(OUTGOING), Far::new(2));
    receive(&mut leg, 0, DECLARED, &far.sound());
    leg.change(Time(0), plan(Security::Keys(keys(1, 3))));
    leg.change(Time(0), plan(Security::Keys(keys(1, 4))));
    receive(&mut leg, 500, DECLARED, &far.sound());
    assert!(lives(&mut leg, 1499));
}

#[test]
fn agreement_on_the_same_keys_forgets_nothing() {
    let (mut leg, mut far) = (leg(OUTGOING), Far::new(2));
    let packet = far.sound();
    receive(&mut leg, 0, DECLARED, &packet);
    let state = leg.protected_state();
    leg.change(Time(0), plan(Security::Keys(keys(1, 2))));
    assert_eq!(leg.protected_state(), state);
    receive(&mut leg, 1000, DECLARED, &packet);
    assert!(!lives(&mut leg, 1000), "it has come before");
}

#[test]
fn our_new_key_begins_another_stream_only_when_the_sequence_numbers_have_wrapped() {
    for (sequence, ssrc, packets) in [(100, 7, 11), (65_530, 8, 1)] {
        let mut receiver = Receiver::new(Received::new(key(5), 0));
        let mut leg = leg(Outgoing { sequence, ..OUTGOING });
        (0..10).for_each(|_| drop(sent(&mut leg)));
        leg.change(Time(0), plan(Security::Keys(keys(5, 2))));
        let (datagram, _) = sent(&mut leg);
        let mut opened = Vec::new();
        assert!(receiver.open(&datagram, None, &mut opened), "as a first packet");
        let (header, _) = Header::parse(&opened).expect("RTP");
        assert_eq!((header.ssrc, header.sequence), (ssrc, 10_u16.wrapping_add(sequence)));
        let mut report = Vec::new();
        assert!(leg.report(Time(10_000), "node", &mut report).is_some());
        assert!(receiver.open(&report, None, &mut opened));
        assert_eq!(opened[20..24], u32::to_be_bytes(packets), "packets of the stream");
    }
}

#[test]
fn leg_that_becomes_protected_takes_nothing_in_the_clear_any_more_and_back() {
    let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
    let mut leg = Leg::new(Time(0), tag, plan(Security::Plain), OUTGOING);
    leg.start(Time(0));
    let (mut clear, mut far) = (Far::new(2), Far::new(2));
    let counts = |leg: &mut Leg, now: u64, datagram: Vec<u8>| {
        receive(leg, now, DECLARED, &datagram);
        let length = sent(leg).0.len();
        (leg.heard == Time(now), length)
    };
    assert_eq!(counts(&mut leg, 1, clear.plain()), (true, 172));
    leg.change(Time(1), plan(Security::Keys(keys(1, 2))));
    assert_eq!(counts(&mut leg, 2, clear.plain()), (false, 182));
    assert_eq!(counts(&mut leg, 3, far.sound()), (true, 182));
    leg.change(Time(3), plan(Security::Plain));
    assert_eq!(counts(&mut leg, 4, clear.plain()), (true, 172));
}

/// A leg of another process that goes on from this one, under the keys 1 and `theirs`, and has not said anything yet.
fn moved(leg: &Leg, received: &[ExportedReceived], theirs: u8) -> Leg {
    let stream = |it: &ExportedReceived| Stream::after(it.ssrc, it.sound, it.control).expect("indices");
    let received = Received { key: key(2), mki: 0, streams: received.iter().map(stream).collect() };
    let security = Security::Keys(keys(1, theirs));
    let own = Outgoing { ssrc: 70, sequence: 7000, timestamp: 0 };
    let mut other = Leg::new(Time(0), leg.tag, plan(security), own);
    other.go_on_receiving(received);
    other
}

#[test]
fn encrypted_stream_goes_on_in_another_process_wherever_its_numbers_wrap() {
    for before in 3..9 {
        let mut receiver = Receiver::new(Received::new(key(1), 0));
        let mut opened = Vec::new();
        let mut here = leg(Outgoing { sequence: 65_530, ..OUTGOING });
        for _ in 0..before {
            assert!(receiver.open(&sent(&mut here).0, None, &mut opened));
        }
        let mut report = Vec::new();
        assert!(here.report(Time(10_000), "node", &mut report).is_some());
        assert!(receiver.open(&report, None, &mut opened));

        let mut there = moved(&here, &[], 2);
        there.resume(here.stream());
        there.start(Time(0));
        for number in 0..9 {
            assert!(receiver.open(&sent(&mut there).0, None, &mut opened), "{number} after {before}");
            let sequence = Header::parse(&opened).map(|(header, _)| header.sequence);
            assert_eq!(sequence, Some(65_530_u16.wrapping_add(before + number)));
        }
        assert!(there.report(Time(20_000), "node", &mut report).is_some());
        assert!(receiver.open(&report, None, &mut opened), "its index is a new one");
    }
}

#[test]
fn encrypted_sound_of_the_far_end_goes_on_in_another_process_and_does_not_come_again() {
    let (mut here, mut far) = (leg(OUTGOING), Far::new(2));
    let last = (9, (5 << 16) | 7);
    far.sender = Sender::new(Sent { sound: Some(last), ..Sent::new(key(2)) });
    far.sequence = 8;
    here.go_on_receiving(Received {
        key: key(2),
        mki: 0,
        streams: vec![Stream::after(last.0, Some(last.1), None).expect("an index")],
    });
    let (first, second, report, third) = (far.sound(), far.sound(), far.report(), far.sound());
    [&first, &second, &report].into_iter().for_each(|datagram| receive(&mut here, 0, DECLARED, datagram));
    let received = here.received().expect("it is encrypted");
    assert_eq!(received, [ExportedReceived { ssrc: 9, sound: Some((5 << 16) | 9), control: Some(1) }]);

    let counts = |leg: &mut Leg, datagram: &[u8]| {
        leg.heard = Time(0);
        receive(leg, 20, DECLARED, datagram);
        leg.heard == Time(20)
    };
    let mut there = moved(&here, &received, 2);
    for datagram in [&first, &second, &report] {
        assert!(!counts(&mut there, datagram), "it has come");
    }
    assert!(counts(&mut there, &third), "its wraps are known");
    // The far end has taken another key when it came over, and goes on counting.
    let mut there = moved(&here, &received, 3);
    far.sender = Sender::new(Sent { key: key(3), ..*far.sender.sent() });
    assert!(counts(&mut there, &far.sound()) && counts(&mut there, &third));
}

#[test]
fn another_process_that_knows_no_stream_begins_its_own_under_the_same_key() {
    let mut here = leg(OUTGOING);
    sent(&mut here);
    for stream in [None, Some(ExportedStream { sealed: None, ..here.stream() })] {
        let mut there = moved(&here, &[], 2);
        stream.into_iter().for_each(|stream| there.resume(stream));
        there.start(Time(0));
        let mut opened = Vec::new();
        assert!(Receiver::new(Received::new(key(1), 0)).open(&sent(&mut there).0, None, &mut opened));
        assert_eq!(Header::parse(&opened).map(|(header, _)| header.ssrc), Some(70), "no index comes twice");
    }
}

#[test]
fn what_cannot_be_sealed_is_not_sent() {
    for moves in [false, true] {
        check_that_nothing_is_sealed(moves);
    }
}

fn check_that_nothing_is_sealed(moves: bool) {
    let mut leg = leg(Outgoing { sequence: 0, ..OUTGOING });
    let state = leg.protected_state().expect("a protection");
    let spent = Sent { sound: Some((7, (1 << 48) - 1)), control: (1 << 31) - 1, ..state.sent };
    leg.protection = Some(Protection::restore(State { sent: spent, ..state }));
    if moves {
        let stream = leg.stream();
        leg = moved(&leg, &[], 2);
        leg.resume(stream);
        leg.start(Time(0));
    }
    leg.hear(&mut spoken(500));
    let mut datagram = Vec::new();
    assert_eq!(leg.next_packet(&mut datagram), None);
    assert_eq!(leg.report(Time(10_000), "node", &mut datagram), None);
}

#[test]
fn protection_goes_on_from_its_state_also_over_a_change_of_keys() {
    let mut far = Far::new(2);
    let mut first = Protection::new(&keys(1, 2));
    let mut opened = Vec::new();
    let packet = far.sound();
    assert!(first.open(Time(0), &packet, &mut opened));
    first.renew(&keys(1, 3));
    let mut second = Protection::restore(first.state());
    assert_eq!(second.state(), first.state());
    assert!(!second.open(Time(0), &packet, &mut opened), "it has come before");
    for packet in [far.sound(), Far::new(3).sound(), far.sound()] {
        assert!(second.open(Time(0), &packet, &mut opened));
    }
    assert!(format!("{second:?}").contains("MasterKey(AES_CM_128_HMAC_SHA1_80)"), "no key is printed");
    assert!(!format!("{second:?}").contains("[2, 2"), "no key is printed");
}
