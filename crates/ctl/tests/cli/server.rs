//! A scripted Management Node for tests, over HTTPS with a certificate of its own authority. It checks the login and
//! records all requests; it has no state of a platform.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use sha2::Digest as _;

use crate::Home;

/// Largest body that a test sends, in bytes.
const MAX_BODY: usize = 64 << 20;

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status and object.
    Json(u16, Value),
    /// This status, location and text.
    Created(String, String),
    /// This status and object, with a cookie.
    Cookie(Value, String),
    /// The connection breaks off.
    BreakOff,
    /// No answer comes.
    Silence,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// `POST /api/admin/…?…`
    pub(crate) line: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Answers = Arc<Mutex<Vec<(String, VecDeque<Reply>)>>>;

#[derive(Clone)]
struct Script {
    answers: Answers,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A running server; it ends with its runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) authority: String,
    pub(crate) authority_fingerprint: String,
    pub(crate) own_fingerprint: String,
    script: Script,
    _runtime: tokio::runtime::Runtime,
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let hash: String = sha2::Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}

impl Server {
    /// Starts a server on 127.0.0.1 with these answers, each for request lines with that beginning. The last answer of
    /// a line is repeated.
    pub(crate) fn start(answers: Vec<(&str, Vec<Reply>)>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
        let chain = vec![own.der().clone(), issuer.der().clone()];
        let (authority_fingerprint, own_fingerprint) = (fingerprint(&chain[1]), fingerprint(&chain[0]));
        let authority = issuer.pem();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let answers = answers.into_iter().map(|(line, replies)| (line.to_string(), replies.into())).collect();
        let script = Script { answers: Arc::new(Mutex::new(answers)), received: Arc::default() };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        runtime.spawn(serve(Tls { listener, acceptor }, script.clone()));
        Self { address, authority, authority_fingerprint, own_fingerprint, script, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The received requests whose line begins so.
    pub(crate) fn received(&self, line: &str) -> Vec<Received> {
        self.script
            .received
            .lock()
            .unwrap()
            .iter()
            .filter(|request| request.line.starts_with(line))
            .cloned()
            .collect()
    }

    /// A home with a profile for this server.
    pub(crate) fn home(&self) -> Home {
        let home = Home::new();
        let outcome = home.run_ok(&[
            "login",
            "--manager",
            &self.url(),
            "--authority",
            self.authority_file(&home).to_str().unwrap(),
            "--password-file",
            password_file(&home).to_str().unwrap(),
        ]);
        assert!(outcome.out.contains("Logged in to https://127.0.0.1:"), "{outcome:?}");
        home
    }

    pub(crate) fn authority_file(&self, home: &Home) -> PathBuf {
        let file = home.path().join("authority.pem");
        std::fs::write(&file, &self.authority).unwrap();
        file
    }
}

pub(crate) fn password_file(home: &Home) -> PathBuf {
    let file = home.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    file
}

struct Tls {
    listener: tokio::net::TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, from)) = self.listener.accept().await else { continue };
            // A client that does not trust this server disconnects here, which some tests expect.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn serve(tls: Tls, script: Script) {
    let app = Router::new().fallback(answer).with_state(script);
    axum::serve(tls, app).await.unwrap();
}

async fn answer(State(script): State<Script>, request: Request) -> Response<Body> {
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    let body = to_bytes(request.into_body(), MAX_BODY).await.unwrap().to_vec();
    script.received.lock().unwrap().push(Received { line: line.clone(), headers: headers.clone(), body });
    // admin:s3cret, and admin:correct horse battery
    let known = ["Basic YWRtaW46czNjcmV0", "Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"];
    if headers.get("authorization").is_none_or(|given| !known.iter().any(|known| given == known)) {
        return json(401, &serde_json::json!({"error": "who are you?", "kind": "unauthenticated"}));
    }
    match next(&script, &line) {
        Some(Reply::Json(status, object)) => json(status, &object),
        Some(Reply::Created(location, text)) => {
            Response::builder().status(201).header("location", location).body(text.into()).unwrap()
        }
        Some(Reply::Cookie(object, cookie)) => {
            let mut response = json(200, &object);
            response.headers_mut().insert("set-cookie", cookie.parse().unwrap());
            response
        }
        Some(Reply::Silence) => std::future::pending().await,
        Some(Reply::BreakOff) => {
            let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("broken off"))]);
            Response::new(Body::from_stream(broken))
        }
        None => json(404, &serde_json::json!({"error": format!("nothing is scripted for {line}")})),
    }
}

fn json(status: u16, object: &Value) -> Response<Body> {
    let builder = Response::builder().status(status).header("content-type", "application/json");
    builder.body(object.to_string().into()).unwrap()
}

/// The next answer for a line: that of its longest scripted beginning.
fn next(script: &Script, line: &str) -> Option<Reply> {
    let mut answers = script.answers.lock().unwrap();
    let matching = answers.iter_mut().filter(|(begin, _)| line.starts_with(begin.as_str()));
    let (_, replies) = matching.max_by_key(|(begin, _)| begin.len())?;
    if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
}
