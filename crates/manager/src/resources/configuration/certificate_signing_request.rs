//! `configuration/v1/certificate_signing_request/`: requests to an authority, each with a key of its own. The certificate
//! that the authority has issued for one becomes a TLS certificate.

use super::certificate_fields::{CERTIFICATES, of_trust};
use super::tls_certificate::PASSPHRASE;
use crate::resources::{Field, FieldErrors, Object, Resource, Shape, Verb};
use crate::trust::{self, Asked, Fault, KeyKind, PrivateKey, SigningRequest, Subject, is_host_or_address};

/// Its common name, which is one of its names if it is that of a host or an address.
const SUBJECT_NAME: Field = Field::text("subject_name", Shape::Name(250))
    .filtered()
    .help("Whose certificate it is to be: the name by which clients reach it, such as that of a node.");

const DN: Field = Field::text("dn", Shape::Text(250)).or_empty().help(
    "The whole subject in place of the name alone, such as CN=conf.example.com, O=Example. The name stays \
     one of its names.",
);

const NAMES: Field = Field::text("additional_subject_alt_names", Shape::Text(5_000))
    .or_empty()
    .help("More host names and IP addresses that it is to be for, with commas between them.");

/// The choices of [`KEY_TYPE`], and what is made for each. The first one is a key of the operator.
pub(crate) const KEY_KINDS: [(&str, Option<KeyKind>); 4] = [
    ("UPLOAD", None),
    ("RSA2048", Some(KeyKind::Rsa2048)),
    ("RSA4096", Some(KeyKind::Rsa4096)),
    ("ECDSAP256", Some(KeyKind::P256)),
];

/// Whether a key is made, and of which kind.
pub(crate) const KEY_TYPE: Field =
    Field::choice("private_key_type", &[KEY_KINDS[0].0, KEY_KINDS[1].0, KEY_KINDS[2].0, KEY_KINDS[3].0])
        .or(crate::resources::Initial::Text("UPLOAD"))
        .help("UPLOAD for a key that is given, or the kind of the key that is made.");

/// Its private key.
pub(crate) const PRIVATE_KEY: Field = Field::text("private_key", Shape::Lines(12_288))
    .or_empty()
    .secret()
    .help("The private key, PEM, for UPLOAD. It is never shown, also not one that is made.");

const SERVER_AUTH: Field =
    Field::boolean("eku_server_auth", true).help("Whether it is to be the certificate of a server.");
const CLIENT_AUTH: Field =
    Field::boolean("eku_client_auth", false).help("Whether it is to be the certificate of a client.");

const CSR: Field = Field::text("csr", Shape::Lines(CERTIFICATES))
    .or_empty()
    .read_only()
    .help("The request for the authority, PEM (PKCS#10).");

/// What the authority has issued.
pub(crate) const CERTIFICATE: Field = Field::text("certificate", Shape::Lines(CERTIFICATES)).or_empty().help(
    "The certificate that the authority has issued for this request, with those between it and a root, PEM. \
     With the key it becomes a TLS certificate.",
);

/// The TLS certificate that comes of the request.
pub(crate) const TLS_CERTIFICATE: Field = Field::to_one("tls_certificate", "tls_certificate")
    .or_null()
    .help("The TLS certificate that the issued one replaces. Without it a new one is made, and named here.");

/// What is asked for: it stays as it was when the request was made.
pub(crate) const ASKED: [&Field; 7] =
    [&SUBJECT_NAME, &DN, &NAMES, &KEY_TYPE, &PRIVATE_KEY, &SERVER_AUTH, &CLIENT_AUTH];

/// The resource.
pub(crate) static CERTIFICATE_SIGNING_REQUEST: Resource = Resource {
    called: "certificate signing request",
    plural: "certificate signing requests",
    help: "A request to an authority for a certificate, with the private key that belongs to it.",
    list: &[Verb::Get, Verb::Post, Verb::Delete],
    detail: &[Verb::Get, Verb::Patch, Verb::Delete],
    check: complete,
    fields: &[
        SUBJECT_NAME,
        DN,
        NAMES,
        KEY_TYPE,
        PRIVATE_KEY,
        PASSPHRASE,
        SERVER_AUTH,
        CLIENT_AUTH,
        Field::boolean("ad_compatible", false)
            .refused("Pitlane makes no requests with the extensions of Active Directory; leave this false.")
            .help("Whether the request has the extensions of Active Directory. It never has."),
        CSR,
        CERTIFICATE,
        TLS_CERTIFICATE,
    ],
    ..of_trust("certificate_signing_request")
};

/// Makes the request when there is none yet, and checks an issued certificate against it.
fn complete(object: &mut Object, errors: &mut FieldErrors) {
    if let Err(fault) = try_complete(object) {
        let field = match fault.field() {
            trust::Field::PrivateKey => PRIVATE_KEY.name,
            trust::Field::Passphrase => PASSPHRASE.name,
            trust::Field::Certificate => CERTIFICATE.name,
            trust::Field::Subject if object.text(&DN).is_empty() => SUBJECT_NAME.name,
            trust::Field::Subject => DN.name,
            trust::Field::Names => NAMES.name,
            trust::Field::Request => CSR.name,
        };
        errors.add(field, fault.to_string());
    }
}

fn try_complete(object: &mut Object) -> Result<(), Fault> {
    let key = PrivateKey::read(object.text(&PRIVATE_KEY), object.text(&PASSPHRASE))?;
    object.set(&PRIVATE_KEY, key.to_pem().into());
    if object.text(&CSR).is_empty() {
        object.set(&CSR, made(object, &key)?.pem().into());
    }
    if !object.text(&CERTIFICATE).is_empty() {
        let issued = SigningRequest::read(object.text(&CSR))?.issued(object.text(&CERTIFICATE), key)?;
        object.set(&CERTIFICATE, issued.chain_pem().into());
    }
    Ok(())
}

fn made(object: &Object, key: &PrivateKey) -> Result<SigningRequest, Fault> {
    let name = object.text(&SUBJECT_NAME);
    let subject = match object.text(&DN) {
        "" => Subject::common_name(name)?,
        whole => Subject::parse(whole)?,
    };
    let more = object.text(&NAMES).split(',').map(str::trim).filter(|more| !more.is_empty());
    let mut names: Vec<&str> = Some(name).filter(|name| is_host_or_address(name)).into_iter().collect();
    more.for_each(|more| {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(more)) {
            names.push(more);
        }
    });
    let (server, client) = (object.is(&SERVER_AUTH), object.is(&CLIENT_AUTH));
    SigningRequest::make(&Asked { subject: &subject, names: &names, server, client }, key)
}
