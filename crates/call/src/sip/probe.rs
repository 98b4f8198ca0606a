//! The engine asks itself: a real OPTIONS over UDP to its own address, as any caller would send it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::answer::random;

/// How long an answer may take before the question is repeated.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is asked. A node that does not answer within two seconds of itself is not well.
const TRIES: u32 = 4;

/// Whether the engine at `address` answers: 200 and 503 (maintenance mode) both count.
pub(crate) async fn answers(address: SocketAddr) -> bool {
    probe(reachable(address)).await.unwrap_or(false)
}

async fn probe(address: SocketAddr) -> io::Result<bool> {
    let socket = UdpSocket::bind((address.ip(), 0)).await?;
    socket.connect(address).await?;
    let from = socket.local_addr()?;
    let id = format!("{:016x}", random());
    let request = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{id};rport\r\n\
         Max-Forwards: 1\r\nFrom: <sip:probe@{from}>;tag={id}\r\nTo: <sip:{address}>\r\n\
         Call-ID: probe-{id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answer = [0; 2048];
    for _ in 0..TRIES {
        socket.send(request.as_bytes()).await?;
        if let Ok(Ok(length)) = tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await
            && is_answer(&answer[..length], &id)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_answer(answer: &[u8], id: &str) -> bool {
    let text = String::from_utf8_lossy(answer);
    let alive = text.starts_with("SIP/2.0 200 ") || text.starts_with("SIP/2.0 503 ");
    alive && text.contains(&format!("probe-{id}"))
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}
