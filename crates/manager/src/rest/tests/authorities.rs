//! Tests of certificates of authorities, and of the way from a signing request to a TLS certificate.

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509Builder, X509NameBuilder, X509Ref, X509Req};
use serde_json::{Value, json};

use super::kit::Kit;

pub(super) const TLS: &str = "/configuration/v1/tls_certificate/";
pub(super) const AUTHORITIES: &str = "/configuration/v1/ca_certificate/";
const REQUESTS: &str = "/configuration/v1/certificate_signing_request/";

/// A certificate with its key, made by OpenSSL, which signs with any hash.
pub(super) struct Signed {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

/// How many days a certificate is valid.
const YEAR: u32 = 365;

/// Whether a certificate is that of an authority.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Authority,
    Server,
}

impl Signed {
    /// One that `by` has signed, or that is signed by itself.
    pub(super) fn new(name: &str, role: Role, by: Option<&Self>, hash: MessageDigest) -> Self {
        let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2_048).unwrap()).unwrap();
        let certificate = built(name, role, by, &key, (&key, hash), YEAR);
        Self { certificate, key }
    }

    /// One of a server that ends so many days from now.
    pub(super) fn ending(name: &str, days: u32) -> Self {
        let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2_048).unwrap()).unwrap();
        let own = (&key, MessageDigest::sha256());
        Self { certificate: built(name, Role::Server, None, &key, own, days), key }
    }

    pub(super) fn pem(&self) -> String {
        pem(&self.certificate)
    }

    pub(super) fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }

    /// The certificate that this authority issues for a request, PEM.
    fn issue(&self, request: &str) -> String {
        let request = X509Req::from_pem(request.as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        let name = request.subject_name().entries().next().unwrap().data().to_string().unwrap();
        pem(&built(&name, Role::Server, Some(self), &key, (&self.key, MessageDigest::sha256()), YEAR))
    }
}

fn pem(certificate: &X509Ref) -> String {
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

fn built<T: openssl::pkey::HasPublic>(
    name: &str,
    role: Role,
    by: Option<&Signed>,
    public: &PKey<T>,
    (own, hash): (&PKey<Private>, MessageDigest),
    days: u32,
) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder: X509Builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = openssl::bn::BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(by.map_or(&*subject, |by| by.certificate.subject_name())).unwrap();
    builder.set_pubkey(public).unwrap();
    builder.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&openssl::asn1::Asn1Time::days_from_now(days).unwrap()).unwrap();
    if role == Role::Authority {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    builder.sign(by.map_or(own, |by| &by.key), hash).unwrap();
    builder.build()
}

/// A root, and an authority below it.
fn authorities() -> (Signed, Signed) {
    let root = Signed::new("root", Role::Authority, None, MessageDigest::sha256());
    let between = Signed::new("between", Role::Authority, Some(&root), MessageDigest::sha256());
    (root, between)
}

fn first_message(refused: &Value, of: &str, field: &str) -> String {
    refused[of][field][0].as_str().unwrap_or_else(|| panic!("no {field}: {refused}")).to_string()
}

#[tokio::test]
async fn certificate_of_an_authority_is_shown_with_what_it_says() {
    let kit = Kit::new().await;
    let (root, between) = authorities();
    kit.call("POST", AUTHORITIES, json!({"certificate": between.pem()})).await.expect(201);
    let shown = kit.get(&format!("{AUTHORITIES}1/")).await.expect(200);
    assert_eq!(
        (&shown["subject_name"], &shown["issuer_name"], &shown["trusted_intermediate"]),
        (&json!("CN=between"), &json!("CN=root"), &json!(false))
    );
    assert!(shown["text"].as_str().unwrap().contains("sha256WithRSAEncryption"), "{shown}");
    let several = json!({"certificate": root.pem() + &between.pem()});
    let refused = kit.call("POST", AUTHORITIES, several).await.expect(400);
    assert!(first_message(&refused, "ca_certificate", "certificate").contains("this text has 2"));
    let server = Signed::new("conf.example.com", Role::Server, Some(&root), MessageDigest::sha256());
    let refused = kit.call("POST", AUTHORITIES, json!({"certificate": server.pem()})).await.expect(400);
    assert!(first_message(&refused, "ca_certificate", "certificate").contains("not that of a certificate"));
    kit.call("DELETE", &format!("{AUTHORITIES}1/"), json!({})).await.expect(204);
}

