//! Whole conferences in a deterministic world: a fake clock and no sockets.

use super::*;
use crate::audio::{Codec, FRAME_SAMPLES};
use crate::rtp::Header;
use crate::sdp::{Content, Direction, Format, PacketTime, Rtcp, Security};

const TIMEOUT: Duration = Duration::from_secs(60);

fn address(leg: u64) -> SocketAddr {
    ([192, 0, 2, leg as u8], 5004).into()
}

fn plan(leg: u64, codec: Codec, direction: Direction) -> Plan {
    let payload_type = codec.offered_payload_type();
    let remote = Some(address(leg));
    Plan {
        codec,
        payload_type,
        packet_time: PacketTime::USUAL,
        receives: vec![
            Format { payload_type, content: Content::Sound(codec) },
            Format { payload_type: 101, content: Content::Events { clock_rate: 8000 } },
        ],
        remote,
        rtcp: remote.map(|remote| Rtcp::Address(SocketAddr::new(remote.ip(), remote.port() + 1))),
        signalling: None,
        direction,
        held: false,
        security: Security::Plain,
    }
}

/// A datagram that went out: leg, where to, header, first sample.
type Sent = (u64, SocketAddr, Header, i16);

/// A report that went out: leg, from which port, where to, and its bytes.
type Reported = (u64, Channel, SocketAddr, Vec<u8>);

struct World {
    shard: Shard,
    now: Time,
    said: u32,
    reports: Vec<Reported>,
}

impl World {
    fn new() -> World {
        World { shard: Shard::new(TIMEOUT, "node".into()), now: Time(0), said: 0, reports: Vec::new() }
    }

    fn join(&mut self, leg: u64, room: &str, codec: Codec) {
        let outgoing = Outgoing { ssrc: leg as u32, sequence: 65_534, timestamp: 1000 };
        let plan = plan(leg, codec, Direction::SendReceive);
        let (id, room, participant) = (LegId(leg), room.into(), Participant(leg));
        self.shard.handle(self.now, Input::Join { leg: id, room, participant, plan, outgoing });
        self.shard.handle(self.now, Input::Start { leg: id });
    }

    fn receive(&mut self, leg: u64, from: SocketAddr, datagram: &[u8]) {
        self.receive_over(Channel::Media, leg, from, datagram);
    }

    fn receive_over(&mut self, channel: Channel, leg: u64, from: SocketAddr, datagram: &[u8]) {
        self.shard.handle(self.now, Input::Datagram { leg: LegId(leg), channel, from, datagram });
    }

    fn change(&mut self, leg: u64, plan: Plan) {
        self.shard.handle(self.now, Input::Change { leg: LegId(leg), plan });
    }

