//! The assertions of OAuth2 clients that were used and have not expired: each counts once (RFC 7523 section 5), also over
//! a restart. Bounded for each client, so that none fills the table for another.

use fleet::time::Wall;
use rusqlite::{OptionalExtension as _, Transaction, params};
use sha2::Digest as _;

use super::{StoreError, signed};
use crate::auth::oauth::{Refusal, Verified, Why};

/// Most assertions of one client that are remembered: one every four seconds for an hour. A client needs one an hour.
const MAX_OF_CLIENT: i64 = 1_000;

/// Takes note of a verified assertion, which is used now. The result says whether it may be: it was used before, or
/// [`Refusal::Busy`].
///
/// # Errors
/// The database reports an error.
pub(crate) fn admit(
    tx: &Transaction<'_>,
    verified: &Verified,
    now: Wall,
) -> Result<Result<(), Refusal>, StoreError> {
    let Verified { client, id, expires } = verified;
    // Ids are of any length and of a client's choice.
    let id: [u8; 32] = sha2::Sha256::digest(id.as_bytes()).into();
    tx.prepare_cached("DELETE FROM oauth2_assertion WHERE expires <= ?1")?.execute([signed(now.0)])?;
    let used = "SELECT 1 FROM oauth2_assertion WHERE client = ?1 AND id = ?2";
    if tx.prepare_cached(used)?.query_row(params![client, id], |_| Ok(())).optional()?.is_some() {
        return Ok(Err(Why::Used.refusal()));
    }
    let count = "SELECT count(*) FROM oauth2_assertion WHERE client = ?1";
    if tx.prepare_cached(count)?.query_row([client], |row| row.get::<_, i64>(0))? >= MAX_OF_CLIENT {
        return Ok(Err(Refusal::Busy));
    }
    let insert = "INSERT INTO oauth2_assertion (client, id, expires) VALUES (?1, ?2, ?3)";
    tx.prepare_cached(insert)?.execute(params![client, id, signed(expires.0)])?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    const NOW: Wall = Wall(1_000_000);

    fn used(client: &str, n: usize) -> Verified {
        Verified { client: client.into(), id: n.to_string(), expires: Wall(NOW.0 + 1_000) }
    }

    #[tokio::test]
    async fn assertion_counts_once_until_it_expires_also_in_another_process() {
        let bench = Bench::new();
        let admit_in_a_new_process = async |verified: Verified, now: Wall| {
            let committer = bench.committer().await;
            committer.store().write(move |tx| admit(tx, &verified, now)).await.unwrap()
        };
        assert_eq!(admit_in_a_new_process(used("a", 1), NOW).await, Ok(()));
        let before_its_end = Wall(NOW.0 + 999);
        let again = admit_in_a_new_process(used("a", 1), before_its_end).await;
        assert_eq!(again, Err(Refusal::InvalidGrant(Why::Used)));
        assert_eq!(admit_in_a_new_process(used("b", 1), NOW).await, Ok(()));
        // At its end the assertion itself is refused, so nothing needs to be remembered.
        assert_eq!(admit_in_a_new_process(used("a", 1), Wall(NOW.0 + 1_000)).await, Ok(()));
    }

    #[tokio::test]
    async fn one_client_cannot_fill_the_table_for_another() {
        let bench = Bench::new();
        let committer = bench.committer().await;
        let write = |tx: &Transaction<'_>| {
            for n in 0..1_000 {
                assert_eq!(admit(tx, &used("a", n), NOW)?, Ok(()));
            }
            assert_eq!(admit(tx, &used("a", 1_000), NOW)?, Err(Refusal::Busy));
            assert_eq!(admit(tx, &used("b", 0), NOW)?, Ok(()));
            assert_eq!(admit(tx, &used("a", 1_000), Wall(NOW.0 + 1_000))?, Ok(()));
            Ok::<_, StoreError>(())
        };
        committer.store().write(write).await.unwrap();
    }
}