#[tokio::test]
async fn certificate_that_was_issued_for_a_request_becomes_a_tls_certificate() {
    let kit = Kit::new().await;
    let (root, between) = authorities();
    let asked = json!({
        "subject_name": "conf.example.com", "private_key_type": "ECDSAP256",
        "additional_subject_alt_names": "sip.example.com, 192.0.2.7, CONF.example.com"
    });
    kit.call("POST", REQUESTS, asked).await.expect(201);
    let one = format!("{REQUESTS}1/");
    let shown = kit.get(&one).await.expect(200);
    assert_eq!((&shown["private_key"], &shown["tls_certificate"]), (&json!("********"), &Value::Null));
    let request = X509Req::from_pem(shown["csr"].as_str().unwrap().as_bytes()).unwrap();
    let text = String::from_utf8(request.to_text().unwrap()).unwrap();
    assert!(
        text.contains("DNS:conf.example.com, DNS:sip.example.com, IP Address:192.0.2.7\n")
            && text.contains("TLS Web Server Authentication\n"),
        "{text}"
    );
    let other = between.issue(&another_request(&kit).await);
    let refused = kit.call("PATCH", &one, json!({"certificate": other})).await.expect(400);
    assert!(
        first_message(&refused, "certificate_signing_request", "certificate")
            .contains("none of the certificates")
    );
    let issued = root.pem() + &between.pem() + &between.issue(shown["csr"].as_str().unwrap());
    kit.call("PATCH", &one, json!({"certificate": issued})).await.expect(202);
    let done = kit.get(&one).await.expect(200);
    assert_eq!(done["tls_certificate"], "/api/admin/configuration/v1/tls_certificate/1/");
    assert_eq!(done["csr"], shown["csr"]);
    let certificate = kit.get(&format!("{TLS}1/")).await.expect(200);
    assert_eq!(certificate["subject_name"], "CN=conf.example.com");
    assert_eq!(certificate["certificate"].as_str().unwrap().matches("BEGIN CERTIFICATE").count(), 3);
    kit.call("DELETE", &format!("{TLS}1/"), json!({})).await.expect(409);
    let audit = kit.get("/history/v1/audit/").await.expect(200);
    assert!(!audit.to_string().contains("PRIVATE KEY"), "{audit}");
}

/// Makes a second request; returns it.
async fn another_request(kit: &Kit) -> String {
    let asked = json!({"subject_name": "other.example.com", "private_key_type": "ECDSAP256"});
    let made = kit.call("POST", REQUESTS, asked).await;
    let uri = made.headers["location"].to_str().unwrap().to_string();
    let shown = kit.get(uri.strip_prefix("/api/admin").unwrap()).await.expect(200);
    shown["csr"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn issued_certificate_replaces_the_one_that_the_request_names() {
    let kit = Kit::new().await;
    let (_, between) = authorities();
    let first = Signed::new("conf.example.com", Role::Server, Some(&between), MessageDigest::sha256());
    let pair = json!({"certificate": first.pem(), "private_key": first.key_pem(), "nodes": ["manager"]});
    kit.call("POST", TLS, pair).await.expect(201);
    let asked = json!({
        "subject_name": "conf.example.com", "dn": "CN=conf.example.com, O=Example", "private_key_type": "RSA2048",
        "tls_certificate": "/api/admin/configuration/v1/tls_certificate/1/"
    });
    kit.call("POST", REQUESTS, asked).await.expect(201);
    let one = format!("{REQUESTS}1/");
    let csr = kit.get(&one).await.expect(200)["csr"].as_str().unwrap().to_string();
    kit.call("PATCH", &one, json!({"certificate": between.issue(&csr)})).await.expect(202);
    let renewed = kit.get(&format!("{TLS}1/")).await.expect(200);
    assert_eq!(renewed["nodes"], json!(["manager"]));
    assert_ne!(renewed["certificate"], json!(first.pem()));
    assert_eq!(kit.get(TLS).await.expect(200)["meta"]["total_count"], 1);
}

#[tokio::test]
async fn request_that_cannot_be_made_or_is_changed_is_refused_with_its_field() {
    let kit = Kit::new().await;
    let check = async |body: Value, field: &str, expected: &str| {
        let refused = kit.call("POST", REQUESTS, body).await.expect(400);
        let message = first_message(&refused, "certificate_signing_request", field);
        assert!(message.contains(expected), "{message}");
    };
    let with = |more: Value| {
        let mut body = json!({"subject_name": "conf.example.com", "private_key_type": "ECDSAP256"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    check(json!({"private_key_type": "ECDSAP256"}), "subject_name", "required").await;
    check(with(json!({"private_key_type": "UPLOAD"})), "private_key", "no private key").await;
    check(with(json!({"private_key": "-----BEGIN"})), "private_key", "Choose UPLOAD").await;
    check(with(json!({"private_key_type": "DSA"})), "private_key_type", "Choose one of").await;
    check(with(json!({"dn": "conf"})), "dn", "equals sign").await;
    check(with(json!({"additional_subject_alt_names": "a b"})), "additional_subject_alt_names", "a b").await;
    check(with(json!({"ad_compatible": true})), "ad_compatible", "Active Directory").await;
    kit.call("POST", REQUESTS, with(json!({}))).await.expect(201);
    let one = format!("{REQUESTS}1/");
    kit.call("PATCH", &one, kit.get(&one).await.expect(200)).await.expect(202);
    let refused = kit.call("PATCH", &one, json!({"subject_name": "b.example.com"})).await.expect(400);
    assert!(first_message(&refused, "certificate_signing_request", "subject_name").contains("make another"));
}
