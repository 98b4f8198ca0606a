//! Tests of the link over real TLS on the loopback.

mod certificates;
mod copies;
mod identity;
mod limits;
mod live;
mod share;

use std::sync::Arc;
use std::time::Duration;

use edge::permit_pool::PoolLimits;
use fleet::node::{Contact, Duty, NodeId};
use fleet::platform::Event;
use fleet::time::{Offset, Span};
use fleet::version::Release;
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Client, Response, StatusCode, header};
use serde_json::Value;
use slots::Slot;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::{Enrolled, EnrolmentRequest, PROTOCOL, Protocols, RegistrationId, Sync, SyncAnswer, Tally, Wait};

use super::*;
use crate::authority::{Authority, NodeRequest, ServerIdentity};
use crate::driver::{Committer, Driver};
use crate::gate::{Gate, GateState};
use crate::packages;
use crate::presence::Presence;
use crate::store::StoreError;
use crate::store::enrolments;
use crate::testing::{BOUND, Bench, observed, until};

/// A hold that ends in no test, and a gap that a test can wait for.
const TIMING: Timing = Timing { hold: Duration::from_secs(3600), gap: Duration::from_millis(50) };

/// PoolLimits for more than any test needs.
const LIMITS: Limits = Limits {
    handshaking: POOL,
    handshake: LONG,
    unauthenticated: POOL,
    unauthenticated_life: LONG,
    authenticated: POOL,
    idle: LONG,
    head: LONG,
    body: LONG,
};
const POOL: PoolLimits = PoolLimits { total: 100, per_holder: 100 };
const LONG: Duration = Duration::from_secs(3600);

