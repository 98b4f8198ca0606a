//! Connections of TLS that a node opens, to a proxy that has closed its own.

mod common;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use call::{CallEngine, TlsSettings};
use common::tls::{Authority, DESCRIPTION, FarEnd, Secured, ok};
use common::{address, engine, header, settings, wait_for_calls};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The name under which nodes know the proxy: every machine resolves it.
const PROXY: &str = "localhost";

/// A node whose calls are refreshed by it after a second, and where the proxy listens.
async fn site(test: u8, tls: impl FnOnce(SocketAddr) -> TlsSettings) -> (CallEngine, TcpListener) {
    let mut settings = settings(test);
    settings.session_interval = Duration::from_secs(2);
    settings.tls = Some(tls((address(test, 1), 0).into()));
    (engine(settings).await, TcpListener::bind(("127.0.0.1", 0)).await.expect("bind"))
}

/// A call through the proxy, whose connection is closed as soon as the call is confirmed.
async fn call(engine: &CallEngine, authority: &Authority, listener: &TcpListener, id: &str) {
    let before = engine.stats().carried;
    let mut caller = FarEnd::connect(engine, authority.roots()).await;
    let port = listener.local_addr().expect("address").port();
    caller.call_id = id.into();
    caller.extra = format!("Record-Route: <sip:{PROXY}:{port};transport=tls;lr>\r\n");
    caller.call().await;
    common::wait_until("the call is confirmed", || engine.stats().carried > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_node_go_over_a_new_connection_when_the_proxy_has_closed_its_own() {
    let (authority, dir) = (Authority::new(), TempDir::new().expect("directory"));
    let (engine, listener) = site(154, |address| authority.trusting_node(dir.path(), address)).await;
    call(&engine, &authority, &listener, "through-a-proxy").await;

    // It asks for the certificate of the node.
    let acceptor = authority.acceptor(PROXY);
    let mut proxy = Secured::accept(&listener, &acceptor).await.expect("the node trusts the proxy");
    let refresh = proxy.expect("INVITE sips:a@").await;
    assert!(header(&refresh, "Route").starts_with(&format!("<sip:{PROXY}:")), "{refresh}");
    assert!(header(&refresh, "Via").starts_with("SIP/2.0/TLS "), "{refresh}");
    let refreshed = "Contact: <sips:a@127.0.0.1>\r\nSession-Expires: 1800;refresher=uas\r\n";
    proxy.send(&ok(&refresh, refreshed, DESCRIPTION)).await;
    proxy.expect("ACK sips:a@").await;
    drop(proxy);

    let ending = tokio::spawn(engine.shut_down());
    let mut proxy = Secured::accept(&listener, &acceptor).await.expect("the node trusts the proxy");
    let bye = proxy.expect("BYE sips:a@").await;
    proxy.send(&ok(&bye, "", "")).await;
    ending.await.expect("the engine ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_trusts_nobody_opens_no_connection_of_tls() {
    let (authority, dir) = (Authority::new(), TempDir::new().expect("directory"));
    let (engine, listener) = site(155, |address| authority.node(dir.path(), address)).await;
    call(&engine, &authority, &listener, "nobody").await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().ended_by_session_timer, 1);
    let nobody = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(nobody.is_err(), "a connection was opened");
    engine.shut_down().await;
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines about a far end.
    fn about(&self, far_end: SocketAddr) -> Vec<String> {
        let log = String::from_utf8_lossy(&self.0.lock().expect("lock")).into_owned();
        log.lines().filter(|line| line.contains(&far_end.to_string())).map(str::to_owned).collect()
    }
}

/// Everything runs on the thread of the test, whose log is read.
#[tokio::test]
async fn proxy_with_a_certificate_of_another_authority_or_name_gets_nothing_and_is_reported_once() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logged = tracing::subscriber::set_default(lines);
    let (authority, dir) = (Authority::new(), TempDir::new().expect("directory"));
    let (engine, listener) = site(156, |address| authority.trusting_node(dir.path(), address)).await;
    let refused = async |acceptor: &TlsAcceptor, id: &str| {
        call(&engine, &authority, &listener, id).await;
        assert!(Secured::accept(&listener, acceptor).await.is_none(), "the node uses the connection");
    };
    let stranger = Authority::new().acceptor(PROXY);
    refused(&stranger, "first").await;
    refused(&stranger, "second").await;
    refused(&authority.acceptor("other.example.com"), "third").await;
    wait_for_calls(&engine, 0).await;
    let about = log.about(listener.local_addr().expect("address"));
    assert_eq!(about.len(), 2, "{about:#?}");
    assert!(about[0].contains("invalid peer certificate") && about[0].contains(PROXY), "{}", about[0]);
    assert!(about[1].contains("other.example.com"), "{}", about[1]);
    engine.shut_down().await;
}
