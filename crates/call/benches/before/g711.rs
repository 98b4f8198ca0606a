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
pub fn encode_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { SIGN } else { 0 };
    let magnitude = sample.unsigned_abs().min(ULAW_CLIP) + ULAW_BIAS;
    let segment = 8 - magnitude.leading_zeros() as u8;
    let step = (magnitude >> (segment + 3)) as u8 & 0x0f;
    !(sign | (segment << 4) | step)
}

/// The sample a mu-law byte stands for.
#[must_use]
pub fn decode_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let step = i16::from(byte & 0x0f);
    let segment = (byte >> 4) & 0x07;
    let magnitude = (((step << 3) + ULAW_BIAS as i16) << segment) - ULAW_BIAS as i16;
    if byte & SIGN == 0 { magnitude } else { -magnitude }
}

/// One sample as an A-law byte.
#[must_use]
pub fn encode_alaw(sample: i16) -> u8 {
    // For negative samples the one's complement: the standard's zero lies between -1 and 0.
    let (sign, magnitude) = if sample < 0 { (0, !sample as u16) } else { (SIGN, sample as u16) };
    let code = if magnitude < 256 {
        (magnitude >> 4) as u8
    } else {
        let segment = 8 - magnitude.leading_zeros() as u8;
        (segment << 4) | ((magnitude >> (segment + 3)) as u8 & 0x0f)
    };
    (sign | code) ^ ALAW_TOGGLE
}

/// The sample an A-law byte stands for (the middle of its step, so never 0).
#[must_use]
pub fn decode_alaw(byte: u8) -> i16 {
    let byte = byte ^ ALAW_TOGGLE;
    let step = i16::from(byte & 0x0f) << 4;
    let magnitude = match (byte >> 4) & 0x07 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if byte & SIGN == 0 { -magnitude } else { magnitude }
}
