//! Unpacks and checks a backup that is to be restored, beside the platform's own files, and accepts it.
//!
//! A directory is renamed at the end: if it has its last name, the backup is to be put in place (see `swap`), and
//! otherwise nothing has happened.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use backup::{Backup, Manifest, Passphrase};
use fleet::version::Release;

use super::directory::{DIR_MODE, require_space};
use super::error::{BackupError, RestoreError, failed};
use super::{AUTHORITY, AUTHORITY_KEY, STORE, platform};
use crate::layout::Layout;
use crate::store;

/// The Management Node that a backup is to be restored on.
#[derive(Clone, Debug)]
pub(super) struct Here {
    /// Its paths.
    pub(super) layout: Layout,
    /// The release that it runs.
    pub(super) release: Release,
    /// How many Conferencing Nodes it has.
    pub(super) nodes: usize,
}

/// Where a backup is unpacked.
fn unpacked(layout: &Layout) -> PathBuf {
    layout.restore().join("unpacked")
}

/// Where a backup lies that is to be put in place.
pub(super) fn accepted(layout: &Layout) -> PathBuf {
    layout.restore().join("accepted")
}

/// Makes the directory of a restore, where there must be space for a file; returns the path of that.
pub(super) fn prepare(layout: &Layout, bytes: u64) -> Result<PathBuf, BackupError> {
    let dir = layout.restore();
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(&dir).map_err(failed("make", &dir))?;
    require_space(&dir, bytes)?;
    Ok(dir.join("upload"))
}

/// Checks the backup in `file` and unpacks it.
pub(super) fn unpack(here: &Here, file: &Path, passphrase: &Passphrase) -> Result<Manifest, RestoreError> {
    let dir = unpacked(&here.layout);
    remove(&dir)?;
    let checked = unpack_into(here, file, passphrase, &dir);
    if checked.is_err() {
        remove(&dir)?;
    }
    checked
}

fn unpack_into(
    here: &Here,
    file: &Path,
    passphrase: &Passphrase,
    dir: &Path,
) -> Result<Manifest, RestoreError> {
    let file = File::open(file).map_err(failed("read", file))?;
    let backup = Backup::open(file, passphrase)?;
    check_origin(here, backup.manifest())?;
    check_files(backup.manifest())?;
    require_space(&here.layout.restore(), backup.manifest().total())?;
    let manifest = backup.unpack(dir, &mut |_| ())?;
    let authority = platform(&dir.join("state")).ok().flatten();
    if authority.as_ref() != Some(&manifest.origin.platform) {
        return Err(RestoreError::OtherAuthority);
    }
    store::check_copy(&dir.join(STORE)).map_err(RestoreError::Store)?;
    Ok(manifest)
}

/// A backup is restored by the release that made it, for nothing migrates a store back. A Management Node that has nodes
/// takes none of another platform, for its nodes would be nobody's.
fn check_origin(here: &Here, manifest: &Manifest) -> Result<(), RestoreError> {
    let origin = &manifest.origin;
    if origin.release != here.release {
        return Err(RestoreError::OtherRelease { made_by: origin.release, runs: here.release });
    }
    let own = platform(&here.layout.state())?.unwrap_or_default();
    if here.nodes > 0 && own != origin.platform {
        let (of, nodes) = (origin.platform.clone(), here.nodes);
        return Err(RestoreError::OtherPlatform { of, here: own, nodes });
    }
    Ok(())
}

fn check_files(manifest: &Manifest) -> Result<(), RestoreError> {
    let found: BTreeSet<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    if found == BTreeSet::from([STORE, AUTHORITY_KEY, AUTHORITY]) {
        return Ok(());
    }
    Err(RestoreError::OtherFiles { found: Vec::from_iter(found).join(", ") })
}

/// Makes the backup that was unpacked the one that is put in place by the next start: one atomic, durable step.
pub(super) fn accept(layout: &Layout) -> Result<(), RestoreError> {
    let (from, to, dir) = (unpacked(layout), accepted(layout), layout.restore());
    if to.exists() {
        return Err(RestoreError::Accepted);
    }
    fs::rename(&from, &to).map_err(failed("accept", &from))?;
    let synced = [&dir, layout.root()].into_iter().try_for_each(|dir| File::open(dir)?.sync_all());
    synced.map_err(|error| {
        // What is not durable is not accepted: no later start may find it.
        let _ = fs::rename(&to, &from);
        failed("write", &dir)(error).into()
    })
}

/// Removes what was unpacked and is not put in place: it has all of a backup's secrets.
pub(super) fn discard(layout: &Layout) -> Result<(), RestoreError> {
    remove(&unpacked(layout))
}

fn remove(dir: &Path) -> Result<(), RestoreError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", dir)(error).into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
