//! A Management Node without listeners, and packages to upload.

use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::node::NodeId;
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::path::{Path, Step};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::version::{Build, Release, Version};
use package::rules::Rule;
use package::{
    Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, SigningKey, SourceFile, build, generate_key,
};
use parking_lot::RwLock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::authority::Authority;
use crate::backups::Backups;
use crate::context::Context;
use crate::driver::Committer;
use crate::enrolment::NodeAccess;
use crate::layout::Layout;
use crate::link::Refusals;
use crate::operator_certificate::OperatorCertificate;
use crate::rest;
use crate::store::{self, Store, StoreError, read_rooms};

pub(super) const OLD: Release = Release { version: Version::new(34, 0), build: Build(34_000) };
pub(super) const NEW: Release = Release { version: Version::new(34, 1), build: Build(34_100) };

/// The beginning of every path.
pub(super) const API: &str = "/api/admin";

/// A Management Node in a temporary directory.
pub(super) struct Kit {
    pub(super) dir: TempDir,
    pub(super) committer: Committer,
    pub(super) layout: Layout,
    pub(super) router: Router,
    pub(super) authorization: String,
    pub(super) refusals: Refusals,
    pub(super) certificate: OperatorCertificate,
    key: SigningKey,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body, of an answer with this status.
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }
}

/// A platform without nodes.
pub(crate) fn no_nodes() -> Arc<RwLock<Fleet>> {
    Arc::new(RwLock::new(Fleet::new(OLD, Policy::standard())))
}

