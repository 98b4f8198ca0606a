//! Streams of packets: their order, their wraps, repeated packets, changes of keys, and states that move.

use super::*;

/// What a receiver reads under a key that has replaced another one.
fn opened_after(receiver: &mut Receiver, before: &Receiver, packet: &[u8]) -> bool {
    receiver.open(packet, Some(before), &mut Vec::new())
}

#[test]
fn packet_counts_once_whatever_the_order() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = (sender(suite), receiver(suite));
        let packets: Vec<_> =
            (65_500_u32..65_700).map(|n| sealed(&mut sender, &sound(7, n as u16))).collect();
        for n in [0, 3, 1, 2, 40, 36, 35, 37, 100, 90, 199] {
            assert!(opened(&mut receiver, &packets[n]).is_some(), "{suite:?} {n}");
            assert_eq!(opened(&mut receiver, &packets[n]), None, "{suite:?} {n} again");
        }
        assert_eq!(opened(&mut receiver, &packets[50]), None, "too old to know");
        let reports: Vec<_> = (0..3).map(|_| sealed(&mut sender, &control(7))).collect();
        for n in [0, 2, 1] {
            assert_eq!(opened(&mut receiver, &reports[n]), Some(control(7)));
            assert_eq!(opened(&mut receiver, &reports[n]), None);
        }
    }
}

#[test]
fn stream_is_read_over_many_wraps_with_gaps() {
    let (mut sender, mut receiver) = (sender(Suite::AesCm128Sha80), receiver(Suite::AesCm128Sha80));
    for n in (0..1_000_000_u32).step_by(30_000) {
        assert_eq!(
            opened(&mut receiver, &sealed(&mut sender, &sound(7, n as u16))),
            Some(sound(7, n as u16))
        );
    }
    assert_eq!(sender.sent().rollover(7), 15);
    assert_eq!(sender.sent().rollover(8), 0, "another stream");
}

#[test]
fn stream_whose_packets_before_its_first_wrap_were_lost_is_read() {
    let (mut sender, mut receiver) = (sender(Suite::AesCm128Sha80), receiver(Suite::AesCm128Sha80));
    sealed(&mut sender, &sound(7, 65_535));
    assert!(opened(&mut receiver, &sealed(&mut sender, &sound(7, 2))).is_some());
    assert_eq!(receiver.received().streams[0].sound.map(|window| window.highest), Some(65_538));
}

#[test]
fn packet_with_an_index_that_was_used_is_not_sealed() {
    let mut sender = sender(Suite::AeadAes128Gcm);
    sealed(&mut sender, &sound(7, 100));
    for sequence in [100, 99] {
        assert!(!sender.seal(&mut sound(7, sequence)), "{sequence}");
    }
    let mut spent = Sender::new(Sent { control: (1 << 31) - 1, ..*sender.sent() });
    assert!(!spent.seal(&mut control(7)));
    let mut spent = Sender::new(Sent { sound: Some((7, (1 << 48) - 1)), ..*sender.sent() });
    assert!(!spent.seal(&mut sound(7, 0)));
    assert!(!spent.seal(&mut vec![0x80; 5]) && !spent.seal(&mut Vec::new()), "no packet");
}

#[test]
fn new_key_is_read_whether_the_count_goes_on_or_begins_anew() {
    for suite in Suite::ALL {
        let (mut sender, mut before) = (sender(suite), receiver(suite));
        for n in (0..140_000_u32).step_by(20_000) {
            assert!(opened(&mut before, &sealed(&mut sender, &sound(7, n as u16))).is_some());
        }
        let next = key(Suite::AesCm128Sha80, 2);
        let goes_on = Sent { key: next, ..*sender.sent() };
        for sent in [goes_on, Sent::new(next)] {
            let (mut sender, mut receiver) = (Sender::new(sent), Receiver::new(Received::new(next, 0)));
            let mut last = Vec::new();
            for n in 140_001_u32..140_100 {
                last = sealed(&mut sender, &sound(7, n as u16));
                assert!(opened_after(&mut receiver, &before, &last), "{sent:?}");
            }
            assert!(!opened_after(&mut receiver, &before, &last), "again");
        }
    }
}

#[test]
fn as_many_streams_are_known_as_the_limit_says_and_the_silent_ones_go_first() {
    let mut receiver = receiver(Suite::AesCm128Sha32);
    let mut open = |ssrc: u32, sequence: u16| {
        let packet = sealed(&mut sender(Suite::AesCm128Sha32), &sound(ssrc, sequence));
        opened(&mut receiver, &packet).is_some()
    };
    for n in 0..2 * MAX_STREAMS as u32 {
        assert!(open(n, 0) && open(1000, n as u16 + 1), "{n}");
    }
    assert!(!open(1000, 1), "the stream that is heard is known");
    assert!(!open(2 * MAX_STREAMS as u32 - 1, 0));
    assert_eq!(receiver.received().streams.len(), MAX_STREAMS);
}

#[test]
fn sender_and_receiver_go_on_from_their_state() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = (sender(suite), receiver(suite));
        let mut packets = Vec::new();
        for n in (0..200_000_u32).step_by(10_000) {
            packets = vec![sealed(&mut sender, &sound(7, n as u16)), sealed(&mut sender, &control(7))];
            assert!(packets.iter().all(|packet| opened(&mut receiver, packet).is_some()));
        }
        let mut other = Sender::new(*sender.sent());
        let mut restored = Receiver::new(receiver.received().clone());
        assert!(
            packets.iter().all(|packet| opened(&mut restored, packet).is_none()),
            "they have come before"
        );
        for plain in [sound(7, 4000), control(7)] {
            let packet = sealed(&mut other, &plain);
            assert_eq!(packet, sealed(&mut sender, &plain));
            assert_eq!(opened(&mut restored, &packet), Some(plain));
        }
    }
}

/// Any bytes, and genuine packets with some of them changed: no panic, and nothing is kept of what is not genuine.
#[test]
fn no_datagram_causes_a_panic() {
    let mut seed = 11_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = (sender(suite), receiver(suite));
        for n in 0..20_000_u32 {
            let genuine = if n % 7 == 0 { control(7) } else { sound(7, n as u16) };
            let mut packet = sealed(&mut sender, &genuine);
            if random(2) == 0 {
                packet = (0..random(60)).map(|_| random(256) as u8).collect();
                packet.iter_mut().take(1).for_each(|first| *first = 0x80 | *first & 0x3f);
            }
            let before = receiver.received().clone();
            let read = opened(&mut receiver, &packet);
            assert!(read.is_none() || read == Some(genuine));
            assert_eq!(read.is_none(), before == *receiver.received());
        }
        assert_eq!(receiver.received().streams.len(), 1, "{suite:?}");
    }
}
