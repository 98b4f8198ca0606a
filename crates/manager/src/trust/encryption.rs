//! How long it takes to decrypt a private key, read from the key itself before anything is derived: PKCS#8 (RFC 5958)
//! lets a file state any number of rounds.

use x509_parser::asn1_rs::{Any, Class, FromDer, Integer, Tag};

use super::limits::{MAX_ROUNDS, MAX_SCRYPT};

/// Most levels that the parameters of an encryption have within each other: those of PBES2 have four (RFC 8018
/// appendix A.4).
const MAX_DEPTH: usize = 8;

/// The identifier of scrypt, encoded (RFC 7914 section 7.1: 1.3.6.1.4.1.11591.4.11).
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];

/// Whether an `EncryptedPrivateKeyInfo`, DER, can be decrypted in a bounded time, by the numbers in its parameters.
pub(super) fn is_bounded(der: &[u8]) -> bool {
    let Ok((_, whole)) = Any::from_der(der) else { return false };
    let Ok((_, algorithm)) = Any::from_der(whole.data) else { return false };
    let mut cost = Cost { numbers: Vec::new(), is_scrypt: false };
    cost.add(&algorithm, MAX_DEPTH).is_some() && cost.is_bounded()
}

/// What the parameters of an encryption say about its cost.
struct Cost {
    /// All numbers, in their order: rounds, and lengths of keys, which are far below.
    numbers: Vec<u32>,
    is_scrypt: bool,
}

impl Cost {
    /// Adds a value and what is in it; none when it cannot be read or holds a number that no derivation has.
    fn add(&mut self, value: &Any<'_>, depth: usize) -> Option<()> {
        if value.class() == Class::Universal && value.tag() == Tag::Integer {
            self.numbers.push(Integer::new(value.data).as_u32().ok()?);
        }
        if value.class() == Class::Universal && value.tag() == Tag::Oid && value.data == SCRYPT {
            self.is_scrypt = true;
        }
        let mut rest = if value.header.is_constructed() { value.data } else { &[] };
        while !rest.is_empty() {
            let (after, inner) = Any::from_der(rest).ok()?;
            self.add(&inner, depth.checked_sub(1)?)?;
            rest = after;
        }
        Some(())
    }

    fn is_bounded(&self) -> bool {
        if self.is_scrypt {
            // Cost, block size and lanes; the length of the key may follow (RFC 7914 section 7).
            let product = self.numbers.iter().take(3).map(|number| u64::from(*number));
            return product.fold(1, u64::saturating_mul) <= MAX_SCRYPT;
        }
        self.numbers.iter().all(|number| *number <= MAX_ROUNDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of DER of under 128 bytes.
    fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, content.len() as u8], &content[..]].concat()
    }

    fn with_parameters(identifier: &[u8], numbers: &[&[u8]]) -> Vec<u8> {
        let numbers: Vec<Vec<u8>> = numbers.iter().map(|number| value(2, &[number])).collect();
        let parameters = value(0x30, &[&value(4, &[b"saltsalt"]), &numbers.concat()]);
        let algorithm = value(0x30, &[&value(6, &[identifier]), &parameters]);
        value(0x30, &[&algorithm, &value(4, &[&[2, 4, 0x7f, 0xff, 0xff, 0xff]])])
    }

    #[test]
    fn rounds_up_to_the_limit_are_bounded_and_encrypted_bytes_do_not_count() {
        let check = |rounds: &[u8], expected| {
            assert_eq!(is_bounded(&with_parameters(&[42, 3], &[rounds])), expected, "{rounds:?}");
        };
        check(&[8, 0], true);
        check(&[0x1e, 0x84, 0x80], true);
        check(&[0x1e, 0x84, 0x81], false);
        check(&[0x7f, 0xff, 0xff, 0xff], false);
        check(&[1, 0, 0, 0, 0, 0, 0, 0, 0], false);
        check(&[0xff], false);
    }

    #[test]
    fn product_of_the_parameters_of_scrypt_is_bounded() {
        let check = |numbers: &[&[u8]], expected| {
            assert_eq!(is_bounded(&with_parameters(SCRYPT, numbers)), expected, "{numbers:?}");
        };
        check(&[&[0x40, 0], &[8], &[1]], true);
        check(&[&[0x40, 0], &[8], &[32], &[32]], true);
        check(&[&[0x40, 0], &[8], &[33]], false);
        check(&[&[0x40, 0], &[8], &[0x40, 0]], false);
    }

    #[test]
    fn what_is_no_der_or_nested_too_deep_is_not_bounded() {
        assert!(!is_bounded(b""));
        assert!(!is_bounded(&[0x30, 5, 0x30, 9]));
        let deep = (0..=MAX_DEPTH).fold(value(2, &[&[1]]), |inner, _| value(0x30, &[&inner]));
        assert!(!is_bounded(&value(0x30, &[&deep])));
    }
}
