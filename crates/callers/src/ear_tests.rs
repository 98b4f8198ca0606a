//! The ear against streams made by hand: real G.711, a clock of our own.

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

/// A node that sends what it is told to, 20 ms at a time.
struct Mix {
    ear: Ear,
    generators: BTreeMap<u16, Generator>,
    now: Time,
    sequence: u16,
}

impl Mix {
    fn new(expected: &[u16]) -> Mix {
        let mut ear = Ear::new(tone(OWN), Codec::Pcmu, Judgement::default());
        expected.iter().for_each(|hz| ear.expect(tone(*hz), BEGIN));
        Mix { ear, generators: BTreeMap::new(), now: BEGIN, sequence: 0 }
    }

    /// Sends the sum of the tones for so long.
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
            self.ear.packet(self.now, &RtpReader::new(&packet).unwrap());
        }
    }

    /// Nothing arrives for so long; `lost` says whether the packets were sent.
    fn nothing(&mut self, span: Millis, lost: bool) {
        self.now = self.now.plus(span);
        if lost {
            self.sequence = self.sequence.wrapping_add(u16::try_from(span.0 / 20).unwrap());
        }
    }
}

#[test]
fn two_others_heard_all_the_time_leave_nothing_to_complain_of() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500, 600], Millis::seconds(10));
    assert_eq!(mix.ear.judge(mix.now), vec![]);
    assert_eq!(mix.ear.absent(mix.now), BTreeMap::from([(tone(500), Millis(0)), (tone(600), Millis(0))]));
    let sound = mix.ear.sound();
    assert_eq!((sound.packets, sound.lost, sound.own_tone, sound.longest_gap), (500, 0, 0, Millis(0)));
    assert!(sound.strangers.is_empty());
}

#[test]
fn a_tone_that_stops_is_missing_after_two_seconds_and_until_it_comes_back() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500, 600], Millis::seconds(5));
    let stopped = mix.now;
    mix.send(&[500], Millis(1900));
    assert_eq!(mix.ear.judge(mix.now), vec![]);
    mix.send(&[500], Millis(600));
    let going_on = Missing { tone: tone(600), since: stopped, lasted: Millis(2500), over: false };
    assert_eq!(mix.ear.judge(mix.now), vec![going_on]);
    mix.send(&[500, 600], Millis(100));
    let over = Missing { lasted: Millis(2600), over: true, ..going_on };
    assert_eq!(mix.ear.judge(mix.now), vec![over]);
    assert_eq!(mix.ear.judge(mix.now), vec![]);
    assert_eq!(mix.ear.sound().longest_gap, Millis(2600));
}

#[test]
fn a_tone_never_heard_is_missing_two_seconds_after_it_began_to_count() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500], Millis(3980));
    assert_eq!(mix.ear.judge(mix.now), vec![]);
    mix.send(&[500], Millis(20));
    let since = BEGIN.plus(Millis::seconds(2));
    assert_eq!(
        mix.ear.judge(mix.now),
        vec![Missing { tone: tone(600), since, lasted: Millis::seconds(2), over: false }]
    );
}

#[test]
fn silence_on_the_line_is_missing_too() {
    for lost in [true, false] {
        let mut mix = Mix::new(&[500]);
        mix.send(&[500], Millis::seconds(4));
        mix.nothing(Millis::seconds(3), lost);
        assert_eq!(mix.ear.judge(mix.now).len(), 1, "lost: {lost}");
        mix.send(&[500], Millis::seconds(1));
        assert!(mix.ear.judge(mix.now).iter().all(|missing| missing.over));
        assert_eq!(mix.ear.sound().lost, if lost { 150 } else { 0 });
        assert_eq!(mix.ear.sound().longest_pause, Millis(3020));
    }
}

#[test]
fn ones_own_tone_is_noticed() {
    let mut mix = Mix::new(&[500]);
    mix.send(&[500, OWN], Millis::seconds(1));
    assert_eq!(mix.ear.sound().own_tone, 9);
}

#[test]
fn the_tone_of_a_stranger_is_noticed_unless_he_may_be_heard_already_or_still() {
    let mut mix = Mix::new(&[500]);
    mix.ear.allow(tone(700), mix.now);
    mix.send(&[500, 700], Millis::seconds(3));
    mix.ear.excuse(tone(700), mix.now);
    mix.send(&[500, 700], Millis::seconds(2));
    assert!(mix.ear.sound().strangers.is_empty());
    mix.send(&[500, 700], Millis::seconds(1));
    assert_eq!(mix.ear.sound().strangers, BTreeMap::from([(tone(700), 10)]));
}

#[test]
fn who_leaves_is_missed_no_longer_but_what_went_before_still_counts() {
    let mut mix = Mix::new(&[500, 600, 700]);
    mix.send(&[500, 600, 700], Millis::seconds(3));
    mix.ear.excuse(tone(600), mix.now);
    mix.send(&[500], Millis::seconds(3));
    mix.ear.excuse(tone(700), mix.now);
    let failures = mix.ear.judge(mix.now);
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].tone, failures[0].lasted, failures[0].over), (tone(700), Millis(2500), true));
}

#[test]
fn a_call_on_hold_misses_nobody_and_must_hear_again_afterwards() {
    let mut mix = Mix::new(&[500]);
    mix.send(&[500], Millis::seconds(4));
    mix.ear.stop_listening(mix.now);
    mix.nothing(Millis::seconds(10), false);
    assert_eq!(mix.ear.judge(mix.now), vec![]);
    mix.ear.listen(mix.now);
    assert_eq!(mix.ear.judge(mix.now), vec![]);
    mix.nothing(Millis::seconds(4), false);
    assert_eq!(mix.ear.judge(mix.now).len(), 1);
}

#[test]
fn lost_packets_are_counted_and_a_few_do_no_harm() {
    let mut mix = Mix::new(&[500, 600]);
    mix.send(&[500, 600], Millis::seconds(3));
    mix.nothing(Millis(60), true);
    mix.send(&[500, 600], Millis::seconds(1));
    assert_eq!(mix.ear.sound().lost, 3);
    assert_eq!(mix.ear.sound().longest_gap, Millis(0));
    assert_eq!(mix.ear.judge(mix.now), vec![]);
}

#[test]
fn what_is_not_the_agreed_codec_is_no_sound() {
    let mut mix = Mix::new(&[500]);
    let packet = packet(8, 0, &[0; FRAME]);
    mix.ear.packet(mix.now, &RtpReader::new(&packet).unwrap());
    mix.ear.noise();
    assert_eq!((mix.ear.sound().packets, mix.ear.sound().unusable), (0, 2));
}
