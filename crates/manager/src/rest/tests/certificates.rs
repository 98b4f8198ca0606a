//! Tests of certificates that the operator brings: checked, shown, and used for the pages at once.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::kit::Kit;
use crate::authority::{Authority, ServerIdentity};
use crate::link::{Limits, Refusals, TlsListener, serve, server_config};
use crate::operator_certificate::{PLATFORM, PeopleIdentity};

const CERTIFICATES: &str = "/configuration/v1/tls_certificate/";

struct Made {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

fn made(name: &str) -> Made {
    let made = rcgen::generate_simple_self_signed([name.to_string()]).unwrap();
    Made {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().to_vec(),
    }
}

fn body(of: &Made, nodes: Value) -> Value {
    json!({"certificate": of.certificate, "private_key": of.key, "nodes": nodes})
}

#[tokio::test]
async fn certificate_is_shown_with_what_it_says_and_without_its_key() {
    let kit = Kit::new().await;
    kit.call("POST", CERTIFICATES, body(&made("conf.example"), json!([]))).await.expect(201);
    let shown = kit.get(&format!("{CERTIFICATES}1/")).await.expect(200);
    assert_eq!(
        (&shown["private_key"], &shown["subject_alt_names"]),
        (&json!("********"), &json!("conf.example"))
    );
    assert!(shown["text"].as_str().unwrap().contains("Signature Algorithm: ecdsa-with-SHA256"), "{shown}");
    assert!(shown["end_date"].as_str().unwrap() > "2030", "{shown}");
    let other = made("other.example");
    let wrong = json!({"certificate": other.certificate});
    let refused = kit.call("PATCH", &format!("{CERTIFICATES}1/"), wrong).await.expect(400);
    assert!(refused["tls_certificate"]["private_key"].is_array(), "{refused}");
    kit.call("POST", CERTIFICATES, json!({"certificate": "no", "private_key": other.key})).await.expect(400);
    let audit = kit.get("/history/v1/audit/").await.expect(200);
    assert!(!audit.to_string().contains("PRIVATE KEY"), "{audit}");
}

#[tokio::test]
async fn one_certificate_is_shown_and_only_by_who_can() {
    let kit = Kit::new().await;
    kit.call("POST", CERTIFICATES, body(&made("a.example"), json!(["manager"]))).await.expect(201);
    let second =
        kit.call("POST", CERTIFICATES, body(&made("b.example"), json!(["Manager"]))).await.expect(400);
    assert!(
        second["tls_certificate"]["nodes"][0].as_str().unwrap().contains("Another certificate"),
        "{second}"
    );
    let node = kit.call("POST", CERTIFICATES, body(&made("b.example"), json!(["node1"]))).await.expect(400);
    let message = node["tls_certificate"]["nodes"][0].as_str().unwrap();
    assert!(message.contains("Node is called node1"), "{node}");
    kit.call("PATCH", &format!("{CERTIFICATES}1/"), json!({"nodes": []})).await.expect(202);
    kit.call("POST", CERTIFICATES, body(&made("b.example"), json!(["manager"]))).await.expect(201);
}

#[tokio::test]
async fn bundle_becomes_a_certificate() {
    let kit = Kit::new().await;
    let Made { certificate, key, .. } = made("conf.example");
    let import = "/command/v1/platform/certificates_import/";
    let done = kit.call("POST", import, json!({"bundle": format!("{key}{certificate}")})).await.expect(202);
    assert_eq!(done["data"]["tls_certificate"], "/api/admin/configuration/v1/tls_certificate/1/");
    kit.call("POST", import, json!({"bundle": certificate})).await.expect(400);
}

/// The leaf that a listener shows to a client that offers these protocols and trusts these certificates.
async fn leaf(address: std::net::SocketAddr, trusted: &[Vec<u8>], protocols: &[&[u8]]) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    for root in trusted {
        roots.add(root.clone().into()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("manager.example").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn pages_show_the_operator_s_certificate_at_once_and_the_platform_s_to_who_asks_for_it() {
    let kit = Kit::new().await;
    let authority = Arc::new(Authority::load_or_make(&kit.layout.state()).unwrap());
    let own = Arc::new(ServerIdentity::new(authority.clone(), vec!["manager.example".into()]).unwrap());
    let (platform, operators) = (own.chain()[0].to_vec(), made("manager.example"));
    let trusted = [authority.certificate().to_vec(), operators.der.clone()];
    let identity = PeopleIdentity::new(own, kit.certificate.clone());
    let config = server_config(Arc::new(identity), None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = TlsListener::new(listener, config, Limits::PEOPLE, Refusals::default()).unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    tokio::spawn(serve(listener, kit.router.clone(), stop));
    let browser: &[&[u8]] = &[b"h2", b"http/1.1"];
    assert_eq!(leaf(address, &trusted, browser).await, platform);
    kit.call("POST", CERTIFICATES, body(&operators, json!(["manager"]))).await.expect(201);
    assert_eq!(leaf(address, &trusted, browser).await, operators.der);
    assert_eq!(leaf(address, &trusted, &[PLATFORM, b"http/1.1"]).await, platform);
    kit.call("DELETE", &format!("{CERTIFICATES}1/"), json!({})).await.expect(204);
    assert_eq!(leaf(address, &trusted, browser).await, platform);
}

/// What a node is to show that shows its own, by its subject.
fn given(kit: &Kit, node: u32) -> Option<String> {
    let shown = Some(wire::ShownCertificate::Own);
    match kit.committer.certificates().for_node(fleet::node::NodeId(node), shown)? {
        wire::CertificateToShow::Own => None,
        wire::CertificateToShow::Operators(certificate) => Some(certificate.subject),
    }
}

#[tokio::test]
async fn node_is_named_by_its_certificate_or_names_it_and_never_has_two() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.add_node(2).await;
    let named = "CN=rcgen self signed cert".to_string();
    let names = json!(["Node1.example.com"]);
    kit.call("POST", CERTIFICATES, body(&made("a.example"), names)).await.expect(201);
    assert_eq!((given(&kit, 1), given(&kit, 2)), (Some(named.clone()), None));
    kit.call("POST", CERTIFICATES, body(&made("b.example"), json!([]))).await.expect(201);
    let uri = |id: u32| format!("/api/admin{CERTIFICATES}{id}/");
    let node = |id: u32| format!("/configuration/v1/worker_vm/{id}/");
    kit.call("PATCH", &node(2), json!({"tls_certificate": uri(2)})).await.expect(202);
    assert_eq!(given(&kit, 2), Some(named));
    let second = kit.call("PATCH", &node(1), json!({"tls_certificate": uri(2)})).await.expect(400);
    assert!(second["worker_vm"]["tls_certificate"].is_array(), "{second}");
    let body = json!({"nodes": ["node2", "node1"]});
    let second = kit.call("PATCH", &format!("{CERTIFICATES}1/"), body).await.expect(400);
    assert!(second["tls_certificate"]["nodes"][0].as_str().unwrap().contains("shown by node2"), "{second}");
    kit.call("DELETE", &format!("{CERTIFICATES}2/"), json!({})).await.expect(409);
    kit.call("PATCH", &node(2), json!({"tls_certificate": null})).await.expect(202);
    kit.call("PATCH", &format!("{CERTIFICATES}1/"), json!({"nodes": []})).await.expect(202);
    assert_eq!((given(&kit, 1), given(&kit, 2)), (None, None));
}
