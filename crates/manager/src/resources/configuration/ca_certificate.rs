//! `configuration/v1/ca_certificate/`: certificates of authorities, between those of servers and a root, or roots.

use super::certificate_fields::{
    CERTIFICATES, END_DATE, ISSUER_HASH, ISSUER_KEY_ID, ISSUER_NAME, KEY_ID, RAW_ISSUER, RAW_SUBJECT,
    SERIAL_NO, START_DATE, SUBJECT_HASH, SUBJECT_NAME, TEXT, fill, of_trust,
};
use crate::resources::{Field, FieldErrors, Object, Resource, Shape, Verb};
use crate::trust::read_authorities;

/// The certificate.
pub(crate) const CERTIFICATE: Field = Field::text("certificate", Shape::Lines(CERTIFICATES))
    .help("The certificate of one authority, PEM. It completes chains that lack it.");

/// The resource.
pub(crate) static CA_CERTIFICATE: Resource = Resource {
    called: "CA certificate",
    plural: "CA certificates",
    help: "The certificate of an authority, shown beside TLS certificates that it has issued.",
    list: &[Verb::Get, Verb::Post, Verb::Delete],
    detail: &[Verb::Get, Verb::Patch, Verb::Delete],
    check: complete,
    fields: &[
        SUBJECT_NAME,
        CERTIFICATE,
        Field::boolean("trusted_intermediate", false)
            .kept()
            .help("Whether it is trusted although it is no root."),
        START_DATE,
        END_DATE,
        SUBJECT_HASH,
        RAW_SUBJECT,
        ISSUER_NAME,
        ISSUER_HASH,
        RAW_ISSUER,
        SERIAL_NO,
        KEY_ID,
        ISSUER_KEY_ID,
        TEXT,
    ],
    ..of_trust("ca_certificate")
};

/// Checks that it is the certificate of one authority, and fills in what it says.
fn complete(object: &mut Object, errors: &mut FieldErrors) {
    match read_authorities(object.text(&CERTIFICATE)) {
        Err(fault) => errors.add(CERTIFICATE.name, fault.to_string()),
        Ok(all) => match all.as_slice() {
            [one] => {
                fill(object, one.shown());
                object.set(&CERTIFICATE, one.pem().into());
            }
            several => errors.add(
                CERTIFICATE.name,
                format!("Make an object of each certificate; this text has {}.", several.len()),
            ),
        },
    }
}
