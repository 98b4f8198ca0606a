//! Enrolment tokens: each is good for one key, until it expires, and is given to the operator in a file. Its use begins a
//! registration of the node and ends the one before.
//!
//! Only the hash of a token is stored. Whether the machine may join is decided in `link/enrol.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleet::node::NodeId;
use fleet::time::{Span, Time};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};
use wire::RegistrationId;

use super::{StoreError, registrations, signed};
use crate::enrolment::random;

/// How long a token is valid: a machine may be deployed on Friday and started on Monday.
pub(crate) const TOKEN_LIFE: Span = Span::hours(7 * 24);

/// Bytes of a token, too many to guess.
const TOKEN_BYTES: usize = 32;

/// Issues a token for a node, which replaces an earlier one. Only its hash is stored. The registration of the
/// node, if it has one, stays valid until the token is used.
///
/// # Errors
/// The database reports an error.
pub(crate) fn issue(tx: &Transaction<'_>, node: NodeId, now: Time) -> Result<String, StoreError> {
    let token = URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>());
    let registration = RegistrationId(u128::from_be_bytes(random()));
    let expires_at = signed((now + TOKEN_LIFE).0);
    tx.execute(
        "INSERT OR REPLACE INTO enrolment (node_id, token_sha256, expires_at, registration)
         VALUES (?1, ?2, ?3, ?4)",
        params![node.0, hash(token.as_bytes()), expires_at, registration.to_string()],
    )?;
    Ok(token)
}

/// Deletes the token of a node that is removed, and ends its registration.
///
/// # Errors
/// The database reports an error.
pub(crate) fn forget(tx: &Transaction<'_>, node: NodeId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM enrolment WHERE node_id = ?1", [node.0])?;
    registrations::end(tx, node)
}

/// The node of a token; none when the token is unknown or has expired.
///
/// # Errors
/// The database reports an error.
pub(crate) fn owner(connection: &Connection, token: &str, now: Time) -> Result<Option<NodeId>, StoreError> {
    let sql = "SELECT node_id FROM enrolment WHERE token_sha256 = ?1 AND expires_at > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let now = signed(now.0);
    let owner = statement.query_row(params![hash(token.as_bytes()), now], |row| row.get(0)).optional()?;
    Ok(owner.map(NodeId))
}

/// Uses a token for a public key, and returns its node and the registration that begins; none when the token
/// is not valid. The same key may be sent again with it until it expires: the answer may have been lost.
pub(crate) fn spend(
    tx: &Transaction<'_>,
    token: &str,
    public_key: &[u8],
    now: Time,
) -> Result<Option<(NodeId, RegistrationId)>, StoreError> {
    let now = signed(now.0);
    let key = hash(public_key);
    let node = tx
        .query_row(
            "UPDATE enrolment SET public_key_sha256 = ?2
             WHERE token_sha256 = ?1 AND expires_at > ?3 AND coalesce(public_key_sha256, ?2) = ?2
             RETURNING node_id, registration",
            params![hash(token.as_bytes()), key, now],
            |row| Ok((NodeId(row.get(0)?), row.get::<_, String>(1)?)),
        )
        .optional()?;
    let Some((node, id)) = node else { return Ok(None) };
    let Ok(id) = id.parse() else { return Ok(None) };
    registrations::begin(tx, node, id)?;
    Ok(Some((node, id)))
}

fn hash(bytes: &[u8]) -> String {
    fleet::version::Sha256(Sha256::digest(bytes).into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_known_and_can_be_spent_until_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = crate::store::open(&dir.path().join("store-a.db"), &mut || {}).unwrap();
        let (node, issued_at) = (NodeId(1), Time(5_000));
        let end = issued_at + TOKEN_LIFE;
        let tx = store.transaction().unwrap();
        let token = issue(&tx, node, issued_at).unwrap();
        assert_eq!(owner(&tx, &token, end).unwrap(), None);
        assert_eq!(spend(&tx, &token, b"a key", end).unwrap(), None);
        let before = Time(end.0 - 1);
        assert_eq!(owner(&tx, &token, before).unwrap(), Some(node));
        assert_eq!(spend(&tx, &token, b"a key", before).unwrap().map(|(node, _)| node), Some(node));
    }
}
