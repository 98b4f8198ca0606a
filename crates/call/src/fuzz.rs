//! Entry points of the fuzz targets into the pure parts: input of a far end, from its bytes to the answer of this
//! node. Each function checks what must hold for any input, and panics if it does not. The targets are in crate
//! `fuzz`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::audio::mixer::Mixer;
use crate::audio::{Epoch, FRAME_SAMPLES, Participant, Tag};
use crate::media::control::Channel;
use crate::media::handshake::Identity;
use crate::media::leg::{Leg, Outgoing, Plan};
use crate::rtp::HEADER_BYTES;
use crate::sdp::body::{self, Headers};
use crate::sdp::{Fingerprint, Local, Negotiation, Offer, Path, Security, Unacceptable};
use crate::signalling::fuzz;
use crate::srtp::{MasterKey, Sender, Sent, Suite};
use crate::time::Time;

/// The media address of this node in these inputs.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// This node's end of a call.
fn local() -> Local {
    Local { address: HERE, session: 1, path: Path::Secure, certificate: Fingerprint::of(b"node") }
}

/// Reads the descriptions of a far end in one call, each as the answer to an offer of ours and then as an offer.
///
/// # Panics
/// One of our descriptions does not repeat the media lines of the call, or would be read as something else than was
/// agreed; or the same offer has another answer the second time.
pub fn session_descriptions<'a>(descriptions: impl Iterator<Item = &'a [u8]>) {
    let mut call = Negotiation::new(local());
    let mut random = generator();
    let mut lines = 1;
    for description in descriptions {
        let ours = call.offer(&mut random);
        assert_eq!(media_lines(ours.as_bytes()), lines, "an offer repeats the call's lines: {ours}");
        if call.apply_answer(description).is_ok() {
            assert_eq!(call.description(), ours, "an answer does not change our offer");
        }
        let Ok(offer) = Offer::read(description) else { continue };
        lines = media_lines(description);
        let answer = call.answer_to(&offer, &mut random);
        assert_eq!(call.answer_to(&offer, &mut random), answer, "the same offer has the same answer");
        assert_eq!(media_lines(answer.as_bytes()), lines, "an answer repeats the offer's lines: {answer}");
        check_answer(&call, &answer);
    }
}

/// An answer is read by the far end as what this node has agreed to.
fn check_answer(call: &Negotiation, answer: &str) {
    let offered = match Offer::read(answer.as_bytes()) {
        Ok(offered) => offered,
        // To an offer that is as long as may be.
        Err(Unacceptable::TooLong { .. }) => return,
        Err(error) => panic!("{error}: {answer}"),
    };
    let mut far = Negotiation::new(local());
    far.answer_to(&offered, &mut generator());
    let (Some(ours), Some(theirs)) = (call.agreed(), far.agreed()) else {
        panic!("nothing agreed: {answer}")
    };
    assert_eq!((theirs.codec, &theirs.receives), (ours.codec, &ours.receives), "{answer}");
    assert_eq!(theirs.remote, Some(HERE), "{answer}");
    match (&ours.security, &theirs.security) {
        (Security::Plain, Security::Plain) => {}
        (Security::Keys(ours), Security::Keys(theirs)) => assert_eq!(theirs.theirs, ours.ours, "{answer}"),
        (Security::Handshake(ours), Security::Handshake(theirs)) => {
            assert_ne!(theirs.role, ours.role, "{answer}");
            assert_eq!(theirs.theirs, [local().certificate], "{answer}");
        }
        (Security::Plain | Security::Keys(_) | Security::Handshake(_), _) => panic!("{answer}"),
    }
}

/// The generator of keys: the same in each run.
fn generator() -> StdRng {
    StdRng::seed_from_u64(1)
}

/// Finds the session description in the body of a message. The input is the Content-Type, the Content-Disposition and
/// the body, each of the first two with a line end.
///
/// # Panics
/// The description does not lie within the body.
pub fn body(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut header = || std::str::from_utf8(parts.next()?).ok().filter(|value| !value.is_empty());
    let headers = Headers { kind: header(), disposition: header(), encoding: None };
    let body = parts.next().unwrap_or_default();
    match body::description(headers, body) {
        Ok(Some(found)) => assert!(body.as_ptr_range().contains(&found.as_ptr()) || found.is_empty()),
        Ok(None) => {}
        Err(fault) => assert!((400..500).contains(&fault.status())),
    }
}

fn media_lines(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"m=")).count()
}

/// Gives datagrams, bytes of connections and other events to the signalling of a call engine.
///
/// # Panics
/// It breaks one of its promises.
pub fn messages<'a>(messages: impl Iterator<Item = &'a [u8]>) {
    fuzz::events(messages);
}

