//! Tests of the limits on connections: slow and silent peers, unauthenticated peers, and greedy nodes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use super::*;

impl Server {
    /// Connects without a certificate.
    async fn stranger(&self) -> io::Result<TlsStream<TcpStream>> {
        self.stranger_from("127.0.0.1").await
    }

    /// The same from an address of this machine; all of 127.0.0.0/8 are.
    async fn stranger_from(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        self.connect(address, None).await
    }

    /// Connects with this certificate and its key.
    pub(super) async fn connect_with(&self, identity: &str) -> io::Result<TlsStream<TcpStream>> {
        self.connect("127.0.0.1", Some(identity)).await
    }

    async fn connect(&self, address: &str, identity: Option<&str>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        let config = match identity.map(str::as_bytes) {
            None => config.with_no_client_auth(),
            Some(pem) => {
                let certificate = CertificateDer::from_pem_slice(pem).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let stream = self.silent_from(address).await?;
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Connects and sends nothing.
    async fn silent_from(&self, address: &str) -> io::Result<TcpStream> {
        let server: SocketAddr =
            self.base.trim_start_matches("https://").trim_end_matches("/node/v1").parse().unwrap();
        let socket = TcpSocket::new_v4()?;
        socket.bind(format!("{address}:0").parse().unwrap())?;
        socket.connect(server).await
    }
}

/// Waits until the server ends the connection.
pub(super) async fn ended(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    // It ends with or without a closing message of TLS.
    let _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut rest)).await.expect("it was not ended");
}

/// Whether the server answers requests over this connection.
async fn answers(stream: &mut TlsStream<TcpStream>) -> bool {
    let request = b"GET /node/v1/nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut answer = [0; 12];
    let asked = async {
        stream.write_all(request).await?;
        stream.read_exact(&mut answer).await
    };
    let asked = tokio::time::timeout(BOUND, asked).await.expect("neither an answer nor an end");
    asked.is_ok() && &answer == b"HTTP/1.1 404"
}

#[tokio::test]
async fn connection_over_which_nothing_goes_is_ended() {
    let server = Server::limited(TIMING, Limits { idle: Duration::from_millis(50), ..LIMITS }).await;
    let mut silent = server.stranger().await.unwrap();
    ended(&mut silent).await;
    let mut half_a_request = server.stranger().await.unwrap();
    half_a_request.write_all(b"POST /node/v1/enrol HTTP/1.1\r\n").await.unwrap();
    ended(&mut half_a_request).await;
}

#[tokio::test]
async fn held_request_lives_as_long_as_the_connection_may_be_idle() {
    let idle = Timing::STANDARD.hold * 2;
    assert!(Limits::NODES.idle > idle && Limits::PEOPLE.idle > idle);
}

#[tokio::test]
async fn unauthenticated_connection_is_ended_after_its_time() {
    let server =
        Server::limited(TIMING, Limits { unauthenticated_life: Duration::from_secs(2), ..LIMITS }).await;
    let client = server.enrolled(1).await;
    server
        .committer
        .apply(Event::Maintenance { id: NodeId(1), operator: Some("first".into()) })
        .await
        .unwrap();
    let held = held(&server, &client, 1).await;
    let mut stranger = server.stranger().await.unwrap();
    while answers(&mut stranger).await {}
    ended(&mut stranger).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("fan".into()) }).await.unwrap();
    let answer = tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
    assert_eq!(answer.desired.intent.owners.operator.as_deref(), Some("fan"), "the node's link was cut");
}

#[tokio::test]
async fn unauthenticated_connections_displace_one_another_and_never_a_node() {
    let unauthenticated = PoolLimits { total: 8, per_holder: 2 };
    let server = Server::limited(TIMING, Limits { unauthenticated, ..LIMITS }).await;
    let client = server.enrolled(1).await;
    server
        .committer
        .apply(Event::Maintenance { id: NodeId(1), operator: Some("first".into()) })
        .await
        .unwrap();
    let held = held(&server, &client, 1).await;
    let mut first = server.stranger().await.unwrap();
    assert!(answers(&mut first).await);
    let mut more = Vec::new();
    for _ in 0..20 {
        more.push(server.stranger().await.unwrap());
    }
    ended(&mut first).await;
    assert!(answers(more.last_mut().unwrap()).await, "the newest found no place");
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("fan".into()) }).await.unwrap();
    tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_node_has_a_few_connections_and_another_is_not_cut_for_it() {
    let server =
        Server::limited(TIMING, Limits { authenticated: PoolLimits { total: 100, per_holder: 2 }, ..LIMITS })
            .await;
    let (greedy, other) = (server.identity(1).await, server.enrolled(2).await);
    server
        .committer
        .apply(Event::Maintenance { id: NodeId(2), operator: Some("first".into()) })
        .await
        .unwrap();
    let held = held(&server, &other, 2).await;
    let clients: Vec<Client> = (0..10).map(|_| server.client(Some(greedy.clone()))).collect();
    for client in &clients {
        assert_eq!(server.sync(client, &first_report()).await.status(), StatusCode::OK);
    }
    server.committer.apply(Event::Maintenance { id: NodeId(2), operator: Some("fan".into()) }).await.unwrap();
    tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
}

/// Four networks of an attacker, with one address each.
const FOUR: [&str; 4] = ["127.1.0.1", "127.2.0.1", "127.3.0.1", "127.4.0.1"];

