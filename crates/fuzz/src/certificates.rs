//! Certificates, private keys and signing requests that an operator brings. Each is read or refused, a refusal is one
//! printable line, and what is read fits together.

use manager::trust::limits::{MAX_CHAIN, MAX_SUBJECT};
use manager::trust::{
    Asked, Certificate, Fault, Identity, KeyKind, PrivateKey, SigningRequest, Subject, read_authorities,
    read_certificates,
};

use crate::input::{joined, parts};

pub(crate) const DICTIONARY: &[&str] = &[
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    "-----END ENCRYPTED PRIVATE KEY-----\n",
    "-----BEGIN CERTIFICATE REQUEST-----\n",
    "-----END CERTIFICATE REQUEST-----\n",
    "Proc-Type: 4,ENCRYPTED\n",
    "DEK-Info: AES-128-CBC,",
    "CN=",
    ", O=",
    "\\,",
    "emailAddress=",
    "\u{6}\u{3}\u{55}\u{1d}\u{11}",
    "\u{6}\u{3}\u{55}\u{1d}\u{13}",
    "\u{6}\u{3}\u{55}\u{1d}\u{25}",
];

/// The passphrase of the encrypted seed.
const PASSPHRASE: &str = "grandstand";

/// A text with certificates and perhaps a key, the DER of a certificate, a signing request, or a subject.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'd' => bundle(&wrapped(data)),
        b'r' => request(&String::from_utf8_lossy(data)),
        b's' => subject(&String::from_utf8_lossy(data)),
        _ => parts(data).into_iter().for_each(|part| bundle(&String::from_utf8_lossy(part))),
    }
}

/// Bytes as a certificate in PEM.
fn wrapped(der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn bundle(text: &str) {
    if let Ok(certificates) = read_certificates(text).inspect_err(check) {
        certificates.iter().for_each(shown);
        let authorities = read_authorities(text).inspect_err(check).is_ok();
        assert_eq!(authorities, certificates.iter().all(Certificate::is_authority));
    }
    if let Ok(identity) = Identity::read_bundle(text, PASSPHRASE).inspect_err(check) {
        let chain = identity.chain();
        assert!((1..=MAX_CHAIN).contains(&chain.len()));
        assert!(chain.windows(2).all(|pair| pair[0].is_issued_by(&pair[1])));
        let again = identity.chain_pem() + &identity.key().to_pem();
        let again = Identity::read_bundle(&again, "").expect("what was read is read again");
        assert_eq!(again.chain(), chain);
    }
    if let Err(fault) = PrivateKey::read(text, PASSPHRASE) {
        check(&fault);
    }
}

/// Everything that is shown of a certificate can be made, and is read again as the same.
fn shown(certificate: &Certificate) {
    let values = certificate.shown();
    assert!(values.text.starts_with("Certificate:") && values.subject_hash.len() == 8);
    assert!(!values.subject_name.contains(char::is_control), "{}", values.subject_name);
    assert!(!values.subject_alt_names.contains(char::is_control), "{}", values.subject_alt_names);
    let again = read_certificates(&certificate.pem()).expect("what was read is read again");
    assert_eq!(again, std::slice::from_ref(certificate));
    let _ = (certificate.covers("conf.example.com"), certificate.covers("192.0.2.7"));
}

fn request(text: &str) {
    if let Ok(request) = SigningRequest::read(text).inspect_err(check) {
        assert!(request.text().starts_with("Certificate Request:"));
        assert!(SigningRequest::read(&request.pem()).is_ok());
    }
}

/// A subject that is accepted is in the request as it was written.
fn subject(text: &str) {
    let Ok(subject) = Subject::parse(text).inspect_err(check) else { return };
    let key = PrivateKey::make(KeyKind::P256).expect("a key");
    let asked = Asked { subject: &subject, names: &[], server: true, client: false };
    let request = SigningRequest::make(&asked, &key).expect("a request with this subject");
    let printed = request.subject();
    // With what it escapes, it may be longer than what is read.
    if printed.len() <= MAX_SUBJECT {
        assert_eq!(Subject::parse(&printed), Ok(subject), "{printed}");
    }
}

fn check(fault: &Fault) {
    let text = fault.to_string();
    assert!(!text.is_empty() && text.len() < 4096, "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let leaf = include_bytes!("../../manager/tests/certificates/leaf.pem");
    let key = include_bytes!("../../manager/tests/certificates/leaf-pbes2.key");
    let legacy = include_bytes!("../../manager/tests/certificates/leaf-legacy.key");
    let issuer = include_bytes!("../../manager/tests/certificates/intermediate.pem");
    let pss = include_str!("../../manager/tests/certificates/pss-sha1.pem");
    let der = read_certificates(pss).expect("a certificate").remove(0).der();
    let request = {
        let subject = Subject::parse("CN=conf.example.com").expect("a subject");
        let names = &["conf.example.com", "192.0.2.7"];
        let key = PrivateKey::make(KeyKind::P256).expect("a key");
        let asked = Asked { subject: &subject, names, server: true, client: true };
        SigningRequest::make(&asked, &key).expect("a request").pem()
    };
    vec![
        tagged(b'b', &[&leaf[..], key, issuer].concat()),
        tagged(b'b', &joined(&[&[&leaf[..], legacy].concat()[..], issuer])),
        tagged(b'd', &der),
        tagged(b'r', request.as_bytes()),
        tagged(b's', b"CN=conf.example.com, O=Smith\\, Jones, C=GB, DC=example"),
    ]
}