/// A Management Node that serves nodes.
struct Server {
    bench: Bench,
    committer: Committer,
    authority: Arc<Authority>,
    gate: Gate,
    refusals: Refusals,
    base: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Server {
    async fn start(timing: Timing) -> Self {
        Self::limited(timing, LIMITS).await
    }

    async fn limited(timing: Timing, limits: Limits) -> Self {
        // Every test sets the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let bench = Bench::new();
        let committer = bench.committer().await;
        let authority = Arc::new(Authority::load_or_make(&bench.layout().state()).unwrap());
        let (presence, downs) = Presence::new(timing.gap);
        let (gate, stop, refusals) = (Gate::closed(), CancellationToken::new(), Refusals::default());
        gate.set(GateState::Open);
        let link = Link {
            committer: committer.clone(),
            authority: authority.clone(),
            layout: bench.layout(),
            presence: presence.clone(),
            gate: gate.clone(),
            fetch_rate: Some(1_000_000),
            timing,
            refusals: refusals.clone(),
            slowdown: Arc::default(),
        };
        let identity = ServerIdentity::new(authority.clone(), vec!["127.0.0.1".into()]).unwrap();
        let config = server_config(Arc::new(identity), Some(&authority)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TlsListener::new(listener, config, limits, refusals.clone()).unwrap();
        let base = format!("https://{}/node/v1", listener.address());
        let serving = tokio::spawn(serve(listener, router(link), stop.clone()));
        let own = bench.own(Slot::A);
        let driver = Driver {
            committer: committer.clone(),
            own,
            held: slots::Held::default(),
            presence,
            downs,
            restored: CancellationToken::new(),
            gate: gate.clone(),
            stop: stop.clone(),
        };
        let driving = tokio::spawn(async move { _ = driver.run().await });
        Self { bench, committer, authority, gate, refusals, base, stop, tasks: vec![serving, driving] }
    }

    /// Registers a node and returns its token.
    async fn register(&self, id: u32) -> String {
        let id = NodeId(id);
        let event = Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn };
        let issue = move |tx: &rusqlite::Transaction<'_>, now| enrolments::issue(tx, id, now);
        self.committer.apply_with::<_, StoreError>(event, issue).await.unwrap()
    }

    /// A client that trusts this platform, with a certificate and its key if given.
    fn client(&self, identity: Option<String>) -> Client {
        let root = reqwest::Certificate::from_pem(self.authority.pem().as_bytes()).unwrap();
        let mut builder = Client::builder().tls_certs_only([root]);
        if let Some(pem) = identity {
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        }
        builder.build().unwrap()
    }

    /// Enrols a node, and returns its client.
    async fn enrolled(&self, id: u32) -> Client {
        let identity = self.identity(id).await;
        self.client(Some(identity))
    }

    /// Enrols a node, and returns its certificate and key.
    async fn identity(&self, id: u32) -> String {
        let token = self.register(id).await;
        self.identity_by(&token).await
    }

    /// Uses a token, and returns the certificate and key that it gives.
    async fn identity_by(&self, token: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let answer = self.enrol(token, &key).await;
        assert_eq!(answer.status(), StatusCode::OK);
        with_key(&answer.json::<Enrolled>().await.unwrap(), &key)
    }

    /// Renews a certificate, and returns the next one and its key.
    async fn renewed(&self, client: &Client) -> String {
        let key = KeyPair::generate().unwrap();
        let body = EnrolmentRequest { token: None, request: request(&key), release: None };
        let answer = client.post(format!("{}/renew", self.base)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        with_key(&answer.json().await.unwrap(), &key)
    }

    async fn enrol(&self, token: &str, key: &KeyPair) -> Response {
        self.enrol_with(token, key, Some(Release::PRESENT)).await
    }

    async fn enrol_with(&self, token: &str, key: &KeyPair, release: Option<Release>) -> Response {
        let body = EnrolmentRequest { token: Some(token.into()), request: request(key), release };
        self.client(None).post(format!("{}/enrol", self.base)).json(&body).send().await.unwrap()
    }

    async fn sync(&self, client: &Client, sync: &Sync) -> Response {
        client.post(format!("{}/sync", self.base)).json(sync).send().await.unwrap()
    }
}

fn request(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

fn with_key(enrolled: &Enrolled, key: &KeyPair) -> String {
    format!("{}{}", enrolled.certificate, key.serialize_pem())
}

/// The report of a node that has no configuration yet and does not wait.
fn first_report() -> Sync {
    Sync {
        protocols: PROTOCOL,
        observed: observed(1).into(),
        tally: Tally { carried: 3, ..Tally::default() },
        configuration: 0,
        wait: Wait::No,
        started_at: Some(77),
        wall: None,
        participants: None,
        statistics: Vec::new(),
        outcomes: Vec::new(),
        call_share: None,
        certificate: None,
        takes_changes: false,
        machine: None,
    }
}

/// The report of the same node when it has accepted its desired state, and waits for changes.
fn content(answer: &SyncAnswer, revision: u64) -> Sync {
    let mut sync = Sync { configuration: revision, wait: Wait::ForNews, ..first_report() };
    sync.observed.at = fleet::time::Time(2);
    sync.observed.generation = answer.desired.generation;
    sync
}

async fn kind(response: Response, status: StatusCode) -> String {
    assert_eq!(response.status(), status);
    response.json::<Value>().await.unwrap()["kind"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn caller_without_a_certificate_is_refused_on_every_route() {
    let server = Server::start(TIMING).await;
    let client = server.client(None);
    let file = format!("{}/packages/{}/manifest.json", server.base, "0".repeat(64));
    for request in [
        client.post(format!("{}/sync", server.base)).json(&first_report()),
        client.post(format!("{}/renew", server.base)).body("{}"),
        client.get(file),
    ] {
        assert_eq!(kind(request.send().await.unwrap(), StatusCode::UNAUTHORIZED).await, "no_certificate");
    }
}

#[tokio::test]
async fn certificate_of_another_authority_is_refused() {
    let server = Server::start(TIMING).await;
    server.register(1).await;
    let dir = tempfile::tempdir().unwrap();
    let other = Authority::load_or_make(dir.path()).unwrap();
    let key = KeyPair::generate().unwrap();
    let node_request = NodeRequest::parse(&request(&key)).unwrap();
    let issued = other.issue_to_node(NodeId(1), RegistrationId(1), &node_request).unwrap();
    let client = server.client(Some(format!("{}{}", issued.pem, key.serialize_pem())));
    let answer = client.post(format!("{}/sync", server.base)).json(&first_report()).send().await;
    // In TLS 1.3 the client learns it after its own handshake: the refusal may arrive as a broken request.
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    server
        .committer
        .read(|fleet, _| assert_eq!(fleet.nodes().get(NodeId(1)).unwrap().contact, Contact::Never));
}

#[tokio::test]
async fn enrolled_node_is_known_by_its_certificate() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(7).await;
    let answer: SyncAnswer = server.sync(&client, &first_report()).await.json().await.unwrap();
    assert_eq!(answer.protocol, PROTOCOL.max);
    assert_eq!(answer.fetch_rate, Some(1_000_000));
    assert_eq!(answer.configuration.unwrap().revision, server.committer.rooms().revision);
    server
        .committer
        .read(|fleet, _| assert_eq!(fleet.nodes().get(NodeId(7)).unwrap().contact, Contact::Heard));
    assert_eq!(server.committer.tally(NodeId(7)).unwrap().carried, 3);
    let started_at =
        |connection: &rusqlite::Connection| crate::store::node_boot::started_at(connection, NodeId(7));
    assert_eq!(server.committer.store().read(started_at).await.unwrap(), Some(77));
}

#[tokio::test]
async fn removed_node_is_refused_at_its_next_sync() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    assert_eq!(server.sync(&client, &first_report()).await.status(), StatusCode::OK);
    server.committer.apply(Event::NodeRemoved { id: NodeId(1) }).await.unwrap();
    assert_eq!(
        kind(server.sync(&client, &first_report()).await, StatusCode::FORBIDDEN).await,
        "not_registered"
    );
    assert_eq!(server.committer.tally(NodeId(1)), None);
}

#[tokio::test]
async fn token_is_good_for_one_key() {
    let server = Server::start(TIMING).await;
    let token = server.register(1).await;
    let key = KeyPair::generate().unwrap();
    assert_eq!(server.enrol(&token, &key).await.status(), StatusCode::OK);
    assert_eq!(server.enrol(&token, &key).await.status(), StatusCode::OK, "the answer may have been lost");
    let other = KeyPair::generate().unwrap();
    assert_eq!(kind(server.enrol(&token, &other).await, StatusCode::FORBIDDEN).await, "token");
    assert_eq!(kind(server.enrol("guessed", &other).await, StatusCode::FORBIDDEN).await, "token");
}

#[tokio::test]
async fn token_that_has_expired_is_refused() {
    let server = Server::start(TIMING).await;
    let token = server.register(1).await;
    let now = i64::try_from(server.committer.now().0).unwrap();
    let expire = move |tx: &rusqlite::Transaction<'_>| {
        Ok::<_, StoreError>(tx.execute("UPDATE enrolment SET expires_at = ?1", [now])?)
    };
    assert_eq!(server.committer.store().write(expire).await.unwrap(), 1);
    let answer = server.enrol(&token, &KeyPair::generate().unwrap()).await;
    assert_eq!(kind(answer, StatusCode::FORBIDDEN).await, "token");
}

#[tokio::test]
async fn node_renews_its_certificate_over_its_link() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let renewed = server.client(Some(server.renewed(&client).await));
    assert_eq!(server.sync(&renewed, &first_report()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn node_without_a_common_protocol_is_refused() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let strange = Sync { protocols: Protocols { min: 900, max: 901 }, ..first_report() };
    assert_eq!(kind(server.sync(&client, &strange).await, StatusCode::BAD_REQUEST).await, "protocol");
    server
        .committer
        .read(|fleet, _| assert_eq!(fleet.nodes().get(NodeId(1)).unwrap().contact, Contact::Never));
}

#[tokio::test]
async fn message_that_is_malformed_or_too_large_is_refused() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let post = |body: String| client.post(format!("{}/sync", server.base)).body(body).send();
    assert_eq!(kind(post("{".into()).await.unwrap(), StatusCode::BAD_REQUEST).await, "malformed");
    let large = " ".repeat(wire::report::REPORT_BYTES + 1);
    // The connection may break before the whole message is sent.
    if let Ok(answer) = post(large).await {
        assert_eq!(kind(answer, StatusCode::PAYLOAD_TOO_LARGE).await, "body");
    }
}

#[tokio::test]
async fn of_a_long_sentence_only_the_beginning_reaches_the_platform() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let mut sync = first_report();
    sync.observed.unfit = Some("x".repeat(wire::report::SENTENCE_CHARACTERS + 1));
    assert_eq!(server.sync(&client, &sync).await.status(), StatusCode::OK);
    server.committer.read(|fleet, _| {
        let unfit = fleet.nodes().get(NodeId(1)).unwrap().observed.as_ref().unwrap().unfit.clone();
        assert_eq!(unfit.unwrap().len(), wire::report::SENTENCE_CHARACTERS);
    });
}

/// Begins a sync that is held, and waits until it is.
async fn held(server: &Server, client: &Client, node: u32) -> JoinHandle<SyncAnswer> {
    let first: SyncAnswer = server.sync(client, &first_report()).await.json().await.unwrap();
    let sync = content(&first, server.committer.rooms().revision);
    let (client, url) = (client.clone(), format!("{}/sync", server.base));
    let held =
        tokio::spawn(async move { client.post(url).json(&sync).send().await.unwrap().json().await.unwrap() });
    // The second report is committed before the request is held.
    until(&server.committer, |fleet| {
        let node = fleet.nodes().get(NodeId(node)).unwrap();
        node.observed.as_ref().is_some_and(|last| last.generation == node.generation)
    })
    .await;
    held
}

#[tokio::test]
async fn held_sync_is_answered_when_something_else_is_wanted() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let raised = Event::Maintenance { id: NodeId(1), operator: Some("first".into()) };
    server.committer.apply(raised).await.unwrap();
    let held = held(&server, &client, 1).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("fan".into()) }).await.unwrap();
    let answer = tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
    assert_eq!(answer.desired.intent.owners.operator.as_deref(), Some("fan"));
    assert_eq!(answer.configuration, None);
}

