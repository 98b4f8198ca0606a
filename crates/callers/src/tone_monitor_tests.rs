//! The tone monitor with generated streams of G.711 and a simulated clock.

use super::*;
use crate::tone::{AMPLITUDE, Generator};
use rtp_rs::{RtpPacketBuilder, Seq};

const OWN: u16 = 400;
const BEGIN: Time = Time(1_000_000);

fn tone(hz: u16) -> Tone {
    Tone::try_from(hz).unwrap()
}

fn packet(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let packet = RtpPacketBuilder::new().payload_type(payload_type).sequence(Seq::from(sequence)).ssrc(7);
    packet.payload(payload).build().unwrap()
}

/// A node that sends a mix of tones, 20 ms at a time.
struct Mix {
    monitor: ToneMonitor,
    generators: BTreeMap<u16, Generator>,
    now: Time,
    sequence: u16,
}

impl Mix {
    fn new(expected: &[u16]) -> Mix {
        let mut monitor = ToneMonitor::new(tone(OWN), Codec::Pcmu, ToneLimits::default());
        expected.iter().for_each(|hz| monitor.expect(tone(*hz), BEGIN));
        Mix { monitor, generators: BTreeMap::new(), now: BEGIN, sequence: 0 }
    }

    /// Sends the sum of the tones for `span`.
    fn send(&mut self, tones: &[u16], span: Millis) {
        for _ in 0..span.0 / 20 {
            let mut sum = [0_i16; FRAME];
            for hz in tones {
                let frame = self
                    .generators
                    .entry(*hz)
                    .or_insert_with(|| Generator::new(tone(*hz), AMPLITUDE))
                    .frame();
                sum.iter_mut().zip(frame).for_each(|(s, x)| *s += x);
            }
            let packet = packet(0, self.sequence, &Codec::Pcmu.encode(&sum));
            self.now = self.now.plus(Millis(20));
            self.sequence = self.sequence.wrapping_add(1);
            self.monitor.packet(self.now, &RtpReader::new(&packet).unwrap());
        }
    }

    /// Nothing arrives for `span`, because packets were lost or because none were sent.
    fn nothing(&mut self, span: Millis, lost: bool) {
        self.now = self.now.plus(span);
        if lost {
            self.sequence = self.sequence.wrapping_add(u16::try_from(span.0 / 20).unwrap());
        }
    }
}

#[test]
fn tones_that_are_always_received_are_no_failure() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500, 600], Millis::seconds(10));
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
    assert_eq!(mix.monitor.absent(mix.now), BTreeMap::from([(tone(500), Millis(0)), (tone(600), Millis(0))]));
    let sound = mix.monitor.sound();
    assert_eq!((sound.packets, sound.lost, sound.own_tone, sound.longest_gap), (500, 0, 0, Millis(0)));
    assert!(sound.strangers.is_empty());
}

#[test]
fn tone_that_stops_is_missing_after_two_seconds_until_it_is_received_again() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500, 600], Millis::seconds(5));
    let stopped = mix.now;
    mix.send(&[500], Millis(1900));
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
    mix.send(&[500], Millis(600));
    let going_on = Missing { tone: tone(600), since: stopped, lasted: Millis(2500), over: false };
    assert_eq!(mix.monitor.judge(mix.now), vec![going_on]);
    mix.send(&[500, 600], Millis(100));
    let over = Missing { lasted: Millis(2600), over: true, ..going_on };
    assert_eq!(mix.monitor.judge(mix.now), vec![over]);
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
    assert_eq!(mix.monitor.sound().longest_gap, Millis(2600));
}

#[test]
fn tone_that_is_never_received_is_missing_two_seconds_after_it_began_to_count() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500], Millis(3980));
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
    mix.send(&[500], Millis(20));
    let since = BEGIN.plus(Millis::seconds(2));
    assert_eq!(
        mix.monitor.judge(mix.now),
        vec![Missing { tone: tone(600), since, lasted: Millis::seconds(2), over: false }]
    );
}

#[test]
fn missing_packets_are_a_missing_tone() {
    for lost in [true, false] {
        let mut mix = Mix::new(&[500]);
        mix.send(&[500], Millis::seconds(4));
        mix.nothing(Millis::seconds(3), lost);
        assert_eq!(mix.monitor.judge(mix.now).len(), 1, "lost: {lost}");
        mix.send(&[500], Millis::seconds(1));
        assert!(mix.monitor.judge(mix.now).iter().all(|missing| missing.over));
        assert_eq!(mix.monitor.sound().lost, if lost { 150 } else { 0 });
        assert_eq!(mix.monitor.sound().longest_pause, Millis(3020));
    }
}

#[test]
fn ones_own_tone_is_noticed() {
    let mut mix = Mix::new(&[500]);
    mix.send(&[500, OWN], Millis::seconds(1));
    assert_eq!(mix.monitor.sound().own_tone, 9);
}

#[test]
fn tone_of_another_conference_is_counted_unless_its_caller_joins_or_leaves() {
    let mut mix = Mix::new(&[500]);
    mix.monitor.allow(tone(700), mix.now);
    mix.send(&[500, 700], Millis::seconds(3));
    mix.monitor.excuse(tone(700), mix.now);
    mix.send(&[500, 700], Millis::seconds(2));
    assert!(mix.monitor.sound().strangers.is_empty());
    mix.send(&[500, 700], Millis::seconds(1));
    assert_eq!(mix.monitor.sound().strangers, BTreeMap::from([(tone(700), 10)]));
}

#[test]
fn tone_of_a_caller_that_has_left_is_not_missing_but_earlier_gaps_count() {
    let mut mix = Mix::new(&[500, 600, 700]);
    mix.send(&[500, 600, 700], Millis::seconds(3));
    mix.monitor.excuse(tone(600), mix.now);
    mix.send(&[500], Millis::seconds(3));
    mix.monitor.excuse(tone(700), mix.now);
    let failures = mix.monitor.judge(mix.now);
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].tone, failures[0].lasted, failures[0].over), (tone(700), Millis(2500), true));
}

#[test]
fn no_tone_is_missing_on_hold_and_all_are_expected_afterwards() {
    let mut mix = Mix::new(&[500]);
    mix.send(&[500], Millis::seconds(4));
    mix.monitor.pause(mix.now);
    mix.nothing(Millis::seconds(10), false);
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
    mix.monitor.resume(mix.now);
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
    mix.nothing(Millis::seconds(4), false);
    assert_eq!(mix.monitor.judge(mix.now).len(), 1);
}

#[test]
fn lost_packets_are_counted_and_a_few_are_no_gap() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500, 600], Millis::seconds(3));
    mix.nothing(Millis(60), true);
    mix.send(&[500, 600], Millis::seconds(1));
    assert_eq!(mix.monitor.sound().lost, 3);
    assert_eq!(mix.monitor.sound().longest_gap, Millis(0));
    assert_eq!(mix.monitor.judge(mix.now), vec![]);
}

#[test]
fn packet_of_another_codec_is_unusable() {
    let mut mix = Mix::new(&[500]);
    let packet = packet(8, 0, &[0; FRAME]);
    mix.monitor.packet(mix.now, &RtpReader::new(&packet).unwrap());
    mix.monitor.count_unusable();
    assert_eq!((mix.monitor.sound().packets, mix.monitor.sound().unusable), (0, 2));
}
