//! Enrolment: the file with a one-time token that the operator carries from the Management Node to a machine, and
//! the request and the answer by which the machine gets its certificate. Tokens are checked by the manager.

use fleet::time::Span;
use fleet::version::Release;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How long a node's certificate is valid after it was issued: long enough for a node that is switched off for
/// two months, short enough to limit the use of a stolen one. It is renewed at two thirds of that.
pub const CERTIFICATE_LIFE: Span = Span::hours(90 * 24);

/// How large an enrolment file may be, in bytes: a certificate, a few addresses and a token.
pub const ENROLMENT_FILE_BYTES: usize = 64 << 10;

/// How many addresses of the manager a file may list.
const ADDRESSES: usize = 8;

/// The newest format of the file that this release reads.
const FORMAT: u16 = 1;

/// The enrolment file: TOML, so that an operator can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentFile {
    /// The format of this file.
    pub format: u16,
    /// The name of the node that it is for.
    pub node: String,
    /// Where the manager listens for nodes: `address:port`, tried in turn.
    pub manager: Vec<String>,
    /// Valid for one enrolment. Anyone who has it can enrol as this node.
    pub token: String,
    /// The certificate of the platform's authority, PEM. The node trusts no other.
    pub authority: String,
}

/// `POST /node/v1/enrol`, without a client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentRequest {
    /// The token of the enrolment file. A node that is enrolled and renews its certificate over its
    /// authenticated link sends none. Since protocol 1.
    #[serde(default)]
    pub token: Option<String>,
    /// A certificate signing request, PEM. Only its public key is used. Since protocol 1.
    pub request: String,
    /// The release that the machine runs (R29). Since protocol 2; a machine that does not send it runs release 34.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// The answer: the node's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The node's certificate, PEM. Since protocol 1.
    pub certificate: String,
    /// When it is to be renewed, in milliseconds since 1970-01-01 UTC. Since protocol 1.
    pub renew_at: u64,
}

/// The enrolment file cannot be used.
#[derive(Debug, Error)]
pub enum EnrolmentFileError {
    /// It is larger than an enrolment file can be.
    #[error(
        "the enrolment file has {0} bytes, at most {ENROLMENT_FILE_BYTES} are allowed; make a new one on the manager"
    )]
    TooLarge(usize),
    /// It is no enrolment file. What stands in the line is not said: it may be the token.
    #[error("line {line} of the enrolment file cannot be read; make a new one on the manager")]
    Unreadable {
        /// The line, the first of which is 1.
        line: usize,
    },
    /// It is of a later format.
    #[error(
        "the enrolment file has format {0}, this release reads {FORMAT}; deploy a node of the manager's version"
    )]
    Newer(u16),
    /// It names no manager, or too many.
    #[error(
        "the enrolment file lists {0} addresses of the manager, 1 to {ADDRESSES} are allowed; make a new one"
    )]
    Addresses(usize),
}

impl EnrolmentFile {
    /// A file of the newest format.
    pub fn new(node: String, manager: Vec<String>, token: String, authority: String) -> Self {
        Self { format: FORMAT, node, manager, token, authority }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let body = toml::to_string(self).unwrap_or_default();
        format!(
            "# Makes a machine the Conferencing Node {:?}. Good for one use; keep it secret until then.\n{body}",
            self.node
        )
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Why it cannot be used, and what to do.
    pub fn parse(text: &str) -> Result<Self, EnrolmentFileError> {
        if text.len() > ENROLMENT_FILE_BYTES {
            return Err(EnrolmentFileError::TooLarge(text.len()));
        }
        let unreadable = |error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            EnrolmentFileError::Unreadable { line }
        };
        let file: Self = toml::from_str(text).map_err(unreadable)?;
        if file.format > FORMAT {
            return Err(EnrolmentFileError::Newer(file.format));
        }
        if !(1..=ADDRESSES).contains(&file.manager.len()) {
            return Err(EnrolmentFileError::Addresses(file.manager.len()));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> EnrolmentFile {
        EnrolmentFile::new("node1".into(), vec!["127.0.0.1:8444".into()], "t".into(), "-----BEGIN\n".into())
    }

    #[test]
    fn file_reads_back_as_written() {
        assert_eq!(EnrolmentFile::parse(&file().to_text()).unwrap(), file());
    }

    #[test]
    fn unusable_file_is_refused_with_the_reason() {
        let check = |text: &str, expected: &str| {
            let refusal = EnrolmentFile::parse(text).unwrap_err().to_string();
            assert!(refusal.starts_with(expected), "{refusal}");
        };
        check("token = 7", "line 1 of the enrolment file cannot be read");
        let faulty = file().to_text().replace("token = \"t\"", "token = \"secret\\q\"");
        check(&faulty, "line 5 of the enrolment file cannot be read");
        assert!(!EnrolmentFile::parse(&faulty).unwrap_err().to_string().contains("secret"));
        check(&"#".repeat(70_000), "the enrolment file has 70000 bytes");
        check(&EnrolmentFile { format: 2, ..file() }.to_text(), "the enrolment file has format 2");
        check(&EnrolmentFile { manager: vec![], ..file() }.to_text(), "the enrolment file lists 0 addresses");
    }
}