/// The clock of a machine is set back when it could not write for a while and then lost power.
#[tokio::test]
async fn report_of_an_earlier_time_is_answered_at_once_with_the_time_to_go_on_from() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let mut first = first_report();
    first.observed.at = fleet::time::Time(5);
    let first: SyncAnswer = server.sync(&client, &first).await.json().await.unwrap();
    // It has the time 2.
    let late = content(&first, server.committer.rooms().revision);
    let answer = tokio::time::timeout(BOUND, server.sync(&client, &late)).await.unwrap();
    assert_eq!(answer.json::<SyncAnswer>().await.unwrap().heard_at, Some(fleet::time::Time(5)));
}

#[tokio::test]
async fn held_sync_is_answered_when_the_rooms_change() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("x".into()) }).await.unwrap();
    let held = held(&server, &client, 1).await;
    let insert = |tx: &rusqlite::Transaction<'_>| {
        Ok::<_, StoreError>(tx.execute("INSERT INTO conference (name) VALUES ('lounge')", [])?)
    };
    server.committer.change_rooms(insert).await.unwrap();
    let answer = tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
    assert_eq!(answer.configuration.unwrap().rooms[0].name, "lounge");
}

/// The report of a node whose clock is so many seconds ahead of this machine's.
fn with_clock(server: &Server, ahead: i64) -> Sync {
    Sync { wall: Some(server.committer.wall() + Offset(ahead * 1_000)), ..first_report() }
}

