//! Which certificates count for a node: those of its present registration. A registration begins when an
//! enrolment file is used, and ends when the next file of the node is used or the node is removed.
//!
//! The number in a certificate says for which node it was issued, but numbers are used again after the store
//! was restored. The id of a registration is random and is never used again.

use fleet::node::NodeId;
use fleet::time::{Span, Wall};
use fleet::version::Sha256;
use rusqlite::{Connection, Row, Transaction, params};
use wire::RegistrationId;

use crate::certificate::Certificate;
use crate::store::StoreError;

/// By how much release 34 backdated its certificates.
pub(crate) const DATED_BACK: Span = Span::hours(1);

/// The stored registration of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The current registration; none until the first enrolment file was used.
    current: Option<RegistrationId>,
    /// The one that begins when the issued enrolment file is used.
    issued: Option<RegistrationId>,
    /// Which certificates of release 34 count.
    earlier: Earlier,
}

/// Which certificates without a registration count: release 34 issued such. They count until the node has
/// shown one with its registration, which it gets at its next renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// None.
    Refused,
    /// The one for this key.
    Of(Sha256),
    /// The one for the key of the enrolment, or one that was issued after the node was registered: release 34
    /// did not store the key of a renewal. The first that is shown is bound, and no other counts from then
    /// on.
    Unbound {
        /// The key that was enrolled.
        enrolled: Option<Sha256>,
        /// When the node was registered.
        since: Wall,
    },
}

/// Whether a certificate counts for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateStatus {
    /// It counts.
    Valid(RegistrationId),
    /// It counts, and a note about it must be stored first.
    ValidFromNow(RegistrationId, Note),
    /// It belongs to another registration.
    Ended,
}

/// What must be stored when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// Its registration is the current one, and no certificate of release 34 counts any more. The enrolment
    /// file was used: a store that was restored to an earlier state does not know that.
    Begun,
    /// Of the certificates of release 34, only the one for this key counts.
    Bound(Sha256),
}

impl Registered {
    /// Whether this certificate counts for the node.
    pub(crate) fn status_of(&self, shown: &Certificate) -> CertificateStatus {
        let Some(named) = shown.registration else { return self.status_of_earlier(shown) };
        let (in_force, used) = (self.current == Some(named), self.issued == Some(named));
        match self.earlier {
            Earlier::Refused if in_force => CertificateStatus::Valid(named),
            Earlier::Refused | Earlier::Of(_) | Earlier::Unbound { .. } if in_force || used => {
                CertificateStatus::ValidFromNow(named, Note::Begun)
            }
            Earlier::Refused | Earlier::Of(_) | Earlier::Unbound { .. } => CertificateStatus::Ended,
        }
    }

    fn status_of_earlier(&self, shown: &Certificate) -> CertificateStatus {
        let Some(current) = self.current else { return CertificateStatus::Ended };
        match self.earlier {
            Earlier::Of(key) if key == shown.key => CertificateStatus::Valid(current),
            Earlier::Unbound { enrolled, since }
                if enrolled == Some(shown.key) || shown.not_before + DATED_BACK >= since =>
            {
                CertificateStatus::ValidFromNow(current, Note::Bound(shown.key))
            }
            Earlier::Refused | Earlier::Of(_) | Earlier::Unbound { .. } => CertificateStatus::Ended,
        }
    }
}

/// Reads a node's registration.
///
/// # Errors
/// The database reports an error.
pub(crate) fn read(connection: &Connection, node: NodeId) -> Result<Registered, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT registration.id, enrolment.registration, earlier_key, earlier_since
         FROM (SELECT ?1 AS node_id)
         LEFT JOIN registration USING (node_id) LEFT JOIN enrolment USING (node_id)",
    )?;
    Ok(statement.query_row([node.0], registered)?)
}

fn registered(row: &Row<'_>) -> rusqlite::Result<Registered> {
    let key = row.get::<_, Option<String>>(2)?.and_then(|text| text.parse().ok());
    let earlier = match (row.get::<_, Option<i64>>(3)?, key) {
        (Some(since), enrolled) => {
            Earlier::Unbound { enrolled, since: Wall(u64::try_from(since).unwrap_or(0)) }
        }
        (None, Some(key)) => Earlier::Of(key),
        (None, None) => Earlier::Refused,
    };
    Ok(Registered { current: registration_in(row, 0)?, issued: registration_in(row, 1)?, earlier })
}

