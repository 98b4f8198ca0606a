//! G.722 at 64 kbit/s (ITU-T G.722, payload type 9 of RFC 3551): 16,000 samples a second, one byte for two of them.
//!
//! Two bands of 4 kHz, each coded by adaptive differences. Names follow the block diagrams of the standard. Encoder and
//! decoder are in step as long as no byte is lost, and come into step again by themselves.

/// The filter that splits and joins the bands.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's quantizer.
const Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Output levels of the lower band's quantizer, with all 6 bits, and with the 4 bits that steer the adaptation.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];

/// How the scale of the lower band changes with those 4 bits.
const W_LOW: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// Output levels of the higher band's quantizer, and how its scale changes.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
const W_HIGH: [i32; 4] = [798, -214, 798, -214];

/// Powers of two by 32nds, from the logarithm of a scale to the scale.
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// One band: its scale and its predictor.
#[derive(Clone, Debug)]
struct Band {
    /// Logarithm of the scale, its limit, and the shift from it to the scale.
    nb: i32,
    nb_limit: i32,
    shift: i32,
    /// The scale of the quantizer.
    det: i32,
    /// The prediction, and the part of it that the zeros make.
    s: i32,
    sz: i32,
    /// Coefficients and last values of the poles.
    a: [i32; 2],
    r: [i32; 2],
    p: [i32; 2],
    /// Coefficients and last values of the zeros.
    b: [i32; 6],
    d: [i32; 6],
}

impl Band {
    fn new(det: i32, nb_limit: i32, shift: i32) -> Band {
        let (a, r, p, b, d) = ([0; 2], [0; 2], [0; 2], [0; 6], [0; 6]);
        Band { nb: 0, nb_limit, shift, det, s: 0, sz: 0, a, r, p, b, d }
    }

    fn low() -> Band {
        Band::new(32, 18_432, 8)
    }

    fn high() -> Band {
        Band::new(8, 22_528, 10)
    }

    /// Takes a quantized difference: adapts the scale by `change` and predicts the next sample.
    fn adapt(&mut self, difference: i32, change: i32) {
        self.nb = (((self.nb * 127) >> 7) + change).clamp(0, self.nb_limit);
        let base = ILB[(self.nb >> 6) as usize & 31];
        let shift = self.shift - (self.nb >> 11);
        self.det = if shift < 0 { base << -shift } else { base >> shift } << 2;
        self.predict(difference);
    }

    fn predict(&mut self, d: i32) {
        let r = saturate(self.s + d);
        let p = saturate(self.sz + d);
        self.adapt_poles(p);
        let step = if d == 0 { 0 } else { 128 };
        for (b, old) in self.b.iter_mut().zip(&self.d) {
            let step = if is_negative(*old) == is_negative(d) { step } else { -step };
            *b = saturate(step + ((*b * 32_640) >> 15));
        }
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        self.r = [r, self.r[0]];
        self.p = [p, self.p[0]];
        let term = |coefficient: i32, value: i32| (coefficient * saturate(value << 1)) >> 15;
        let poles = saturate(term(self.a[0], self.r[0]) + term(self.a[1], self.r[1]));
        self.sz = saturate(self.b.iter().zip(&self.d).map(|(b, d)| term(*b, *d)).sum());
        self.s = saturate(poles + self.sz);
    }

    fn adapt_poles(&mut self, p: i32) {
        let signed = |same: bool, value: i32| if same { value } else { -value };
        let same = self.p.map(|old| is_negative(old) == is_negative(p));
        let first = signed(same[0], -saturate(self.a[0] << 2)).min(32_767) >> 7;
        let second = first + signed(same[1], 128) + ((self.a[1] * 32_512) >> 15);
        self.a[1] = second.clamp(-12_288, 12_288);
        let limit = saturate(15_360 - self.a[1]);
        let first = saturate(signed(same[0], 192) + ((self.a[0] * 32_640) >> 15));
        self.a[0] = first.clamp(-limit, limit);
    }
}

/// Turns samples into bytes.
#[derive(Clone, Debug)]
pub struct Encoder {
    low: Band,
    high: Band,
    history: [i32; 24],
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder { low: Band::low(), high: Band::high(), history: [0; 24] }
    }
}

impl Encoder {
    /// Appends a byte for each two samples.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        for pair in samples.as_chunks::<2>().0 {
            let (even, odd) = filter(&mut self.history, pair.map(i32::from));
            let low = self.encode_low((odd + even) >> 14);
            let high = self.encode_high((odd - even) >> 14);
            payload.push((high << 6) | low);
        }
    }

    fn encode_low(&mut self, sample: i32) -> u8 {
        let band = &mut self.low;
        let error = saturate(sample - band.s);
        let magnitude = if error < 0 { !error } else { error };
        let level = Q6.iter().take_while(|level| magnitude >= (**level * band.det) >> 12).count() as u8;
        // The two lowest negative levels have codes of their own, out of order.
        let code = match (error < 0, level) {
            (true, 0 | 1) => 63 - level,
            (true, _) => 33 - level,
            (false, _) => 61 - level,
        };
        let coarse = usize::from(code >> 2);
        band.adapt((band.det * QM4[coarse]) >> 15, W_LOW[coarse]);
        code
    }

    fn encode_high(&mut self, sample: i32) -> u8 {
        let band = &mut self.high;
        let error = saturate(sample - band.s);
        let magnitude = if error < 0 { !error } else { error };
        let is_large = magnitude >= (564 * band.det) >> 12;
        let code = match (error < 0, is_large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        band.adapt((band.det * QM2[code]) >> 15, W_HIGH[code]);
        code as u8
    }
}