#[tokio::test]
async fn node_whose_clock_is_two_hours_slow_is_known_before_anything_else_goes_wrong() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let off = || server.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).unwrap().clock_off);
    for (ahead, expected) in [(-20, None), (-7_200, Some(-7_200)), (-7_190, Some(-7_200)), (-10, None)] {
        let answer = server.sync(&client, &with_clock(&server, ahead)).await;
        let answer: SyncAnswer = answer.json().await.unwrap();
        assert!(answer.wall.unwrap().ahead_of(server.committer.wall()).size() < Span::minutes(1));
        // To the minute: the measurement includes the time of the request.
        let off = off().map(|off| off.0.saturating_add(-30_000) / 60_000 * 60);
        assert_eq!(off, expected, "{ahead} s");
        let shown = server.committer.node_runtime(NodeId(1)).unwrap().clock_ahead.unwrap();
        assert!(shown.since(Offset(ahead * 1_000)).size() < Span::minutes(1), "{shown}");
    }
    // Release 34 does not report its clock.
    server.sync(&client, &first_report()).await;
    assert_eq!((off(), server.committer.node_runtime(NodeId(1)).unwrap().clock_ahead), (None, None));
}

#[tokio::test]
async fn held_sync_is_answered_when_the_managers_clock_was_set() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("x".into()) }).await.unwrap();
    let held = held(&server, &client, 1).await;
    let wall = server.committer.wall() + Span::hours(2);
    server.committer.apply(Event::WallClock { wall }).await.unwrap();
    tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
}

