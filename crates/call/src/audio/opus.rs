//! Opus (RFC 6716, RFC 7587), by the reference implementation: 48,000 samples a second, mono.
//!
//! A failure of the library, which has no cause but lack of memory, makes empty payloads and silence.

use ::opus::{Application, Bitrate, Channels, packet};

use super::Rate;

const HERTZ: u32 = Rate::Full.hertz() as u32;

/// Speech in full bandwidth; more is not heard in a conference.
const BITS_PER_SECOND: i32 = 32_000;

/// Of 0 to 10. Measured: 0.56 % of a core for a stream; more improves speech little at this rate.
const COMPLEXITY: i32 = 5;

/// The loss that packets are made for, in percent: each says a little about the one before.
const EXPECTED_LOSS: i32 = 5;

/// The largest payload of a tick: ten times the usual one.
const MAX_PAYLOAD: usize = 1275;

/// The most samples of a packet: 120 ms.
const MAX_PACKET: usize = 6 * Rate::Full.samples();

/// Samples of 2.5 ms: a decoder conceals multiples of it.
const CONCEALED: usize = 120;

/// How many samples a packet has; 0 if it is malformed.
pub(super) fn samples(payload: &[u8]) -> u32 {
    packet::get_nb_samples(payload, HERTZ).map_or(0, |samples| samples as u32)
}

/// Turns ticks into packets.
#[derive(Debug)]
pub struct Encoder(Option<Box<::opus::Encoder>>);

impl Encoder {
    pub(super) fn new() -> Encoder {
        let encoder = || -> ::opus::Result<_> {
            let mut encoder = ::opus::Encoder::new(HERTZ, Channels::Mono, Application::Voip)?;
            encoder.set_bitrate(Bitrate::Bits(BITS_PER_SECOND))?;
            encoder.set_complexity(COMPLEXITY)?;
            encoder.set_inband_fec(true)?;
            encoder.set_packet_loss_perc(EXPECTED_LOSS)?;
            Ok(encoder)
        };
        Encoder(encoder().ok().map(Box::new))
    }

    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        let begin = payload.len();
        payload.resize(begin + MAX_PAYLOAD, 0);
        let encoded = self.0.as_mut().and_then(|encoder| encoder.encode(samples, &mut payload[begin..]).ok());
        payload.truncate(begin + encoded.unwrap_or(0));
    }
}

/// Turns packets into samples.
#[derive(Debug)]
pub struct Decoder(Option<Box<::opus::Decoder>>);

impl Decoder {
    pub(super) fn new() -> Decoder {
        Decoder(::opus::Decoder::new(HERTZ, Channels::Mono).ok().map(Box::new))
    }

    pub(super) fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        self.append(payload, MAX_PACKET, false, samples);
    }

    /// Appends `count` samples, rounded up to 2.5 ms, in place of a lost packet.
    pub(super) fn conceal(&mut self, count: usize, following: Option<&[u8]>, samples: &mut Vec<i16>) {
        let begin = samples.len();
        let count = count.next_multiple_of(CONCEALED).min(MAX_PACKET);
        self.append(following.unwrap_or(&[]), count, following.is_some(), samples);
        samples.resize(begin + count, 0);
    }

    fn append(&mut self, payload: &[u8], most: usize, fec: bool, samples: &mut Vec<i16>) {
        let begin = samples.len();
        samples.resize(begin + most, 0);
        let decoded =
            self.0.as_mut().and_then(|decoder| decoder.decode(payload, &mut samples[begin..], fec).ok());
        samples.truncate(begin + decoded.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::super::signal::{level_at, power, snr, tone};
    use super::*;

    /// A tone through encoder and decoder; packets in `lost` are concealed, with the help of the next one or not.
    fn through(hertz: f64, lost: &[usize], with_next: bool) -> Vec<i16> {
        let (mut encoder, mut decoder, mut heard) = (Encoder::new(), Decoder::new(), Vec::new());
        let encode = |tick: &[i16]| {
            let mut payload = Vec::new();
            encoder.encode(tick, &mut payload);
            assert_eq!(samples(&payload), 960);
            payload
        };
        let payloads: Vec<_> = tone(Rate::Full, hertz, 8000.0, 50).chunks(960).map(encode).collect();
        for (n, payload) in payloads.iter().enumerate() {
            if lost.contains(&n) {
                decoder.conceal(
                    960,
                    payloads.get(n + 1).filter(|_| with_next).map(|next| &next[..]),
                    &mut heard,
                );
            } else {
                decoder.decode(payload, &mut heard);
            }
        }
        heard
    }

    #[test]
    fn tones_come_back_with_their_level() {
        for (hertz, least) in [(250.0, 15.0), (1000.0, 15.0), (3000.0, 10.0)] {
            let heard = through(hertz, &[], false);
            let steady = &heard[30 * 960..];
            let (level, snr) = (level_at(Rate::Full, hertz, steady), snr(Rate::Full, hertz, steady));
            assert!((6800.0..9200.0).contains(&level) && snr > least, "{hertz} Hz: {level:.0}, {snr:.1} dB");
        }
    }

    #[test]
    fn lost_packets_are_concealed() {
        for with_next in [false, true] {
            let heard = through(250.0, &[30, 40], with_next);
            assert_eq!(heard.len(), 50 * 960);
            let loudness = power(&heard[25 * 960..]) / (8000.0_f64.powi(2) / 2.0);
            assert!(loudness > 0.8, "{with_next}: {loudness}");
        }
    }

    #[test]
    fn no_bytes_cause_a_panic() {
        let (mut state, mut decoder, mut heard) = (1_u32, Decoder::new(), Vec::new());
        for length in (0..300).cycle().take(3000) {
            let byte = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            let payload: Vec<u8> = std::iter::repeat_with(byte).take(length).collect();
            heard.clear();
            decoder.decode(&payload, &mut heard);
            assert!(heard.len() <= MAX_PACKET);
            decoder.conceal(100, Some(&payload), &mut heard);
            assert!(samples(&payload) as usize <= MAX_PACKET);
        }
    }
}
