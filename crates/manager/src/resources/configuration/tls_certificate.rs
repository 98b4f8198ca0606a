//! `configuration/v1/tls_certificate/`: certificates that the operator brings, with chain and key.

use super::certificate_fields::{
    CERTIFICATES, CLIENT_AUTH, END_DATE, ISSUER_HASH, ISSUER_KEY_ID, ISSUER_NAME, KEY_ID, RAW_ISSUER,
    RAW_SUBJECT, SERIAL_NO, SERVER_AUTH, START_DATE, SUBJECT_ALT_NAMES, SUBJECT_HASH, SUBJECT_NAME, TEXT,
    fill, of_trust,
};
use crate::resources::{Field, FieldErrors, Object, Resource, Shape, Verb};
use crate::trust::{self, Given, Identity};

/// The certificate, with those between it and a root.
pub(crate) const CERTIFICATE: Field = Field::text("certificate", Shape::Lines(CERTIFICATES))
    .help("The certificate and those between it and a root, PEM, in any order. They are kept in order.");

/// Its private key.
pub(crate) const PRIVATE_KEY: Field = Field::text("private_key", Shape::Lines(12_288))
    .secret()
    .help("The private key, PEM. It is kept decrypted.");

/// The passphrase of an encrypted key.
pub(super) const PASSPHRASE: Field = Field::text("private_key_passphrase", Shape::Text(1_000))
    .or_empty()
    .dropped()
    .help("The passphrase of an encrypted key. It is not kept.");

/// Where the certificate is shown.
pub(crate) const NODES: Field = Field::texts("nodes").help(
    "Who shows the certificate: the name of the Management Node, for its pages, and the names of Conferencing Nodes, \
     alone or with their domain, for SIP over TLS.",
);

/// The resource.
pub(crate) static TLS_CERTIFICATE: Resource = Resource {
    called: "TLS certificate",
    plural: "TLS certificates",
    help: "A certificate with its private key, for the management pages and for SIP over TLS of nodes.",
    list: &[Verb::Get, Verb::Post, Verb::Patch, Verb::Delete],
    check: complete,
    fields: &[
        SUBJECT_NAME,
        CERTIFICATE,
        PRIVATE_KEY,
        PASSPHRASE,
        NODES,
        Field::text("parameters", Shape::Lines(4_096))
            .or_empty()
            .kept()
            .help("Parameters of Diffie-Hellman."),
        START_DATE,
        END_DATE,
        SUBJECT_HASH,
        RAW_SUBJECT,
        SUBJECT_ALT_NAMES,
        ISSUER_NAME,
        ISSUER_HASH,
        RAW_ISSUER,
        SERIAL_NO,
        KEY_ID,
        ISSUER_KEY_ID,
        SERVER_AUTH,
        CLIENT_AUTH,
        TEXT,
    ],
    ..of_trust("tls_certificate")
};

/// Checks that certificate, chain and key fit, and fills in what the certificate says.
fn complete(object: &mut Object, errors: &mut FieldErrors) {
    let given = Given {
        certificate: object.text(&CERTIFICATE),
        private_key: object.text(&PRIVATE_KEY),
        passphrase: object.text(&PASSPHRASE),
    };
    match Identity::read(&given) {
        Ok(identity) => {
            fill(object, identity.leaf().shown());
            object.set(&CERTIFICATE, identity.chain_pem().into());
            object.set(&PRIVATE_KEY, identity.key().to_pem().into());
        }
        Err(fault) => {
            let field = match fault.field() {
                trust::Field::PrivateKey => PRIVATE_KEY.name,
                trust::Field::Passphrase => PASSPHRASE.name,
                trust::Field::Certificate
                | trust::Field::Subject
                | trust::Field::Names
                | trust::Field::Request => CERTIFICATE.name,
            };
            errors.add(field, fault.to_string());
        }
    }
}
