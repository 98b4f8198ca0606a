//! What a leg makes of its agreement: which packets it takes, and which it sends.

use super::*;
use crate::audio::{Epoch, FRAME_SAMPLES, Participant, Rate};
use crate::sdp::tests::generator;
use crate::sdp::{Fingerprint, Local, Negotiation, Offer, Path};

const HERE: &str = "198.51.100.7:40000";

/// A call in which the far end has offered this, and its leg, confirmed.
pub(super) fn leg(media: &str) -> (Negotiation, Leg) {
    let mut call = Negotiation::new(Local {
        address: HERE.parse().expect("address"),
        session: 7,
        path: Path::Open,
        certificate: Fingerprint::of(b"node"),
    });
    let plan = agree(&mut call, media);
    let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
    let mut leg =
        Leg::new(Time(0), tag, plan, Outgoing { ssrc: 1, sequence: 65_530, timestamp: u32::MAX - 500 });
    leg.start(Time(0));
    (call, leg)
}

fn agree(call: &mut Negotiation, media: &str) -> Plan {
    let offer = format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP {media}");
    call.answer_to(&Offer::read(offer.as_bytes()).expect("offer"), &mut generator());
    Plan::new(call.agreed().expect("an agreement"), None)
}

pub(super) fn source() -> SocketAddr {
    "192.0.2.1:5004".parse().expect("address")
}

/// What somebody else says in one tick.
pub(super) fn spoken(loudness: i16) -> Mixer {
    let mut mixer = Mixer::default();
    mixer.begin();
    let tag = Tag { participant: Participant(2), epoch: Epoch(0) };
    mixer.add(tag, Rate::Narrow, &[loudness; FRAME_SAMPLES]);
    mixer
}

/// The packets of one tick in which the participant hears `loudness`.
fn tick(leg: &mut Leg, loudness: i16) -> Vec<(Header, Vec<i16>)> {
    leg.hear(&mut spoken(loudness));
    let (mut datagram, mut packets) = (Vec::new(), Vec::new());
    while let Some(to) = leg.next_packet(&mut datagram) {
        assert_eq!(to, source());
        let (header, payload) = Header::parse(&datagram).expect("RTP");
        let mut samples = Vec::new();
        Codec::Pcmu.decode(payload, &mut samples);
        packets.push((header, samples));
    }
    packets
}

/// A packet of the far end.
fn packet(payload_type: u8, codec: Codec, n: u32) -> Vec<u8> {
    let (mut payload, mut datagram) = (Vec::new(), Vec::new());
    codec.encode(&[1000; FRAME_SAMPLES], &mut payload);
    let header = Header {
        payload_type,
        marker: false,
        sequence: n as u16,
        timestamp: n * FRAME_SAMPLES as u32,
        ssrc: 1,
    };
    header.write(&payload, &mut datagram);
    datagram
}

/// What is heard of packets with these payload types in turn: the loudest sample.
fn heard(leg: &mut Leg, packets: &[(u8, Codec)]) -> i16 {
    for (n, (payload_type, codec)) in (0..).zip(packets.iter().cycle().take(12)) {
        leg.receive(Time(0), Channel::Media, source(), &packet(*payload_type, *codec, n));
    }
    (0..9).map(|_| said(leg)).max().unwrap_or(0)
}

/// The loudest sample that another participant hears of this leg in one tick.
pub(super) fn said(leg: &mut Leg) -> i16 {
    let mut mixer = Mixer::default();
    mixer.begin();
    leg.say(&mut mixer);
    let (mut listener, mut samples) = (Listener::default(), Vec::new());
    Codec::Pcmu.decode(mixer.payload(Participant(2), Codec::Pcmu, &mut listener), &mut samples);
    samples.into_iter().max().unwrap_or(0)
}

#[test]
fn packets_have_the_length_that_the_far_end_wants() {
    for (milliseconds, packets_in_ticks) in [
        (10, [2, 2, 2, 2, 2, 2]),
        (20, [1, 1, 1, 1, 1, 1]),
        (30, [0, 1, 1, 0, 1, 1]),
        (40, [0, 1, 0, 1, 0, 1]),
        (50, [0, 0, 1, 0, 1, 0]),
        (60, [0, 0, 1, 0, 0, 1]),
    ] {
        let (_, mut leg) = leg(&format!("0\r\na=ptime:{milliseconds}\r\n"));
        let sent: Vec<_> = (0..6).map(|_| tick(&mut leg, 0)).collect();
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), packets_in_ticks, "{milliseconds} ms");
        let samples = 8 * milliseconds;
        for (n, (header, sound)) in (0..).zip(sent.concat()) {
            assert_eq!(sound.len(), samples as usize, "{milliseconds} ms");
            assert_eq!(header.timestamp, (u32::MAX - 500).wrapping_add(n * samples), "{milliseconds} ms");
            assert_eq!((header.sequence, header.marker), (65_530_u16.wrapping_add(n as u16), n == 0));
        }
    }
}

