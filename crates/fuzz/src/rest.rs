//! The management API: an operator's requests to the real router, over a store of its own. Whatever a query or a body
//! contains, the answer is a result or a refusal with a reason, never an internal error.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use backup::WorkFactor;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::version::Release;
use manager::authority::Authority;
use manager::backups::Backups;
use manager::context::Context;
use manager::driver::Committer;
use manager::enrolment::NodeAccess;
use manager::layout::Layout;
use manager::rest::{first_account, router};
use manager::start::{ReleaseStatus, open_store, take_over};
use manager::store::StoreError;
use rusqlite::Transaction;
use serde_json::Value;
use slots::Slot;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::input::{joined, parts};
use crate::package::release;
use crate::scratch::{folder, runtime};

pub(crate) const DICTIONARY: &[&str] = &[
    "GET ",
    "POST ",
    "PUT ",
    "PATCH ",
    "DELETE ",
    "configuration/v1/",
    "status/v1/",
    "history/v1/",
    "command/v1/platform/",
    "system_location/",
    "worker_vm/",
    "conference/",
    "conference_alias/",
    "account/",
    "companion_system/",
    "global/1/",
    "authentication/1/",
    "role/",
    "permission/",
    "audit/",
    "schema/",
    "upgrade/",
    "upgrade_request/",
    "upgrade_package/",
    "upgrade_check/",
    "upgrade_start/",
    "management_vm/",
    "/upload/",
    "/finish/",
    "/cancel/",
    "$UPLOAD",
    "?",
    "&",
    "=",
    "limit=",
    "offset=",
    "order_by=",
    "name__",
    "__in=",
    "__gte=",
    "__isnull=",
    "__icontains=",
    "__iregex=",
    "__range=",
    "__name__",
    "%00",
    "%ff",
    "\"name\"",
    "\"description\"",
    "\"hostname\"",
    "\"domain\"",
    "\"address\"",
    "\"netmask\"",
    "\"gateway\"",
    "\"system_location\"",
    "\"node_type\"",
    "\"cloud_bursting\"",
    "\"maintenance_mode\"",
    "\"maintenance_mode_reason\"",
    "\"deployment_type\"",
    "\"alias\"",
    "\"aliases\"",
    "\"conference\"",
    "\"objects\"",
    "\"deleted_objects\"",
    "\"password\"",
    "\"permissions\"",
    "\"ipv6_address\"",
    "\"request\"",
    "\"total_size\"",
    "\"validate_only\"",
    "\"package\"",
    "\"policy\"",
    "\"manifest\"",
    "\"nodes_at_once\"",
    "\"stop_at_failures\"",
    "\"first_nodes\"",
    "\"resource_uri\"",
    "true",
    "false",
    "null",
    "18446744073709551615",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "-1",
    "1e308",
    "\\u0000",
    "\\ud800",
    "/api/admin/configuration/v1/system_location/1/",
    "\n\n",
    "\n%%\n",
    "Upload-Offset: 0\n",
    "Content-Type: application/x-www-form-urlencoded\n",
    "Content-Type: multipart/form-data; boundary=x\n",
    "--x\r\n",
    "--x--\r\n",
    "Content-Disposition: form-data; name=\"package\"\r\n\r\n",
];

/// The beginning of every path.
const API: &str = "/api/admin/";

/// The most bytes of an answer; every list is paged.
const ANSWER: usize = 4 << 20;

/// Sends the requests of an input, one after the other.
pub(crate) fn run(data: &[u8]) {
    let platform = platform();
    runtime().block_on(async {
        let mut upload = String::new();
        for part in parts(data) {
            let text = String::from_utf8_lossy(part).replace("$UPLOAD", &upload);
            let bytes = if text.as_bytes() == part { part.to_vec() } else { text.clone().into_bytes() };
            let bytes = if text.contains('\u{fffd}') { part } else { &bytes };
            if let Some(request) = platform.request(bytes) {
                let answer = platform.router.clone().oneshot(request).await.expect("an answer");
                let answer = checked(answer).await;
                upload = answer["upload_id"].as_str().map_or(upload, str::to_string);
            }
        }
        platform.emptied().await;
    });
}

