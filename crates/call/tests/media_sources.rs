//! Whom a call hears, and where its sound and its RTCP go, over real sockets and while others send to its port.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use call::audio::{Codec, FRAME_SAMPLES};
use call::rtcp::is_rtcp;
use call::rtp::Header;
use common::{BOUND, Caller, address, count, engine, header, settings, wait_for_calls};
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
        let mut buffer = [0; 2048];
        self.0.iter().any(|socket| {
            // Its port may be the one above the caller's, to which the caller's reports go.
            std::iter::from_fn(|| socket.try_recv(&mut buffer).ok().map(|length| is_rtcp(&buffer[..length])))
                .any(|is_report| !is_report)
        })
    }
}

/// The levels that `listener` has received by now.
fn levels(listener: &Caller) -> Vec<i16> {
    let (mut buffer, mut levels) = ([0; 2048], Vec::new());
    while let Ok(length) = listener.rtp.try_recv(&mut buffer) {
        if is_rtcp(&buffer[..length]) {
            continue;
        }
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

/// A caller that sends no sound and whose RTCP goes on lives longer than the media timeout; then it stops.
#[tokio::test(flavor = "multi_thread")]
async fn silent_caller_lives_by_its_rtcp_and_is_sent_reports() {
    let mut settings = settings(72);
    settings.media_timeout = Duration::from_secs(2);
    let engine = engine(settings).await;
    let mut a = Caller::new(&engine, address(72, 2), "silent").await;
    let (rtp, rtcp) = pair(72, 2).await;
    a.rtp = rtp;
    a.call(Codec::Pcmu).await;
    let media = a.media.expect("media");
    let control = SocketAddr::new(media.ip(), media.port() + 1);
    // An empty receiver report of stream 1, with a BYE of it: its stream is over, its call is not.
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1, 0, 0, 0, 1];
    let mut sent_by_node = Vec::new();
    for _ in 0..40 {
        rtcp.send_to(&report, control).await.expect("send");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = rtcp.try_recv_from(&mut buffer) {
            sent_by_node.push((from, buffer[..length].to_vec()));
        }
    }
    assert_eq!(count(&engine), 1);
    let (from, first) = sent_by_node.first().expect("a report within four seconds");
    assert_eq!(*from, control);
    // A sender report without a block, then a description whose first item is a CNAME.
    assert_eq!((&first[..4], &first[28..30], first[36]), (&[0x80, 200, 0, 6][..], &[0x81, 202][..], 1));
    let bye = a.expect("BYE ").await;
    assert_eq!(header(&bye, "Reason"), "SIP;cause=408;text=\"media timeout\"");
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

/// An even port and the odd one above it.
async fn pair(test: u8, host: u8) -> (UdpSocket, UdpSocket) {
    let open = async {
        loop {
            let even = UdpSocket::bind((address(test, host), 0)).await.expect("bind");
            let port = even.local_addr().expect("local").port();
            if port % 2 == 0
                && let Ok(odd) = UdpSocket::bind((address(test, host), port + 1)).await
            {
                return (even, odd);
            }
        }
    };
    tokio::time::timeout(BOUND, open).await.expect("no pair of ports")
}
