//! Codecs other than G.711 over real sockets: the streams of callers in one room, and the tones that they carry.

mod common;

use std::f64::consts::TAU;

use call::CallEngine;
use call::audio::{Codec, Decoder, Encoder};
use call::rtcp::is_rtcp;
use call::rtp::Header;
use common::{BOUND, Caller, address, engine, settings, wait_for_calls};

/// A caller that says a tone in one codec.
struct Phone {
    caller: Caller,
    codec: Codec,
    hertz: f64,
    encoder: Encoder,
    decoder: Decoder,
    said: u32,
    headers: Vec<Header>,
    heard: Vec<i16>,
}

impl Phone {
    async fn call(engine: &CallEngine, test: u8, host: u8, codec: Codec, hertz: f64) -> Phone {
        let mut caller = Caller::new(engine, address(test, host), &format!("caller-{test}-{host}")).await;
        let (number, name, clock_rate) = (codec.offered_payload_type(), codec.name(), codec.clock_rate());
        let channels = if codec.channels() == 1 { "" } else { "/2" };
        let map = format!("a=rtpmap:{number} {name}/{clock_rate}{channels}\r\n");
        let offer = caller.offer(codec, "sendrecv") + &map;
        let answer = caller.invite_with(&offer).await;
        assert!(answer.contains(&map), "{answer}");
        caller.ack().await;
        let (encoder, decoder) = (Encoder::new(codec), Decoder::new(codec));
        Phone { caller, codec, hertz, encoder, decoder, said: 0, headers: Vec::new(), heard: Vec::new() }
    }

    /// Says a tick of its tone, as a sample of a tone at a rate is numbered.
    async fn say(&mut self) {
        let rate = self.codec.rate();
        let first = self.said as usize * rate.samples();
        let sample = |n: usize| 8000.0 * (TAU * self.hertz * n as f64 / rate.hertz() as f64).sin();
        let samples: Vec<i16> = (first..first + rate.samples()).map(|n| sample(n) as i16).collect();
        let (mut payload, mut datagram) = (Vec::new(), Vec::new());
        self.encoder.encode(&samples, &mut payload);
        let header = Header {
            payload_type: self.codec.offered_payload_type(),
            marker: self.said == 0,
            sequence: self.said as u16,
            timestamp: self.said * self.codec.timestamps_per_tick(),
            ssrc: 1,
        };
        header.write(&payload, &mut datagram);
        self.said += 1;
        self.caller.rtp.send_to(&datagram, self.caller.media.expect("media")).await.expect("send");
    }

    /// Hears the next packet of sound.
    async fn hear(&mut self) {
        let mut buffer = [0; 2048];
        loop {
            let received = tokio::time::timeout(BOUND, self.caller.rtp.recv(&mut buffer)).await;
            let length = received.expect("no sound").expect("receive");
            if !is_rtcp(&buffer[..length]) {
                let (header, payload) = Header::parse(&buffer[..length]).expect("RTP");
                self.headers.push(header);
                return self.decoder.decode(payload, &mut self.heard);
            }
        }
    }

    /// The share of a tone in the power of what it has heard in the last half second.
    fn share_of(&self, hertz: f64) -> f64 {
        let rate = self.codec.rate();
        let heard = &self.heard[self.heard.len().saturating_sub(25 * rate.samples())..];
        let angle = |n: usize| TAU * hertz * n as f64 / rate.hertz() as f64;
        let part = |wave: fn(f64) -> f64| -> f64 {
            heard.iter().enumerate().map(|(n, sample)| f64::from(*sample) * wave(angle(n))).sum()
        };
        let energy: f64 = heard.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let (cosine, sine) = (part(f64::cos), part(f64::sin));
        2.0 * (cosine * cosine + sine * sine) / heard.len() as f64 / energy.max(1.0)
    }

    fn check_stream(&self) {
        for two in self.headers.windows(2) {
            assert_eq!(two[1].payload_type, self.codec.offered_payload_type());
            assert_eq!(two[1].sequence, two[0].sequence.wrapping_add(1), "{:?}", self.codec);
            let elapsed = two[1].timestamp.wrapping_sub(two[0].timestamp);
            assert_eq!(elapsed, self.codec.timestamps_per_tick(), "{:?}", self.codec);
        }
    }
}

/// Two callers in one room talk until each hears nothing but the tone of the other.
async fn hear_each_other(test: u8, (one, other): (Codec, Codec)) {
    let engine = engine(settings(test)).await;
    let mut low = Phone::call(&engine, test, 2, one, 400.0).await;
    let mut high = Phone::call(&engine, test, 3, other, 1000.0).await;
    for tick in 0..300 {
        low.say().await;
        high.say().await;
        low.hear().await;
        high.hear().await;
        if tick > 100 && low.share_of(1000.0) > 0.9 && high.share_of(400.0) > 0.9 {
            break;
        }
    }
    assert!(low.share_of(1000.0) > 0.9 && high.share_of(400.0) > 0.9, "{one:?} and {other:?}");
    low.check_stream();
    high.check_stream();
    low.caller.bye().await;
    high.caller.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_opus_and_g722_hear_each_other() {
    hear_each_other(181, (Codec::Opus, Codec::G722)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_opus_and_g711_hear_each_other() {
    hear_each_other(182, (Codec::Opus, Codec::Pcmu)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_opus_alone_hear_each_other() {
    hear_each_other(183, (Codec::Opus, Codec::Opus)).await;
}
