//! Whom a call hears, and where its sound goes, while others send to its port over real sockets.

mod common;

use std::time::Duration;

use call::audio::{Codec, FRAME_SAMPLES};
use call::rtp::Header;
use common::{Caller, address, engine, settings};
use tokio::net::UdpSocket;

/// Sockets that send loud sound to a media port all at once.
struct Spray(Vec<UdpSocket>);

impl Spray {
    async fn new(test: u8, host: u8, ports: usize) -> Spray {
        let mut sockets = Vec::new();
        for _ in 0..ports {
            sockets.push(UdpSocket::bind((address(test, host), 0)).await.expect("bind"));
        }
        Spray(sockets)
    }

    async fn send(&self, to: &Caller, n: u32) {
        let mut payload = Vec::new();
        Codec::Pcmu.encode(&[16_000; FRAME_SAMPLES], &mut payload);
        let header = Header {
            payload_type: 0,
            marker: false,
            sequence: n as u16,
            timestamp: n * FRAME_SAMPLES as u32,
            ssrc: 66,
        };
        let mut datagram = Vec::new();
        header.write(&payload, &mut datagram);
        for socket in &self.0 {
            let _ = socket.send_to(&datagram, to.media.expect("media")).await;
        }
    }

    /// Whether anything was sent back to one of them.
    fn got_sound(&self) -> bool {
        self.0.iter().any(|socket| socket.try_recv(&mut [0; 2048]).is_ok())
    }
}

/// The levels that `listener` has received by now.
fn levels(listener: &Caller) -> Vec<i16> {
    let (mut buffer, mut levels) = ([0; 2048], Vec::new());
    while let Ok(length) = listener.rtp.try_recv(&mut buffer) {
        let (_, payload) = Header::parse(&buffer[..length]).expect("RTP");
        let mut samples = Vec::new();
        Codec::Pcmu.decode(payload, &mut samples);
        levels.push(samples[0]);
    }
    levels
}

#[tokio::test(flavor = "multi_thread")]
async fn sprayed_ports_take_no_sound_from_a_caller_that_talks_pauses_or_only_listens() {
    let engine = engine(settings(70)).await;
    let mut talker = Caller::new(&engine, address(70, 2), "talker").await;
    let mut listener = Caller::new(&engine, address(70, 3), "listener").await;
    talker.call(Codec::Pcmu).await;
    listener.invite("", Codec::Pcmu, "recvonly").await;
    listener.ack().await;
    // Before the call's own first packet there are none from its address: it would be one of its ports.
    talker.say(Codec::Pcmu, 1000).await;
    talker.hear(Codec::Pcmu).await;
    let sprays = [Spray::new(70, 9, 50).await, Spray::new(70, 2, 50).await];
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let (mut talked, mut heard, mut to_talker) = (0, Vec::new(), 0);
    // Two seconds of talk, a pause that is longer than any in speech, and talk again.
    for n in 0..400 {
        ticks.tick().await;
        if !(100..280).contains(&n) {
            talker.say(Codec::Pcmu, 1000).await;
            talked += 1;
        }
        for spray in &sprays {
            spray.send(&talker, n).await;
        }
        sprays[0].send(&listener, n).await;
        heard.extend(levels(&listener));
        to_talker += levels(&talker).len();
    }
    assert!(!sprays.iter().any(Spray::got_sound), "a stranger was sent sound");
    let loud = heard.iter().filter(|level| **level > 1200).count();
    let spoken = heard.iter().filter(|level| (900..=1200).contains(*level)).count();
    assert_eq!(loud, 0, "the room hears a stranger: {heard:?}");
    assert!(spoken * 10 > talked * 8, "the room hears {spoken} of {talked} packets");
    assert!(heard.len() > 350 && to_talker > 350, "{} and {to_talker} of 400 packets", heard.len());
    engine.shut_down().await;
}

/// Its description names a private address, and its sound comes from the public one of its signalling.
#[tokio::test(flavor = "multi_thread")]
async fn caller_behind_address_translation_is_heard_and_hears() {
    let engine = engine(settings(71)).await;
    let mut hidden = Caller::new(&engine, address(71, 2), "hidden").await;
    let offer = hidden.offer(Codec::Pcmu, "sendrecv").replace("127.88.71.2", "10.255.255.1");
    hidden.invite_with(&offer).await;
    hidden.ack().await;
    let mut other = Caller::new(&engine, address(71, 3), "other").await;
    other.call(Codec::Pcmu).await;
    for _ in 0..100 {
        hidden.say(Codec::Pcmu, 1000).await;
        other.say(Codec::Pcmu, 300).await;
        let heard = (hidden.hear(Codec::Pcmu).await.1, other.hear(Codec::Pcmu).await.1);
        if (heard.0 - 300).abs() <= 40 && (heard.1 - 1000).abs() <= 40 {
            return engine.shut_down().await;
        }
    }
    panic!("never heard");
}
