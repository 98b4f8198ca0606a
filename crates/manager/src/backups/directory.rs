//! The directory of the backups. Beside each file lies one with its SHA-256, in the form of `sha256sum`.

use std::cmp::Reverse;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use fleet::version::Sha256;

use super::error::{BackupError, failed};
use super::name::{BackupName, MadeBy};

/// How many backups that somebody asked for are kept. Older ones are removed: a job that makes one each night and deletes none
/// must not end after some weeks.
pub(super) const MOST_REQUESTED: usize = 20;

/// How many backups of the schedule are kept: a day of hourly ones. Older ones are removed.
pub(super) const MOST_SCHEDULED: usize = 24;

/// Free disk that a backup or a restore must leave to the store and the log, in bytes.
const DISK_RESERVE: u64 = 256 << 20;

/// The mode of the directory: backups are read by their owner alone.
pub(super) const DIR_MODE: u32 = 0o700;

/// Bytes of a hash as text.
const HASH: u64 = 64;

/// A backup that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptBackup {
    /// Its name.
    pub(crate) name: BackupName,
    /// Its bytes.
    pub(crate) size: u64,
    /// The SHA-256 of its file; none if the file beside it is lost.
    pub(crate) sha256: Option<Sha256>,
}

/// All backups, the newest first.
///
/// # Errors
/// The disk fails.
pub(crate) fn list(dir: &Path) -> Result<Vec<KeptBackup>, BackupError> {
    let mut all = Vec::new();
    for name in names(dir)?.iter().filter_map(|name| name.parse::<BackupName>().ok()) {
        // One that was removed meanwhile is not listed.
        let Ok(metadata) = fs::symlink_metadata(dir.join(name.to_string())) else { continue };
        if metadata.is_file() {
            all.push(KeptBackup { name, size: metadata.len(), sha256: hash(dir, name) });
        }
    }
    all.sort_by_key(|file| Reverse((file.name.moment, file.name.to_string())));
    Ok(all)
}

/// The backup of this name.
///
/// # Errors
/// The disk fails.
pub(crate) fn find(dir: &Path, name: &str) -> Result<Option<KeptBackup>, BackupError> {
    let Ok(name) = name.parse::<BackupName>() else { return Ok(None) };
    Ok(list(dir)?.into_iter().find(|kept| kept.name == name))
}

/// Removes a backup.
///
/// # Errors
/// The disk fails.
pub(crate) fn remove(dir: &Path, name: BackupName) -> Result<(), BackupError> {
    for path in [dir.join(name.to_string()), hash_file(dir, name)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Makes the directory, and removes what an interrupted backup has left in it.
pub(super) fn prepare(dir: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(failed("make", dir))?;
    sweep(dir)
}

/// Removes what belongs to no backup.
pub(super) fn sweep(dir: &Path) -> Result<(), BackupError> {
    let names = names(dir)?;
    let is_kept = |name: &str| name.parse::<BackupName>().is_ok() && names.iter().any(|it| it == name);
    for name in names.iter().filter(|name| !is_kept(name.strip_suffix(HASH_ENDING).unwrap_or(name))) {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            // Somebody else has removed it, or has put a directory there.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            removed => removed.map_err(failed("remove", &path))?,
        }
    }
    Ok(())
}

/// Removes the oldest backups of each kind beyond those that are kept.
pub(super) fn prune(dir: &Path) -> Result<(), BackupError> {
    for (made_by, most) in [(MadeBy::Request, MOST_REQUESTED), (MadeBy::Schedule, MOST_SCHEDULED)] {
        of(dir, made_by)?.iter().skip(most).try_for_each(|kept| remove(dir, kept.name))?;
    }
    Ok(())
}

/// The backups that were made by one of the two, the newest first.
fn of(dir: &Path, made_by: MadeBy) -> Result<Vec<KeptBackup>, BackupError> {
    let mut all = list(dir)?;
    all.retain(|kept| kept.name.made_by == made_by);
    Ok(all)
}

/// Checks that so many bytes and a reserve are free on the disk of a directory.
///
/// # Errors
/// They are not, or the disk fails.
pub(super) fn require_space(dir: &Path, bytes: u64) -> Result<(), BackupError> {
    let free = slots::free_space(dir).map_err(failed("look at", dir))?;
    let needed = bytes.saturating_add(DISK_RESERVE);
    if free < needed { Err(BackupError::NoSpace { free, needed }) } else { Ok(()) }
}

const HASH_ENDING: &str = ".sha256";

/// The file with the hash of a backup.
pub(super) fn hash_file(dir: &Path, name: BackupName) -> PathBuf {
    dir.join(format!("{name}{HASH_ENDING}"))
}

fn hash(dir: &Path, name: BackupName) -> Option<Sha256> {
    let mut text = String::new();
    File::open(hash_file(dir, name)).ok()?.take(HASH).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

/// The names in the directory; none when it is not there.
fn names(dir: &Path) -> Result<Vec<String>, BackupError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read", dir))?,
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
    let names: io::Result<Vec<_>> = entries.map(name).collect();
    Ok(names.map_err(failed("read", dir))?.into_iter().flatten().collect())
}
