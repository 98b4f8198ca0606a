//! What is received under one master key: a packet counts when it is genuine and has not come before.

use std::fmt;

use crate::rtcp::is_rtcp;
use crate::rtp::Header;

use super::cipher::{CONTROL_HEAD, Cipher, Place};
use super::key::MasterKey;
use super::window::Window;

/// How many streams are known under one key. A phone may begin another at each hold; the one that was silent for longest
/// is forgotten first. Only who has the key begins one.
pub const MAX_STREAMS: usize = 64;

/// The sequence numbers below this may be those after a wrap whose packets before it were lost.
const AFTER_A_WRAP: u16 = 1 << 15;

/// What has come of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The stream.
    pub ssrc: u32,
    /// Its packets of sound.
    pub sound: Option<Window>,
    /// Its control packets.
    pub control: Option<Window>,
}

impl Stream {
    /// A stream of which everything up to these indices counts as having come; `None` if there are no such indices.
    #[must_use]
    pub fn after(ssrc: u32, sound: Option<u64>, control: Option<u32>) -> Option<Stream> {
        let window = |highest: Option<u64>| highest.map(Window::after);
        let windows = (window(sound), window(control.map(u64::from)));
        match windows {
            (Some(None), _) | (_, Some(None)) => None,
            (sound, control) => Some(Stream { ssrc, sound: sound.flatten(), control: control.flatten() }),
        }
    }
}

/// What has come under a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The master key.
    pub key: MasterKey,
    /// How many bytes of each packet identify the master key (RFC 3711 section 3.1); the far end says so beforehand.
    pub mki: u8,
    /// The streams, the one that was heard last at the end; at most [`MAX_STREAMS`].
    pub streams: Vec<Stream>,
}

impl Received {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(key: MasterKey, mki: u8) -> Received {
        Received { key, mki, streams: Vec::new() }
    }

    fn stream(&self, ssrc: u32) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.ssrc == ssrc)
    }

    /// The stream, as the one that was heard last.
    fn heard(&mut self, ssrc: u32) -> &mut Stream {
        match self.streams.iter().position(|stream| stream.ssrc == ssrc) {
            Some(place) => self.streams[place..].rotate_left(1),
            None => {
                if self.streams.len() >= MAX_STREAMS {
                    self.streams.remove(0);
                }
                self.streams.push(Stream { ssrc, sound: None, control: None });
            }
        }
        self.streams.last_mut().expect("it has one at least")
    }
}

/// Checks packets under one master key.
pub struct Receiver {
    received: Received,
    cipher: Cipher,
}

impl Receiver {
    /// A receiver that goes on from there.
    #[must_use]
    pub fn new(received: Received) -> Receiver {
        Receiver { cipher: Cipher::new(&received.key), received }
    }

    /// What has come.
    #[must_use]
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// Writes a packet of RTP or RTCP in the clear. False when it is not genuine, has come before, or is too old to know;
    /// then `opened` has no meaning.
    ///
    /// `before` is the receiver of the key that this one has replaced. Some far ends go on counting their packets over a
    /// change of keys (RFC 3711 section 3.3.1), others begin anew (RFC 4568 section 7.1.4).
    #[must_use]
    pub fn open(&mut self, packet: &[u8], before: Option<&Receiver>, opened: &mut Vec<u8>) -> bool {
        let genuine = if is_rtcp(packet) {
            self.open_control(packet, opened)
        } else {
            self.open_sound(packet, before, opened)
        };
        genuine.is_some()
    }

    fn open_sound(&mut self, packet: &[u8], before: Option<&Receiver>, opened: &mut Vec<u8>) -> Option<()> {
        let (Header { sequence, ssrc, .. }, body) = Header::split(packet)?;
        let head = packet.len() - body.len();
        let window = |received: &Received| received.stream(ssrc)?.sound;
        let mki = self.received.mki.into();
        let mut is_genuine =
            |index: u64| self.cipher.open_sound(Place { ssrc, index }, head, mki, packet, opened).is_some();
        let index = match window(&self.received) {
            Some(window) => {
                let index = window.index(sequence).filter(|index| window.is_new(*index))?;
                is_genuine(index).then_some(index)?
            }
            None => {
                let going_on = before.and_then(|before| window(&before.received)?.index(sequence));
                first_indices(sequence, going_on).find(|index| is_genuine(*index))?
            }
        };
        let sound = &mut self.received.heard(ssrc).sound;
        sound.get_or_insert(Window::new(index)).accept(index);
        Some(())
    }

    fn open_control(&mut self, packet: &[u8], opened: &mut Vec<u8>) -> Option<()> {
        let head: &[u8; CONTROL_HEAD] = packet.first_chunk()?;
        let [_, _, _, _, ssrc @ ..] = *head;
        let (ssrc, mki) = (u32::from_be_bytes(ssrc), self.received.mki.into());
        let index = self.cipher.control_index(mki, packet)?;
        let window = self.received.stream(ssrc).and_then(|stream| stream.control);
        if window.is_some_and(|window| !window.is_new(index)) {
            return None;
        }
        self.cipher.open_control(Place { ssrc, index }, mki, packet, opened)?;
        let control = &mut self.received.heard(ssrc).control;
        control.get_or_insert(Window::new(index)).accept(index);
        Some(())
    }
}

/// What the first packet of a stream may be: one of a count that goes on, one of a new count, or one of a new count whose
/// packets before its wrap were lost.
fn first_indices(sequence: u16, going_on: Option<u64>) -> impl Iterator<Item = u64> {
    let first = u64::from(sequence);
    let wrapped = (sequence < AFTER_A_WRAP).then_some(first + (1 << 16));
    going_on.into_iter().chain([first]).chain(wrapped)
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.received.fmt(f)
    }
}
