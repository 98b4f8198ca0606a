//! The values of a certificate as the management API shows them, in the forms that OpenSSL's command line prints, which
//! operators compare and search.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::time::Wall;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{GeneralNameRef, X509, X509ExtendedKeyUsage, X509NameRef};

use super::name;

/// What is shown of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The subject, like `CN=conf.example.com, O=Example`.
    pub subject_name: String,
    /// The hash of the subject by which OpenSSL finds certificates: eight hexadecimal digits.
    pub subject_hash: String,
    /// The issuer, in the form of the subject.
    pub issuer_name: String,
    /// The hash of the issuer.
    pub issuer_hash: String,
    /// The serial number, hexadecimal, in capitals.
    pub serial_no: String,
    /// The identifier of its key, hexadecimal with colons; empty without one.
    pub key_id: String,
    /// The identifier of the issuer's key; empty without one.
    pub issuer_key_id: String,
    /// The subject as it is encoded: DER in base64.
    pub raw_subject: String,
    /// The issuer as it is encoded.
    pub raw_issuer: String,
    /// The subject alternative names, with commas between them.
    pub subject_alt_names: String,
    /// The beginning of the validity; 1970 for any earlier one.
    pub start_date: Wall,
    /// The end of the validity; 1970 for any earlier one.
    pub end_date: Wall,
    /// The text of `openssl x509 -text`, with the algorithm of the signature.
    pub text: String,
    /// Whether it may be that of a server. Without the extension there is no limit (RFC 5280 section 4.2.1.12).
    pub server_auth_usage: bool,
    /// Whether it may be that of a client.
    pub client_auth_usage: bool,
}

/// The values of a certificate; none when one of them cannot be read.
pub(super) fn of(certificate: &X509) -> Option<Shown> {
    let (subject, issuer) = (certificate.subject_name(), certificate.issuer_name());
    let may = |usage| {
        certificate
            .extended_key_usage()
            .is_none_or(|usages| usages.contains(usage) || usages.contains(X509ExtendedKeyUsage::ANYEKU))
    };
    Some(Shown {
        subject_name: name::printed(subject),
        subject_hash: format!("{:08x}", certificate.subject_name_hash()),
        issuer_name: name::printed(issuer),
        issuer_hash: format!("{:08x}", certificate.issuer_name_hash()),
        serial_no: certificate.serial_number().to_bn().ok()?.to_hex_str().ok()?.to_string(),
        key_id: certificate.subject_key_id().map(|id| with_colons(id.as_slice())).unwrap_or_default(),
        issuer_key_id: certificate
            .authority_key_id()
            .map(|id| with_colons(id.as_slice()))
            .unwrap_or_default(),
        raw_subject: encoded(subject)?,
        raw_issuer: encoded(issuer)?,
        subject_alt_names: names(certificate),
        start_date: moment(certificate.not_before())?,
        end_date: moment(certificate.not_after())?,
        text: String::from_utf8_lossy(&certificate.to_text().ok()?).into_owned(),
        server_auth_usage: may(X509ExtendedKeyUsage::SSL_SERVER),
        client_auth_usage: may(X509ExtendedKeyUsage::SSL_CLIENT),
    })
}

fn with_colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn encoded(name: &X509NameRef) -> Option<String> {
    name.to_der().ok().map(|der| STANDARD.encode(der))
}

/// The subject alternative names. Those of kinds that a connection never asks for are left out.
fn names(certificate: &X509) -> String {
    let names = certificate.subject_alt_names();
    let names: Vec<String> = names.iter().flatten().filter_map(printed).collect();
    names.join(", ")
}

fn printed(name: &GeneralNameRef) -> Option<String> {
    let text = name.dnsname().or(name.uri()).or(name.email());
    text.map(|text| text.escape_default().to_string()).or_else(|| address(name.ipaddress()?))
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string())).ok()
}

/// A time of a certificate.
fn moment(time: &Asn1TimeRef) -> Option<Wall> {
    let beginning = Asn1Time::from_unix(0).ok()?;
    let since = beginning.diff(time).ok()?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    Some(Wall(u64::try_from(seconds).unwrap_or(0) * 1_000))
}
