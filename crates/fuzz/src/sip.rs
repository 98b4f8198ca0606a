//! A call engine as it ships, on the loopback, and a far end that sends what the input contains: datagrams, the bytes
//! of a TCP stream, RTP. The engine must go on answering, and know its calls.
//!
//! What the engine sends may go to any address in the input: run it where there is only a loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use call::{Admission, CallEngine, Callers, Calls, Room, Rooms, Settings};
use rustix::net::sockopt;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::input::{joined, parts};
use crate::scratch::runtime;
use crate::sip_pure::OFFERS;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long to wait for an answer that may never come. It only decides what the next part is filled in with.
const ANSWER: Duration = Duration::from_millis(1);

/// How long the engine may take for a call to itself; its own limit is six seconds.
const ALIVE: Duration = Duration::from_secs(10);

/// Sends an input to a new engine: as datagrams, or as the bytes of a stream if it begins with `T`.
pub(crate) fn run(data: &[u8]) {
    runtime().block_on(async {
        let mut settings = Settings::new((LOCALHOST, 0).into(), LOCALHOST);
        settings.t1_ms = 20;
        let room = Room { name: "Standup".into(), aliases: vec!["meet".into()], callers: Callers::Anyone };
        let engine = CallEngine::start(settings, Rooms::new([room]), Admission::Open).await;
        let engine = engine.expect("an engine on the loopback");
        match data.split_first() {
            Some((b'T', stream)) => send_stream(&engine, stream).await,
            _ => send_datagrams(&engine, data).await,
        }
        let alive = timeout(ALIVE, engine.probe_call()).await;
        assert!(matches!(alive, Ok(Ok(_))), "the engine carries no call any more: {alive:?}");
        assert_ne!(*engine.calls().borrow(), Calls::Unknown, "a part of the engine has failed");
        // Dropped and not shut down: its far end would not answer the BYE.
    });
}

/// The far end of a call, with what it has learned from the answers.
struct FarEnd {
    sip: UdpSocket,
    tag: String,
    media: Option<SocketAddr>,
}

async fn send_datagrams(engine: &CallEngine, data: &[u8]) {
    let sip = UdpSocket::bind((LOCALHOST, 0)).await.expect("a socket");
    sip.connect(engine.sip_address()).await.expect("an address");
    let mut far = FarEnd { sip, tag: String::new(), media: None };
    for part in parts(data) {
        match part.strip_prefix(b"RTP ") {
            Some(sound) => {
                let media = far.media.unwrap_or(engine.sip_address());
                let socket = UdpSocket::bind((LOCALHOST, 0)).await.expect("a socket");
                let _ = socket.send_to(sound, media).await;
            }
            None => {
                // A part that is too long for a datagram is skipped.
                let _ = far.sip.send(&far.filled_in(part, engine)).await;
                far.listen().await;
            }
        }
    }
}

impl FarEnd {
    /// The part with its placeholders replaced by the real addresses and tag.
    fn filled_in(&self, part: &[u8], engine: &CallEngine) -> Vec<u8> {
        let here = self.sip.local_addr().map(|here| here.to_string()).unwrap_or_default();
        let there = engine.sip_address().to_string();
        let part = replaced(part, b"$TAG", self.tag.as_bytes());
        replaced(&replaced(&part, b"$HERE", here.as_bytes()), b"$THERE", there.as_bytes())
    }

    /// Takes tag and media address from the answers, if there are any.
    async fn listen(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Ok(Ok(length)) = timeout(ANSWER, self.sip.recv(&mut buffer)).await {
            let text = String::from_utf8_lossy(&buffer[..length]);
            let after = |mark: &str| text.split(mark).nth(1).map(|rest| rest.split(['\r', ' ', ';', '>']));
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
            if let Some((_, tag)) = to.split_once("tag=") {
                self.tag = tag.trim().to_string();
            }
            let port = after("m=audio ").and_then(|mut fields| fields.next()?.parse().ok());
            self.media = port.map(|port| (LOCALHOST, port).into()).or(self.media);
            if text.starts_with("SIP/2.0 ") && !text.starts_with("SIP/2.0 1") {
                return;
            }
        }
    }
}

fn replaced(text: &[u8], mark: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        out.extend(&rest[..at]);
        out.extend(by);
        rest = &rest[at + mark.len()..];
    }
    out.extend(rest);
    out
}

async fn send_stream(engine: &CallEngine, data: &[u8]) {
    let mut stream = TcpStream::connect(engine.sip_address()).await.expect("a connection");
    // Gone at once when it is closed: thousands of runs would use up the ports.
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    for part in parts(data) {
        if stream.write_all(part).await.is_err() {
            return;
        }
        let _ = timeout(ANSWER, stream.read(&mut [0; 4096])).await;
    }
}

/// A call from its INVITE to its BYE.
pub(crate) fn call() -> Vec<String> {
    let [offer, hold, browser, protected] = OFFERS;
    let timer = "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n";
    vec![
        request("INVITE", 1, timer, offer),
        request("ACK", 1, "", ""),
        request("INVITE", 2, "Require: timer\r\nRecord-Route: <sip:127.0.0.1:9;lr>\r\n", hold),
        request("ACK", 2, "", ""),
        request("UPDATE", 3, "x: 90;refresher=uas\r\n", browser),
        request("INFO", 4, "", ""),
        request("UPDATE", 5, "", protected),
        request("BYE", 6, "Reason: SIP;cause=200\r\n", ""),
    ]
}

fn request(method: &str, sequence: u32, headers: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let tag = if method == "INVITE" && sequence == 1 { "" } else { ";tag=$TAG" };
    format!(
        "{method} sip:meet@$THERE SIP/2.0\r\nVia: SIP/2.0/UDP $HERE;branch=z9hG4bK{sequence}{method};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:ann@$HERE>;tag=ann\r\nTo: <sip:meet@$THERE>{tag}\r\nCall-ID: c1\r\n\
         CSeq: {sequence} {method}\r\nContact: <sip:ann@$HERE>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let call = call();
    let sound = [b"RTP ".to_vec(), vec![0x80; 172]].concat();
    let talking = [call[0].clone().into_bytes(), call[1].clone().into_bytes(), sound.clone(), sound];
    let options = request("OPTIONS", 1, "", "");
    let cancelled = [call[0].clone(), request("CANCEL", 1, "", "")];
    // The offer is ours, and the ACK answers it.
    let late = [request("INVITE", 1, "", ""), request("ACK", 1, "", OFFERS[0]), request("BYE", 2, "", "")];
    let tcp = |parts: &[String]| {
        let over_tcp = joined(parts);
        [b"T".to_vec(), replaced(&over_tcp, b"SIP/2.0/UDP", b"SIP/2.0/TCP")].concat()
    };
    let addressed = |text: &String| text.replace("$HERE", "127.0.0.1:9").replace("$THERE", "127.0.0.1:5060");
    vec![
        joined(&call),
        joined(&talking),
        joined(&[&options]),
        joined(&cancelled),
        joined(&late),
        tcp(&call.iter().map(addressed).collect::<Vec<_>>()),
        tcp(&[addressed(&options)]),
        tcp(&[addressed(&options).replace("Content-Length: 0", "Content-Length: 18446744073709551615")]),
    ]
}
