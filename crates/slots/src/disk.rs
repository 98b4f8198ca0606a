//! The operations on a file system that the slots need, as a trait, so that tests can inject faults between them.
//!
//! The contract is that of POSIX and no more: written bytes are durable after `sync_file`, and names that were
//! created, renamed or removed in a directory are durable after `sync_dir` of that directory.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The type of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file that nobody may execute.
    Data,
    /// A regular file that may be executed.
    Program,
    /// A directory.
    Directory,
    /// Anything else: a link, a socket, a device.
    Other,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: std::ffi::OsString,
    /// What it is.
    pub kind: Kind,
}

/// A file system as the slots use it. All paths are absolute or relative to the process.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The contents of a file; an error of kind `FileTooLarge` when it has more than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// What is at `path`, links not followed; `None` when nothing is.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;
    /// The names in a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Creates or empties a file and writes it; not durable yet.
    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()>;
    /// Creates a directory; not durable yet.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Renames atomically, over an existing file if there is one; not durable yet.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file or a link; not durable yet.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory; not durable yet.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the contents of a file durable.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The machine's own file system.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        File::open(path)?.take(limit + 1).read_to_end(&mut contents)?;
        if contents.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes")));
        }
        Ok(contents)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        match fs::symlink_metadata(path) {
            Ok(found) => Ok(Some(kind_of(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        fs::read_dir(dir)?
            .map(|entry| {
                let entry = entry?;
                Ok(Entry { name: entry.file_name(), kind: kind_of(&entry.metadata()?) })
            })
            .collect()
    }

    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        fs::write(path, contents)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

fn kind_of(found: &fs::Metadata) -> Kind {
    const ANYBODY_MAY_EXECUTE: u32 = 0o111;
    if found.is_dir() {
        Kind::Directory
    } else if !found.is_file() {
        Kind::Other
    } else if found.permissions().mode() & ANYBODY_MAY_EXECUTE != 0 {
        Kind::Program
    } else {
        Kind::Data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_read_up_to_its_limit_and_refused_beyond_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(RealDisk.read(&path, 5).unwrap(), b"12345");
        assert_eq!(RealDisk.read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn only_what_is_missing_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert_eq!(RealDisk.kind(&path).unwrap(), None);
        fs::write(&path, "").unwrap();
        assert_eq!(RealDisk.kind(&path).unwrap(), Some(Kind::Data));
        assert_eq!(RealDisk.kind(&path.join("below")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn what_is_missing_cannot_be_made_durable() {
        let dir = tempfile::tempdir().unwrap();
        RealDisk.sync_dir(dir.path()).unwrap();
        assert!(RealDisk.sync_dir(&dir.path().join("nowhere")).is_err());
        assert!(RealDisk.sync_file(&dir.path().join("nothing")).is_err());
    }
}
