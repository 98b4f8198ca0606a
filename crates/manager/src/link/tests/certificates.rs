//! Certificates of the operator are sent to the nodes that they are for, and only to releases that can show them.

use wire::{CertificateToShow, ShownCertificate};

use super::*;

/// The report of a node that shows this, and waits for changes.
fn showing(shown: Option<ShownCertificate>, answer: &SyncAnswer, server: &Server) -> Sync {
    Sync { certificate: shown, ..content(answer, server.committer.rooms().revision) }
}

/// Stores a certificate for a machine of this name.
async fn store_certificate(server: &Server, node: &'static str) {
    let made = rcgen::generate_simple_self_signed([format!("{node}.example.com")]).unwrap();
    let body = serde_json::json!({
        "certificate": made.cert.pem(), "private_key": made.signing_key.serialize_pem(), "nodes": [node]
    });
    let write = move |tx: &rusqlite::Transaction<'_>| {
        tx.execute(
            "INSERT INTO worker_vm (id, name, body) VALUES (1, 'node1', '{}'), (2, 'node2', '{}')",
            [],
        )?;
        tx.execute("INSERT INTO tls_certificate (body) VALUES (?1)", [body.to_string()])?;
        Ok::<_, StoreError>(())
    };
    server.committer.store().write(write).await.unwrap();
    server.committer.reload_certificates().await.unwrap();
}

#[tokio::test]
async fn certificate_is_sent_at_once_to_the_node_that_it_is_for_and_taken_away_again() {
    let server = Server::start(TIMING).await;
    server.committer.reload_certificates().await.unwrap();
    let (one, two) = (server.enrolled(1).await, server.enrolled(2).await);
    let first: SyncAnswer = server.sync(&one, &first_report()).await.json().await.unwrap();
    assert_eq!(first.certificate, None);
    let waiting = {
        let sync = showing(Some(ShownCertificate::Own), &first, &server);
        let request = one.post(format!("{}/sync", server.base)).json(&sync);
        tokio::spawn(async move { request.send().await.unwrap().json::<SyncAnswer>().await.unwrap() })
    };
    store_certificate(&server, "node1").await;
    let Some(CertificateToShow::Operators(sent)) = waiting.await.unwrap().certificate else {
        panic!("no certificate")
    };
    assert!(sent.chain.contains("BEGIN CERTIFICATE") && sent.key.contains("BEGIN PRIVATE KEY"));
    let ask = async |client: &Client, shown| {
        let sync = Sync { wait: Wait::No, ..showing(shown, &first, &server) };
        server.sync(client, &sync).await.json::<SyncAnswer>().await.unwrap().certificate
    };
    assert_eq!(ask(&two, Some(ShownCertificate::Own)).await, None, "it is for another node");
    assert_eq!(ask(&one, None).await, None, "the release cannot show it");
    assert_eq!(ask(&one, Some(ShownCertificate::Operators(sent.id))).await, None, "it is shown");
    let delete =
        |tx: &rusqlite::Transaction<'_>| Ok::<_, StoreError>(tx.execute("DELETE FROM tls_certificate", [])?);
    server.committer.store().write(delete).await.unwrap();
    server.committer.reload_certificates().await.unwrap();
    assert_eq!(ask(&one, Some(ShownCertificate::Operators(sent.id))).await, Some(CertificateToShow::Own));
}