/// The Management Node of all runs of this process: a new one would hash two passwords before its first answer, which
/// takes longer than the run. Every run leaves it as it was.
fn platform() -> &'static Platform {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    PLATFORM.get_or_init(Platform::new)
}

/// Checks that an answer is not an internal error, and that a refusal is typed.
async fn checked(answer: Response<Body>) -> Value {
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    let bytes = to_bytes(answer.into_body(), ANSWER).await.expect("an answer of bounded length");
    let text = String::from_utf8_lossy(&bytes);
    let expected = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE];
    assert!(status.as_u16() < 500 || expected.contains(&status), "{status}: {text}");
    if bytes.is_empty() || kind.is_none_or(|kind| kind != "application/json") {
        assert!(status.is_success(), "{status} without a reason: {text}");
        return Value::Null;
    }
    let answer: Value = serde_json::from_slice(&bytes).expect("JSON");
    if !status.is_success() {
        for key in ["error", "kind", "hint"] {
            assert!(answer[key].is_string(), "a refusal without {key}: {text}");
        }
    }
    answer
}

/// Deletes what an operator has configured and uploaded. The ids restart, so that every run finds the same store.
const EMPTY: &str = "
DELETE FROM conference_alias; DELETE FROM conference; DELETE FROM worker_vm; DELETE FROM system_location;
DELETE FROM upload; DELETE FROM package; DELETE FROM enrolment; DELETE FROM journal; DELETE FROM audit;
DELETE FROM oauth2_client; DELETE FROM companion_system; DELETE FROM session; UPDATE authentication SET body = '{}'; UPDATE global SET body = '{}';
DELETE FROM account; DELETE FROM role; INSERT INTO role SELECT * FROM role_kept;
INSERT INTO account SELECT * FROM account_kept; DELETE FROM sqlite_sequence;
";

/// Keeps the accounts that every run begins with: one may change the only account.
const KEEP: &str =
    "CREATE TABLE role_kept AS SELECT * FROM role; CREATE TABLE account_kept AS SELECT * FROM account;";

/// A Management Node without configuration.
struct Platform {
    folder: TempDir,
    router: Router,
    committer: Committer,
}

impl Platform {
    fn new() -> Self {
        let folder = folder();
        let (store, template) = (Layout::new(folder.path()).store(Slot::A), template());
        fs::write(&store, &template.store).expect("a store");
        fs::create_dir(folder.path().join("trust")).expect("a folder");
        fs::write(folder.path().join("trust/fuzz.pub"), &release().public_key).expect("a key");
        let (committer, router) = runtime().block_on(serve(folder.path()));
        let keep = |tx: &Transaction<'_>| Ok::<_, StoreError>(tx.execute_batch(KEEP)?);
        runtime().block_on(committer.store().write(keep)).expect("the accounts are kept");
        Self { folder, router, committer }
    }

