//! A running engine on an address of its own, other programs that call it, and a small caller made of plain sockets.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

pub mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Output;
use std::time::Duration;

use call::audio::{Codec, FRAME_SAMPLES};
use call::rtcp::is_rtcp;
use call::rtp::Header;
use call::{Admission, CallEngine, Callers, Calls, Room, Rooms, Settings, SourceRate};
use phones::baresip::Baresip;
use phones::linphone::Linphone;
use phones::sipp;
pub use phones::sipp::check as check_sipp;
pub use phones::{BOUND, wait_until};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// How long a run of sipp may last.
const SIPP_LIMIT: [&str; 3] = ["-timeout", "30s", "-timeout_error"];

/// The node's address of a test; callers get the ones after it. Another run of the same test on this machine has others:
/// the ports of one address are taken in turn.
pub fn address(test: u8, host: u8) -> IpAddr {
    let process = 128 | (std::process::id() & 0x3f) as u8;
    Ipv4Addr::new(127, process, test, host).into()
}

/// The settings of a test: short timers, no limit that is not the test's subject.
pub fn settings(test: u8) -> Settings {
    let node = address(test, 1);
    let mut settings = Settings::new(SocketAddr::new(node, 0), node);
    settings.media_ports = 20_000..=29_999;
    settings.source_rate =
        SourceRate { admitted: 100_000, burst: 100_000, answered: 100_000, failed: 100_000 };
    settings.min_session_interval = Duration::from_secs(2);
    settings
}

pub fn rooms() -> Rooms {
    let room = |name: &str, alias: &str, callers| Room {
        name: name.to_owned(),
        aliases: vec![alias.to_owned()],
        callers,
    };
    Rooms::new([
        room("Meeting", "meet", Callers::Anyone),
        room("Other", "other@example.com", Callers::Anyone),
        room("Board", "board", Callers::Accounts),
    ])
}

pub async fn engine(settings: Settings) -> CallEngine {
    CallEngine::start(settings, rooms(), Admission::Open).await.expect("engine")
}

pub async fn wait_for_calls(engine: &CallEngine, wanted: u32) {
    let mut calls = engine.calls();
    let reached = calls.wait_for(|calls| matches!(calls, Calls::Known { count, .. } if *count == wanted));
    let waited = tokio::time::timeout(BOUND, reached).await.map(|reached| reached.map(|_| ()));
    assert!(matches!(waited, Ok(Ok(()))), "not {wanted} calls: {:?}", *engine.calls().borrow());
}

pub fn count(engine: &CallEngine) -> u32 {
    match *engine.calls().borrow() {
        Calls::Known { count, .. } => count,
        Calls::Unknown => panic!("calls are unknown"),
    }
}

/// Runs sipp against the engine; the test fails when sipp does.
pub async fn sipp(engine: &CallEngine, caller: IpAddr, arguments: &[&str]) {
    let output = try_sipp(engine, caller, arguments).await;
    check_sipp(&output, &format!("{:?}", engine.stats()));
}

/// Runs sipp against the engine. It may report failures.
pub async fn try_sipp(engine: &CallEngine, caller: IpAddr, arguments: &[&str]) -> Output {
    run_sipp(engine.sip_address(), caller, arguments).await
}

/// Runs sipp against an address. It may report failures.
pub async fn run_sipp(target: SocketAddr, caller: IpAddr, arguments: &[&str]) -> Output {
    sipp::run(target, caller, &[&SIPP_LIMIT, arguments].concat()).await
}

/// Starts a sipp that is called. What it reports comes when it has ended.
pub fn start_sipp(ip: IpAddr, port: u16, arguments: &[&str]) -> JoinHandle<std::io::Result<Output>> {
    let mut sipp = sipp::command(ip, port, &[&SIPP_LIMIT, arguments].concat());
    tokio::spawn(async move { sipp.output().await })
}

/// Waits until a program accepts connections.
pub async fn wait_until_listening(ip: IpAddr, port: u16) {
    wait_until("it listens", || std::net::TcpStream::connect((ip, port)).is_ok()).await;
}

/// A caller made of two UDP sockets, for what sipp cannot do.
pub struct Caller {
    pub sip: UdpSocket,
    pub rtp: UdpSocket,
    pub id: String,
    /// Whom it calls.
    pub alias: String,
    pub to_tag: String,
    pub sequence: u32,
    pub media: Option<SocketAddr>,
    sent: u32,
}

impl Caller {
    pub async fn new(engine: &CallEngine, ip: IpAddr, id: &str) -> Caller {
        Caller::of(engine.sip_address(), ip, id).await
    }

    /// A caller that reaches a node at this address.
    pub async fn of(node: SocketAddr, ip: IpAddr, id: &str) -> Caller {
        let sip = UdpSocket::bind((ip, 0)).await.expect("bind");
        sip.connect(node).await.expect("connect");
        let rtp = UdpSocket::bind((ip, 0)).await.expect("bind");
        let (id, alias) = (id.to_owned(), "meet".to_owned());
        Caller { sip, rtp, id, alias, to_tag: String::new(), sequence: 1, media: None, sent: 0 }
    }

