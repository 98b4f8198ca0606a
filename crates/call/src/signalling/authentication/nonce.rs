//! Nonces that say themselves when they were issued and that they are ours, so that nothing is kept for a sender that
//! has not shown who it is (RFC 7616 section 3.3).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::time::Time;

use super::algorithm::hex;

/// What is signed with a nonce, so that the signature is good for nothing else.
const PURPOSE: &[u8] = b"pitlane digest nonce 1";
/// The bytes of a signature: half of HMAC-SHA-256 (RFC 2104 section 5).
const SIGNATURE: usize = 16;
/// The bytes of a nonce: its time, a random number, the signature.
const LENGTH: usize = 8 + 8 + SIGNATURE;

/// A nonce of ours. The random number makes it one of its own among those of the same millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nonce {
    pub(super) issued: Time,
    pub(super) random: u64,
}

/// Signs nonces. Those of another process are not its own.
pub(super) struct Signer(hmac::Key);

impl Signer {
    pub(super) fn new(key: [u8; 32]) -> Signer {
        Signer(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// A nonce as it is written.
    pub(super) fn written(&self, nonce: Nonce) -> String {
        hex(&[&nonce.issued.0.to_be_bytes()[..], &nonce.random.to_be_bytes(), &self.signature(nonce)]
            .concat())
    }

    /// The nonce that a text is, if it is one of ours.
    pub(super) fn read(&self, text: &[u8]) -> Option<Nonce> {
        let bytes = bytes(text)?;
        let (time, rest) = bytes.split_first_chunk()?;
        let (random, signature) = rest.split_first_chunk()?;
        let nonce = Nonce { issued: Time(u64::from_be_bytes(*time)), random: u64::from_be_bytes(*random) };
        verify_slices_are_equal(&self.signature(nonce), signature).ok().map(|()| nonce)
    }

    fn signature(&self, nonce: Nonce) -> [u8; SIGNATURE] {
        let signed = [PURPOSE, &nonce.issued.0.to_be_bytes(), &nonce.random.to_be_bytes()].concat();
        let tag = hmac::sign(&self.0, &signed);
        tag.as_ref().first_chunk().copied().expect("HMAC-SHA-256 has 32 bytes")
    }
}

/// The bytes of a nonce, from exactly as many hexadecimal digits as it has.
fn bytes(text: &[u8]) -> Option<[u8; LENGTH]> {
    if text.len() != 2 * LENGTH {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonce_is_read_by_the_process_that_has_written_it_alone() {
        let (signer, other) = (Signer::new([1; 32]), Signer::new([2; 32]));
        let nonce = Nonce { issued: Time(123_456), random: u64::MAX };
        let written = signer.written(nonce);
        assert_eq!(signer.read(written.as_bytes()), Some(nonce));
        assert_eq!(other.read(written.as_bytes()), None);
    }

    #[test]
    fn nonce_with_any_digit_changed_is_none_of_ours() {
        let signer = Signer::new([1; 32]);
        let written = signer.written(Nonce { issued: Time(1), random: 2 }).into_bytes();
        for place in 0..written.len() {
            let mut changed = written.clone();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(signer.read(&changed), None, "digit {place}");
        }
        for wrong in [&b""[..], &written[1..], &[&written[..], b"0"].concat(), &[b'x'; 2 * LENGTH]] {
            assert_eq!(signer.read(wrong), None);
        }
    }
}
