//! What the resources of certificates have in common, among it the fields that show what a certificate says.

use crate::resources::{Affects, Field, Initial, Object, Permission, Resource, Shape};
use crate::trust::Shown;

/// A resource whose objects have certificates.
pub(super) const fn of_trust(name: &'static str) -> Resource {
    Resource {
        most: 1_000,
        affects: Affects::Certificates,
        change: Permission::ChangeTrust,
        ..Resource::configuration(name)
    }
}

/// How many characters of certificates one object has.
pub(crate) const CERTIFICATES: usize = 65_536;

pub(super) const SUBJECT_NAME: Field = read("subject_name").filtered().help("Whose certificate it is.");
pub(super) const SUBJECT_HASH: Field =
    read("subject_hash").filtered().help("The hash of the subject, as OpenSSL makes it.");
pub(super) const RAW_SUBJECT: Field =
    read("raw_subject").filtered().help("The subject as it is encoded, in base64.");
pub(super) const ISSUER_NAME: Field = read("issuer_name").filtered().help("Who has issued it.");
pub(super) const ISSUER_HASH: Field =
    read("issuer_hash").filtered().help("The hash of the issuer, as OpenSSL makes it.");
pub(super) const RAW_ISSUER: Field =
    read("raw_issuer").filtered().help("The issuer as it is encoded, in base64.");
pub(super) const SERIAL_NO: Field = read("serial_no").help("Its serial number.");
pub(super) const KEY_ID: Field = read("key_id").help("The identifier of its key.");
pub(super) const ISSUER_KEY_ID: Field = read("issuer_key_id").help("The identifier of its issuer's key.");
pub(super) const SUBJECT_ALT_NAMES: Field =
    read("subject_alt_names").help("The names and addresses that it is for.");
pub(super) const TEXT: Field = read("text")
    .help("Everything in it, as openssl x509 -text prints it, with the algorithm of its signature.");
pub(super) const START_DATE: Field = date("start_date").help("From when on it is valid.");
pub(super) const END_DATE: Field = date("end_date").help("Until when it is valid.");
pub(super) const SERVER_AUTH: Field =
    Field::boolean("server_auth_usage", true).read_only().help("Whether it may be that of a server.");
pub(super) const CLIENT_AUTH: Field =
    Field::boolean("client_auth_usage", false).read_only().help("Whether it may be that of a client.");

const fn read(name: &'static str) -> Field {
    Field::text(name, Shape::Lines(CERTIFICATES)).or_empty().read_only()
}

const fn date(name: &'static str) -> Field {
    Field::moment(name).or(Initial::Whole(0))
}

/// Fills in what a certificate says, as far as the resource has fields for it.
pub(super) fn fill(object: &mut Object, shown: &Shown) {
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
    } = shown;
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
    ] {
        object.set(field, value.as_str().into());
    }
    object.set(&START_DATE, i64::try_from(start_date.0).unwrap_or(i64::MAX).into());
    object.set(&END_DATE, i64::try_from(end_date.0).unwrap_or(i64::MAX).into());
    object.set(&SERVER_AUTH, (*server_auth_usage).into());
    object.set(&CLIENT_AUTH, (*client_auth_usage).into());
}