    /// Everybody listed says a steady tone of one loudness; then one tick passes. The answer holds what
    /// went out: leg, where to, header, first sample.
    fn tick(&mut self, voices: &[(u64, Codec, i16)]) -> (Vec<Sent>, Vec<u64>) {
        for (leg, codec, loudness) in voices {
            self.receive(*leg, address(*leg), &packet(*codec, self.said, *loudness));
        }
        self.said += 1;
        let (mut sent, mut silent) = (Vec::new(), Vec::new());
        let reports = &mut self.reports;
        self.shard.tick(self.now, |output| match output {
            Output::Send { leg, channel, to, datagram } if crate::rtcp::is_rtcp(datagram) => {
                reports.push((leg.0, channel, to, datagram.to_vec()));
            }
            Output::Send { leg, channel, to, datagram } => {
                assert_eq!(channel, Channel::Media);
                let (header, payload) = Header::parse(datagram).expect("RTP");
                assert_eq!(payload.len(), FRAME_SAMPLES);
                let mut samples = Vec::new();
                let codec = if header.payload_type == 8 { Codec::Pcma } else { Codec::Pcmu };
                codec.decode(&payload[..1], &mut samples);
                sent.push((leg.0, to, header, samples[0]));
            }
            Output::Silent { leg, .. } => silent.push(leg.0),
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
    packet_of(header(codec, n), codec, loudness)
}

fn header(codec: Codec, n: u32) -> Header {
    let timestamp = n.wrapping_mul(FRAME_SAMPLES as u32);
    Header {
        payload_type: codec.offered_payload_type(),
        marker: false,
        sequence: n as u16,
        timestamp,
        ssrc: 1,
    }
}

fn packet_of(header: Header, codec: Codec, loudness: i16) -> Vec<u8> {
    let (mut payload, mut datagram) = (Vec::new(), Vec::new());
    codec.encode(&[loudness; FRAME_SAMPLES], &mut payload);
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
        world.receive(1, address(66), &datagram);
    }
    let heard = world.heard_after(1, &[(1, Codec::Pcmu, 1000), (2, Codec::Pcmu, 0)]);
    near(&heard, &[(1, 0), (2, 1000)]);
}

/// From the first tick on, fifty ports of a stranger and fifty of the caller's own address send sound to every leg: while
/// the caller talks, while it is silent for longer than any pause, and to a leg that never sends.
#[test]
fn sprayed_packets_are_neither_heard_nor_do_they_move_what_a_leg_is_sent() {
    let mut world = World::new();
    (1..=3).for_each(|leg| world.join(leg, "a", Codec::Pcmu));
    // The third has sent once.
    world.tick(&[(3, Codec::Pcmu, 0)]);
    for tick in 0..1000 {
        let voices = [(1, Codec::Pcmu, 1000), (2, Codec::Pcmu, 0)];
        let talking = (100..300).contains(&tick) || tick >= 700;
        let (sent, _) = world.tick(if talking { &voices } else { &voices[1..] });
        for (leg, to, _, sample) in sent {
            assert_eq!(to, address(leg), "tick {tick}");
            assert!(i32::from(sample) < 1100, "{leg} hears {sample} in tick {tick}");
        }
        for port in 0..50 {
            let header = Header { ssrc: 66, ..header(Codec::Pcmu, world.said) };
            let datagram = packet_of(header, Codec::Pcmu, 8000);
            world.receive(1, SocketAddr::new(address(66).ip(), 6000 + port), &datagram);
            world.receive(3, SocketAddr::new(address(66).ip(), 6000 + port), &datagram);
            if tick >= 100 {
                world.receive(1, SocketAddr::new(address(1).ip(), 6000 + port), &datagram);
            }
        }
    }
    let heard = world.heard_after(5, &[(1, Codec::Pcmu, 1000), (2, Codec::Pcmu, 0)]);
    near(&heard, &[(1, 0), (2, 1000), (3, 1000)]);
}

#[test]
fn far_end_behind_address_translation_is_heard_and_sent_to_where_its_sound_comes_from() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcmu);
    let private = Some(([10, 0, 0, 5], 5004).into());
    let signalling = Some([198, 51, 100, 7].into());
    world.change(1, Plan { remote: private, signalling, ..plan(1, Codec::Pcmu, Direction::SendReceive) });
    assert_eq!(Some(world.tick(&[]).0[0].1), private);
    for _ in 0..20 {
        let datagram = packet(Codec::Pcmu, world.said, 1000);
        world.receive(1, ([198, 51, 100, 7], 31_000).into(), &datagram);
        let sent = world.tick(&[(2, Codec::Pcmu, 300)]).0;
        assert_eq!(sent[0].1, ([198, 51, 100, 7], 31_000).into());
    }
    let heard = world.heard_after(1, &[(2, Codec::Pcmu, 300)]);
    near(&heard, &[(1, 300), (2, 1000)]);
}

#[test]
fn leg_without_a_usable_address_is_sent_nothing_until_its_sound_shows_one() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    let plan = plan(1, Codec::Pcmu, Direction::SendReceive);
    world.change(1, Plan { remote: None, signalling: Some([198, 51, 100, 7].into()), ..plan });
    assert_eq!(world.tick(&[]).0, []);
    world.receive(1, ([198, 51, 100, 7], 31_000).into(), &packet(Codec::Pcmu, 0, 1000));
    assert_eq!(world.tick(&[]).0[0].1, ([198, 51, 100, 7], 31_000).into());
}

#[test]
fn stream_goes_on_over_a_new_ssrc_a_wrap_and_a_jump_of_its_numbers() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcmu);
    let starts = [(1, 65_530, u32::MAX - 1000), (2, 30_000, 5), (2, 30_010, 3_000_000_000), (2, 9, 7)];
    for (ssrc, sequence, timestamp) in starts {
        let mut heard = Vec::new();
        for n in 0..10 {
            let header = Header {
                payload_type: 0,
                marker: false,
                sequence: u16::wrapping_add(sequence, n),
                timestamp: u32::wrapping_add(timestamp, u32::from(n) * FRAME_SAMPLES as u32),
                ssrc,
            };
            world.receive(1, address(1), &packet_of(header, Codec::Pcmu, 1000));
            heard = world.heard_after(1, &[]);
        }
        near(&heard, &[(1, 0), (2, 1000)]);
    }
}

