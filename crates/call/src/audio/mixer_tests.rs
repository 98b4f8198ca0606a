//! The mixer: who hears what, at which rate, and what is encoded once.

use super::super::signal::{snr, tone};
use super::super::{Decoder, Epoch, FRAME_SAMPLES};
use super::*;

fn tag(participant: u64, epoch: u32) -> Tag {
    Tag { participant: Participant(participant), epoch: Epoch(epoch) }
}

fn mixer(voices: &[(u64, u32, i16)]) -> Mixer {
    let mut mixer = Mixer::default();
    mixer.begin();
    for (participant, epoch, sample) in voices {
        mixer.add(tag(*participant, *epoch), Rate::Narrow, &[*sample; FRAME_SAMPLES]);
    }
    mixer
}

/// What a listener hears at a rate, before it is encoded.
fn heard(mixer: &mut Mixer, listener: u64, rate: Rate) -> Vec<i16> {
    mixer.mix(rate);
    let mut heard = Vec::new();
    match mixer.place(Participant(listener)) {
        Ok(own) if !mixer.voices[own].samples.is_empty() => mixer.others(own, rate, &mut heard),
        _ => heard.clone_from(&mixer.common[rate as usize].clipped),
    }
    heard
}

fn check(voices: &[(u64, u32, i16)], listener: u64, expected: i16) {
    assert_eq!(heard(&mut mixer(voices), listener, Rate::Narrow), [expected; FRAME_SAMPLES], "{voices:?}");
}

#[test]
fn each_hears_the_others_and_not_itself() {
    let three = [(1, 0, 100), (2, 0, 20), (3, 0, 3)];
    check(&three, 1, 23);
    check(&three, 2, 103);
    check(&three, 3, 120);
    check(&three, 4, 123);
}

#[test]
fn single_member_hears_silence() {
    check(&[(1, 0, 1234)], 1, 0);
}

#[test]
fn loud_sum_is_clipped_but_subtracting_the_own_audio_is_exact() {
    let loud = [(1, 0, 30_000), (2, 0, 30_000), (3, 0, -20_000)];
    check(&loud, 4, i16::MAX);
    check(&loud, 1, 10_000);
    check(&[(1, 0, -30_000), (2, 0, -30_000)], 3, i16::MIN);
}

#[test]
fn of_two_legs_of_one_participant_the_newer_counts() {
    check(&[(1, 0, 100), (1, 1, 7)], 2, 7);
    check(&[(1, 1, 7), (1, 0, 100)], 2, 7);
    check(&[(1, 1, 7), (1, 0, 100)], 1, 0);
}

#[test]
fn newer_leg_that_is_silent_replaces_an_older_one_with_sound() {
    let mut mixer = mixer(&[(1, 0, 100)]);
    mixer.add(tag(1, 1), Rate::Full, &[]);
    assert_eq!(heard(&mut mixer, 2, Rate::Narrow), [0; FRAME_SAMPLES]);
}

#[test]
fn members_join_in_any_order() {
    check(&[(3, 0, 1), (1, 0, 10), (2, 0, 100)], 1, 101);
    check(&[(3, 0, 1), (1, 0, 10), (2, 0, 100)], 3, 110);
}

/// One speaker at each rate, and a listener at each, for some ticks of constant levels.
fn three_rates() -> Mixer {
    let mut mixer = Mixer::default();
    for _ in 0..4 {
        mixer.begin();
        for (participant, (rate, level)) in (1..).zip(Rate::ALL.into_iter().zip([100, 20, 3])) {
            mixer.add(tag(participant, 0), rate, &vec![level; rate.samples()]);
        }
        for rate in Rate::ALL {
            mixer.mix(rate);
        }
    }
    mixer
}

#[test]
fn members_with_codecs_of_any_rate_hear_all_others_and_not_themselves() {
    let mut mixer = three_rates();
    for rate in Rate::ALL {
        assert_eq!(heard(&mut mixer, 9, rate), vec![123; rate.samples()], "{rate:?}");
    }
    assert_eq!(heard(&mut mixer, 1, Rate::Narrow), [23; 160]);
    assert_eq!(heard(&mut mixer, 2, Rate::Wide), [103; 320]);
    assert_eq!(heard(&mut mixer, 3, Rate::Full), [120; 960]);
}

#[test]
fn older_leg_with_another_codec_does_not_hear_the_own_audio_of_the_newer() {
    let mut mixer = three_rates();
    assert_eq!(heard(&mut mixer, 3, Rate::Narrow), [120; 160]);
}

#[test]
fn nothing_is_converted_where_all_hear_and_speak_at_one_rate() {
    let mut mixer = mixer(&[(1, 0, 100), (2, 0, 20)]);
    heard(&mut mixer, 1, Rate::Narrow);
    assert!(mixer.bridges.is_empty());
}

#[test]
fn sound_of_another_rate_ends_one_tick_after_its_speaker() {
    let mut mixer = three_rates();
    let sounds = [(); 3].map(|()| {
        mixer.begin();
        heard(&mut mixer, 9, Rate::Full).iter().any(|sample| *sample != 0)
    });
    assert_eq!(sounds, [true, false, false]);
}

#[test]
fn all_silent_listeners_of_a_codec_get_the_same_payload_and_speakers_their_own() {
    let mut mixer = mixer(&[(1, 0, 1000), (2, 0, 300)]);
    let mut listeners: [Listener; 4] = Default::default();
    let mut levels = Vec::new();
    for (participant, listener) in (1..).zip(&mut listeners) {
        let payload = mixer.payload(Participant(participant), Codec::Pcma, listener);
        let mut samples = Vec::new();
        Decoder::new(Codec::Pcma).decode(payload, &mut samples);
        levels.push(samples[0]);
    }
    for (level, expected) in levels.iter().zip([300, 1000, 1300, 1300_i16]) {
        assert!(level.abs_diff(expected) <= 32, "{levels:?}");
    }
    assert!(listeners[2].payload.is_empty() && listeners[3].payload.is_empty(), "encoded alone");
}

/// What a listener hears of a steady tone of another member, while it speaks itself in some ticks.
fn tone_for_one_who_speaks(codec: Codec) -> Vec<i16> {
    let (rate, mut mixer) = (codec.rate(), Mixer::default());
    let (mut alone, mut silent, mut decoder) =
        (Listener::default(), Listener::default(), Decoder::new(codec));
    let mut heard = Vec::new();
    for (tick, sound) in tone(rate, 250.0, 8000.0, 120).chunks_exact(rate.samples()).enumerate() {
        mixer.begin();
        mixer.add(tag(1, 0), rate, sound);
        if (30..50).contains(&tick) {
            mixer.add(tag(2, 0), rate, &vec![3000; rate.samples()]);
        }
        mixer.payload(Participant(3), codec, &mut silent);
        decoder.decode(mixer.payload(Participant(2), codec, &mut alone), &mut heard);
    }
    assert!(alone.own.is_none(), "{codec:?}: the common encoder is enough again");
    heard
}

#[test]
fn who_speaks_and_stops_hears_the_others_without_a_break() {
    for (codec, least) in [(Codec::Pcma, 30.0), (Codec::G722, 30.0), (Codec::Opus, 8.0)] {
        let heard = tone_for_one_who_speaks(codec);
        let ticks =
            |from: usize, to: usize| &heard[from * codec.rate().samples()..to * codec.rate().samples()];
        for window in [ticks(20, 40), ticks(45, 65), ticks(70, 90)] {
            let snr = snr(codec.rate(), 250.0, window);
            assert!(snr > least, "{codec:?}: {snr:.1} dB");
        }
    }
}
