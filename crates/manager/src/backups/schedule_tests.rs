//! The schedule with a store, and uploads to a server of HTTPS.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::put;
use clock::SetByHand;
use fleet::time::Offset;
use fleet::time::Wall;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::schedule::{Looked, look};
use super::*;
use crate::resources::configuration::autobackup::{AUTOBACKUP, UPLOAD_URL};
use crate::resources::draft::draft;
use crate::store::objects;
use crate::testing::Bench;

/// 2026-11-30 at noon, UTC.
const NOON: Wall = Wall(1_796_040_000_000);

/// A Management Node whose clock is set by hand.
struct Site {
    bench: Bench,
    clocks: SetByHand,
    committer: Committer,
    backups: Backups,
}

impl Site {
    async fn new() -> Self {
        let (bench, clocks) = (Bench::new(), SetByHand::new(NOON));
        Authority::load_or_make(&bench.layout().state()).unwrap();
        let committer = bench.committer_on(&clocks).await;
        let backups = Backups::new(committer.clone(), bench.layout(), Release::PRESENT, WorkFactor::QUICK);
        Self { bench, clocks, committer, backups }
    }

    /// Writes settings of the schedule, without the checks of a request.
    async fn set(&self, fields: Value) {
        let write = move |tx: &crate::store::Transaction<'_>| {
            let fields: Map<String, Value> = fields.as_object().unwrap().clone();
            let kept = objects::find(tx, &AUTOBACKUP, 1, &crate::resources::CoreFacts::default())?;
            let (object, errors) = draft(&AUTOBACKUP, &fields, kept.as_ref(), 0);
            assert!(errors.is_empty());
            objects::update(tx, &object)
        };
        self.committer.store().write(write).await.unwrap();
    }

    async fn look(&self) -> Looked {
        look(&self.backups, &[]).await.unwrap()
    }

    fn pass_hours(&self, hours: i64) {
        self.clocks.set(Offset(hours * 3_600_000));
    }

    fn last_request(&self) -> RequestState {
        self.backups.requests().lock().all().remove(0).state
    }
}

#[tokio::test]
async fn backups_are_made_at_the_hours_that_are_set() {
    let site = Site::new().await;
    assert_eq!(site.look().await, Looked::NothingDue);
    let every_six =
        json!({"autobackup_enabled": true, "autobackup_interval": 6, "autobackup_passphrase": "grandstand"});
    site.set(every_six).await;
    assert_eq!(site.look().await, Looked::Made);
    assert_eq!(site.look().await, Looked::NothingDue);
    // The next one is due at 13:00.
    site.pass_hours(1);
    assert_eq!(site.look().await, Looked::Made);
    site.pass_hours(5);
    assert_eq!(site.look().await, Looked::NothingDue);
    let all = site.backups.list().await.unwrap();
    assert_eq!(all[0].name.to_string(), "autobackup-34.1-34100-20261130T130000Z.tar.zst.age");
    assert_eq!((all.len(), site.last_request()), (2, RequestState::Completed { name: all[0].name }));
    site.set(json!({"autobackup_enabled": false})).await;
    site.pass_hours(24);
    assert_eq!(site.look().await, Looked::NothingDue);
}

#[tokio::test]
async fn failure_of_the_schedule_is_shown() {
    let site = Site::new().await;
    site.set(json!({"autobackup_enabled": true, "autobackup_passphrase": "grandstand"})).await;
    std::fs::remove_file(site.bench.layout().state().join("authority.pem")).unwrap();
    assert_eq!(site.look().await, Looked::Failed);
    let RequestState::Failed { why } = site.last_request() else { panic!("it is not shown") };
    assert!(why.contains("there is no authority"), "{why}");
}

/// An upload that has arrived.
#[derive(Debug)]
struct Arrived {
    name: String,
    authorization: String,
    bytes: Bytes,
}

/// A server of HTTPS that takes uploads in `/backups/`, its certificate, and what arrives.
async fn server() -> (String, CertificateDer<'static>, mpsc::UnboundedReceiver<Arrived>) {
    let (sender, arrived) = mpsc::unbounded_channel();
    let take = async move |Path(name): Path<String>, headers: HeaderMap, bytes: Bytes| {
        let authorization = headers[header::AUTHORIZATION].to_str().unwrap().to_string();
        sender.send(Arrived { name, authorization, bytes }).unwrap();
        StatusCode::CREATED
    };
    let app = Router::new().route("/backups/{name}", put(take));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_string()]).unwrap().self_signed(&key).unwrap();
    let tls =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/backups/", listener.local_addr().unwrap());
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    tokio::spawn(async move { axum::serve(Tls { listener, acceptor }, app).await });
    (url, certificate.der().clone(), arrived)
}

struct Tls {
    listener: tokio::net::TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, from)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn backup_is_uploaded_to_a_server_that_is_trusted_and_to_no_other() {
    let (site, (url, certificate, mut arrived)) = (Site::new().await, server().await);
    site.set(json!({
        "autobackup_enabled": true, "autobackup_interval": 1, "autobackup_passphrase": "grandstand",
        UPLOAD_URL.name: url, "autobackup_upload_username": "ann", "autobackup_upload_password": "s3cret",
    }))
    .await;
    let trusted = [certificate];
    assert_eq!(look(&site.backups, &trusted).await.unwrap(), Looked::Made);
    let Arrived { name, authorization, bytes } = arrived.recv().await.unwrap();
    let kept = site.backups.list().await.unwrap()[0];
    assert_eq!((name, bytes.len() as u64), (kept.name.to_string(), kept.size));
    assert_eq!(authorization, "Basic YW5uOnMzY3JldA==");
    assert_eq!(site.last_request(), RequestState::Completed { name: kept.name });

    site.pass_hours(1);
    assert_eq!(site.look().await, Looked::Made);
    let RequestState::Failed { why } = site.last_request() else { panic!("an unknown server was trusted") };
    assert!(why.contains("could not be uploaded") && why.contains("certificate"), "{why}");
    assert!(!why.contains(&url) && !why.contains("s3cret"), "{why}");
    assert!(arrived.try_recv().is_err());
}
