//! How a node joins: a token that is good for one key, given to the operator in a file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleet::node::NodeId;
use fleet::time::{Span, Time};
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};
use wire::EnrolmentFile;

use crate::store::StoreError;

/// How long a token is good: a machine may be deployed on Friday and started on Monday.
pub const TOKEN_LIFE: Span = Span::hours(7 * 24);

/// Bytes of a token: nobody guesses it.
const TOKEN_BYTES: usize = 32;

/// What every enrolment file says of this Management Node.
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

/// Makes the token of a node, in place of one that it had. Only its hash is stored.
///
/// # Errors
/// The database refuses.
pub fn issue(tx: &Transaction<'_>, node: NodeId, now: Time) -> Result<String, StoreError> {
    let token = URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>());
    let expires_at = i64::try_from((now + TOKEN_LIFE).0).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT OR REPLACE INTO enrolment (node_id, token_sha256, expires_at) VALUES (?1, ?2, ?3)",
        params![node.0, hash(token.as_bytes()), expires_at],
    )?;
    Ok(token)
}

/// Forgets the token of a node that is removed.
///
/// # Errors
/// The database refuses.
pub fn forget(tx: &Transaction<'_>, node: NodeId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM enrolment WHERE node_id = ?1", [node.0])?;
    Ok(())
}

/// Spends a token on a public key, and says whose it is; none when it is not good. The same key may
/// come again with it until it expires: the answer may have been lost on its way.
pub(crate) fn spend(
    tx: &Transaction<'_>,
    token: &str,
    public_key: &[u8],
    now: Time,
) -> Result<Option<NodeId>, StoreError> {
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    let key = hash(public_key);
    let node = tx
        .query_row(
            "UPDATE enrolment SET public_key_sha256 = ?2
             WHERE token_sha256 = ?1 AND expires_at > ?3 AND coalesce(public_key_sha256, ?2) = ?2
             RETURNING node_id",
            params![hash(token.as_bytes()), key, now],
            |row| row.get(0),
        )
        .optional()?;
    Ok(node.map(NodeId))
}

fn hash(bytes: &[u8]) -> String {
    fleet::version::Sha256(Sha256::digest(bytes).into()).to_string()
}

/// Random bytes from the operating system. Without them nothing here is safe, so the process ends.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}
