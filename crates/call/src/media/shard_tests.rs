//! Whole conferences in a deterministic world: a fake clock and no sockets.

use super::*;
use crate::audio::{Codec, FRAME_SAMPLES};
use crate::rtp::Header;
use crate::sdp::Direction;

const TIMEOUT: Duration = Duration::from_secs(60);

fn address(leg: u64) -> SocketAddr {
    ([192, 0, 2, leg as u8], 5004).into()
}

fn plan(leg: u64, codec: Codec, direction: Direction) -> Plan {
    let payload_type = codec.offered_payload_type();
    Plan { codec, payload_type, events: Some(101), remote: Some(address(leg)), direction }
}

/// A datagram that went out: leg, where to, header, first sample.
type Sent = (u64, SocketAddr, Header, i16);

struct World {
    shard: Shard,
    now: Time,
    said: u32,
}

impl World {
    fn new() -> World {
        World { shard: Shard::new(TIMEOUT), now: Time(0), said: 0 }
    }

    fn join(&mut self, leg: u64, room: &str, codec: Codec) {
        let outgoing = Outgoing { ssrc: leg as u32, sequence: 65_534, timestamp: 1000 };
        let plan = plan(leg, codec, Direction::SendReceive);
        let (id, room, participant) = (LegId(leg), room.into(), Participant(leg));
        self.shard.handle(self.now, Input::Join { leg: id, room, participant, plan, outgoing });
        self.shard.handle(self.now, Input::Start { leg: id });
    }

    fn change(&mut self, leg: u64, plan: Plan) {
        self.shard.handle(self.now, Input::Change { leg: LegId(leg), plan });
    }

    /// Everybody listed says a steady tone of one loudness; then one tick passes. The answer holds what
    /// went out: leg, where to, header, first sample.
    fn tick(&mut self, voices: &[(u64, Codec, i16)]) -> (Vec<Sent>, Vec<u64>) {
        for (leg, codec, loudness) in voices {
            let datagram = packet(*codec, self.said, *loudness);
            let input = Input::Datagram { leg: LegId(*leg), from: address(*leg), datagram: &datagram };
            self.shard.handle(self.now, input);
        }
        self.said += 1;
        let (mut sent, mut silent) = (Vec::new(), Vec::new());
        self.shard.tick(self.now, |output| match output {
            Output::Send { leg, to, datagram } => {
                let (header, payload) = Header::parse(datagram).expect("RTP");
                assert_eq!(payload.len(), FRAME_SAMPLES);
                let mut samples = Vec::new();
                let codec = if header.payload_type == 8 { Codec::Pcma } else { Codec::Pcmu };
                codec.decode(&payload[..1], &mut samples);
                sent.push((leg.0, to, header, samples[0]));
            }
            Output::Silent { leg } => silent.push(leg.0),
        });
        self.now = self.now + crate::audio::TICK;
        (sent, silent)
    }

    fn heard_after(&mut self, ticks: u32, voices: &[(u64, Codec, i16)]) -> Vec<(u64, i16)> {
        let mut heard = Vec::new();
        for _ in 0..ticks {
            heard = self.tick(voices).0.into_iter().map(|(leg, _, _, sample)| (leg, sample)).collect();
        }
        heard
    }
}

fn packet(codec: Codec, n: u32, loudness: i16) -> Vec<u8> {
    let mut payload = Vec::new();
    codec.encode(&[loudness; FRAME_SAMPLES], &mut payload);
    let timestamp = n.wrapping_mul(FRAME_SAMPLES as u32);
    let header = Header {
        payload_type: codec.offered_payload_type(),
        marker: false,
        sequence: n as u16,
        timestamp,
        ssrc: 1,
    };
    let mut datagram = Vec::new();
    header.write(&payload, &mut datagram);
    datagram
}

fn near(heard: &[(u64, i16)], expected: &[(u64, i16)]) {
    assert_eq!(heard.len(), expected.len(), "{heard:?}");
    for ((leg, sample), (expected_leg, wanted)) in heard.iter().zip(expected) {
        let error = (i32::from(*sample) - i32::from(*wanted)).abs();
        assert!(leg == expected_leg && error <= 16 + i32::from(wanted.abs()) / 16, "{heard:?} {expected:?}");
    }
}

#[test]
fn each_hears_the_others_of_its_room_in_its_own_codec() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcma);
    world.join(3, "a", Codec::Pcmu);
    world.join(4, "b", Codec::Pcmu);
    let voices =
        [(1, Codec::Pcmu, 1000), (2, Codec::Pcma, 300), (3, Codec::Pcmu, -600), (4, Codec::Pcmu, 5000)];
    let heard = world.heard_after(10, &voices);
    near(&heard, &[(1, -300), (2, 400), (3, 1300), (4, 0)]);
}