/// As [`Limits::PEOPLE`], an eighth of it.
const SMALL: PoolLimits = PoolLimits { total: 64, per_holder: 8 };

#[tokio::test]
async fn slow_heads_from_four_addresses_leave_room_for_everybody_else() {
    let server = Server::limited(TIMING, Limits { unauthenticated: SMALL, ..LIMITS }).await;
    let mut early = server.stranger_from("127.9.0.1").await.unwrap();
    let mut slow = Vec::new();
    for n in 0..200 {
        let mut one = server.stranger_from(FOUR[n % 4]).await.unwrap();
        one.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        slow.push(one);
    }
    for address in ["127.9.0.2", "127.1.0.9"] {
        assert!(answers(&mut server.stranger_from(address).await.unwrap()).await, "{address} is shut out");
    }
    assert!(answers(&mut early).await, "who was there before was cut off");
}

#[tokio::test]
async fn silent_handshakes_from_four_addresses_leave_room_for_everybody_else() {
    let server = Server::limited(TIMING, Limits { handshaking: SMALL, ..LIMITS }).await;
    let mut silent = Vec::new();
    for n in 0..200 {
        silent.push(server.silent_from(FOUR[n % 4]).await.unwrap());
    }
    assert!(answers(&mut server.stranger_from("127.9.0.1").await.unwrap()).await);
    assert!(answers(&mut server.stranger_from(FOUR[0]).await.unwrap()).await, "the newest found no place");
}

#[tokio::test]
async fn handshake_whose_place_is_needed_is_ended() {
    let handshaking = PoolLimits { total: 1, per_holder: 1 };
    let server = Server::limited(TIMING, Limits { handshaking, ..LIMITS }).await;
    let mut first = server.silent_from("127.0.0.1").await.unwrap();
    let _second = server.silent_from("127.0.0.2").await.unwrap();
    let ended = tokio::time::timeout(BOUND, first.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "it keeps its connection without a place");
}

/// An address of this machine beside the loopback, if it has one: the one from which it would reach the
/// network.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn connection_to_an_own_address_of_the_machine_has_its_place_with_those_of_the_loopback() {
    // A machine with the loopback alone has no such connection.
    let Some(own) = own_address() else { return };
    let one = PoolLimits { total: 1, per_holder: 1 };
    let server = Server::start(TIMING).await;
    let identity = ServerIdentity::new(server.authority.clone(), vec![own.to_string()]).unwrap();
    let config = server_config(Arc::new(identity), None).unwrap();
    let listener = TcpListener::bind((own, 0)).await.unwrap();
    let limits = Limits { handshaking: one, ..LIMITS };
    let listener = TlsListener::new(listener, config, limits, server.refusals.clone()).unwrap();
    let from = async |address: IpAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        socket.connect(listener.address()).await.unwrap()
    };
    let mut first = from(own).await;
    let _second = from(Ipv4Addr::LOCALHOST.into()).await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(BOUND, first.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it has a place of the network");
}

#[tokio::test]
async fn handshake_that_does_not_end_is_ended() {
    let server = Server::limited(TIMING, Limits { handshake: Duration::from_millis(50), ..LIMITS }).await;
    let mut silent = server.silent_from("127.0.0.1").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(BOUND, silent.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it was not ended");
}

/// Sends the bytes, then one byte again and again, until the server ends the connection.
async fn drip(stream: TlsStream<TcpStream>, begin: &str) {
    let (mut read, mut write) = tokio::io::split(stream);
    write.write_all(begin.as_bytes()).await.unwrap();
    let drips = async {
        while write.write_all(b"x").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = async {
        let mut rest = Vec::new();
        let _ = read.read_to_end(&mut rest).await;
    };
    let done = async {
        tokio::select! { () = drips => {}, () = ended => {} }
    };
    tokio::time::timeout(BOUND, done).await.expect("it was not ended");
}

#[tokio::test]
async fn head_that_drips_is_ended() {
    let server = Server::limited(TIMING, Limits { head: Duration::from_millis(100), ..LIMITS }).await;
    drip(server.stranger().await.unwrap(), "GET / HTTP/1.1\r\nX: ").await;
}

#[tokio::test]
async fn body_that_drips_is_ended() {
    let server = Server::limited(TIMING, Limits { body: Duration::from_millis(100), ..LIMITS }).await;
    let head =
        "POST /node/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nConnection: close\r\n\r\n";
    drip(server.stranger().await.unwrap(), head).await;
}

#[tokio::test]
async fn node_that_renews_its_certificate_again_and_again_has_no_more_connections_for_it() {
    let server =
        Server::limited(TIMING, Limits { authenticated: PoolLimits { total: 4, per_holder: 2 }, ..LIMITS })
            .await;
    let (mut greedy, other) = (server.enrolled(1).await, server.enrolled(2).await);
    server
        .committer
        .apply(Event::Maintenance { id: NodeId(2), operator: Some("first".into()) })
        .await
        .unwrap();
    let held = held(&server, &other, 2).await;
    let mut kept = Vec::new();
    for _ in 0..8 {
        let renewed = server.renewed(&greedy).await;
        kept.push(std::mem::replace(&mut greedy, server.client(Some(renewed))));
        assert_eq!(server.sync(&greedy, &first_report()).await.status(), StatusCode::OK);
    }
    server.committer.apply(Event::Maintenance { id: NodeId(2), operator: Some("fan".into()) }).await.unwrap();
    tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
}