/// Turns bytes into samples.
#[derive(Clone, Debug)]
pub struct Decoder {
    low: Band,
    high: Band,
    history: [i32; 24],
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { low: Band::low(), high: Band::high(), history: [0; 24] }
    }
}

impl Decoder {
    /// Appends two samples for each byte.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        for byte in payload {
            let low = self.decode_low(usize::from(byte & 63));
            let high = self.decode_high(usize::from(byte >> 6));
            let (even, odd) = filter(&mut self.history, [low + high, low - high]);
            samples.extend([odd >> 11, even >> 11].map(|sample| saturate(sample) as i16));
        }
    }

    fn decode_low(&mut self, code: usize) -> i32 {
        let band = &mut self.low;
        let sample = (band.s + ((band.det * QM6[code]) >> 15)).clamp(-16_384, 16_383);
        let coarse = code >> 2;
        band.adapt((band.det * QM4[coarse]) >> 15, W_LOW[coarse]);
        sample
    }

    fn decode_high(&mut self, code: usize) -> i32 {
        let band = &mut self.high;
        let difference = (band.det * QM2[code]) >> 15;
        let sample = (difference + band.s).clamp(-16_384, 16_383);
        band.adapt(difference, W_HIGH[code]);
        sample
    }
}

/// Takes two values into the filter; returns the sums over those at even and at odd places.
fn filter(history: &mut [i32; 24], pair: [i32; 2]) -> (i32, i32) {
    history.copy_within(2.., 0);
    history[22..].copy_from_slice(&pair);
    let pairs = history.as_chunks::<2>().0;
    let even = pairs.iter().zip(QMF).map(|(pair, tap)| pair[0] * tap).sum();
    let odd = pairs.iter().zip(QMF.iter().rev()).map(|(pair, tap)| pair[1] * tap).sum();
    (even, odd)
}

fn is_negative(value: i32) -> bool {
    value < 0
}

fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

#[cfg(test)]
mod tests {
    use super::super::Rate;
    use super::super::signal::{level_at, snr, tone};
    use super::*;

    fn noise(seed: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(seed), |state| {
            Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
        })
        .skip(1)
    }

    /// FNV-1a.
    fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    fn decoded(payload: &[u8]) -> Vec<i16> {
        let mut samples = Vec::new();
        Decoder::default().decode(payload, &mut samples);
        samples
    }

    fn encoded(samples: &[i16]) -> Vec<u8> {
        let mut payload = Vec::new();
        Encoder::default().encode(samples, &mut payload);
        payload
    }

    /// The expected values are those of spandsp 0.0.6 for the same input.
    #[test]
    fn every_bit_is_that_of_another_implementation() {
        let level = |(n, state): (i32, u32)| (((state >> 16) as i32 - 32_768) * (n % 4000) / 8000) as i16;
        let samples: Vec<i16> = (0..16_000).zip(noise(1)).map(level).collect();
        let payload = encoded(&samples);
        assert_eq!(hash(payload.iter().copied()), 0x2f09_6fdf_e383_e71e);
        let bytes = |samples: Vec<i16>| hash(samples.into_iter().flat_map(i16::to_le_bytes));
        assert_eq!(bytes(decoded(&payload)), 0xab8c_72b4_3b95_17aa);
    }

    #[test]
    fn no_bytes_cause_a_panic() {
        let random: Vec<u8> = noise(7).take(100_000).map(|state| (state >> 24) as u8).collect();
        assert_eq!(decoded(&random).len(), 200_000);
    }

    #[test]
    fn tones_come_back_with_their_level() {
        for (hertz, least) in
            [(150.0, 35.0), (440.0, 35.0), (1000.0, 35.0), (3000.0, 30.0), (5000.0, 15.0), (7000.0, 13.0)]
        {
            let heard = decoded(&encoded(&tone(Rate::Wide, hertz, 8000.0, 25)));
            let steady = &heard[5 * 320..];
            let (level, snr) = (level_at(Rate::Wide, hertz, steady), snr(Rate::Wide, hertz, steady));
            assert!((7200.0..8800.0).contains(&level) && snr > least, "{hertz} Hz: {level:.0}, {snr:.1} dB");
        }
    }

    #[test]
    fn decoder_comes_into_step_after_a_loss() {
        let sound = tone(Rate::Wide, 440.0, 8000.0, 50);
        let payload = encoded(&sound);
        let (whole, late) = (decoded(&payload), decoded(&payload[10 * 160..]));
        let rest = whole[20 * 320..].iter().zip(&late[10 * 320..]);
        assert!(
            rest.clone().all(|(one, other)| one.abs_diff(*other) < 400),
            "{:?}",
            rest.map(|(a, b)| a.abs_diff(*b)).max()
        );
    }
}
