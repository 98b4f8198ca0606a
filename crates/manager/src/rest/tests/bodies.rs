//! Tests of request bodies over the real listener: one that is refused before it was read gets its answer all
//! the same.

use std::sync::Arc;

use axum::http::header;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::kit::Kit;
use crate::authority::{Authority, ServerIdentity};
use crate::link::{Limits, Refusals, TlsListener, serve, server_config};
use crate::testing::BOUND;

const MIB: usize = 1 << 20;

/// The management API of a kit behind a real listener, which is stopped when this is dropped.
struct Served {
    kit: Kit,
    authority: Arc<Authority>,
    address: std::net::SocketAddr,
    _stop: tokio_util::sync::DropGuard,
}

impl Served {
    async fn start() -> Self {
        // Every test sets the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kit = Kit::new().await;
        let authority = Arc::new(Authority::load_or_make(&kit.layout.state()).unwrap());
        let identity = ServerIdentity::new(authority.clone(), vec!["127.0.0.1".into()]).unwrap();
        let config = server_config(Arc::new(identity), None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TlsListener::new(listener, config, Limits::PEOPLE, Refusals::default()).unwrap();
        let (address, stop) = (listener.address(), CancellationToken::new());
        tokio::spawn(serve(listener, kit.router.clone(), stop.clone()));
        Self { kit, authority, address, _stop: stop.drop_guard() }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// The head of a request with a body of so many bytes.
    fn head(&self, more: &str, length: usize) -> String {
        format!(
            "POST /api/admin/configuration/v1/system_location/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    }

    fn credentials(&self) -> String {
        format!("{}: {}\r\n", header::AUTHORIZATION, self.kit.authorization)
    }
}

/// The beginning of the status line of the answer.
async fn status(stream: &mut TlsStream<TcpStream>) -> String {
    let mut line = [0; 12];
    tokio::time::timeout(BOUND, stream.read_exact(&mut line)).await.expect("no answer in time").unwrap();
    String::from_utf8(line.to_vec()).unwrap()
}

/// Sends a whole request before it reads the answer.
async fn send(stream: &mut TlsStream<TcpStream>, head: &str, length: usize) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..length / MIB {
        stream.write_all(&vec![b' '; MIB]).await?;
    }
    stream.flush().await
}

#[tokio::test]
async fn body_over_the_limit_is_answered_though_the_client_sends_it_all_first() {
    let served = Served::start().await;
    let strangers_head = served.head("", 3 * MIB);
    let known_head = served.head(&served.credentials(), 3 * MIB);
    for (head, expected) in [(known_head, "HTTP/1.1 413"), (strangers_head, "HTTP/1.1 401")] {
        let mut stream = served.connect().await;
        send(&mut stream, &head, 3 * MIB).await.expect("the connection broke before the answer");
        assert_eq!(status(&mut stream).await, expected);
    }
}

#[tokio::test]
async fn body_over_the_limit_that_is_announced_first_is_refused_without_being_asked_for() {
    let served = Served::start().await;
    let mut stream = served.connect().await;
    let more = format!("{}Expect: 100-continue\r\n", served.credentials());
    send(&mut stream, &served.head(&more, 3 * MIB), 0).await.unwrap();
    assert_eq!(status(&mut stream).await, "HTTP/1.1 413");
}

#[tokio::test]
async fn no_more_than_a_bounded_part_of_a_body_is_taken_for_the_sake_of_an_answer() {
    let served = Served::start().await;
    let mut stream = served.connect().await;
    let length = 256 * MIB;
    let sent = tokio::time::timeout(BOUND, send(&mut stream, &served.head("", length), length)).await;
    assert!(sent.expect("it is read without end").is_err(), "all of it was taken");
}
