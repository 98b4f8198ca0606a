//! What an enrolment file says of this Management Node, and where random bytes come from. The tokens are rows of the
//! store: `store::enrolments`.

use wire::EnrolmentFile;

/// The part of every enrolment file that describes this Management Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAccess {
    /// Where it listens for nodes: `address:port`.
    pub addresses: Vec<String>,
    /// The certificate of the platform's authority, PEM.
    pub authority: String,
}

impl NodeAccess {
    /// The file for one node.
    pub fn file(&self, node: &str, token: String) -> EnrolmentFile {
        EnrolmentFile::new(node.into(), self.addresses.clone(), token, self.authority.clone())
    }
}

/// Random bytes from the operating system. Without them no key is safe, so the process ends.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}
