//! OpenSSL's command line, as the distribution has it, says the same of certificates and requests.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// What `openssl` prints with these arguments about a text.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    let started =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|error| panic!("openssl must be installed: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}

fn lines(arguments: &[&str], input: &str) -> Vec<String> {
    openssl(arguments, input).lines().map(str::to_owned).collect()
}

#[test]
fn stock_openssl_shows_the_same_values_of_every_certificate() {
    for (name, pem, _) in CERTIFICATES {
        let certificate = certificate(name);
        let shown = certificate.shown();
        let options = ["x509", "-noout", "-subject_hash", "-issuer_hash", "-serial"];
        let expected =
            [shown.subject_hash.clone(), shown.issuer_hash.clone(), format!("serial={}", shown.serial_no)];
        // The serial number of a certificate is printed with an even number of digits by newer releases.
        assert_eq!(lines(&options, pem), expected, "{name}");
        let text = openssl(&["x509", "-noout", "-text", "-nameopt", "compat"], pem);
        assert_eq!(text, shown.text, "{name}");
    }
}

#[test]
fn stock_openssl_accepts_and_shows_the_same_of_a_request() {
    for kind in [KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384] {
        let key = PrivateKey::make(kind).unwrap();
        let subject = Subject::parse("CN=conf.example.com, O=Smith\\, Jones, DC=example, DC=com").unwrap();
        let asked = Asked { subject: &subject, names: &["conf.example.com"], server: true, client: false };
        let request = SigningRequest::make(&asked, &key).unwrap();
        let said = openssl(&["req", "-verify", "-noout"], &request.pem());
        assert!(said.contains("verify OK"), "{said}");
        assert_eq!(
            openssl(&["req", "-noout", "-text", "-nameopt", "compat"], &request.pem()),
            request.text()
        );
        assert_eq!(openssl(&["pkey"], &key.to_pem()), key.to_pem());
    }
}
