//! `configuration/v1/tls_certificate/`: certificates that the operator brings, with chain and key.

use crate::resources::{Affects, Field, FieldErrors, Initial, Object, Permission, Resource, Shape, Verb};
use crate::trust::{self, Given, Identity, Shown};

/// How many characters of certificates one object has.
const CERTIFICATES: usize = 65_536;

/// The certificate, with those between it and a root.
pub(crate) const CERTIFICATE: Field = Field::text("certificate", Shape::Lines(CERTIFICATES))
    .help("The certificate and those between it and a root, PEM, in any order. They are kept in order.");

/// Its private key.
pub(crate) const PRIVATE_KEY: Field = Field::text("private_key", Shape::Lines(12_288))
    .secret()
    .help("The private key, PEM. It is kept decrypted.");

const PASSPHRASE: Field = Field::text("private_key_passphrase", Shape::Text(1_000))
    .or_empty()
    .dropped()
    .help("The passphrase of an encrypted key. It is not kept.");

/// Where the certificate is shown.
pub(crate) const NODES: Field =
    Field::texts("nodes").help("Who shows the certificate: the name of the Management Node, or nobody.");

const SUBJECT_NAME: Field = read("subject_name").filtered().help("Whose certificate it is.");
const SUBJECT_HASH: Field =
    read("subject_hash").filtered().help("The hash of the subject, as OpenSSL makes it.");
const RAW_SUBJECT: Field = read("raw_subject").filtered().help("The subject as it is encoded, in base64.");
const ISSUER_NAME: Field = read("issuer_name").filtered().help("Who has issued it.");
const ISSUER_HASH: Field =
    read("issuer_hash").filtered().help("The hash of the issuer, as OpenSSL makes it.");
const RAW_ISSUER: Field = read("raw_issuer").filtered().help("The issuer as it is encoded, in base64.");
const SERIAL_NO: Field = read("serial_no").help("Its serial number.");
const KEY_ID: Field = read("key_id").help("The identifier of its key.");
const ISSUER_KEY_ID: Field = read("issuer_key_id").help("The identifier of its issuer's key.");
const SUBJECT_ALT_NAMES: Field = read("subject_alt_names").help("The names and addresses that it is for.");
const TEXT: Field = read("text")
    .help("Everything in it, as openssl x509 -text prints it, with the algorithm of its signature.");
const START_DATE: Field = date("start_date").help("From when on it is valid.");
const END_DATE: Field = date("end_date").help("Until when it is valid.");
const SERVER_AUTH: Field =
    Field::boolean("server_auth_usage", true).read_only().help("Whether it may be that of a server.");
const CLIENT_AUTH: Field =
    Field::boolean("client_auth_usage", false).read_only().help("Whether it may be that of a client.");

const fn read(name: &'static str) -> Field {
    Field::text(name, Shape::Lines(CERTIFICATES)).or_empty().read_only()
}

const fn date(name: &'static str) -> Field {
    Field::moment(name).or(Initial::Whole(0))
}

/// The resource.
pub(crate) static TLS_CERTIFICATE: Resource = Resource {
    called: "TLS certificate",
    plural: "TLS certificates",
    help: "A certificate with its private key, for the management pages.",
    most: 1_000,
    list: &[Verb::Get, Verb::Post, Verb::Patch],
    affects: Affects::Certificates,
    view: Permission::ViewPlatform,
    change: Permission::ChangeTrust,
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
    ..Resource::configuration("tls_certificate")
};

/// Checks that certificate, chain and key fit, and fills in what the certificate says.
fn complete(object: &mut Object, errors: &mut FieldErrors) {
    let given = Given {
        certificate: object.text(&CERTIFICATE),
        private_key: object.text(&PRIVATE_KEY),
        passphrase: object.text(&PASSPHRASE),
    };
    match Identity::read(&given) {
        Ok(identity) => fill(object, &identity),
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

fn fill(object: &mut Object, identity: &Identity) {
    let Shown {
        subject_name,
        subject_hash,
        issuer_name,
        issuer_hash,
        serial_no,
        key_id,
        issuer_key_id,
        raw_subject,
        raw_issuer,
        subject_alt_names,
        start_date,
        end_date,
        text,
        server_auth_usage,
        client_auth_usage,
    } = identity.leaf().shown().clone();
    for (field, value) in [
        (&SUBJECT_NAME, subject_name),
        (&SUBJECT_HASH, subject_hash),
        (&ISSUER_NAME, issuer_name),
        (&ISSUER_HASH, issuer_hash),
        (&SERIAL_NO, serial_no),
        (&KEY_ID, key_id),
        (&ISSUER_KEY_ID, issuer_key_id),
        (&RAW_SUBJECT, raw_subject),
        (&RAW_ISSUER, raw_issuer),
        (&SUBJECT_ALT_NAMES, subject_alt_names),
        (&TEXT, text),
        (&CERTIFICATE, identity.chain_pem()),
        (&PRIVATE_KEY, identity.key().to_pem()),
    ] {
        object.set(field, value.into());
    }
    object.set(&START_DATE, i64::try_from(start_date.0).unwrap_or(i64::MAX).into());
    object.set(&END_DATE, i64::try_from(end_date.0).unwrap_or(i64::MAX).into());
    object.set(&SERVER_AUTH, server_auth_usage.into());
    object.set(&CLIENT_AUTH, client_auth_usage.into());
}