#[test]
fn another_packet_time_within_a_call_neither_loses_nor_repeats_sound() {
    let (mut call, mut leg) = leg("0\r\na=ptime:60\r\n");
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    for (n, attributes) in
        (0..).zip(["a=ptime:60", "a=ptime:10", "a=ptime:50", "", "a=ptime:30", "a=ptime:20"])
    {
        leg.change(Time(0), agree(&mut call, &format!("0\r\n{attributes}\r\n")));
        for m in 0..4 {
            let loudness = 100 * (4 * n + m);
            sent.extend(tick(&mut leg, loudness));
            expected.extend([loudness; FRAME_SAMPLES]);
        }
    }
    let (first, last) = (sent[0].0, &sent[sent.len() - 1]);
    let sound: Vec<i16> = sent.iter().flat_map(|(_, samples)| samples).copied().collect();
    assert_eq!(
        last.0.timestamp.wrapping_add(last.1.len() as u32),
        first.timestamp.wrapping_add(sound.len() as u32)
    );
    assert!(expected.len() - sound.len() < 2 * FRAME_SAMPLES, "the rest waits for its packet");
    for (got, wanted) in sound.iter().zip(&expected) {
        assert!((got - wanted).abs() <= 8 + wanted / 16, "{got} instead of {wanted}");
    }
}

#[test]
fn clock_of_a_stream_goes_on_over_a_hold_and_a_gap() {
    let (mut call, mut leg) = leg("0\r\na=ptime:60\r\n");
    (0..4).for_each(|_| drop(tick(&mut leg, 0)));
    leg.change(Time(0), agree(&mut call, "0\r\na=ptime:60\r\na=sendonly\r\n"));
    (0..5).for_each(|_| assert_eq!(tick(&mut leg, 0), [], "on hold"));
    leg.change(Time(0), agree(&mut call, "0\r\na=ptime:20\r\n"));
    let elapsed = |ticks: u32| (u32::MAX - 500).wrapping_add(ticks * FRAME_SAMPLES as u32);
    let sent = tick(&mut leg, 0);
    assert_eq!(sent.iter().map(|(header, _)| header.timestamp).collect::<Vec<_>>(), [elapsed(9)]);
    assert!(sent[0].0.marker && sent[0].0.sequence == 65_531);
    leg.skip(7);
    assert_eq!(tick(&mut leg, 0)[0].0.timestamp, elapsed(17));
}

#[test]
fn another_codec_begins_with_a_packet_of_its_own() {
    let (mut call, mut leg) = leg("0\r\na=ptime:60\r\n");
    (0..5).for_each(|_| drop(tick(&mut leg, 0)));
    leg.change(Time(0), agree(&mut call, "8\r\n"));
    let (header, _) = tick(&mut leg, 0)[0];
    let elapsed = (u32::MAX - 500).wrapping_add(5 * FRAME_SAMPLES as u32);
    assert_eq!((header.payload_type, header.timestamp, header.sequence), (8, elapsed, 65_531));
}

#[test]
fn music_of_a_call_on_hold_is_not_heard_but_a_presenter_is() {
    let sound = [(0, Codec::Pcmu)];
    let (mut call, mut held) = leg("0\r\n");
    assert!(heard(&mut held, &sound) > 900);
    held.change(Time(0), agree(&mut call, "0\r\na=sendonly\r\n"));
    assert_eq!(heard(&mut held, &sound), 0);
    held.change(Time(0), agree(&mut call, "0\r\na=sendrecv\r\n"));
    assert!(heard(&mut held, &sound) > 900);

    let (_, mut presenter) = leg("0\r\na=sendonly\r\n");
    assert!(heard(&mut presenter, &sound) > 900);
}

#[test]
fn each_codec_of_an_answer_is_received() {
    let mut call = Negotiation::new(Local {
        address: HERE.parse().expect("address"),
        session: 7,
        path: Path::Open,
        certificate: Fingerprint::of(b"node"),
    });
    call.offer(&mut generator());
    let answer = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 8 0\r\n";
    let plan = Plan::new(call.apply_answer(answer).expect("an agreement"), None);
    let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
    for packets in [&[(0, Codec::Pcmu)][..], &[(8, Codec::Pcma)], &[(0, Codec::Pcmu), (8, Codec::Pcma)]] {
        let mut leg = Leg::new(Time(0), tag, plan.clone(), Outgoing { ssrc: 1, sequence: 0, timestamp: 0 });
        let loudest = heard(&mut leg, packets);
        assert!((900..1100).contains(&loudest), "{packets:?}: {loudest}");
    }
}

#[test]
fn only_what_was_agreed_is_taken() {
    let offer = "96 97\r\na=rtpmap:96 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n";
    for (payload_type, is_agreed) in
        [(96, true), (97, true), (13, true), (0, false), (8, false), (101, false)]
    {
        let (_, mut leg) = leg(offer);
        let later = Time(1000);
        leg.receive(later, Channel::Media, source(), &packet(payload_type, Codec::Pcmu, 0));
        let is_heard = !leg.fell_silent(later, Duration::from_secs(1));
        assert_eq!(is_heard, is_agreed, "payload type {payload_type}");
    }
}

#[test]
fn stream_goes_on_in_another_process_where_it_was_left() {
    let (_, mut here) = leg("0");
    let sent: Vec<Header> = (0..10).flat_map(|_| tick(&mut here, 1000)).map(|(header, _)| header).collect();
    let (_, mut there) = leg("0");
    there.resume(here.stream());
    let (next, _) = tick(&mut there, 1000).remove(0);
    let last = sent.last().expect("packets");
    assert_eq!((next.ssrc, next.sequence), (last.ssrc, last.sequence.wrapping_add(1)));
    assert_eq!(next.timestamp, last.timestamp.wrapping_add(160));
    assert_eq!((there.stream().packets, there.stream().octets), (11, 11 * 160), "as its reports say");
}