    /// Removes what a run has left. No package can be signed here, so no upgrade is left in progress.
    async fn emptied(&self) {
        let empty = |tx: &Transaction<'_>, fleet: &Fleet, _| {
            assert!(fleet.platform.run.is_none(), "an upgrade was started without a package");
            tx.execute_batch(EMPTY)?;
            let nodes = fleet.nodes().ids().into_iter();
            Ok::<_, StoreError>((nodes.map(|id| Event::NodeRemoved { id }).collect(), ()))
        };
        self.committer.change(empty).await.expect("an empty store");
        self.committer.change_rooms(|_| Ok::<_, StoreError>(())).await.expect("no rooms");
        let _ = fs::remove_dir_all(Layout::new(self.folder.path()).uploads());
    }

    /// Parses `METHOD path?query`, headers, an empty line and a body. `None` if HTTP cannot carry it.
    fn request(&self, text: &[u8]) -> Option<Request<Body>> {
        let end = text.windows(2).position(|window| window == b"\n\n");
        let (head, body) = end.map_or((text, &[][..]), |end| (&text[..end], &text[end + 2..]));
        let mut lines = std::str::from_utf8(head).ok()?.lines();
        let (method, path) = lines.next()?.split_once(' ')?;
        let request = Request::builder().method(method).uri(format!("{API}{path}"));
        let request = request.header(header::AUTHORIZATION, &template().authorization);
        let from: SocketAddr = ([127, 0, 0, 1], 1).into();
        let request =
            lines.filter_map(|line| line.split_once(": ")).fold(request, |request, (name, value)| {
                if name.eq_ignore_ascii_case("authorization") { request } else { request.header(name, value) }
            });
        request.extension(ConnectInfo(from)).body(Body::from(body.to_vec())).ok()
    }
}

async fn serve(root: &Path) -> (Committer, Router) {
    let layout = Layout::new(root);
    let connection = open_store(&layout, ReleaseStatus::Confirmed, Slot::A, &mut || {}).expect("a store");
    let committer = take_over(connection, layout.store(Slot::A), Policy::standard(), Release::PRESENT, None)
        .await
        .expect("a committer");
    let nodes = NodeAccess { addresses: vec!["127.0.0.1:8444".into()], authority: "-----BEGIN\n".into() };
    Authority::load_or_make(&layout.state()).expect("an authority");
    let backups = Backups::new(committer.clone(), layout.clone(), Release::PRESENT, WorkFactor::QUICK);
    let router = router(Context {
        release: Release::PRESENT,
        backups,
        committer: committer.clone(),
        layout,
        nodes,
        name: "manager".into(),
        requests_per_minute: 0,
        token_urls: manager::auth::oauth::Audiences::of(["manager.example"], 443),
        certificate: manager::operator_certificate::OperatorCertificate::default(),
        refusals: manager::link::Refusals::default(),
    });
    (committer, router)
}

/// The store and the login that every run starts from.
struct Template {
    store: Vec<u8>,
    authorization: String,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(make)
}

