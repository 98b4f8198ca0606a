//! What is sent under one master key: each packet gets its index, is encrypted and authenticated.

use std::fmt;

use crate::rtcp::is_rtcp;
use crate::rtp::Header;

use super::cipher::{CONTROL_HEAD, Cipher, Place};
use super::key::MasterKey;
use super::window::Window;

/// The index of the last control packet under one key (RFC 3711 section 9.2).
const LAST_CONTROL: u32 = (1 << 31) - 1;

/// How far a sender has come. A process that goes on from it makes the packets after those, so the one before must make
/// no more: two packets with the same index under the same key reveal their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The master key.
    pub key: MasterKey,
    /// The SSRC of the stream and the index of its last packet of sound: the sequence number with its wraps above it.
    pub sound: Option<(u32, u64)>,
    /// The index of the last control packet.
    pub control: u32,
}

impl Sent {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(key: MasterKey) -> Sent {
        Sent { key, sound: None, control: 0 }
    }

    /// How often the sequence number of a stream has wrapped.
    #[must_use]
    pub fn rollover(&self, ssrc: u32) -> u32 {
        let index = self.sound.filter(|(last, _)| *last == ssrc).map_or(0, |(_, index)| index);
        (index >> 16) as u32
    }
}

/// Protects packets under one master key.
pub struct Sender {
    sent: Sent,
    cipher: Cipher,
}

impl Sender {
    /// A sender that goes on from there.
    #[must_use]
    pub fn new(sent: Sent) -> Sender {
        Sender { cipher: Cipher::new(&sent.key), sent }
    }

    /// How far it has come.
    #[must_use]
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Protects a packet of RTP or RTCP. False when it is neither, or when the key was used as often as may be: then it
    /// must not be sent.
    #[must_use]
    pub fn seal(&mut self, packet: &mut Vec<u8>) -> bool {
        let sealed = if is_rtcp(packet) { self.seal_control(packet) } else { self.seal_sound(packet) };
        sealed.is_some()
    }

    fn seal_sound(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let (header, body) = Header::split(packet)?;
        let head = packet.len() - body.len();
        let last = self.sent.sound.filter(|(ssrc, _)| *ssrc == header.ssrc);
        let index = match last {
            Some((_, last)) => Window::new(last).index(header.sequence).filter(|index| *index > last)?,
            None => header.sequence.into(),
        };
        self.cipher.seal_sound(Place { ssrc: header.ssrc, index }, head, packet)?;
        self.sent.sound = Some((header.ssrc, index));
        Some(())
    }

    fn seal_control(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let head: &[u8; CONTROL_HEAD] = packet.first_chunk()?;
        let [_, _, _, _, ssrc @ ..] = *head;
        if self.sent.control == LAST_CONTROL {
            return None;
        }
        self.sent.control += 1;
        let place = Place { ssrc: u32::from_be_bytes(ssrc), index: self.sent.control.into() };
        self.cipher.seal_control(place, packet)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sent.fmt(f)
    }
}
