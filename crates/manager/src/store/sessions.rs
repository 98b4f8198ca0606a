//! Sessions: the hash of a token, its account, when it began and was used last. Triggers of the schema end the sessions of an
//! account that is changed or removed.

use fleet::time::{Span, Time};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::accounts::{Account, permissions};
use super::{StoreError, objects, signed};
use crate::auth::sessions::{LONGEST, TokenHash};
use crate::resources::CoreFacts;
use crate::resources::configuration::global::{GLOBAL, SESSION_TIMEOUT, TIMEOUT_ENABLED};

/// How many sessions one account may have: the browsers of a group that shares it. A further login ends the one that was
/// not used for longest. With ten thousand accounts at most, the table is bounded.
const MAX_OF_ACCOUNT: i64 = 20;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// The name of its account.
    pub(crate) user: String,
    /// The account as it is now.
    pub(crate) account: Account,
    /// When it began.
    pub(crate) began: Time,
    /// When it was used last, as far as that is noted.
    pub(crate) used: Time,
}

/// After how long without a request a session ends: as the operator has set it.
///
/// # Errors
/// The database reports an error.
pub(crate) fn idle_limit(connection: &Connection) -> Result<Span, StoreError> {
    let settings = objects::find(connection, &GLOBAL, 1, &CoreFacts::default())?;
    let enabled = settings.filter(|settings| settings.is(&TIMEOUT_ENABLED));
    let minutes = enabled.and_then(|settings| settings.get(&SESSION_TIMEOUT).as_u64());
    Ok(minutes.map_or(LONGEST, Span::minutes))
}

/// The session of a token, if its account may log in.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find(connection: &Connection, token: TokenHash) -> Result<Option<Session>, StoreError> {
    let sql =
        "SELECT account.name, account.password, role.body ->> 'permissions', session.began, session.used
               FROM session JOIN account ON account.id = session.account JOIN role ON role.id = account.role
               WHERE session.token = ?1 AND coalesce(account.body ->> 'is_active', 1)";
    let row = |row: &Row<'_>| {
        let time = |at: usize| row.get::<_, i64>(at).map(|time| Time(time.unsigned_abs()));
        Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?, time(3)?, time(4)?))
    };
    let found = connection.prepare_cached(sql)?.query_row([token.0], row).optional()?;
    let session = |(user, password, ids, began, used): (String, String, Option<String>, Time, Time)| {
        let account = Account { password, permissions: permissions(ids.as_deref().unwrap_or("[]"))? };
        Ok(Session { user, account, began, used })
    };
    found.map(session).transpose()
}

/// Stores a new session of an account, if this is its password still and it is active. Sessions that are over are
/// deleted.
///
/// # Errors
/// The database reports an error.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    token: TokenHash,
    (user, password): (&str, &str),
    now: Time,
) -> Result<bool, StoreError> {
    let idle = idle_limit(tx)?;
    let before = |span: Span| signed(now.0) - signed(span.0);
    let over = "DELETE FROM session WHERE began <= ?1 OR used <= ?2";
    tx.prepare_cached(over)?.execute([before(LONGEST), before(idle)])?;
    let many = "DELETE FROM session WHERE token IN (
                    SELECT token FROM session WHERE account = (SELECT id FROM account WHERE name = ?1)
                    ORDER BY used DESC, began DESC LIMIT -1 OFFSET ?2)";
    tx.prepare_cached(many)?.execute(params![user, MAX_OF_ACCOUNT - 1])?;
    let insert = "INSERT INTO session (token, account, began, used) SELECT ?1, id, ?4, ?4 FROM account
                  WHERE name = ?2 AND password = ?3 AND coalesce(body ->> 'is_active', 1)";
    Ok(tx.prepare_cached(insert)?.execute(params![token.0, user, password, signed(now.0)])? == 1)
}

/// Notes that a session is used.
///
/// # Errors
/// The database reports an error.
pub(crate) fn touch(tx: &Transaction<'_>, token: TokenHash, now: Time) -> Result<(), StoreError> {
    let sql = "UPDATE session SET used = max(used, ?2) WHERE token = ?1";
    tx.prepare_cached(sql)?.execute(params![token.0, signed(now.0)])?;
    Ok(())
}

/// Ends a session, if there is one.
///
/// # Errors
/// The database reports an error.
pub(crate) fn delete(tx: &Transaction<'_>, token: TokenHash) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM session WHERE token = ?1")?.execute([token.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::accounts::{insert_administrator, replace_password};
    use crate::testing::Bench;

    fn token(n: u8) -> TokenHash {
        TokenHash([n; 32])
    }

    /// Runs in a store with an account `eve`, whose hash is `hash`.
    async fn in_a_store(work: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError> + Send + 'static) {
        let bench = Bench::new();
        let committer = bench.committer().await;
        let write = move |tx: &Transaction<'_>| {
            insert_administrator(tx, "eve", "hash")?;
            work(tx)
        };
        committer.store().write(write).await.unwrap();
    }

    #[tokio::test]
    async fn account_has_a_bounded_number_of_sessions() {
        in_a_store(|tx| {
            for n in 0..30 {
                assert!(insert(tx, token(n), ("eve", "hash"), Time(n.into()))?);
            }
            let kept: Vec<u8> = (0..30).filter(|n| find(tx, token(*n)).unwrap().is_some()).collect();
            assert_eq!(kept, (10..30).collect::<Vec<_>>());
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn sessions_that_are_over_are_deleted_at_the_next_login() {
        in_a_store(|tx| {
            insert(tx, token(1), ("eve", "hash"), Time(0))?;
            insert(tx, token(2), ("eve", "hash"), Time(0))?;
            touch(tx, token(2), Time(1))?;
            let idle = idle_limit(tx)?;
            assert_eq!(idle, Span::minutes(30));
            insert(tx, token(3), ("eve", "hash"), Time(idle.0))?;
            let kept = [1, 2, 3].map(|n| find(tx, token(n)).unwrap().map(|session| session.used.0));
            assert_eq!(kept, [None, Some(1), Some(idle.0)]);
            touch(tx, token(3), Time(LONGEST.0 + 1))?;
            insert(tx, token(4), ("eve", "hash"), Time(LONGEST.0 + idle.0))?;
            assert_eq!(find(tx, token(3))?, None);
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn session_ends_with_whatever_ends_the_login() {
        in_a_store(|tx| {
            let ends = |sql: &str| {
                delete(tx, token(1)).unwrap();
                assert!(insert(tx, token(1), ("eve", "hash"), Time(0)).unwrap());
                tx.execute_batch(sql).unwrap();
                let rows: i64 = tx.query_row("SELECT count(*) FROM session", [], |row| row.get(0)).unwrap();
                rows == 0
            };
            assert!(!ends("UPDATE account SET body = json_object('description', 'x') WHERE name = 'eve'"));
            assert!(ends(
                "UPDATE account SET body = json_object('is_active', json('false')) WHERE name = 'eve'"
            ));
            tx.execute_batch("UPDATE account SET body = '{}' WHERE name = 'eve'")?;
            assert!(ends("UPDATE account SET role = 2 WHERE name = 'eve'"));
            insert(tx, token(1), ("eve", "hash"), Time(0))?;
            assert!(replace_password(tx, "eve", "hash", "new")?);
            assert_eq!(find(tx, token(1))?, None);
            assert!(!insert(tx, token(1), ("eve", "hash"), Time(0))?);
            assert!(replace_password(tx, "eve", "new", "hash")?);
            assert!(ends("DELETE FROM account WHERE name = 'eve'"));
            Ok(())
        })
        .await;
    }
}
