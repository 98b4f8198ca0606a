//! Reads and writes the small files of the node's state. It relies on [`slots::replace_file`] to replace a file as a
//! whole and durably, so that a power cut leaves the old one or the new one. Only their owner may read them. It does not
//! interpret their contents.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub use edge::error_chain::chain;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest accepted file, in bytes: the Virtual Meeting Rooms of a large platform, which travel in one
/// message of at most [`wire::SYNC_BYTES`], with room for another spelling.
const STATE_FILE_BYTES: u64 = 2 * wire::SYNC_BYTES as u64;

/// The machine's root directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not look into the machine's root directory {}; check that --root names it, that it is there and who may \
     read it", root.display()
)]
pub struct UnusableRoot {
    root: PathBuf,
    source: io::Error,
}

/// The machine's root directory, with symbolic links resolved.
///
/// # Errors
/// It is not there, or may not be read.
pub(crate) fn root(root: &Path) -> Result<PathBuf, UnusableRoot> {
    root.canonicalize().map_err(|source| UnusableRoot { root: root.into(), source })
}

/// A file of the node's state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("could not {doing} {}; check the disk, its free space and the owner of the file", path.display())]
    Disk {
        /// What was being done: `read`, `write`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The file system's answer.
        source: io::Error,
    },
    /// The contents of the file are not as they should be.
    #[error("{} is damaged: {reason}; {advice}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What the operator can do.
        advice: &'static str,
    },
}

/// Reads a file, when there is one. `advice` is what an operator can do when it is damaged.
///
/// # Errors
/// The disk does not answer, or the file is damaged.
pub fn load<T: DeserializeOwned>(path: &Path, advice: &'static str) -> Result<Option<T>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let mut text = Vec::new();
    file.take(STATE_FILE_BYTES + 1).read_to_end(&mut text).map_err(failed("read", path))?;
    let damaged = |reason| FileError::Damaged { path: path.into(), reason, advice };
    if text.len() as u64 > STATE_FILE_BYTES {
        return Err(damaged(format!("it has more than {STATE_FILE_BYTES} bytes")));
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| damaged(error.to_string()))
}

/// Replaces a file in one durable step. Its directory must exist.
///
/// # Errors
/// The disk refuses. Then the old file is valid, or the replacement if only its durability is uncertain.
pub fn store(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_vec(value).map_err(|error| failed("write", path)(error.into()))?;
    text.push(b'\n');
    slots::replace_file(path, &text, 0o600).map_err(failed("write", path))
}

/// Makes the directory for the node's state, if it is not there, and returns it.
///
/// # Errors
/// The disk refuses.
pub fn state_dir(root: &Path) -> Result<PathBuf, FileError> {
    make_dir(root, "state")
}

/// Makes a directory below the machine's root, for its owner alone, if it is not there.
///
/// # Errors
/// The disk refuses.
pub fn make_dir(root: &Path, name: &str) -> Result<PathBuf, FileError> {
    let dir = root.join(name);
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Ok(()) => File::open(root).and_then(|root| root.sync_all()).map_err(failed("write", root))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("write", &dir)(error)),
    }
    Ok(dir)
}

/// Finds out whether files can be written and made durable in a directory. A small one is, and removed again.
///
/// # Errors
/// The disk refuses.
pub fn try_writing(dir: &Path) -> Result<(), FileError> {
    let path = dir.join(format!(".check-{}", std::process::id()));
    let tried = slots::try_writing(&path);
    tried.map_err(failed("write", &path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_path_buf();
    move |source| FileError::Disk { doing, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_reads_back_and_only_its_owner_can_read_it() {
        let root = tempfile::tempdir().unwrap();
        let path = state_dir(root.path()).unwrap().join("x.json");
        assert_eq!(load::<u32>(&path, "-").unwrap(), None);
        store(&path, &7).unwrap();
        store(&path, &8).unwrap();
        assert_eq!(load::<u32>(&path, "-").unwrap(), Some(8));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn damaged_file_is_named_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.json");
        fs::write(&path, "{\"half").unwrap();
        let error = load::<u32>(&path, "remove it").unwrap_err().to_string();
        assert!(error.contains("x.json is damaged") && error.ends_with("; remove it"), "{error}");
    }

    #[test]
    fn refused_write_leaves_the_old_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.json");
        store(&path, &7).unwrap();
        fs::create_dir(root.path().join("x.json.new")).unwrap();
        assert!(matches!(store(&path, &8), Err(FileError::Disk { doing: "write", .. })));
        assert_eq!(load::<u32>(&path, "-").unwrap(), Some(7));
    }
}
