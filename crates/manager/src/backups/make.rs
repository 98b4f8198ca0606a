//! Makes one backup: a copy of the store, the files around it, and the encrypted file under its name once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use backup::{Content, Origin, Passphrase, Source, WorkFactor};
use fleet::version::Sha256;
use sha2::Digest as _;

use super::directory::{self, KeptBackup, hash_file, prepare, require_space, sweep};
use super::error::{BackupError, failed};
use super::name::BackupName;
use super::{AUTHORITY, AUTHORITY_KEY, STORE, platform};
use crate::store;

/// The mode of a backup: only its owner reads and writes it.
const PRIVATE: u32 = 0o600;

/// A backup that is to be made.
#[derive(Debug)]
pub(super) struct Order {
    /// The directory of the backups.
    pub(super) dir: PathBuf,
    /// The store.
    pub(super) store: PathBuf,
    /// The directory with the authority.
    pub(super) state: PathBuf,
    /// Its name. One of the same second has the next one.
    pub(super) name: BackupName,
    /// What a guess of the passphrase costs.
    pub(super) work: WorkFactor,
    /// The passphrase.
    pub(super) passphrase: Passphrase,
}

/// Makes a backup. Of one that fails nothing is kept.
pub(super) fn make(order: Order) -> Result<KeptBackup, BackupError> {
    let dir = order.dir.clone();
    prepare(&dir)?;
    let made = make_in(order);
    sweep(&dir)?;
    let made = made?;
    directory::prune(&dir)?;
    Ok(made)
}

fn make_in(order: Order) -> Result<KeptBackup, BackupError> {
    let Order { dir, store, state, mut name, work, passphrase } = order;
    require_space(&dir, 2 * size_of_store(&store))?;
    while dir.join(name.to_string()).exists() {
        name = name.later();
    }
    let platform = platform(&state)?.ok_or(BackupError::NoAuthority { state: state.clone() })?;
    let copy = dir.join("store.partial");
    store::copy_for_backup(&store, &copy)?;
    // Looked for in the copy: a run may have begun while it was made.
    if store::has_run_under_way(&copy)? {
        return Err(BackupError::RunUnderWay);
    }
    let origin = Origin { release: name.release, platform, made: name.made() };
    let partial = dir.join("backup.partial");
    let written = write(&partial, &passphrase, work, origin, &sources(copy, &state))?;
    publish(&dir, name, &partial, written.sha256)?;
    Ok(KeptBackup { name, size: written.size, sha256: Some(written.sha256) })
}

/// How many bytes a copy of the store may have.
fn size_of_store(store: &Path) -> u64 {
    let log = format!("{}-wal", store.display());
    [store, Path::new(&log)].iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum()
}

fn sources(store: PathBuf, state: &Path) -> Vec<Source> {
    let source = |name: &str, path: PathBuf| Source {
        name: name.parse().expect("the names are constants"),
        content: Content::File(path),
    };
    vec![
        source(STORE, store),
        source(AUTHORITY_KEY, state.join("authority.key")),
        source(AUTHORITY, state.join("authority.pem")),
    ]
}

/// A file that was written.
struct Written {
    size: u64,
    sha256: Sha256,
}

/// Writes the encrypted file, durably.
fn write(
    path: &Path,
    passphrase: &Passphrase,
    work: WorkFactor,
    origin: Origin,
    sources: &[Source],
) -> Result<Written, BackupError> {
    let mut options = OpenOptions::new();
    let file =
        options.write(true).create_new(true).mode(PRIVATE).open(path).map_err(failed("write", path))?;
    let to = BufWriter::new(Hashing { file, size: 0, hasher: sha2::Sha256::new() });
    let (to, _) = backup::make(to, passphrase, work, origin, sources)?;
    let to = to.into_inner().map_err(io::IntoInnerError::into_error).map_err(failed("write", path))?;
    to.file.sync_all().map_err(failed("write", path))?;
    Ok(Written { size: to.size, sha256: Sha256(to.hasher.finalize().into()) })
}

/// Gives a whole backup its name. The file with its hash comes first: without a backup it is removed.
fn publish(dir: &Path, name: BackupName, partial: &Path, sha256: Sha256) -> Result<(), BackupError> {
    let (hash, path) = (hash_file(dir, name), dir.join(name.to_string()));
    let line = format!("{sha256}  {name}\n");
    slots::replace_file(&hash, line.as_bytes(), PRIVATE).map_err(failed("write", &hash))?;
    fs::rename(partial, &path).map_err(failed("write", &path))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}

/// Counts and hashes what is written to a file.
struct Hashing {
    file: File,
    size: u64,
    hasher: sha2::Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