impl Kit {
    pub(super) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let layout = Layout::new(dir.path());
        let pair = generate_key("a key for tests").unwrap();
        fs::create_dir_all(layout.trust()).unwrap();
        pair.write(&layout.trust(), "test").unwrap();
        Authority::load_or_make(&layout.state()).unwrap();
        let path = dir.path().join("store-a.db");
        let mut connection = store::open(&path, &mut || {}).unwrap();
        let rooms = read_rooms(&connection).unwrap();
        let fleet = no_nodes();
        store::initialise(&mut connection, &fleet.read()).unwrap();
        let store = Store::start(&path, connection, fleet.clone());
        let mut password = String::new();
        let note = |made: &str| {
            made.clone_into(&mut password);
            Ok::<_, StoreError>(())
        };
        rest::first_account(&store, note).await.unwrap();
        let committer = Committer::new(store, fleet, clock::Clock::start(None), rooms);
        let authorization = basic("admin", &password);
        let refusals = Refusals::default();
        let certificate = OperatorCertificate::default();
        let router = router(&committer, &layout, &refusals, &certificate);
        Self { dir, committer, layout, router, authorization, refusals, certificate, key: pair.signing }
    }

    /// The API as it is after a restart of the process: nothing in memory is kept.
    pub(super) fn restart_api(&mut self) {
        self.router = router(&self.committer, &self.layout, &self.refusals, &self.certificate);
    }

    /// The name and the password of the operator.
    pub(super) fn credentials(&self) -> (String, String) {
        let encoded = self.authorization.strip_prefix("Basic ").unwrap();
        let text = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        let (user, password) = text.split_once(':').unwrap();
        (user.into(), password.into())
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A request of the operator.
    pub(super) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{API}{path}"))
            .header(header::AUTHORIZATION, &self.authorization)
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    /// Registers node number `n` in the location 1, which is made with the first.
    pub(super) async fn add_node(&self, n: u32) -> Answer {
        if n == 1 {
            self.call("POST", "/configuration/v1/system_location/", json!({"name": "Oslo"}))
                .await
                .expect(201);
        }
        self.call("POST", "/configuration/v1/worker_vm/", node(n)).await
    }

    /// The node reports that it runs `release` and has accepted its desired state.
    pub(super) async fn report(&self, id: u32, release: Release) {
        self.report_with(id, release, Calls::NONE).await;
    }

    /// The node reports so many calls and that it has accepted its desired state.
    pub(super) async fn report_calls(&self, id: u32, count: u32) {
        self.report_with(id, OLD, Calls::Known { count, oldest: None }).await;
    }

    async fn report_with(&self, id: u32, release: Release, calls: Calls) {
        let id = NodeId(id);
        let (desired, at) = self.committer.read(|fleet, now| (fleet.wanted(id).unwrap(), now));
        let takes_calls = desired.intent.owners.is_empty();
        let observed = Observed {
            at,
            generation: desired.generation,
            release,
            release_state: ReleaseState::Confirmed,
            admission: if takes_calls { Admission::Admitting } else { Admission::Refusing },
            calls,
            staging: Staging::Nothing,
            unfit: None,
            start_fault: None,
            process: None,
        };
        self.committer.apply(Event::Report { id, observed }).await.unwrap();
    }

    /// The bytes of a package of 34.1, and its manifest.
    pub(super) fn package(&self) -> (Vec<u8>, String) {
        self.package_of(NEW)
    }

    /// The bytes of a package of 34.1 that expires after this day, and its manifest.
    pub(super) fn package_until(&self, valid_until: jiff::civil::Date) -> (Vec<u8>, String) {
        self.package_with(NEW, Some(valid_until), None)
    }

    /// The bytes of a package of a release, and its manifest.
    pub(super) fn package_of(&self, release: Release) -> (Vec<u8>, String) {
        self.package_with(release, None, None)
    }

    /// Uploads and checks a package of 34.1 with rules of its own.
    pub(super) async fn upload_package_with(&self, rules: Option<Vec<Rule>>) {
        let (bytes, _) = self.package_with(NEW, None, rules);
        let uuid = self.ask_for_upload(bytes.len()).await;
        self.send_part(&uuid, 0, &bytes).await.expect(202);
        let path = format!("/configuration/v1/upgrade_request/{uuid}/finish/");
        self.call("POST", &path, json!({"validate_only": true})).await.expect(200);
    }

    fn package_with(
        &self,
        release: Release,
        valid_until: Option<jiff::civil::Date>,
        rules: Option<Vec<Rule>>,
    ) -> (Vec<u8>, String) {
        let file = |name: &str, to: &str| {
            let source = self.dir.path().join(name);
            fs::write(&source, format!("the program of the {name}")).unwrap();
            let path = to.parse().unwrap();
            PayloadSource {
                files: vec![SourceFile { source, path, mode: Mode::Executable }],
                program: to.parse().unwrap(),
            }
        };
        let step = Step { to: release.version, from: OLD.version, reason: "the store changed".into() };
        let recipe = Recipe {
            version: release.version,
            build: release.build,
            released: valid_until.unwrap_or(jiff::civil::date(2026, 11, 23)),
            valid_until,
            rules,
            path: Path(vec![step]),
            protocols: Protocols { wire: ProtocolRange { min: 1, max: 2 }, media: 1 },
            notes: "Nothing is lost any more.".into(),
            manager: file("manager", "bin/pitlane-manager"),
            node: file("node", "bin/pitlane-node"),
            level: Level::QUICK,
        };
        let out = self.dir.path().join("release.pkg");
        let verified = build(&recipe, &self.key, &out).unwrap();
        (fs::read(&out).unwrap(), verified.hash().to_string())
    }

    /// Requests an upload of so many bytes.
    pub(super) async fn ask_for_upload(&self, total_size: usize) -> String {
        let body = json!({"request": true, "total_size": total_size});
        let answer = self.call("POST", "/configuration/v1/upgrade/", body).await.expect(201);
        answer["upload_id"].as_str().unwrap().to_string()
    }

    /// Requests an upload of a file as the command line does: with the hash of its beginning.
    pub(super) async fn ask_for_upload_of(&self, bytes: &[u8]) -> Answer {
        let head = <sha2::Sha256 as sha2::Digest>::digest(&bytes[..bytes.len().min(64 << 10)]);
        let head: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = json!({"request": true, "total_size": bytes.len(), "head_sha256": head});
        self.call("POST", "/configuration/v1/upgrade/", body).await
    }

    /// Lets time pass for all uploads, by making their last activity earlier.
    pub(super) async fn uploads_rest_for(&self, span: fleet::time::Span) {
        let set = move |tx: &rusqlite::Transaction<'_>| {
            let span = i64::try_from(span.0).unwrap();
            tx.execute("UPDATE upload SET active_at = active_at - ?1", [span])?;
            Ok::<_, StoreError>(())
        };
        self.committer.store().write(set).await.unwrap();
    }

    /// Sends bytes of an upload.
    pub(super) async fn send_part(&self, uuid: &str, offset: usize, bytes: &[u8]) -> Answer {
        let path = format!("/configuration/v1/upgrade_request/{uuid}/upload/");
        let request = self.request("POST", &path).header("Upload-Offset", offset);
        self.send(request.body(bytes.to_vec().into()).unwrap()).await
    }

    /// Uploads and checks the package of 34.1; returns its manifest.
    pub(super) async fn upload_package(&self) -> String {
        self.upload_package_of(NEW).await.0
    }

    /// Uploads and checks a package of a release; returns its manifest and the last answer.
    pub(super) async fn upload_package_of(&self, release: Release) -> (String, Value) {
        let (bytes, manifest) = self.package_of(release);
        let uuid = self.ask_for_upload(bytes.len()).await;
        self.send_part(&uuid, 0, &bytes).await.expect(202);
        let path = format!("/configuration/v1/upgrade_request/{uuid}/finish/");
        let answer = self.call("POST", &path, json!({"validate_only": true})).await.expect(200);
        (manifest, answer)
    }

    /// The names in a directory of the machine.
    pub(super) fn names(&self, dir: std::path::PathBuf) -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn router(
    committer: &Committer,
    layout: &Layout,
    refusals: &Refusals,
    certificate: &OperatorCertificate,
) -> Router {
    let nodes = NodeAccess { addresses: vec!["127.0.0.1:8444".into()], authority: "-----BEGIN\n".into() };
    let (committer, layout, refusals) = (committer.clone(), layout.clone(), refusals.clone());
    let backups =
        Backups::new(committer.clone(), layout.clone(), Release::PRESENT, backup::WorkFactor::QUICK);
    rest::router(Context {
        release: Release::PRESENT,
        backups,
        committer,
        layout,
        nodes,
        name: "manager".into(),
        requests_per_minute: 0,
        token_urls: crate::auth::oauth::Audiences::of(["manager.example"], 443),
        certificate: certificate.clone(),
        refusals,
    })
}

/// Checks that an object has these fields, whatever else it has.
pub(super) fn assert_includes(shown: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field} of {shown}");
    }
}

pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The registration of node number `n`.
pub(super) fn node(n: u32) -> Value {
    json!({
        "name": format!("node{n}"), "hostname": format!("node{n}"), "domain": "example.com",
        "address": format!("10.0.0.{n}"), "netmask": "255.255.255.0", "gateway": "10.0.0.254",
        "system_location": "/api/admin/configuration/v1/system_location/1/"
    })
}
