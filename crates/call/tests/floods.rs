//! Floods from many sources over every transport: those in a call go on hearing each other, a caller from elsewhere is
//! still carried, and when the flood is over nothing is left of it.

mod common;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use call::audio::Codec;
use call::{Account, Accounts, CallEngine, Secret, SourceRate};
use common::tls::tls_engine;
use common::{Caller, address, count, wait_for_calls};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::interval;

const TEST: u8 = 129;
/// The sources of the flood: hosts from this one on.
const FIRST_SOURCE: u8 = 100;
const SOURCES: u8 = 20;
/// The datagrams of each kind from each source.
const DATAGRAMS: u32 = 1000;
/// The connections from each source over each transport.
const CONNECTIONS: u32 = 100;
/// What a source is granted: so much that the flood is thousands of calls, and no call is refused for its rate alone.
const GRANTED: SourceRate = SourceRate { admitted: 50, burst: 50, answered: 500, failed: 10 };
/// Far more than the tables of the engine may hold at their limits: 16,384 transactions of some kilobytes.
const MEMORY: usize = 256 << 20;

/// What a source sends. `{n}` makes it another one each time.
const MESSAGES: [&str; 5] = [
    // Half-open calls: nobody confirms the answer.
    "INVITE sip:meet@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKi{n}\r\nMax-Forwards: 70\r\n\
     From: <sip:f@{here}>;tag=f\r\nTo: <sip:meet@{node}>\r\nCall-ID: i{n}-{here}\r\nCSeq: 1 INVITE\r\n\
     Contact: <sip:f@{here}>\r\nContent-Type: application/sdp\r\nContent-Length: 94\r\n\r\n\
     v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n",
    // Somebody who guesses a password.
    "REGISTER sip:{node} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKr{n}\r\nMax-Forwards: 70\r\n\
     From: <sip:ann@{node}>;tag=f\r\nTo: <sip:ann@{node}>\r\nCall-ID: r{n}-{here}\r\nCSeq: 1 REGISTER\r\n\
     Contact: <sip:f@{here}>\r\nAuthorization: Digest username=\"ann\", realm=\"pitlane\", nonce=\"{n}\", \
     uri=\"sip:{node}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"x\", \
     response=\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\r\nContent-Length: 0\r\n\r\n",
    "OPTIONS sip:{node} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKo{n}\r\nMax-Forwards: 70\r\n\
     From: <sip:f@{here}>;tag=f\r\nTo: <sip:{node}>\r\nCall-ID: o{n}-{here}\r\nCSeq: 1 OPTIONS\r\n\
     Content-Length: 0\r\n\r\n",
    // A BYE of no call.
    "BYE sip:meet@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKb{n}\r\nMax-Forwards: 70\r\n\
     From: <sip:f@{here}>;tag=f\r\nTo: <sip:meet@{node}>;tag={n}\r\nCall-ID: b{n}\r\nCSeq: 1 BYE\r\n\
     Content-Length: 0\r\n\r\n",
    "\u{0}\u{1}INVITE {n} {here} {node}\r\n\r\n\r\n\u{7f}",
];

fn message(template: &str, n: u32, here: SocketAddr, node: SocketAddr) -> String {
    let values = [("{n}", n.to_string()), ("{here}", here.to_string()), ("{node}", node.to_string())];
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Sends all messages in turn from one source, as fast as the engine takes them.
async fn datagrams(source: IpAddr, node: SocketAddr) {
    let socket = UdpSocket::bind((source, 0)).await.expect("bind");
    let here = socket.local_addr().expect("local");
    for n in 0..DATAGRAMS {
        for template in MESSAGES {
            // A full buffer loses it.
            let _ = socket.send_to(message(template, n, here, node).as_bytes(), node).await;
        }
        tokio::task::yield_now().await;
    }
}

/// Opens connections from one source, and begins a message over each that never ends.
async fn connections(source: IpAddr, node: SocketAddr) -> Vec<TcpStream> {
    let mut opened = Vec::new();
    for n in 0..CONNECTIONS {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((source, 0).into()).expect("bind");
        // The node may have no place for it.
        let connected = tokio::time::timeout(Duration::from_secs(1), socket.connect(node)).await;
        let Ok(Ok(mut stream)) = connected else { continue };
        let begun = message(MESSAGES[0], n, SocketAddr::new(source, 5060), node);
        let _ = stream.write_all(&begun.as_bytes()[..200]).await;
        opened.push(stream);
    }
    opened
}

async fn flood(engine: &CallEngine) {
    let (node, tls) = (engine.sip_address(), engine.tls_address().expect("TLS"));
    let sources = (0..SOURCES).map(|source| address(TEST, FIRST_SOURCE + source));
    let floods: Vec<_> = sources
        .flat_map(|source| {
            [
                tokio::spawn(async move { datagrams(source, node).await }),
                tokio::spawn(async move { drop(connections(source, node).await) }),
                tokio::spawn(async move { drop(connections(source, tls).await) }),
            ]
        })
        .collect();
    for flood in floods {
        flood.await.expect("it sends");
    }
}

/// The memory of this process, in bytes.
fn memory() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("the kernel says it");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

/// Sends sound until `until` is over; returns the sequence numbers of the packets that the other has heard and how many
/// of them had its sound.
async fn talk(from: &mut Caller, to: &Caller, until: impl Future<Output = ()>) -> (Vec<u16>, usize) {
    let (mut sequences, mut loud) = (Vec::new(), 0);
    let mut tick = interval(Duration::from_millis(20));
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return (sequences, loud),
            _ = tick.tick() => from.say(Codec::Pcmu, 1000).await,
            (header, sample) = to.hear(Codec::Pcmu) => {
                sequences.push(header.sequence);
                loud += usize::from(sample > 900);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_over_every_transport_disturbs_no_call_and_leaves_nothing() {
    let dir = TempDir::new().expect("directory");
    let (engine, _) = tls_engine(TEST, &dir, |settings| {
        settings.source_rate = GRANTED;
        // The listener says nothing, however long the flood takes.
        settings.media_timeout = Duration::from_secs(600);
        // So that half-open calls end within the test.
        settings.t1_ms = 50;
    })
    .await;
    let ann = Account {
        username: "ann".into(),
        secret: Secret::Password("secret".into()),
        aliases: vec!["ann".into()],
    };
    engine.set_accounts(Accounts::new([ann]).expect("accounts"));
    let mut talker = Caller::new(&engine, address(TEST, 2), "talker").await;
    let mut listener = Caller::new(&engine, address(TEST, 3), "listener").await;
    talker.call(Codec::Pcmu).await;
    listener.call(Codec::Pcmu).await;
    let before = memory();
    let (heard, loud) = talk(&mut talker, &listener, flood(&engine)).await;
    let grown = memory().saturating_sub(before);
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
    let missed = heard.windows(2).filter(|pair| pair[1] != pair[0].wrapping_add(1)).count();
    assert_eq!(missed, 0, "packets are missing: {heard:?}");
    assert!(loud > heard.len() / 4, "{loud} of {} packets had the sound of the other", heard.len());

    let stats = engine.stats();
    let refused = stats.refused_limit + stats.refused_rate + stats.dropped;
    assert!(refused > 1000 && stats.wrong_credentials > 0, "the flood was none: {stats:?}");
    wait_for_calls(&engine, 2).await;
    let mut other = Caller::new(&engine, address(TEST, 4), "other").await;
    other.call(Codec::Pcmu).await;
    other.bye().await;
    wait_for_calls(&engine, 2).await;
    talker.bye().await;
    listener.bye().await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(count(&engine), 0);
    engine.shut_down().await;
}