#[tokio::test]
async fn hold_ends_by_itself() {
    let server = Server::start(Timing { hold: Duration::from_millis(20), ..TIMING }).await;
    let client = server.enrolled(1).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("x".into()) }).await.unwrap();
    let held = held(&server, &client, 1).await;
    tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
}

#[tokio::test]
async fn node_whose_connection_breaks_is_silent_until_its_next_report() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("x".into()) }).await.unwrap();
    let held = held(&server, &client, 1).await;
    let contact = |fleet: &fleet::platform::Fleet| fleet.nodes().get(NodeId(1)).unwrap().contact;
    held.abort();
    until(&server.committer, |fleet| matches!(contact(fleet), Contact::Silent { .. })).await;
    let mut again = first_report();
    again.observed.at = fleet::time::Time(3);
    assert_eq!(server.sync(&client, &again).await.status(), StatusCode::OK);
    server.committer.read(|fleet, _| assert_eq!(contact(fleet), Contact::Heard));
}

#[tokio::test]
async fn closed_gate_answers_503_and_releases_held_requests() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("x".into()) }).await.unwrap();
    let held = held(&server, &client, 1).await;
    server.gate.set(GateState::Closed);
    tokio::time::timeout(BOUND, held).await.unwrap().unwrap();
    let answer = server.sync(&client, &first_report()).await;
    assert_eq!(kind(answer, StatusCode::SERVICE_UNAVAILABLE).await, "upgrading");
}

#[tokio::test]
async fn node_fetches_its_payload_in_parts_and_nothing_else() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    let held = packages::admit(&server.bench.layout(), &server.bench.upload()).unwrap();
    let base = format!("{}/packages/{}", server.base, held.verified.hash());
    let payload = std::fs::read(held.dir.join(packages::NODE_PAYLOAD_FILE)).unwrap();
    let answer =
        client.get(format!("{base}/payload")).header(header::RANGE, "bytes=5-").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.bytes().await.unwrap(), payload[5..]);
    for (file, expected) in [
        ("manifest.json", held.verified.manifest_bytes()),
        ("manifest.json.minisig", held.verified.signature_text().as_bytes()),
    ] {
        let answer = client.get(format!("{base}/{file}")).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), expected);
    }
    for file in ["package.pitlane", "..%2f..%2fmachine.toml", "payload-node"] {
        let answer = client.get(format!("{base}/{file}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{file} was served");
    }
}
