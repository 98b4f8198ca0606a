//! Single packets: those of the RFCs and of another implementation, and damaged ones.

use super::*;

/// Packets under a master key as another implementation protects them.
struct Known {
    suite: Suite,
    master: &'static str,
    sound: [&'static str; 2],
    control: [&'static str; 2],
}

/// Those that libsrtp is checked with: in each the sequence number is 0x1234, the index of the control packet 1, and the
/// plain text 0xab in 16 bytes.
const KNOWN: [Known; 2] = [
    Known {
        suite: Suite::AesCm128Sha80,
        master: "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
        sound: [
            "800f1234decafbadcafebabe abababababababababababababababab",
            "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
        ],
        control: [
            "81c8000bcafebabe abababababababababababababababab",
            "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
        ],
    },
    Known {
        suite: Suite::AeadAes128Gcm,
        master: "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab",
        sound: [
            "800f1234decafbadcafebabe abababababababababababababababab",
            "800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392",
        ],
        control: [
            "81c8000bcafebabe abababababababababababababababab",
            "81c8000bcafebabe c98b8b5df0392a55852b6c21ac8e7025 c52c6fbea2b3b446ea31123ba88ce61e 80000001",
        ],
    },
];

#[test]
fn packets_of_another_implementation_are_made_and_read() {
    for Known { suite, master, sound, control } in KNOWN {
        let key = MasterKey::new(suite, &bytes(master)).expect("a key");
        let mut sender = Sender::new(Sent::new(key));
        let mut receiver = Receiver::new(Received::new(key, 0));
        for [plain, expected] in [sound, control] {
            let (plain, expected) = (bytes(plain), bytes(expected));
            assert_eq!(sealed(&mut sender, &plain), expected, "{suite:?}");
            assert_eq!(opened(&mut receiver, &expected), Some(plain), "{suite:?}");
        }
    }
}

#[test]
fn tag_of_32_bits_is_the_beginning_of_that_of_80_and_control_packets_keep_theirs() {
    let key = bytes(KNOWN[0].master);
    let [long, short] =
        [Suite::AesCm128Sha80, Suite::AesCm128Sha32].map(|suite| MasterKey::new(suite, &key).expect("a key"));
    let (mut long, mut short) = (Sender::new(Sent::new(long)), Sender::new(Sent::new(short)));
    let (of_long, of_short) = (sealed(&mut long, &sound(7, 1)), sealed(&mut short, &sound(7, 1)));
    assert_eq!(of_short, of_long[..of_long.len() - 6]);
    assert_eq!(sealed(&mut short, &control(7)), sealed(&mut long, &control(7)));
}

#[test]
fn header_with_sources_and_extension_is_authenticated_and_stays_readable() {
    let head = bytes("b2 00 0001 000000a0 00000007 00000001 00000002 bede 0001 01020304");
    let plain = [&head[..], &[5; 10], &[0, 0, 3]].concat();
    for suite in Suite::ALL {
        let packet = sealed(&mut sender(suite), &plain);
        assert_eq!(packet[..head.len()], head, "{suite:?}");
        assert_ne!(packet[head.len()..plain.len()], plain[head.len()..], "{suite:?}");
        assert_eq!(opened(&mut receiver(suite), &packet).as_ref(), Some(&plain), "{suite:?}");
    }
}

#[test]
fn packet_with_any_one_bit_changed_or_cut_off_is_not_genuine() {
    for suite in Suite::ALL {
        for plain in [sound(7, 1), control(7)] {
            let packet = sealed(&mut sender(suite), &plain);
            let mut receiver = receiver(suite);
            for bit in 0..8 * packet.len() {
                let mut changed = packet.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(opened(&mut receiver, &changed), None, "{suite:?} bit {bit}");
            }
            for length in 0..packet.len() {
                assert_eq!(opened(&mut receiver, &packet[..length]), None, "{suite:?} {length} bytes");
            }
            assert_eq!(receiver.received().streams, [], "nothing is kept of them");
            assert_eq!(opened(&mut receiver, &packet), Some(plain), "{suite:?}");
        }
    }
}

#[test]
fn packet_under_another_key_or_suite_and_one_in_the_clear_is_not_genuine() {
    for suite in Suite::ALL {
        for plain in [sound(7, 1), control(7)] {
            assert_eq!(opened(&mut receiver(suite), &plain), None);
            let packet = sealed(&mut sender(suite), &plain);
            let mut other = Receiver::new(Received::new(key(suite, 2), 0));
            assert_eq!(opened(&mut other, &packet), None, "{suite:?}");
            for other in Suite::ALL.into_iter().filter(|other| *other != suite) {
                let is_the_same = [suite, other].iter().all(|suite| suite.name().starts_with("AES_CM"));
                let read = opened(&mut receiver(other), &packet);
                assert!(read.is_none() || (is_the_same && read == Some(control(7))), "{suite:?} {other:?}");
            }
        }
    }
}

#[test]
fn identifier_of_the_master_key_is_passed_over() {
    let identifier = [0, 0, 0, 1];
    for suite in Suite::ALL {
        let tag = |plain: &[u8]| match suite {
            Suite::AesCm128Sha80 => 10,
            Suite::AesCm128Sha32 if plain == control(7) => 10,
            Suite::AesCm128Sha32 => 4,
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 0,
        };
        let mut receiver = Receiver::new(Received::new(key(suite, 1), 4));
        for plain in [sound(7, 1), control(7)] {
            let mut packet = sealed(&mut sender(suite), &plain);
            assert_eq!(opened(&mut receiver, &packet), None, "{suite:?} without it");
            let place = packet.len() - tag(&plain);
            packet.splice(place..place, identifier);
            assert_eq!(opened(&mut receiver, &packet), Some(plain), "{suite:?}");
        }
    }
}

#[test]
fn control_packet_that_says_it_is_not_encrypted_is_refused() {
    // The flag is authenticated, so such a packet comes from who has the key: it was not agreed all the same.
    for suite in [Suite::AesCm128Sha80, Suite::AeadAes128Gcm] {
        let cipher = super::super::cipher::Cipher::new(&key(suite, 1));
        let mut packet = sealed(&mut sender(suite), &control(7));
        let place = if suite == Suite::AesCm128Sha80 { packet.len() - 14 } else { packet.len() - 4 };
        assert_eq!(cipher.control_index(0, &packet), Some(1));
        packet[place] &= 0x7f;
        assert_eq!(cipher.control_index(0, &packet), None);
    }
}