/// Has a call engine take a call over whose message is the first part, while the others arrive as datagrams.
///
/// # Panics
/// It breaks one of its promises.
pub fn handover<'a>(mut parts: impl Iterator<Item = &'a [u8]>) {
    let call = parts.next().unwrap_or_default();
    fuzz::handover(call, parts);
}

/// Passes datagrams to the leg of a call, each in a tick of its own, and takes its audio.
///
/// # Panics
/// A packet does not have the length of a tick.
pub fn media<'a>(datagrams: impl Iterator<Item = &'a [u8]>) {
    let Some(mut leg) = leg(OFFER) else { return };
    for (tick, datagram) in (0..).zip(datagrams) {
        receive(&mut leg, tick, datagram);
        hear(&mut leg, tick, HEADER_BYTES + FRAME_SAMPLES);
    }
}

/// As [`media`], of a call whose packets are protected. A datagram that begins with an odd byte is what is behind that
/// byte, sealed under the key of the far end; others are forged.
///
/// # Panics
/// A forged datagram counts, or a packet does not have the length of a tick.
pub fn protected_media<'a>(datagrams: impl Iterator<Item = &'a [u8]>) {
    let key = MasterKey::new(Suite::AesCm128Sha80, &[1; 30]);
    let (Some(mut leg), Some(key)) = (leg(PROTECTED_OFFER), key) else { return };
    let mut far = Sender::new(Sent::new(key));
    for (tick, datagram) in (0..).zip(datagrams) {
        match datagram.split_first() {
            Some((first, packet)) if first % 2 == 1 => {
                let mut packet = packet.to_vec();
                // What is no packet is sent as it is.
                let _ = far.seal(&mut packet);
                receive(&mut leg, tick, &packet);
            }
            Some(_) | None => {
                let before = leg.protected_state();
                receive(&mut leg, tick, datagram);
                assert_eq!(leg.protected_state(), before, "a forged packet counts");
            }
        }
        hear(&mut leg, tick, HEADER_BYTES + FRAME_SAMPLES + 10);
    }
}

/// Passes datagrams to the leg of a call whose keys come of a handshake, which this node begins if the first byte of the
/// first one is odd.
///
/// # Panics
/// There are keys, although nobody has the certificate that the offer names.
pub fn handshake<'a>(mut datagrams: impl Iterator<Item = &'a [u8]>) {
    static IDENTITY: OnceLock<Option<Identity>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Identity::generate().ok());
    let begins = datagrams.next().and_then(|first| first.first()).is_some_and(|first| first % 2 == 1);
    let setup = if begins { "passive" } else { "active" };
    let offer = format!(
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 UDP/TLS/RTP/SAVP 0\r\na=setup:{setup}\r\n\
         a=fingerprint:sha-256 00{}\r\n",
        ":11".repeat(31)
    );
    let (Some(mut leg), Some(identity)) = (leg(offer.as_bytes()), identity) else { return };
    leg.begin_handshake(Time(0), identity);
    let mut sent = Vec::new();
    for (tick, datagram) in (0..).zip(datagrams) {
        receive(&mut leg, tick, datagram);
        while leg.next_handshake_packet(Time(20 * tick), &mut sent).is_some() {}
        assert!(leg.protected_state().is_none(), "keys of a foreign certificate");
    }
}

/// The leg of a call with this offer, confirmed.
fn leg(offer: &[u8]) -> Option<Leg> {
    let mut call = Negotiation::new(local());
    call.answer_to(&Offer::read(offer).ok()?, &mut generator());
    let tag = Tag { participant: Participant(1), epoch: Epoch(1) };
    let start = Outgoing { ssrc: 1, sequence: u16::MAX, timestamp: u32::MAX };
    let mut leg = Leg::new(Time(0), tag, Plan::new(call.agreed()?, None), start);
    leg.start(Time(0));
    Some(leg)
}

/// Passes a datagram to a leg, from one of two ports to one of its own.
fn receive(leg: &mut Leg, tick: u64, datagram: &[u8]) {
    let from = SocketAddr::new(HERE.ip(), 1 + u16::from(datagram.first().is_some_and(|b| b % 3 == 0)));
    let channel = if datagram.len().is_multiple_of(2) { Channel::Media } else { Channel::Control };
    leg.receive(Time(20 * tick), channel, from, datagram);
}

/// Takes the audio of a tick, whose packets have this length.
fn hear(leg: &mut Leg, tick: u64, length: usize) {
    let (mut mixer, mut sent, now) = (Mixer::default(), Vec::new(), Time(20 * tick));
    mixer.begin();
    leg.say(&mut mixer);
    leg.report(now, "node", &mut sent);
    leg.hear(&mut mixer);
    while leg.next_packet(&mut sent).is_some() {
        assert_eq!(sent.len(), length);
    }
    leg.fell_silent(now, Duration::from_secs(1));
}

const PROTECTED_OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/SAVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\r\n";
const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