fn make() -> Template {
    let folder = folder();
    let store = Layout::new(folder.path()).store(Slot::A);
    let mut password = String::new();
    runtime().block_on(async {
        let (committer, _) = serve(folder.path()).await;
        let note = |made: &str| {
            made.clone_into(&mut password);
            Ok::<_, StoreError>(())
        };
        first_account(committer.store(), note).await.expect("an account");
        committer.store().close().await;
    });
    let authorization = format!("Basic {}", STANDARD.encode(format!("admin:{password}")));
    Template { store: fs::read(store).expect("the store"), authorization }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let place = "POST configuration/v1/system_location/\n\n{\"name\": \"Oslo\", \"description\": \"\"}";
    let node = "POST configuration/v1/worker_vm/\n\n{\"name\": \"node1\", \"hostname\": \"node1\", \
                \"domain\": \"example.com\", \"address\": \"10.0.0.1\", \"netmask\": \"255.255.255.0\", \
                \"gateway\": \"10.0.0.254\", \"system_location\": \"/api/admin/configuration/v1/system_location/1/\", \
                \"cloud_bursting\": false, \"maintenance_mode\": true, \"maintenance_mode_reason\": \"new\"}";
    let room =
        "POST configuration/v1/conference/\n\n{\"name\": \"Standup\", \"aliases\": [{\"alias\": \"meet\"}]}";
    let alias = "POST configuration/v1/conference_alias/\nContent-Type: application/x-www-form-urlencoded\n\n\
                 alias=meet2&conference=%2Fapi%2Fadmin%2Fconfiguration%2Fv1%2Fconference%2F1%2F&description=x";
    let upload = "POST configuration/v1/upgrade/\n\n{\"request\": true, \"total_size\": 9}";
    let sent = "POST configuration/v1/upgrade_request/$UPLOAD/upload/\nUpload-Offset: 0\n\n123456789";
    let finish = "POST configuration/v1/upgrade_request/$UPLOAD/finish/\n\n{\"validate_only\": true}";
    let form = "POST command/v1/platform/upgrade/\nContent-Type: multipart/form-data; boundary=x\n\n--x\r\n\
                Content-Disposition: form-data; name=\"package\"\r\n\r\nmanifest.json\r\n--x--\r\n";
    let start = "POST command/v1/platform/upgrade_start/\n\n{\"package\": \
                 \"0707070707070707070707070707070707070707070707070707070707070707\", \
                 \"policy\": {\"nodes_at_once\": 3}}";
    let lists = [
        "GET configuration/v1/worker_vm/?name__icontains=n&order_by=-name&limit=2&offset=0",
        "GET status/v1/worker_vm/?limit=1",
        "GET status/v1/upgrade/",
        "GET status/v1/management_vm/",
        "GET configuration/v1/conference_alias/?conference=1&alias__in=meet,x",
        "GET configuration/v1/upgrade_request/?state=uploading&created_at__gte=2026-01-01",
        "GET history/v1/upgrade/?limit=5",
        "GET configuration/v1/worker_vm/?system_location__name__iregex=^o&order_by=name,-address",
        "GET configuration/v1/conference/?aliases__alias__in=meet,x&creation_time__range=2026-01-01,2027-01-01",
        "GET history/v1/audit/?time__gte=2026-01-01&order_by=-time",
        "GET openapi.json",
        "GET status/v1/worker_vm/?version__gt=34.10&last_updated__lt=2026-01-01&maintenance_mode=true",
    ];
    let changes = [
        "PATCH configuration/v1/worker_vm/1/\n\n{\"maintenance_mode\": false, \"name\": \"node2\"}",
        "PUT configuration/v1/system_location/1/\n\n{\"name\": \"Bergen\"}",
        "DELETE configuration/v1/worker_vm/1/",
        "DELETE configuration/v1/system_location/1/",
    ];
    let many = [
        "PATCH configuration/v1/system_location/\n\n{\"objects\": [{\"id\": 1, \"mtu\": 900}, {\"name\": \"Bergen\"}], \
         \"deleted_objects\": []}",
        "PUT configuration/v1/conference/\n\n{\"objects\": [{\"name\": \"A\", \"aliases\": [\"a\", \"b\"]}]}",
        "DELETE configuration/v1/conference_alias/?alias__startswith=a",
        "POST configuration/v1/role/\n\n{\"name\": \"r\", \"permissions\": [1, \"/api/admin/configuration/v1/permission/2/\"]}",
        "PATCH configuration/v1/account/1/\n\n{\"description\": \"x\", \"is_active\": \"true\"}",
    ];
    vec![
        joined(&[&[place], &many[..]].concat()),
        joined(&[&[place, node], &changes[..]].concat()),
        joined(&[&[place, node, room, alias], &lists[..]].concat()),
        joined(&[upload, sent, finish, "DELETE configuration/v1/upgrade_request/$UPLOAD/"]),
        joined(&[
            "POST configuration/v1/upgrade/\n\n{\"request\": true, \"total_size\": 9, \"head_sha256\": \
             \"0707070707070707070707070707070707070707070707070707070707070707\"}",
            "GET configuration/v1/upgrade_request/?owner=admin",
        ]),
        joined(&[
            "POST command/v1/account/password/\n\n{\"old_password\": \"x\", \"new_password\": \"correct horse\"}",
        ]),
        joined(&[form]),
        joined(&[place, node, start, "POST command/v1/platform/upgrade_check/\n\n{}"]),
        joined(&[
            "GET status/v1/about/",
            "POST configuration/v1/upgrade_request/$UPLOAD/cancel/",
            "PUT x",
            "GET ../",
        ]),
    ]
}
