//! The management API is what its OpenAPI document says: an independent tool, schemathesis, makes requests from the
//! document and judges the answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::Router;
use backup::WorkFactor;
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
use slots::Slot;
use tokio::net::TcpListener;

/// How many requests are made of each operation in each phase.
const EXAMPLES: &str = "15";

/// What the tool checks. Whether an invalid request is refused is not among it: the API reads numbers from texts and
/// ignores fields that it does not know, as the compatible API does.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,unsupported_method,ignored_auth";

/// The tool, where `cargo xtask` installs it.
fn tool() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/schemathesis/bin/schemathesis")
}

/// A Management Node without listeners for nodes, its API on loopback, and the password of its operator.
async fn serve(root: &Path) -> (SocketAddr, String) {
    let layout = Layout::new(root);
    let connection = open_store(&layout, ReleaseStatus::Confirmed, Slot::A, &mut || {}).expect("a store");
    let path = layout.store(Slot::A);
    let committer =
        take_over(connection, path, Policy::standard(), Release::PRESENT, None).await.expect("a committer");
    let mut password = String::new();
    let note = |made: &str| {
        made.clone_into(&mut password);
        Ok::<_, StoreError>(())
    };
    first_account(committer.store(), note).await.expect("an account");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = api(committer, layout).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, password)
}

fn api(committer: Committer, layout: Layout) -> Router {
    let nodes = NodeAccess { addresses: vec!["127.0.0.1:8444".into()], authority: "-----BEGIN\n".into() };
    let refusals = manager::link::Refusals::default();
    Authority::load_or_make(&layout.state()).expect("an authority");
    let backups = Backups::new(committer.clone(), layout.clone(), Release::PRESENT, WorkFactor::QUICK);
    router(Context {
        release: Release::PRESENT,
        backups,
        committer,
        layout,
        nodes,
        name: "manager".into(),
        requests_per_minute: 0,
        token_urls: manager::auth::oauth::Audiences::of(["manager.example"], 443),
        certificate: manager::operator_certificate::OperatorCertificate::default(),
        refusals,
    })
}

/// Something of everything, so that the tool finds objects at the numbers that the document gives as examples.
async fn fill(address: SocketAddr, password: &str) {
    let client = reqwest::Client::new();
    for (path, body) in [
        ("system_location", r#"{"name": "Oslo"}"#),
        (
            "worker_vm",
            r#"{"name": "node1", "hostname": "node1", "domain": "example.com", "address": "10.0.0.1",
                "netmask": "255.255.255.0", "gateway": "10.0.0.254", "system_location": 1}"#,
        ),
        ("conference", r#"{"name": "Board", "aliases": ["board"]}"#),
    ] {
        let request = client.post(format!("http://{address}/api/admin/configuration/v1/{path}/"));
        let answer = request.basic_auth("admin", Some(password)).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 201, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn api_is_what_its_document_says() {
    // The client has no TLS of its own here, and wants a provider all the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("trust")).expect("a folder");
    package::generate_key("a key for tests")
        .expect("a key")
        .write(&dir.path().join("trust"), "test")
        .expect("a file");
    let (address, password) = serve(dir.path()).await;
    fill(address, &password).await;
    let mut schemathesis = Command::new(tool());
    schemathesis
        .args(["run", "--no-color", "--workers", "1", "--seed", "1", "--generation-deterministic"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--checks", CHECKS])
        .args(["--suppress-health-check", "all", "--auth", &format!("admin:{password}")])
        // The only account must keep its password.
        .args(["--exclude-path-regex", "account|role|oauth"])
        .arg(format!("http://{address}/api/admin/openapi.json"))
        .current_dir(dir.path());
    let run = tokio::task::spawn_blocking(move || schemathesis.output()).await.expect("a thread");
    let output = run.expect("schemathesis is installed by `cargo xtask test`");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
