//! Tests of certificates and keys on files that OpenSSL's command line has made (`tests/certificates/make.sh`), and
//! against that command line itself.

mod identity;
mod keys;
mod request;
mod shown;
mod stock;

use super::*;

macro_rules! kept {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/", $name))
    };
}
use kept;

/// The passphrase of every encrypted key.
const PASSPHRASE: &str = "grandstand";

/// The certificates, by name, each with the text that OpenSSL's command line prints of it.
const CERTIFICATES: [(&str, &str, &str); 8] = [
    ("root", kept!("root.pem"), kept!("root.txt")),
    ("intermediate", kept!("intermediate.pem"), kept!("intermediate.txt")),
    ("sha1-intermediate", kept!("sha1-intermediate.pem"), kept!("sha1-intermediate.txt")),
    ("leaf", kept!("leaf.pem"), kept!("leaf.txt")),
    ("pss", kept!("pss.pem"), kept!("pss.txt")),
    ("pss-sha1", kept!("pss-sha1.pem"), kept!("pss-sha1.txt")),
    ("self", kept!("self.pem"), kept!("self.txt")),
    ("v1", kept!("v1.pem"), kept!("v1.txt")),
];

/// The certificate of this name.
fn certificate(name: &str) -> Certificate {
    let (_, pem, _) =
        CERTIFICATES.iter().find(|(known, ..)| *known == name).expect("a certificate of this name");
    read_certificates(pem).unwrap().remove(0)
}
