//! Packets of the RFCs, and what a sender and a receiver promise of any packets.

use super::*;
use crate::rtp::Header;

mod packets;
mod streams;

/// The bytes that these digits stand for; blanks separate nothing.
pub(super) fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    digits.chunks(2).map(byte).collect()
}

fn key(suite: Suite, n: u8) -> MasterKey {
    let length = [30, 30, 28, 44][Suite::ALL.iter().position(|known| *known == suite).expect("a suite")];
    MasterKey::new(suite, &vec![n; length]).expect("a key")
}

/// A packet of sound with 20 bytes.
fn sound(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header = Header { payload_type: 0, marker: false, sequence, timestamp: 160, ssrc };
    let mut packet = Vec::new();
    header.write(&[sequence as u8; 20], &mut packet);
    packet
}

/// An empty receiver report.
fn control(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat()
}

fn sender(suite: Suite) -> Sender {
    Sender::new(Sent::new(key(suite, 1)))
}

fn receiver(suite: Suite) -> Receiver {
    Receiver::new(Received::new(key(suite, 1), 0))
}

/// A packet as a sender protects it.
fn sealed(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    assert!(sender.seal(&mut packet), "{packet:?}");
    packet
}

/// What a receiver reads of a packet.
fn opened(receiver: &mut Receiver, packet: &[u8]) -> Option<Vec<u8>> {
    let mut opened = vec![9; 3];
    receiver.open(packet, None, &mut opened).then_some(opened)
}
