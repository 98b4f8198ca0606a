//! Tests of which certificates count: registrations that end, certificates that expire, certificates of
//! release 34, and machines that may not join.

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::SystemTime;

use fleet::version::Version;
use rusqlite::{Transaction, params};

use super::limits::ended;
use super::*;

impl Server {
    /// A certificate that our authority issued at another time, or as release 34 issues it; with its key.
    fn issued(&self, id: u32, registration: Option<RegistrationId>, key: &KeyPair, at: SystemTime) -> String {
        let asked = NodeRequest::parse(&request(key)).unwrap();
        let issued = self.authority.issue_dated(NodeId(id), registration, &asked, at).unwrap();
        format!("{}{}", issued.pem, key.serialize_pem())
    }

    /// The current registration of a node.
    async fn registration(&self, id: u32) -> RegistrationId {
        let read = move |connection: &rusqlite::Connection| {
            let sql = "SELECT id FROM registration WHERE node_id = ?1";
            Ok::<_, StoreError>(connection.query_row(sql, [id], |row| row.get::<_, String>(0))?)
        };
        self.committer.store().read(read).await.unwrap().parse().unwrap()
    }

    /// Creates another enrolment file for a node.
    async fn issue_again(&self, id: u32) -> String {
        let now = self.committer.now();
        let issue = move |tx: &Transaction<'_>| enrolments::issue(tx, NodeId(id), now);
        self.committer.store().write(issue).await.unwrap()
    }

    /// Removes a node, as the API does.
    async fn remove(&self, id: u32) {
        let forget = move |tx: &Transaction<'_>, _| enrolments::forget(tx, NodeId(id));
        self.committer
            .apply_with::<_, StoreError>(Event::NodeRemoved { id: NodeId(id) }, forget)
            .await
            .unwrap();
    }

    async fn refusal(&self, client: &Client) -> String {
        kind(self.sync(client, &first_report()).await, StatusCode::FORBIDDEN).await
    }

    fn last_refusal(&self, id: u32) -> Option<Reason> {
        self.refusals.last(NodeId(id)).map(|refused| refused.reason)
    }

    /// Changes the enrolment of a node to what a migrated store of release 34 contains.
    async fn as_release_34_left_it(&self, id: u32, key: &KeyPair, registered: SystemTime) {
        let since = registered.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        let hash = fleet::version::Sha256(
            sha2::Digest::finalize(sha2::Digest::chain_update(
                <sha2::Sha256 as sha2::Digest>::new(),
                rcgen::PublicKeyData::der_bytes(key),
            ))
            .into(),
        )
        .to_string();
        let write = move |tx: &Transaction<'_>| {
            let sql = "INSERT OR REPLACE INTO registration (node_id, id, earlier_key, earlier_since)
                       SELECT node_id, registration, ?2, ?3 FROM enrolment WHERE node_id = ?1";
            Ok::<_, StoreError>(tx.execute(sql, params![id, hash, since])?)
        };
        assert_eq!(self.committer.store().write(write).await.unwrap(), 1);
    }
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 3_600)
}

