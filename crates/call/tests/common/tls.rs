//! Far ends over TLS, and the authority that certifies them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use call::{CallEngine, Settings, TlsSettings};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{BOUND, address, engine, header, settings};

/// The name that a node is certified for.
pub const NODE: &str = "node.example.com";

/// An authority that certifies nodes and proxies.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let certificate = params.self_signed(&key).expect("certificate");
        Authority { params, key, certificate }
    }

    /// A certificate for a name or an address, and its key.
    fn certify(&self, name: &str) -> (Certificate, KeyPair) {
        let own = KeyPair::generate().expect("key");
        let leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let issuer = Issuer::from_params(&self.params, &self.key);
        (leaf.signed_by(&own, &issuer).expect("certificate"), own)
    }

    /// The settings of a node that it has certified, with their files in a folder.
    pub fn node(&self, dir: &Path, address: SocketAddr) -> TlsSettings {
        let (certificate, key) = self.certify(NODE);
        let settings = TlsSettings {
            address,
            certificate: dir.join("chain.pem"),
            key: dir.join("key.pem"),
            trust: None,
        };
        std::fs::write(&settings.certificate, certificate.pem()).expect("write");
        std::fs::write(&settings.key, key.serialize_pem()).expect("write");
        settings
    }

    /// The same, of a node that trusts this authority.
    pub fn trusting_node(&self, dir: &Path, address: SocketAddr) -> TlsSettings {
        let trust = dir.join("trust.pem");
        std::fs::write(&trust, self.certificate.pem()).expect("write");
        TlsSettings { trust: Some(trust), ..self.node(dir, address) }
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("root");
        roots
    }

    /// What a proxy accepts connections with under a name: of clients that show a certificate of this authority.
    pub fn acceptor(&self, name: &str) -> TlsAcceptor {
        let (certificate, key) = self.certify(name);
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider());
        let builder = ServerConfig::builder_with_provider(provider());
        let config = builder
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("roots"))
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An engine of a test that listens for TLS as well, and the authority that a far end trusts.
pub async fn tls_engine(test: u8, dir: &TempDir, change: fn(&mut Settings)) -> (CallEngine, RootCertStore) {
    let authority = Authority::new();
    let mut settings = settings(test);
    settings.tls = Some(authority.node(dir.path(), (address(test, 1), 0).into()));
    change(&mut settings);
    (engine(settings).await, authority.roots())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A connection of TLS with a node.
pub struct Secured(pub TlsStream<TcpStream>);

impl Secured {
    /// Accepts a connection of a node. `None` when the handshake fails.
    pub async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor) -> Option<Secured> {
        let accepted = tokio::time::timeout(BOUND, listener.accept()).await.expect("nobody comes");
        let (stream, _) = accepted.expect("a connection");
        acceptor.accept(stream).await.ok().map(|stream| Secured(stream.into()))
    }

    pub async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("write");
    }

    /// The next message, which comes in one portion.
    pub async fn expect(&mut self, start: &str) -> String {
        let mut buffer = [0; 8192];
        let read = tokio::time::timeout(BOUND, self.0.read(&mut buffer)).await;
        let length = read.unwrap_or_else(|_| panic!("no {start}")).expect("read");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.starts_with(start), "{text}");
        text
    }
}

/// A caller over TLS.
pub struct FarEnd {
    pub connection: Secured,
    pub call_id: String,
    /// Headers of its requests.
    pub extra: String,
    tag: String,
}

impl FarEnd {
    pub async fn connect(engine: &CallEngine, roots: RootCertStore) -> FarEnd {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(engine.tls_address().expect("TLS")).await.expect("connect");
        let name = ServerName::try_from(NODE).expect("name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("handshake");
        let connection = Secured(stream.into());
        FarEnd { connection, call_id: "secure".into(), extra: String::new(), tag: String::new() }
    }

    /// Sends a request. That of another method than INVITE is within the dialog of the answer before it.
    pub async fn send(&mut self, method: &str, sequence: u32, body: &str) {
        let here = self.connection.0.get_ref().0.local_addr().expect("local");
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let FarEnd { call_id, extra, tag, .. } = self;
        let text = format!(
            "{method} sips:meet@{NODE} SIP/2.0\r\nVia: SIP/2.0/TLS {here};branch=z9hG4bK{call_id}{sequence}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sips:a@example.com>;tag=a\r\nTo: <sips:meet@{NODE}>{tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {sequence} {method}\r\nContact: <sips:a@{here}>\r\n{extra}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.connection.send(&text).await;
    }

    /// Calls the room with a body. Returns the answer; the ACK is owed.
    pub async fn invite(&mut self, body: &str) -> String {
        self.send("INVITE", 1, body).await;
        let answer = self.connection.expect("SIP/2.0 200").await;
        self.tag = format!(";tag={}", header(&answer, "To").split("tag=").nth(1).expect("tag"));
        answer
    }

    /// Calls the room. Returns the answer.
    pub async fn call(&mut self) -> String {
        let answer = self.invite(DESCRIPTION).await;
        self.send("ACK", 1, "").await;
        answer
    }
}

/// A description of a far end that sends and receives nothing.
pub const DESCRIPTION: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                               m=audio 9 RTP/AVP 0\r\na=inactive\r\n";

/// A 200 to a request of a node, with more headers, or with a description behind them.
pub fn ok(request: &str, headers: &str, description: &str) -> String {
    let copied =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(request, name)));
    let kind = if description.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let length = description.len();
    format!(
        "SIP/2.0 200 OK\r\n{}{headers}{kind}Content-Length: {length}\r\n\r\n{description}",
        copied.concat()
    )
}
