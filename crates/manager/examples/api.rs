//! The management API alone, on plain HTTP: for trying clients and for looking at its pages. Nodes cannot connect.
//!
//! `cargo run -p manager --example api -- 127.0.0.1:8080` prints the password of `admin` and serves until it is ended.

use std::net::SocketAddr;

use backup::WorkFactor;
use fleet::policy::Policy;
use fleet::version::Release;
use manager::auth::oauth::Audiences;
use manager::authority::Authority;
use manager::backups::Backups;
use manager::context::Context;
use manager::enrolment::NodeAccess;
use manager::layout::Layout;
use manager::rest::{first_account, router};
use manager::start::{ReleaseStatus, open_store, take_over};
use manager::store::StoreError;
use slots::Slot;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("trust")).expect("a folder");
    let key = package::generate_key("an example").expect("a key");
    key.write(&dir.path().join("trust"), "example").expect("a file");
    let layout = Layout::new(dir.path());
    let connection = open_store(&layout, ReleaseStatus::Confirmed, Slot::A, &mut || {}).expect("a store");
    let path = layout.store(Slot::A);
    let committer =
        take_over(connection, path, Policy::standard(), Release::PRESENT, None).await.expect("a committer");
    let print = |password: &str| {
        println!("password {password}");
        Ok::<_, StoreError>(())
    };
    first_account(committer.store(), print).await.expect("an account");
    let listener = TcpListener::bind(address).await.expect("the address is free");
    println!("http://{}/", listener.local_addr().expect("an address"));
    Authority::load_or_make(&layout.state()).expect("an authority");
    let app = router(Context {
        release: Release::PRESENT,
        backups: Backups::new(committer.clone(), layout.clone(), Release::PRESENT, WorkFactor::STRONG),
        committer,
        layout,
        nodes: NodeAccess { addresses: vec!["127.0.0.1:8444".into()], authority: "-----BEGIN\n".into() },
        name: "manager".into(),
        requests_per_minute: 0,
        token_urls: Audiences::of(["127.0.0.1", "localhost"], 443),
        certificate: manager::operator_certificate::OperatorCertificate::default(),
        refusals: manager::link::Refusals::default(),
    });
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await.expect("it serves");
}