#[tokio::test]
async fn new_enrolment_file_revokes_the_old_identity_when_it_is_used_and_not_before() {
    let server = Server::start(TIMING).await;
    let old = server.enrolled(1).await;
    let token = server.issue_again(1).await;
    assert_eq!(server.sync(&old, &first_report()).await.status(), StatusCode::OK);
    let new = server.client(Some(server.identity_by(&token).await));
    assert_eq!(server.refusal(&old).await, "registration_ended");
    assert_eq!(server.last_refusal(1), Some(Reason::RegistrationEnded));
    let renewal =
        EnrolmentRequest { token: None, request: request(&KeyPair::generate().unwrap()), release: None };
    let renewed = old.post(format!("{}/renew", server.base)).json(&renewal).send().await.unwrap();
    assert_eq!(kind(renewed, StatusCode::FORBIDDEN).await, "registration_ended");
    assert_eq!(server.sync(&new, &first_report()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn held_request_of_an_identity_that_is_revoked_is_not_answered_as_before() {
    let server = Server::start(TIMING).await;
    let old = server.enrolled(1).await;
    server
        .committer
        .apply(Event::Maintenance { id: NodeId(1), operator: Some("first".into()) })
        .await
        .unwrap();
    let first: SyncAnswer = server.sync(&old, &first_report()).await.json().await.unwrap();
    let waits = content(&first, server.committer.rooms().revision);
    let url = format!("{}/sync", server.base);
    let held = tokio::spawn(async move { old.post(url).json(&waits).send().await.unwrap().status() });
    until(&server.committer, |fleet| {
        let node = fleet.nodes().get(NodeId(1)).unwrap();
        node.observed.as_ref().is_some_and(|last| last.at == fleet::time::Time(2))
    })
    .await;
    let token = server.issue_again(1).await;
    server.identity_by(&token).await;
    server.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("fan".into()) }).await.unwrap();
    assert_eq!(tokio::time::timeout(BOUND, held).await.unwrap().unwrap(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn identity_that_is_revoked_while_it_is_renewed_gets_no_certificate() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let server = Server::start(TIMING).await;
    let mut old = server.connect_with(&server.identity(1).await).await.unwrap();
    let key = KeyPair::generate().unwrap();
    let body = EnrolmentRequest { token: None, request: request(&key), release: None };
    let body = serde_json::to_vec(&body).unwrap();
    let head = "POST /node/v1/renew HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length";
    old.write_all(format!("{head}: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
    // The server requests the body after it has found that the certificate counts.
    let mut asked = [0; 25];
    tokio::time::timeout(BOUND, old.read_exact(&mut asked)).await.unwrap().unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    let token = server.issue_again(1).await;
    server.identity_by(&token).await;
    old.write_all(&body).await.unwrap();
    let mut status = [0; 12];
    tokio::time::timeout(BOUND, old.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 403");
}

#[tokio::test]
async fn certificate_of_a_removed_node_is_never_that_of_another_with_its_number() {
    let server = Server::start(TIMING).await;
    let removed = server.enrolled(1).await;
    server.remove(1).await;
    assert_eq!(server.refusal(&removed).await, "not_registered");
    let token = server.register(1).await;
    assert_eq!(server.refusal(&removed).await, "registration_ended");
    let new = server.client(Some(server.identity_by(&token).await));
    assert_eq!(server.refusal(&removed).await, "registration_ended");
    assert_eq!(server.sync(&new, &first_report()).await.status(), StatusCode::OK);
    server
        .committer
        .read(|fleet, _| assert_eq!(fleet.nodes().get(NodeId(1)).unwrap().contact, Contact::Heard));
}

#[tokio::test]
async fn node_that_enrolled_after_the_backup_was_made_is_known_by_its_file() {
    let server = Server::start(TIMING).await;
    let node = server.enrolled(1).await;
    let restore = |tx: &Transaction<'_>| {
        tx.execute("UPDATE enrolment SET public_key_sha256 = NULL", [])?;
        Ok::<_, StoreError>(tx.execute("DELETE FROM registration", [])?)
    };
    assert_eq!(server.committer.store().write(restore).await.unwrap(), 1);
    assert_eq!(server.sync(&node, &first_report()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn node_whose_certificate_has_expired_is_answered_and_shown() {
    let server = Server::start(TIMING).await;
    server.identity(1).await;
    let (registration, key) = (server.registration(1).await, KeyPair::generate().unwrap());
    let at = |age| server.issued(1, Some(registration), &key, SystemTime::now() - age);
    let fresh = server.client(Some(at(days(89))));
    assert_eq!(server.sync(&fresh, &first_report()).await.status(), StatusCode::OK);
    assert_eq!(server.last_refusal(1), None);
    let expired = server.client(Some(at(days(91))));
    assert_eq!(server.refusal(&expired).await, "certificate_expired");
    assert_eq!(server.last_refusal(1), Some(Reason::Expired));
    let token = server.issue_again(1).await;
    let again = server.client(Some(server.identity_by(&token).await));
    assert_eq!(server.sync(&again, &first_report()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn expired_certificate_leaves_the_connection_unauthenticated() {
    let unauthenticated = PoolLimits { total: 2, per_holder: 2 };
    let server = Server::limited(TIMING, Limits { unauthenticated, ..LIMITS }).await;
    server.identity(1).await;
    let (registration, key) = (server.registration(1).await, KeyPair::generate().unwrap());
    let at = |age| server.issued(1, Some(registration), &key, SystemTime::now() - age);
    let mut first = server.connect_with(&at(days(91))).await.unwrap();
    let mut more = Vec::new();
    for _ in 0..2 {
        more.push(server.connect_with(&at(days(91))).await.unwrap());
    }
    ended(&mut first).await;
}

#[tokio::test]
async fn certificate_that_was_made_while_the_clock_was_ahead_is_good() {
    let server = Server::start(TIMING).await;
    server.identity(1).await;
    let (registration, key) = (server.registration(1).await, KeyPair::generate().unwrap());
    let ahead = server.issued(1, Some(registration), &key, SystemTime::now() + days(400));
    let node = server.client(Some(ahead));
    assert_eq!(server.sync(&node, &first_report()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn certificate_of_release_34_is_good_until_the_node_has_shown_the_next_one() {
    let server = Server::start(TIMING).await;
    server.register(1).await;
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let registered = SystemTime::now() - days(10);
    server.as_release_34_left_it(1, &key, registered).await;
    let node = server.client(Some(server.issued(1, None, &key, registered)));
    assert_eq!(server.sync(&node, &first_report()).await.status(), StatusCode::OK);
    // The first that is shown is bound: another one, issued later for the same number, does not count.
    let second = server.client(Some(server.issued(1, None, &other, SystemTime::now())));
    assert_eq!(server.refusal(&second).await, "registration_ended");
    let renewed = server.client(Some(server.renewed(&node).await));
    assert_eq!(
        server.sync(&node, &first_report()).await.status(),
        StatusCode::OK,
        "the answer may have been lost"
    );
    assert_eq!(server.sync(&renewed, &first_report()).await.status(), StatusCode::OK);
    assert_eq!(server.refusal(&node).await, "registration_ended");
}

#[tokio::test]
async fn certificate_of_release_34_from_before_its_number_was_registered_does_not_count() {
    let server = Server::start(TIMING).await;
    server.register(1).await;
    let (key, removed) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let registered = SystemTime::now() - days(10);
    server.as_release_34_left_it(1, &key, registered).await;
    let old = server.client(Some(server.issued(1, None, &removed, registered - days(1))));
    assert_eq!(server.refusal(&old).await, "registration_ended");
    let node = server.client(Some(server.issued(1, None, &key, registered)));
    assert_eq!(server.sync(&node, &first_report()).await.status(), StatusCode::OK);
}

/// The version before this one.
fn earlier() -> Release {
    Release { version: Version::new(33, 9), ..Release::PRESENT }
}

#[tokio::test]
async fn new_machine_with_another_version_is_refused_with_both_named_and_its_file_stays_good_r29() {
    let server = Server::start(TIMING).await;
    let running = Release::NEXT;
    let started = Event::ManagerStarted { release: running, fell_back: None, wall: None };
    server.committer.apply(started).await.unwrap();
    let (token, key) = (server.register(1).await, KeyPair::generate().unwrap());
    for (release, named) in [(Some(earlier()), earlier().to_string()), (None, "release 34 ".into())] {
        let refused = server.enrol_with(&token, &key, release).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let said: Value = refused.json().await.unwrap();
        assert_eq!(said["kind"], "release");
        let sentence = said["error"].as_str().unwrap();
        assert!(sentence.contains(&named) && sentence.contains(&running.to_string()), "{sentence}");
    }
    assert_eq!(server.last_refusal(1), Some(Reason::OtherRelease));
    // After its upgrade it uses the same file, with another key.
    let upgraded = server.enrol_with(&token, &KeyPair::generate().unwrap(), Some(running)).await;
    assert_eq!(upgraded.status(), StatusCode::OK);
}

#[tokio::test]
async fn node_that_is_brought_back_on_an_earlier_version_joins_and_takes_no_calls_r20_r29() {
    let server = Server::start(TIMING).await;
    let client = server.enrolled(1).await;
    assert_eq!(server.sync(&client, &first_report()).await.status(), StatusCode::OK);
    let (token, key) = (server.issue_again(1).await, KeyPair::generate().unwrap());
    let enrolled = server.enrol_with(&token, &key, None).await;
    assert_eq!(enrolled.status(), StatusCode::OK);
    let restored = server.client(Some(with_key(&enrolled.json().await.unwrap(), &key)));
    let mut says = first_report();
    (says.observed.release, says.observed.at) = (earlier(), fleet::time::Time(5));
    let answer: SyncAnswer = server.sync(&restored, &says).await.json().await.unwrap();
    let why = answer.desired.intent.owners.platform.unwrap();
    assert!(why.contains("start the installed package again"), "{why}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Everything that this thread logs at a level that an operator sees, while the guard exists.
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::INFO);
        let lines = lines.with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(lines))
    }

    fn lines_with(&self, text: &str) -> usize {
        let log = self.0.lock().unwrap();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test]
async fn refused_handshake_is_logged_once_for_each_reason() {
    let (log, _guard) = Log::begin();
    let server = Server::start(TIMING).await;
    let dir = tempfile::tempdir().unwrap();
    let other = Authority::load_or_make(dir.path()).unwrap();
    let key = KeyPair::generate().unwrap();
    let asked = NodeRequest::parse(&request(&key)).unwrap();
    let issued = other.issue_to_node(NodeId(1), RegistrationId(1), &asked).unwrap();
    for _ in 0..5 {
        let client = server.client(Some(format!("{}{}", issued.pem, key.serialize_pem())));
        let _ = client.post(format!("{}/sync", server.base)).json(&first_report()).send().await;
    }
    let logged = async {
        while log.lines_with("made by another Management Node") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, logged).await.expect("it is not logged");
    assert_eq!(log.lines_with("other_authority"), 1);
}

#[tokio::test]
async fn machine_that_does_not_accept_our_certificate_is_logged() {
    let (log, _guard) = Log::begin();
    let server = Server::start(TIMING).await;
    let dir = tempfile::tempdir().unwrap();
    let other = Authority::load_or_make(dir.path()).unwrap();
    let root = reqwest::Certificate::from_pem(other.pem().as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([root]).build().unwrap();
    client.post(format!("{}/sync", server.base)).json(&first_report()).send().await.unwrap_err();
    let logged = async {
        while log.lines_with("certificate_not_accepted") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, logged).await.expect("it is not logged");
}

#[tokio::test]
async fn refused_node_is_logged_once_with_its_name_and_so_is_a_machine_without_a_certificate() {
    let (log, _guard) = Log::begin();
    let server = Server::start(TIMING).await;
    let old = server.enrolled(1).await;
    let token = server.issue_again(1).await;
    server.identity_by(&token).await;
    for _ in 0..3 {
        assert_eq!(server.refusal(&old).await, "registration_ended");
        let refused = server.sync(&server.client(None), &first_report()).await;
        assert_eq!(kind(refused, StatusCode::UNAUTHORIZED).await, "no_certificate");
    }
    assert_eq!(
        log.lines_with("a node is refused: its certificate belongs to a registration that has ended"),
        1
    );
    assert_eq!(log.lines_with("name=\"node1\""), 1);
    assert_eq!(log.lines_with("a machine cannot connect: it shows no certificate"), 1);
}

#[tokio::test]
async fn wrong_tokens_are_logged_and_answered_ever_later_and_a_right_one_at_once() {
    let (log, _guard) = Log::begin();
    let server = Server::start(TIMING).await;
    let (token, key) = (server.register(1).await, KeyPair::generate().unwrap());
    let began = tokio::time::Instant::now();
    for _ in 0..4 {
        assert_eq!(kind(server.enrol("guessed", &key).await, StatusCode::FORBIDDEN).await, "token");
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "the fourth was answered at once");
    assert_eq!(log.lines_with("its enrolment file was used before"), 1);
    tokio::select! {
        answer = server.enrol(&token, &key) => assert_eq!(answer.status(), StatusCode::OK),
        answer = server.enrol("guessed", &key) => panic!("answered before the right token: {answer:?}"),
    }
}