/// Datagrams of any bytes from any address, among them valid ones and shortened ones.
#[test]
fn no_datagram_breaks_a_leg_nor_moves_it() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.join(2, "a", Codec::Pcmu);
    let mut seed = 11_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let mut datagram = match random(2) {
            0 => packet(Codec::Pcmu, random(1 << 20) as u32, 8000),
            _ => rtcp(random(3) as u32),
        };
        datagram.truncate(random(datagram.len() + 1));
        for _ in 0..random(4) {
            if let Some(byte) = (!datagram.is_empty()).then(|| random(datagram.len())) {
                datagram[byte] = random(256) as u8;
            }
        }
        let from = [address(1), address(66)][random(2)];
        let channel = if random(4) == 0 { Channel::Control } else { Channel::Media };
        world.receive_over(channel, 1, from, &datagram);
        if random(10) == 0 {
            let sent = world.tick(&[]).0;
            assert!(sent.iter().all(|(leg, to, ..)| *to == address(*leg)), "{sent:?}");
        }
    }
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

/// An empty receiver report of a stream.
fn rtcp(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1], &ssrc.to_be_bytes()[..]].concat()
}

/// Who only listens, or is muted without comfort noise, is there as long as its RTCP comes, with a BYE too.
#[test]
fn silent_caller_whose_rtcp_comes_is_not_reported_silent_until_that_stops() {
    let goodbye = |ssrc: u32| [rtcp(ssrc), vec![0x81, 203, 0, 1], ssrc.to_be_bytes().to_vec()].concat();
    let from_its_port = (Channel::Control, ([192, 0, 2, 1], 5005).into());
    for (channel, from) in [from_its_port, (Channel::Media, address(1)), (Channel::Control, address(1))] {
        let mut world = World::new();
        world.join(1, "a", Codec::Pcmu);
        world.heard_after(5, &[(1, Codec::Pcmu, 1)]);
        for tick in 0..9000 {
            if tick % 250 == 0 {
                world.receive_over(channel, 1, from, &if tick == 500 { goodbye(1) } else { rtcp(1) });
            }
            assert_eq!(world.tick(&[]).1, [0; 0], "{channel:?} {from} tick {tick}");
        }
        let silent: usize = (0..3000).map(|_| world.tick(&[]).1.len()).sum();
        assert_eq!(silent, 1);
    }
}

#[test]
fn foreign_rtcp_is_no_sign_of_life_and_takes_no_report() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    world.heard_after(5, &[(1, Codec::Pcmu, 1)]);
    let mut silent = 0;
    for tick in 0..4000 {
        if tick % 100 == 0 {
            world.receive_over(Channel::Control, 1, ([192, 0, 2, 66], 5005).into(), &rtcp(1));
            world.receive_over(Channel::Control, 1, ([192, 0, 2, 1], 7001).into(), &rtcp(66));
        }
        silent += world.tick(&[]).1.len();
    }
    assert_eq!(silent, 1);
    let elsewhere = world.reports.iter().filter(|report| report.2 != ([192, 0, 2, 1], 5005).into());
    assert_eq!(elsewhere.count(), 0);
    assert!(world.reports.len() > 10);
}

#[test]
fn reports_go_to_the_negotiated_port_or_to_where_rtcp_comes_from() {
    let other: SocketAddr = ([192, 0, 2, 9], 7777).into();
    let private = Some(([10, 0, 0, 5], 5004).into());
    let public: SocketAddr = ([198, 51, 100, 7], 31_000).into();
    let hidden = |plan: Plan| Plan { remote: private, signalling: Some(public.ip()), ..plan };
    let check =
        |change: &dyn Fn(Plan) -> Plan, from: Option<SocketAddr>, expected: Option<(Channel, SocketAddr)>| {
            let mut world = World::new();
            world.join(1, "a", Codec::Pcmu);
            world.change(1, change(plan(1, Codec::Pcmu, Direction::SendReceive)));
            world.receive(1, public, &packet(Codec::Pcmu, 1, 1));
            if let Some(from) = from {
                world.receive_over(Channel::Control, 1, from, &rtcp(1));
            }
            (0..1000).for_each(|_| drop(world.tick(&[])));
            let targets: BTreeSet<_> =
                world.reports.iter().map(|report| (report.1 == Channel::Media, report.2)).collect();
            assert_eq!(
                targets,
                expected.into_iter().map(|(channel, to)| (channel == Channel::Media, to)).collect()
            );
        };
    check(&|plan| plan, None, Some((Channel::Control, ([192, 0, 2, 1], 5005).into())));
    check(&|plan| Plan { rtcp: Some(Rtcp::Address(other)), ..plan }, None, Some((Channel::Control, other)));
    check(&|plan| Plan { rtcp: Some(Rtcp::Muxed), ..plan }, None, Some((Channel::Media, address(1))));
    let elsewhere = Some(([192, 0, 2, 1], 9).into());
    check(&|plan| plan, elsewhere, Some((Channel::Control, ([192, 0, 2, 1], 5005).into())));
    check(&hidden, None, None);
    let source = SocketAddr::new(public.ip(), 31_077);
    check(&hidden, Some(source), Some((Channel::Control, source)));
    check(&|plan| Plan { rtcp: Some(Rtcp::Muxed), ..hidden(plan) }, None, Some((Channel::Media, public)));
    // Held as in RFC 2543.
    check(&|plan| Plan { remote: None, direction: Direction::Inactive, ..plan }, None, None);
}

