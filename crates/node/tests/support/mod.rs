//! A minimal Management Node: it enrols, answers syncs as the test has set, and serves a package with the faults that
//! the test has set. It decides nothing.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod machine;
pub mod package;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use fleet::desired::Desired;
use fleet::observed::Observed;
use fleet::version::Release;
use futures_util::stream;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, PublicKeyData,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wire::live::Command;
use wire::share::CallShare;
use wire::{
    CertificateToShow, Configuration, ConfigurationChange, Enrolled, EnrolmentFile, EnrolmentRequest,
    NodeCertificate, ShownCertificate, Sync, SyncAnswer, Wait,
};

/// The longest that anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The token of every enrolment file here, good for one use.
pub const TOKEN: &str = "the-token";

/// What the manager does with a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// It answers.
    Answer,
    /// It refuses with this status.
    Refuse(u16),
    /// It answers with something that is no answer.
    Babble,
}

/// A fault of the next answer with the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It breaks off after so many bytes.
    CutAfter(usize),
    /// The byte at this place of the payload is another one.
    Damage(usize),
}

/// What the manager does and has seen.
pub struct FakeState {
    pub syncs: Syncs,
    pub desired: Desired,
    pub configuration: Configuration,
    /// What has changed of it, for a node that has the revision before.
    pub change: Option<ConfigurationChange>,
    pub call_share: Option<CallShare>,
    pub fetch_rate: Option<u64>,
    /// The revision of the node's participants that it has; none if it wants none.
    pub participants: Option<u64>,
    /// The commands to the node, in every answer.
    pub commands: Vec<Command>,
    /// The certificate of the operator that the node is to show.
    pub certificate: Option<NodeCertificate>,
    /// The public key that the token was spent on.
    pub spent_on: Option<Vec<u8>>,
    /// What the machine that enrolled last said that it runs.
    pub enrolled_with: Option<Release>,
    /// An enrolment is refused with this sentence.
    pub refuses_enrolment: Option<&'static str>,
    /// The next answer to an enrolment breaks off.
    pub loses_enrolment: bool,
    pub renew_at: u64,
    /// When a renewed certificate is to be renewed.
    pub renewed_until: u64,
    pub served: Option<PathBuf>,
    pub faults: VecDeque<Fault>,
    /// Every sync that came, refused ones included.
    pub seen: Vec<Sync>,
    /// The place that each request for the payload began at.
    pub asked_from: Vec<usize>,
    pub renewals: u32,
    /// How many manifests were asked for.
    pub manifests: u32,
}

/// The authority of a platform.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "a platform for tests");
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a node's request.
    fn sign(&self, request: &str) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(request).unwrap();
        request.params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        request.signed_by(&self.issuer).unwrap().pem()
    }

    fn server_config(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// A running manager.
#[derive(Clone)]
pub struct Manager {
    pub address: SocketAddr,
    authority: Arc<Authority>,
    fake: Arc<Mutex<FakeState>>,
    changed: Arc<Notify>,
    connections: Arc<AtomicU32>,
}

impl Manager {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Arc::new(Authority::new()))
    }

    /// A manager at a place that may have been known before it was there.
    pub fn on(listener: TcpListener, authority: Arc<Authority>) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let fake = FakeState {
            syncs: Syncs::Answer,
            desired: Desired::default(),
            configuration: Configuration::default(),
            change: None,
            call_share: None,
            fetch_rate: None,
            participants: None,
            commands: Vec::new(),
            certificate: None,
            spent_on: None,
            enrolled_with: None,
            refuses_enrolment: None,
            loses_enrolment: false,
            renew_at: u64::MAX,
            renewed_until: u64::MAX,
            served: None,
            faults: VecDeque::new(),
            seen: Vec::new(),
            asked_from: Vec::new(),
            renewals: 0,
            manifests: 0,
        };
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config()));
        let manager = Self {
            address,
            authority,
            fake: Arc::new(Mutex::new(fake)),
            changed: Arc::default(),
            connections: Arc::default(),
        };
        let routes = Router::new()
            .route("/node/v1/enrol", post(enrol))
            .route("/node/v1/renew", post(renew))
            .route("/node/v1/sync", post(sync))
            .route("/node/v1/packages/{manifest}/{file}", get(file))
            .with_state(manager.clone());
        let listener = Tls { listener, acceptor, connections: Arc::clone(&manager.connections) };
        tokio::spawn(async move { axum::serve(listener, routes).await });
        manager
    }

    /// Looks at, or changes, what the manager does and has seen.
    pub fn with<T>(&self, look: impl FnOnce(&mut FakeState) -> T) -> T {
        let seen = look(&mut self.fake.lock().unwrap());
        self.changed.notify_waiters();
        seen
    }

    /// What the node said last.
    pub fn last(&self) -> Option<Observed> {
        self.with(|fake| fake.seen.last().map(|sync| sync.observed.clone().into()))
    }

    /// How many connections have come, good or not.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// The same platform, with an enrolment file that names another address.
    pub fn said_to_be_at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The authority of its platform.
    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.authority)
    }

    pub fn enrolment_file(&self) -> EnrolmentFile {
        EnrolmentFile::new("node1".into(), vec![self.address.to_string()], TOKEN.into(), self.authority.pem())
    }
}