    pub fn request(&self, method: &str, branch: &str, headers: &str, body: &str) -> String {
        let (from, node) = (self.sip.local_addr().expect("local"), self.sip.peer_addr().expect("peer"));
        let (id, alias, sequence, tag) = (&self.id, &self.alias, self.sequence, &self.to_tag);
        format!(
            "{method} sip:{alias}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{id}{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:caller@{from}>;tag={id}\r\nTo: <sip:{alias}@{node}>{tag}\r\n\
             Call-ID: {id}\r\nCSeq: {sequence} {method}\r\nContact: <sip:caller@{from}>\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub fn offer(&self, codec: Codec, direction: &str) -> String {
        let rtp = self.rtp.local_addr().expect("local");
        let family = if rtp.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=- 1 {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\na={direction}\r\n",
            self.sequence,
            rtp.port(),
            codec.offered_payload_type(),
            ip = rtp.ip(),
        )
    }

    pub async fn send(&self, text: &str) {
        self.sip.send(text.as_bytes()).await.expect("send");
    }

    /// The next message whose first line starts so; others are passed over.
    pub async fn expect(&self, start: &str) -> String {
        let wait = async {
            let mut buffer = vec![0; 65_536];
            loop {
                let length = self.sip.recv(&mut buffer).await.expect("receive");
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.starts_with(start) {
                    return text;
                }
            }
        };
        tokio::time::timeout(BOUND, wait).await.unwrap_or_else(|_| panic!("no {start}"))
    }

    pub async fn invite(&mut self, headers: &str, codec: Codec, direction: &str) -> String {
        let body = self.offer(codec, direction);
        self.invite_for(headers, &body).await
    }

    /// An INVITE with this offer.
    pub async fn invite_with(&mut self, offer: &str) -> String {
        self.invite_for("", offer).await
    }

    async fn invite_for(&mut self, headers: &str, body: &str) -> String {
        let headers = format!("{headers}Content-Type: application/sdp\r\n");
        self.send(&self.request("INVITE", &self.sequence.to_string(), &headers, body)).await;
        let answer = self.expect("SIP/2.0 200").await;
        self.to_tag = format!(";tag={}", header(&answer, "To").split("tag=").nth(1).expect("tag"));
        let port = answer.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()).expect("port");
        let node = self.sip.peer_addr().expect("peer").ip();
        self.media = Some(SocketAddr::new(node, port.parse().expect("port")));
        answer
    }

    pub async fn ack(&mut self) {
        self.send(&self.request("ACK", &format!("ack{}", self.sequence), "", "")).await;
        self.sequence += 1;
    }

    pub async fn call(&mut self, codec: Codec) {
        self.invite("", codec, "sendrecv").await;
        self.ack().await;
    }

    pub async fn bye(&mut self) {
        self.send(&self.request("BYE", &self.sequence.to_string(), "", "")).await;
        self.sequence += 1;
        self.expect("SIP/2.0 200").await;
    }

    /// Sends 20 ms of a constant level.
    pub async fn say(&mut self, codec: Codec, level: i16) {
        let mut payload = Vec::new();
        codec.encode(&[level; FRAME_SAMPLES], &mut payload);
        let header = Header {
            payload_type: codec.offered_payload_type(),
            marker: false,
            sequence: self.sent as u16,
            timestamp: self.sent * FRAME_SAMPLES as u32,
            ssrc: 1,
        };
        self.sent += 1;
        let mut datagram = Vec::new();
        header.write(&payload, &mut datagram);
        self.rtp.send_to(&datagram, self.media.expect("media")).await.expect("send");
    }

    /// The next RTP packet: its header and its first sample.
    pub async fn hear(&self, codec: Codec) -> (Header, i16) {
        let mut buffer = [0; 2048];
        // Reports to a caller with the port below may come too.
        let next = async {
            loop {
                let length = self.rtp.recv(&mut buffer).await.expect("receive");
                if !is_rtcp(&buffer[..length]) {
                    return length;
                }
            }
        };
        let length = tokio::time::timeout(BOUND, next).await.expect("no sound");
        let (header, payload) = Header::parse(&buffer[..length]).expect("RTP");
        let mut samples = Vec::new();
        codec.decode(payload, &mut samples);
        (header, samples[0])
    }
}

/// Two phones in one room, with tones of 400 and 1000 Hz, hear each other, also after a hold, until one hangs up and the
/// engine ends the call of the other.
pub async fn hear_each_other(engine: CallEngine, mut low: Baresip, mut high: Baresip) {
    low.established().await;
    high.established().await;
    low.hears(1000).await;
    high.hears(400).await;

    // What this version of baresip receives after a hold is not in its recording.
    low.hold().await;
    low.resume().await;
    high.hears(400).await;

    low.hang_up().await;
    wait_for_calls(&engine, 1).await;
    engine.shut_down().await;
    high.wait_for_hang_up().await;
}

/// A phone of Linphone and one of baresip in one room, with tones of 400 and 1000 Hz, hear each other, also after a hold,
/// until one after the other hangs up.
pub async fn both_hear_each_other(engine: CallEngine, mut linphone: Linphone, mut other: Baresip) {
    let ended_before = engine.stats().ended_by_far_end;
    linphone.hears(1000).await;
    other.hears(400).await;
    linphone.hold().await;
    linphone.resume().await;
    linphone.hears(1000).await;
    other.hears(400).await;
    linphone.hang_up().await;
    wait_for_calls(&engine, 1).await;
    assert_eq!(engine.stats().ended_by_far_end, ended_before + 1);
    other.hang_up().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

pub fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let start = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {name} in {text}"))
}