#[test]
fn report_says_what_was_sent_and_what_was_lost() {
    let mut world = World::new();
    world.join(1, "a", Codec::Pcmu);
    for n in 0..400 {
        if n % 4 != 3 {
            world.receive(1, address(1), &packet(Codec::Pcmu, n, 1));
        }
        world.tick(&[]);
    }
    let (_, _, _, report) = world.reports.last().expect("two reports in eight seconds");
    let word = |at: usize| u32::from_be_bytes([report[at], report[at + 1], report[at + 2], report[at + 3]]);
    assert_eq!(report[..4], [0x81, 200, 0, 12], "a sender report with one block");
    let packets = word(20);
    // Ours is stream 1 too; it began at timestamp 1000.
    assert_eq!((word(4), word(16), word(24)), (1, 1000 + packets * 160, packets * 160));
    assert_eq!(word(8), packets * 20 / 1000, "seconds");
    assert!((63..=65).contains(&report[32]), "a quarter is lost: {}", report[32]);
    assert_eq!(report[52..56], [0x81, 202, 0, 3]);
    assert_eq!(report[60..66], *b"\x01\x04node");
}

/// A far end may use each payload type that was agreed, in the middle of its stream.
#[test]
fn others_hear_a_far_end_without_a_break_that_changes_its_law_of_g711() {
    let mut world = World::new();
    for leg in [1, 2, 3] {
        world.join(leg, "a", Codec::Pcmu);
    }
    let mut both = plan(1, Codec::Pcmu, Direction::SendReceive);
    both.receives.push(Format { payload_type: 8, content: Content::Sound(Codec::Pcma) });
    world.change(1, both);
    let mut say = |codec, expected: bool| {
        for _ in 0..10 {
            let heard = world.heard_after(1, &[(1, codec, 1000)]);
            if expected {
                near(&heard, &[(1, 0), (2, 1000), (3, 1000)]);
            }
        }
    };
    say(Codec::Pcmu, false);
    [Codec::Pcmu, Codec::Pcma, Codec::Pcmu].into_iter().for_each(|codec| say(codec, true));
}

#[test]
fn muted_participant_is_not_heard_hears_the_others_and_keeps_its_call_alive() {
    let mut world = World::new();
    world.join(1, "r", Codec::Pcmu);
    world.join(2, "r", Codec::Pcmu);
    let voices = [(1, Codec::Pcmu, 4000), (2, Codec::Pcmu, 8000)];
    near(&world.heard_after(20, &voices), &[(1, 8000), (2, 4000)]);
    let set =
        |world: &mut World, voice| world.shard.handle(world.now, Input::SetVoice { leg: LegId(1), voice });
    set(&mut world, Voice::Muted);
    near(&world.heard_after(20, &voices), &[(1, 8000), (2, 0)]);
    for _ in 0..TIMEOUT.as_millis() / 20 + 50 {
        assert_eq!(world.tick(&voices).1, [0_u64; 0], "its packets are signs of life");
    }
    set(&mut world, Voice::Heard);
    near(&world.heard_after(20, &voices), &[(1, 8000), (2, 4000)]);
}

#[test]
fn packets_of_both_directions_are_counted_with_what_the_far_end_reports() {
    let mut world = World::new();
    world.join(1, "r", Codec::Pcmu);
    assert_eq!(world.shard.statistics()[0].1.received, None);
    for n in [0, 1, 3, 4] {
        world.receive(1, address(1), &packet(Codec::Pcmu, n, 0));
    }
    world.tick(&[]);
    let (participant, LegStatistics { received, sent }) = world.shard.statistics()[0];
    let received = received.expect("a stream");
    assert_eq!((participant, received.packets, received.lost), (Participant(1), 4, Some(1)));
    assert_eq!((sent.codec, sent.packets, sent.lost), (Codec::Pcmu, 1, None));
    let block = crate::rtcp::Block { ssrc: 1, lost: 7, jitter: 80, ..crate::rtcp::Block::default() };
    let report = crate::rtcp::Report { ssrc: 1, cname: "far", sent: None, reception: Some(block) };
    let mut datagram = Vec::new();
    report.write(&mut datagram);
    let from = SocketAddr::new(address(1).ip(), address(1).port() + 1);
    world.receive_over(Channel::Control, 1, from, &datagram);
    let sent = world.shard.statistics()[0].1.sent;
    assert_eq!((sent.lost, sent.jitter), (Some(7), Some(Duration::from_millis(10))));
}
