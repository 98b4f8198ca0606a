//! Entry points of the fuzz targets into the pure parts: input of a far end, from its bytes to the answer of this
//! node. Each function checks what must hold for any input, and panics if it does not. The targets are in crate
//! `fuzz`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::audio::mixer::Mixer;
use crate::audio::{Epoch, FRAME_SAMPLES, Participant, Tag};
use crate::media::leg::{Leg, Outgoing, Plan};
use crate::sdp::{self, Agreed, Local};
use crate::sip::fuzz::read_request;
use crate::time::Time;

/// The media address of this node in these inputs.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
const LOCAL: Local = Local { address: HERE, session: 1, version: 1 };

/// Reads a session description as an offer and answers it.
///
/// # Panics
/// The answer is not one that this node itself would read as the same agreement.
pub fn session_description(offer: &[u8]) {
    let Ok(agreed) = sdp::read_offer(offer) else { return };
    let answer = sdp::write_agreed(&agreed, &LOCAL);
    let media = |text: &[u8]| text.split(|byte| *byte == b'\n').filter(|l| l.starts_with(b"m=")).count();
    assert_eq!(media(answer.as_bytes()), media(offer), "an answer repeats the offer's media lines: {answer}");
    let again = sdp::read_answer(answer.as_bytes()).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let terms = |agreed: &Agreed| (agreed.codec, agreed.payload_type, agreed.events);
    assert_eq!(terms(&again), terms(&agreed), "{answer}");
    assert_eq!(again.remote, Some(HERE), "{answer}");
}

/// Reads a SIP message as the call engine does before and after it admits a call.
pub fn message(datagram: &[u8]) {
    read_request(datagram);
}

/// Passes datagrams to the leg of a call, each in a tick of its own, and takes its audio.
///
/// # Panics
/// A packet does not have the length of a tick.
pub fn media<'a>(datagrams: impl Iterator<Item = &'a [u8]>) {
    let Ok(agreed) = sdp::read_offer(OFFER) else { return };
    let tag = Tag { participant: Participant(1), epoch: Epoch(1) };
    let start = Outgoing { ssrc: 1, sequence: u16::MAX, timestamp: u32::MAX };
    let mut leg = Leg::new(Time(0), tag, Plan::from(&agreed), start);
    leg.start();
    let (mut mixer, mut sent) = (Mixer::default(), Vec::new());
    for (tick, datagram) in (0..).zip(datagrams) {
        let now = Time(20 * tick);
        let from = SocketAddr::new(HERE.ip(), 1 + u16::from(datagram.first().is_some_and(|b| b % 3 == 0)));
        leg.receive(now, from, datagram);
        mixer.begin();
        leg.say(&mut mixer);
        if leg.hear(&mut mixer, &mut sent).is_some() {
            assert_eq!(sent.len(), crate::rtp::HEADER_BYTES + FRAME_SAMPLES);
        }
        leg.fell_silent(now, Duration::from_secs(1));
    }
}

const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
