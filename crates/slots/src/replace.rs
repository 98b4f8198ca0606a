//! Replaces a small file of a machine atomically and durably: write beside it, sync, rename, sync the directory.
//! For state of the programs; the slot record itself goes through [`crate::Disk`].

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Replaces the file at `path`, or creates it. After a power cut the file has the old contents or the new ones,
/// never a mixture; when this returns, the new ones are durable. The file has the permissions `mode`, such as
/// `0o600`, less the umask of the process.
///
/// Its directory must exist. The new contents are first written into `path` with `.new` at the end; a file of
/// that name is replaced, for it is left over from an interrupted call.
///
/// # Errors
/// The disk refuses. The old contents are still valid then, unless the last step was refused: calling again is
/// always correct.
pub fn replace_file(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let new = beside(path);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(directory(path))?.sync_all()
}

/// Checks whether files can be created, written durably and removed in a directory, with a small test file at
/// `path`.
///
/// # Errors
/// The disk refuses. The test file may remain then.
pub fn try_writing(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // A whole block of the file system, so that a full disk is noticed.
    let written = file.write_all(&[b'\n'; 4096]).and_then(|()| file.sync_all());
    let removed = fs::remove_file(path);
    written.and(removed)
}

fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(".new");
    name.into()
}

/// The directory of a file; a bare name is in the working directory.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_is_made_and_replaced_with_the_permissions_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for contents in ["first", "second, and longer", "third"] {
            replace_file(&path, contents.as_bytes(), 0o600).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftover_of_an_interrupted_call_does_not_determine_the_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(beside(&path), "half").unwrap();
        fs::set_permissions(beside(&path), fs::Permissions::from_mode(0o666)).unwrap();
        replace_file(&path, b"whole", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn refused_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        replace_file(&path, b"old", 0o600).unwrap();
        fs::create_dir(beside(&path)).unwrap();
        let refused = replace_file(&path, b"new", 0o600).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::IsADirectory, "the first refusal is reported");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn directory_that_can_be_written_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        try_writing(&dir.path().join(".check")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(try_writing(&dir.path().join("nowhere/.check")).is_err());
    }

    #[test]
    fn bare_name_is_in_the_working_directory() {
        assert_eq!(directory(Path::new("x")), Path::new("."));
        assert_eq!(directory(Path::new("a/x")), Path::new("a"));
    }
}