/// Waits until something is so, with a bound.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn enrol(State(manager): State<Manager>, Json(request): Json<EnrolmentRequest>) -> Response {
    let asked = CertificateSigningRequestParams::from_pem(&request.request).unwrap();
    let key = asked.public_key.subject_public_key_info();
    manager.with(|fake| fake.enrolled_with = request.release);
    if let Some(why) = manager.with(|fake| fake.refuses_enrolment) {
        let body = serde_json::json!({"error": why, "kind": "release", "hint": "install that release"});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let (good, lost, renew_at) = manager.with(|fake| {
        let spent_on = fake.spent_on.get_or_insert_with(|| key.clone());
        let good = *spent_on == key && request.token.as_deref() == Some(TOKEN);
        (good, std::mem::take(&mut fake.loses_enrolment), fake.renew_at)
    });
    if lost {
        let broken = [Ok(Bytes::from_static(b"{\"certificate\":")), Err(io::Error::other("cut"))];
        return Body::from_stream(stream::iter(broken)).into_response();
    }
    if !good {
        let body = serde_json::json!({"error": "the enrolment token is not good any more"});
        return (StatusCode::FORBIDDEN, Json(body)).into_response();
    }
    Json(Enrolled { certificate: manager.authority.sign(&request.request), renew_at }).into_response()
}

async fn renew(State(manager): State<Manager>, Json(request): Json<EnrolmentRequest>) -> Json<Enrolled> {
    let renew_at = manager.with(|fake| {
        fake.renewals += 1;
        fake.renewed_until
    });
    Json(Enrolled { certificate: manager.authority.sign(&request.request), renew_at })
}

async fn sync(State(manager): State<Manager>, Json(sync): Json<Sync>) -> Response {
    manager.with(|fake| {
        let follows = sync.participants.as_ref().filter(|changes| fake.participants == Some(changes.since));
        fake.participants = follows.map(|changes| changes.to).or(fake.participants);
        fake.seen.push(sync.clone());
    });
    let held_until = Instant::now() + Duration::from_secs(5);
    loop {
        let news = manager.changed.notified();
        let (syncs, answer) = manager.fake.lock().map(|fake| (fake.syncs, answer(&fake, &sync))).unwrap();
        match syncs {
            Syncs::Refuse(status) => return StatusCode::from_u16(status).unwrap().into_response(),
            Syncs::Babble => return "well, well".into_response(),
            Syncs::Answer => {}
        }
        let has_share = answer.call_share.unwrap_or_default() == sync.call_share.unwrap_or_default().share;
        let newer = answer.desired.generation != sync.observed.generation
            || answer.configuration.is_some()
            || answer.configuration_change.is_some()
            || answer.certificate.is_some()
            || !has_share;
        if sync.wait == Wait::No || newer || Instant::now() >= held_until {
            return Json(answer).into_response();
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), news).await;
    }
}

fn answer(fake: &FakeState, sync: &Sync) -> SyncAnswer {
    let differs = fake.configuration.revision != sync.configuration;
    let change =
        fake.change.clone().filter(|change| sync.takes_changes && change.since == sync.configuration);
    SyncAnswer {
        protocol: 1,
        desired: fake.desired.clone().into(),
        configuration: differs.then(|| fake.configuration.clone()).filter(|_| change.is_none()),
        configuration_change: change,
        fetch_rate: fake.fetch_rate,
        heard_at: None,
        wall: None,
        beside: None,
        participants: fake.participants,
        commands: fake.commands.clone(),
        call_share: fake.call_share,
        certificate: sync.certificate.and_then(|shown| to_show(fake, shown)),
    }
}

/// The certificate that the node is to show, if it shows another one.
fn to_show(fake: &FakeState, shown: ShownCertificate) -> Option<CertificateToShow> {
    let wanted = fake.certificate.as_ref();
    let differs = wanted.map_or(ShownCertificate::Own, |it| ShownCertificate::Operators(it.id)) != shown;
    differs.then(|| wanted.cloned().map_or(CertificateToShow::Own, CertificateToShow::Operators))
}

async fn file(
    State(manager): State<Manager>,
    Path((_, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(dir) = manager.with(|fake| fake.served.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(mut bytes) = std::fs::read(dir.join(&file)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if file == ::package::MANIFEST_FILE {
        manager.with(|fake| fake.manifests += 1);
    }
    let Some(at) = begin_of(&headers) else { return bytes.into_response() };
    let fault = manager.with(|fake| {
        fake.asked_from.push(at);
        fake.faults.pop_front()
    });
    let size = bytes.len();
    let range = format!("bytes {at}-{}/{size}", size - 1);
    if let Some(Fault::Damage(place)) = fault {
        bytes[place] ^= 1;
    }
    let mut rest = bytes.split_off(at);
    if let Some(Fault::CutAfter(count)) = fault {
        rest.truncate(count);
    }
    let parts: Vec<_> = rest.chunks(64 << 10).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    let broken = matches!(fault, Some(Fault::CutAfter(_))).then(|| Err(io::Error::other("cut")));
    let body = Body::from_stream(stream::iter(parts.into_iter().chain(broken)));
    (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], body).into_response()
}

fn begin_of(headers: &HeaderMap) -> Option<usize> {
    let range = headers.get(header::RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// TLS on a listener; a handshake that fails is passed over.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections: Arc<AtomicU32>,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            self.connections.fetch_add(1, Ordering::Relaxed);
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
