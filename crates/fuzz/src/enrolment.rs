//! Enrolment: the file that the operator carries to a machine, the request to the manager, and its answer. Each is
//! accepted or refused with a reason of bounded length.

use std::sync::OnceLock;

use fleet::node::NodeId;
use manager::authority::{Authority, NodeRequest};
use node::identity::{Identity, client_without_identity, new_key};
use wire::{Enrolled, EnrolmentFile, EnrolmentRequest, RegistrationId};

use crate::scratch;

pub(crate) const DICTIONARY: &[&str] = &[
    "format",
    "node",
    "manager",
    "token",
    "authority",
    "request",
    "release",
    "certificate",
    "renew_at",
    " = ",
    "[",
    "]",
    "\"\"\"",
    "'''",
    "127.0.0.1:8444",
    "[::1]:8444",
    "-----BEGIN CERTIFICATE-----",
    "-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE REQUEST-----",
    "-----END CERTIFICATE REQUEST-----",
    "-----BEGIN PRIVATE KEY-----",
    "\\n",
    "65536",
    "-1",
    "1979-05-27",
    "inf",
    "null",
];

/// Reads an enrolment file as the node does, up to the connection.
pub(crate) fn file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = match EnrolmentFile::parse(text) {
        Ok(file) => file,
        Err(refusal) => return assert!(!refusal.to_string().is_empty()),
    };
    assert_eq!(EnrolmentFile::parse(&file.to_text()).expect("a file reads back as written"), file);
    with_tls();
    if let Err(refusal) = client_without_identity(&file.authority) {
        assert!(refusal.to_string().len() < 4096, "{refusal}");
    }
}

/// Handles an enrolment request as the manager does, or its answer as the node does.
pub(crate) fn identity(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<EnrolmentRequest>(data)
        && let Ok(key) = NodeRequest::parse(&request.request)
    {
        let issued = authority()
            .issue_to_node(NodeId(7), RegistrationId(7), &key)
            .expect("a certificate for a good request");
        assert!(issued.pem.contains("BEGIN CERTIFICATE"));
    }
    if let Ok(enrolled) = serde_json::from_slice::<Enrolled>(data) {
        static KEY: OnceLock<String> = OnceLock::new();
        let key = KEY.get_or_init(|| new_key().expect("a key").0).clone();
        with_tls();
        let file = EnrolmentFile::new("node1".into(), vec![], "t".into(), authority().pem().to_string());
        if let Err(refusal) = Identity::new(&file, key, enrolled).client() {
            assert!(refusal.to_string().len() < 4096, "{refusal}");
        }
    }
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::load_or_make(scratch::folder().path()).expect("an authority"))
}

/// Installs the TLS provider as the programs do at their start.
fn with_tls() {
    // It fails only if a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub(crate) fn file_seeds() -> Vec<Vec<u8>> {
    let made =
        EnrolmentFile::new("node1".into(), vec!["[::1]:8444".into()], "t".into(), authority().pem().into());
    vec![include_bytes!("../../wire/tests/recorded/34/enrolment.toml").to_vec(), made.to_text().into_bytes()]
}

pub(crate) fn identity_seeds() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../wire/tests/recorded/34/enrolment-request.json").to_vec(),
        include_bytes!("../../wire/tests/recorded/34/enrolled.json").to_vec(),
    ]
}
