//! The file with the first password: how the operator of a new platform gets in. It is there until the
//! password is changed or the operator removes it, and until then every start and every login says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where it lies in the directory of the state.
pub fn file(state: &Path) -> PathBuf {
    state.join("admin-password")
}

/// What the operator should know and do while it is there.
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

/// Removes it: the password in it is not in force any more. What the operator should do when that fails.
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
    fn the_file_is_remarked_upon_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!((notice(dir.path()), remove(dir.path())), (None, None));
        fs::write(file(dir.path()), "secret\n").unwrap();
        let now = notice(dir.path()).unwrap();
        assert!(now.contains("admin-password") && !now.contains("secret"), "{now}");
        assert!(remove(dir.path()).unwrap().contains("was removed"));
        assert_eq!(notice(dir.path()), None);
    }
}
