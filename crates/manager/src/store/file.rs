//! The file of a store: opens it, migrates it to this release's version, copies it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tracing::info;

use super::StoreError;
use super::objects::add_functions;
use super::schema::{MIGRATIONS, Migration};

/// Bytes that are copied between two reports of progress.
const COPY_CHUNK: usize = 1 << 20;

/// How long a reader waits for a writer that has locked the whole file, which it does for moments only.
const BUSY: Duration = Duration::from_secs(5);

/// The mode of a store: only its owner reads and writes it.
const PRIVATE: u32 = 0o600;

/// Opens the store, or creates an empty one, and migrates it to the version of this release. `progress` is
/// called before every step that may take long.
///
/// # Errors
/// [`StoreError::Newer`] when a later release wrote it; then nothing is changed.
pub fn open(path: &Path, progress: &mut dyn FnMut()) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::Open { path: path.into(), source };
    make_private(path).map_err(|source| StoreError::Create { path: path.into(), source })?;
    let mut connection = Connection::open(path).map_err(failed)?;
    add_functions(&connection).map_err(failed)?;
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.into(), found, known });
    }
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA busy_timeout = 5000;",
        )
        .map_err(failed)?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        progress();
        migrate(&mut connection, version, migration).map_err(|source| StoreError::Migration {
            path: path.into(),
            version,
            title: migration.title,
            source,
        })?;
    }
    Ok(connection)
}

/// Creates an empty file that only its owner may read, unless there is one: the store contains hashes of
/// passwords and tokens. The database gives its log the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn migrate(connection: &mut Connection, version: u32, migration: &Migration) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(migration.sql)?;
    tx.pragma_update(None, "user_version", version)?;
    tx.commit()?;
    info!(version, title = migration.title, "the store was migrated");
    Ok(())
}

/// Copies the committed state of the store `from` to `to` while another process may be writing it. `from` is
/// only read.
///
/// # Errors
/// The store cannot be read, or the disk has no space for the copy.
pub fn snapshot(from: &Path, to: &Path) -> Result<(), StoreError> {
    make_private(to).map_err(|source| StoreError::Create { path: to.into(), source })?;
    let failed = |source| StoreError::Open { path: from.into(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // The copy is temporary, so it need not be durable.
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(failed)?;
    Ok(())
}

/// Copies what a backup has of the store `from`, while another process or thread may be writing it: everything but
/// uploads, whose files a backup does not have, and sessions, which would be valid again.
///
/// # Errors
/// The store cannot be read, or the disk has no space for the copy.
pub(crate) fn copy_for_backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    snapshot(from, to)?;
    let failed = |source| StoreError::Open { path: to.into(), source };
    let copy = Connection::open(to).map_err(failed)?;
    copy.execute_batch("DELETE FROM upload; DELETE FROM session").map_err(failed)
}

/// Whether an upgrade is under way as far as a copy says, which is not opened for anything else.
///
/// # Errors
/// The copy cannot be read.
pub(crate) fn has_run_under_way(copy: &Path) -> Result<bool, StoreError> {
    let failed = |source| StoreError::Open { path: copy.into(), source };
    let connection = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM platform WHERE body ->> '$.run' IS NOT NULL)";
    connection.query_row(sql, [], |row| row.get(0)).map_err(failed)
}

/// Checks that a restored store is whole, has the version of this release and can be read. It is only read.
///
/// # Errors
/// It is not.
pub(crate) fn check_copy(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Open { path: path.into(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let whole: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let not_restorable = |why: String| Err(StoreError::NotRestorable { why });
    if whole != "ok" {
        return not_restorable(format!("is damaged: {whole}"));
    }
    if found != known {
        return not_restorable(format!("has version {found}, and this release has {known}"));
    }
    match super::load(&connection)? {
        Some(_) => Ok(()),
        None => not_restorable("has no platform".into()),
    }
}

/// Copies the store `from`, which another release owns, byte for byte to `to`, durably. `from` is only read.
/// An earlier file at `to` is removed first, so that an interrupted copy is never used.
///
/// # Errors
/// [`StoreError::Copy`]; then `to` must not be used.
pub fn copy_store(from: &Path, to: &Path, progress: &mut dyn FnMut()) -> Result<(), StoreError> {
    copy_files(from, to, progress).map_err(|source| StoreError::Copy {
        from: from.into(),
        to: to.into(),
        source,
    })
}

fn copy_files(from: &Path, to: &Path, progress: &mut dyn FnMut()) -> io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        match fs::remove_file(beside(to, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    copy_file(from, to, progress)?;
    match copy_file(&beside(from, "-wal"), &beside(to, "-wal"), progress) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        copied => copied?,
    }
    File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn copy_file(from: &Path, to: &Path, progress: &mut dyn FnMut()) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(to)?;
    let mut chunk = vec![0; COPY_CHUNK];
    loop {
        progress();
        let got = source.read(&mut chunk)?;
        if got == 0 {
            return target.sync_all();
        }
        target.write_all(&chunk[..got])?;
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}