#[test]
fn a_single_member_is_sent_silence_in_an_unbroken_stream() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    let mut last: Option<Header> = None;
    for tick in 0..10 {
        let (sent, _) = world.tick(&[]);
        let [(1, to, header, 0)] = sent[..] else { panic!("{sent:?}") };
        assert_eq!((to, header.marker), (address(1), tick == 0));
        if let Some(last) = last {
            assert_eq!(header.sequence, last.sequence.wrapping_add(1));
            assert_eq!(header.timestamp, last.timestamp.wrapping_add(FRAME_SAMPLES as u32));
        }
        last = Some(header);
    }
}

#[test]
fn nothing_is_sent_before_the_call_is_confirmed() {
    let mut world = World::new();
    let outgoing = Outgoing { ssrc: 1, sequence: 0, timestamp: 0 };
    let plan = plan(1, Codec::Pcmu, Direction::SendReceive);
    let (leg, room, participant) = (LegId(1), "a".into(), Participant(1));
    world.shard.handle(Time(0), Input::Join { leg, room, participant, plan, outgoing });
    assert_eq!(world.tick(&[]).0, []);
    world.shard.handle(Time(0), Input::Start { leg });
    assert_eq!(world.tick(&[]).0.len(), 1);
}

#[test]
fn a_held_leg_is_not_sent_to_and_comes_back_with_its_stream_in_step() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcmu);
    let before = world.tick(&[]).0[0].2;
    world.change(1, plan(1, Codec::Pcmu, Direction::ReceiveOnly));
    for _ in 0..9 {
        let legs: Vec<_> = world.tick(&[]).0.iter().map(|sent| sent.0).collect();
        assert_eq!(legs, [2]);
    }
    world.change(1, plan(1, Codec::Pcmu, Direction::SendReceive));
    let after = world.tick(&[]).0[0].2;
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp + 10 * FRAME_SAMPLES as u32);
    assert!(after.marker);
}

#[test]
fn a_vanished_caller_is_reported_after_the_media_timeout() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.heard_after(50, &[(1, Codec::Pcmu, 1)]);
    let silent_from = Time(world.now.0 - 20);
    let mut reports = Vec::new();
    for _ in 0..4000 {
        let now = world.now;
        reports.extend(world.tick(&[]).1.into_iter().map(|leg| (leg, now)));
    }
    assert_eq!(reports, [(1, silent_from + TIMEOUT)]);
}

#[test]
fn a_caller_on_hold_or_listening_only_is_never_reported_silent() {
    for direction in [Direction::ReceiveOnly, Direction::SendOnly, Direction::Inactive] {
        let mut world = World::new();
        world.join(1, "a", Codec::Pcmu);
        world.change(1, plan(1, Codec::Pcmu, direction));
        for _ in 0..4000 {
            assert_eq!(world.tick(&[]).1, [0; 0], "{direction:?}");
        }
        world.change(1, plan(1, Codec::Pcmu, Direction::SendReceive));
        let reports: usize = (0..3002).map(|_| world.tick(&[]).1.len()).sum();
        assert_eq!(reports, 1, "after resume it counts again: {direction:?}");
    }
}

#[test]
fn another_source_cannot_take_a_leg_over_nor_be_heard() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcmu);
    for _ in 0..20 {
        let datagram = packet(Codec::Pcmu, world.said, 8000);
        let sent = world.tick(&[(1, Codec::Pcmu, 1000), (2, Codec::Pcmu, 0)]).0;
        assert_eq!(sent[0].1, address(1));
        let input = Input::Datagram { leg: LegId(1), from: address(66), datagram: &datagram };
        world.shard.handle(world.now, input);
    }
    let heard = world.heard_after(1, &[(1, Codec::Pcmu, 1000), (2, Codec::Pcmu, 0)]);
    near(&heard, &[(1, 0), (2, 1000)]);
}

#[test]
fn a_leg_that_left_is_neither_heard_nor_sent_to() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcmu);
    world.heard_after(10, &[(1, Codec::Pcmu, 1000)]);
    world.shard.handle(world.now, Input::Leave { leg: LegId(1) });
    let heard = world.heard_after(5, &[(1, Codec::Pcmu, 1000)]);
    near(&heard, &[(2, 0)]);
    world.shard.handle(world.now, Input::Leave { leg: LegId(2) });
    assert!(world.shard.conferences.is_empty() && world.shard.legs.is_empty());
}

#[test]
fn the_same_inputs_give_the_same_datagrams() {
    let run = || {
        let mut world = World::new();
        world.join(1, "a", Codec::Pcmu);
        world.join(2, "a", Codec::Pcma);
        let voices = [(1, Codec::Pcmu, 1000), (2, Codec::Pcma, 300)];
        (0..50).map(|_| world.tick(&voices)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
