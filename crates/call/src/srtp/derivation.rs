//! The session keys that follow from a master key, without a key derivation rate (RFC 3711 section 4.3, RFC 7714
//! section 11).

use aws_lc_rs::cipher::{AES_128, AES_256, Algorithm, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::key::MasterKey;

/// What a session key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// RTP.
    Sound,
    /// RTCP.
    Control,
}

/// The part of a session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Encryption,
    Authentication,
    Salt,
}

/// The label of RFC 3711 section 4.3.2.
fn label(kind: Kind, part: Part) -> u8 {
    let part = match part {
        Part::Encryption => 0,
        Part::Authentication => 1,
        Part::Salt => 2,
    };
    match kind {
        Kind::Sound => part,
        Kind::Control => 3 + part,
    }
}

/// Derives a part of a session key: the key stream of AES in counter mode from the master key, whose counter begins with
/// the master salt and the label. A salt of 96 bits has zeros behind it.
pub(super) fn derive<const N: usize>(master: &MasterKey, kind: Kind, part: Part) -> [u8; N] {
    let (key, salt) = master.parts();
    let mut counter = [0; 16];
    counter[..salt.len()].copy_from_slice(salt);
    counter[7] ^= label(kind, part);
    let mut derived = [0; N];
    crypt(&counter_mode(key), counter, &mut derived);
    derived
}

/// AES in counter mode with a key of 128 or 256 bits.
pub(super) fn counter_mode(key: &[u8]) -> EncryptingKey {
    let algorithm: &'static Algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let bound = UnboundCipherKey::new(algorithm, key).and_then(EncryptingKey::ctr);
    bound.expect("every suite has a key of 128 or 256 bits")
}

/// Adds the key stream from this counter on, which encrypts and decrypts alike.
pub(super) fn crypt(key: &EncryptingKey, counter: [u8; 16], bytes: &mut [u8]) {
    let context = EncryptionContext::Iv128(FixedLength::from(counter));
    key.less_safe_encrypt(bytes, context).expect("counter mode takes any number of bytes");
}

#[cfg(test)]
mod tests {
    use super::super::Suite;
    use super::super::tests::bytes;
    use super::*;

    /// RFC 3711 appendix B.3.
    #[test]
    fn session_keys_of_the_rfc_are_derived() {
        let master = bytes("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
        let master = MasterKey::new(Suite::AesCm128Sha80, &master).expect("a key");
        let key: [u8; 16] = derive(&master, Kind::Sound, Part::Encryption);
        assert_eq!(key[..], bytes("c61e7a93744f39ee10734afe3ff7a087"));
        let salt: [u8; 14] = derive(&master, Kind::Sound, Part::Salt);
        assert_eq!(salt[..], bytes("30cbbc08863d8c85d49db34a9ae1"));
        let auth: [u8; 94] = derive(&master, Kind::Sound, Part::Authentication);
        let expected = "cebe321f6ff7716b6fd4ab49af256a15 6d38baa48f0a0acf3c34e2359e6cdbce e049646c43d9327ad175578ef7227098 \
                        6371c10c9a369ac2f94a8c5fbcdddc25 6d6e919a48b610ef17c2041e47403576 6b68642c59bbfc2f34db60dbdfb2";
        assert_eq!(auth[..], bytes(expected));
    }
}
