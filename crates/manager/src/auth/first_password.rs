//! The file with the first password, by which the operator of a new platform logs in for the first time.
//!
//! The file exists until the password is changed or the operator removes it. Until then every start logs
//! where it is, and every login shows it. The password itself is never logged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file in the directory of the state.
pub fn file(state: &Path) -> PathBuf {
    state.join("admin-password")
}

/// A notice for the operator while the file exists.
pub fn notice(state: &Path) -> Option<String> {
    let file = file(state);
    file.is_file().then(|| {
        format!(
            "the first password of admin lies in {} on the Management Node; change it (pitlane account password), \
             which removes the file, or remove the file",
            file.display()
        )
    })
}

/// Removes the file, whose password is not valid any more. Returns a notice with what was done, or what the
/// operator should do.
pub(crate) fn remove(state: &Path) -> Option<String> {
    let file = file(state);
    match fs::remove_file(&file) {
        Ok(()) => {
            Some(format!("{} with the first password was removed on the Management Node", file.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "the file with the first password cannot be removed");
            Some(format!(
                "remove {} on the Management Node; it could not be removed: {error}",
                file.display()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notice_is_given_until_the_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!((notice(dir.path()), remove(dir.path())), (None, None));
        fs::write(file(dir.path()), "secret\n").unwrap();
        let now = notice(dir.path()).unwrap();
        assert!(now.contains("admin-password") && !now.contains("secret"), "{now}");
        assert!(remove(dir.path()).unwrap().contains("was removed"));
        assert_eq!(notice(dir.path()), None);
    }
}
