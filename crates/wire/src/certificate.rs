//! The certificate of the operator that a node shows to callers in place of the one that its machine has. A node says
//! which one it shows, and a manager sends another only to a node that says so: the key is not sent to a release that
//! would pass it over.

use std::fmt;

use fleet::version::Sha256;
use serde::{Deserialize, Serialize};

/// Which certificate a node shows. Since protocol 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownCertificate {
    /// That of its machine, if it has one.
    #[default]
    Own,
    /// That of the operator with this [`NodeCertificate::id`].
    Operators(Sha256),
}

/// Which certificate a node is to show. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateToShow {
    /// That of its machine.
    Own,
    /// That of the operator.
    Operators(NodeCertificate),
}

/// A certificate of the operator with its key. Since protocol 2.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCertificate {
    /// The SHA-256 of chain and key, by which both sides know whether they mean the same.
    pub id: Sha256,
    /// The subject, for the log.
    pub subject: String,
    /// The certificate and those between it and a root, PEM, its own first.
    pub chain: String,
    /// The private key, PKCS#8 in PEM, not encrypted. It is printed nowhere.
    pub key: String,
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeCertificate({} {:?})", self.id, self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_of_a_certificate_is_not_printed() {
        let text = |text: &str| text.to_string();
        let (chain, key) = (text("the chain"), text("the key"));
        let certificate =
            NodeCertificate { id: Sha256([7; 32]), subject: text("CN=lon-1.example.com"), chain, key };
        let printed = format!("{:?}", CertificateToShow::Operators(certificate));
        assert!(printed.contains("lon-1") && !printed.contains("the key"), "{printed}");
    }
}