fn registration_in(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RegistrationId>> {
    Ok(row.get::<_, Option<String>>(column)?.and_then(|text| text.parse().ok()))
}

/// Stores the note about a certificate that counts, if it still does.
///
/// # Errors
/// The database reports an error.
pub(crate) fn note(tx: &Transaction<'_>, shown: &Certificate) -> Result<CertificateStatus, StoreError> {
    let status = read(tx, shown.node)?.status_of(shown);
    if let CertificateStatus::ValidFromNow(registration, note) = status {
        match note {
            Note::Begun => begin(tx, shown.node, registration)?,
            Note::Bound(key) => {
                tx.execute(
                    "UPDATE registration SET earlier_key = ?2, earlier_since = NULL WHERE node_id = ?1",
                    params![shown.node.0, key.to_string()],
                )?;
            }
        }
    }
    Ok(status)
}

/// Begins a registration, which ends the one before.
///
/// # Errors
/// The database reports an error.
pub(crate) fn begin(
    tx: &Transaction<'_>,
    node: NodeId,
    registration: RegistrationId,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO registration (node_id, id, earlier_key, earlier_since)
         VALUES (?1, ?2, NULL, NULL)",
        params![node.0, registration.to_string()],
    )?;
    Ok(())
}

/// Ends the registration of a node that is removed.
///
/// # Errors
/// The database reports an error.
pub(crate) fn end(tx: &Transaction<'_>, node: NodeId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM registration WHERE node_id = ?1", [node.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: RegistrationId = RegistrationId(1);
    const SECOND: RegistrationId = RegistrationId(2);
    const KEY: Sha256 = Sha256([1; 32]);
    const OTHER: Sha256 = Sha256([2; 32]);
    const SINCE: Wall = Wall(100_000_000);

    fn shown(registration: Option<RegistrationId>, key: Sha256, made: Wall) -> Certificate {
        let not_before = Wall(made.0 - DATED_BACK.0);
        Certificate { node: NodeId(1), registration, key, not_before, not_after: Wall(u64::MAX) }
    }

    fn registered(earlier: Earlier) -> Registered {
        Registered { current: Some(FIRST), issued: Some(FIRST), earlier }
    }

    #[test]
    fn certificate_counts_for_its_own_registration_alone() {
        let node = registered(Earlier::Refused);
        let check = |registration, expected| {
            assert_eq!(node.status_of(&shown(registration, KEY, SINCE)), expected);
        };
        check(Some(FIRST), CertificateStatus::Valid(FIRST));
        check(Some(SECOND), CertificateStatus::Ended);
        check(None, CertificateStatus::Ended);
    }

    #[test]
    fn old_registration_counts_until_the_new_enrolment_file_is_used() {
        let node = Registered { issued: Some(SECOND), ..registered(Earlier::Refused) };
        assert_eq!(node.status_of(&shown(Some(FIRST), KEY, SINCE)), CertificateStatus::Valid(FIRST));
        // It names the registration of the file, so the file was used, and the store was restored later.
        let used = node.status_of(&shown(Some(SECOND), KEY, SINCE));
        assert_eq!(used, CertificateStatus::ValidFromNow(SECOND, Note::Begun));
        let new = Registered { current: None, issued: Some(FIRST), earlier: Earlier::Refused };
        let enrolled = new.status_of(&shown(Some(FIRST), KEY, SINCE));
        assert_eq!(enrolled, CertificateStatus::ValidFromNow(FIRST, Note::Begun));
    }

    #[test]
    fn certificate_of_release_34_counts_for_the_key_that_is_registered() {
        let unbound = registered(Earlier::Unbound { enrolled: Some(KEY), since: SINCE });
        let check = |node: &Registered, key, made, expected| {
            assert_eq!(node.status_of(&shown(None, key, made)), expected);
        };
        let bound = |key| CertificateStatus::ValidFromNow(FIRST, Note::Bound(key));
        check(&unbound, KEY, Wall(SINCE.0 - 5_000), bound(KEY));
        check(&unbound, OTHER, Wall(SINCE.0 + 5_000), bound(OTHER));
        check(&unbound, OTHER, Wall(SINCE.0 - 1), CertificateStatus::Ended);
        let node = registered(Earlier::Of(KEY));
        check(&node, KEY, SINCE, CertificateStatus::Valid(FIRST));
        check(&node, OTHER, Wall(SINCE.0 + 5_000), CertificateStatus::Ended);
        let renewed = node.status_of(&shown(Some(FIRST), OTHER, SINCE));
        assert_eq!(renewed, CertificateStatus::ValidFromNow(FIRST, Note::Begun));
    }
}
