//! The saved profile: address of the Management Node, how to verify it, and the login. One file, readable by its owner
//! alone, because it contains the password. Which of its fields a command uses is decided in `commands::connect`.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::password::Password;

/// Largest accepted profile, in bytes: a few lines and an authority.
const MAX_PROFILE: u64 = 512 << 10;

/// What `pitlane login` saves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// The address of the Management Node: `https://host:port`.
    pub(crate) manager: String,
    /// The user.
    pub(crate) user: String,
    /// The user's password.
    pub(crate) password: Password,
    /// The device token of the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<Password>,
    /// The authority's certificate, PEM, so that the file that it came from is not needed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<String>,
    /// The pinned fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
}

/// Why the profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    /// There is no directory for it.
    #[error("there is no home directory to keep the profile in; set PITLANE_CONFIG to a file")]
    NoPlace,
    /// Others may read the password.
    #[error("{} can be read by others, and holds a password; run: chmod 600 {}", file.display(), file.display())]
    Open {
        /// The file.
        file: PathBuf,
    },
    /// It is not a valid profile.
    #[error("the profile {} cannot be understood; run pitlane login again", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The profile cannot be serialised.
    #[error("the profile cannot be serialised")]
    Unwritable(#[from] toml::ser::Error),
    /// The file system failed.
    #[error("cannot {doing} the profile {}; check the directory and who may use it", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// The path of the profile, from the environment: `PITLANE_CONFIG`, or `pitlane/config.toml` in the user's
/// configuration directory.
///
/// # Errors
/// There is no home directory.
pub(crate) fn place(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf, ProfileError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = set("PITLANE_CONFIG") {
        return Ok(file);
    }
    let config = set("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute());
    let config = config.or_else(|| set("HOME").map(|home| home.join(".config")));
    config.map(|dir| dir.join("pitlane/config.toml")).ok_or(ProfileError::NoPlace)
}

/// Reads the profile; `None` if there is none.
///
/// # Errors
/// Others may read it, or it is damaged.
pub(crate) fn load(file: &Path) -> Result<Option<Profile>, ProfileError> {
    let failed = |source| ProfileError::Io { doing: "read", file: file.into(), source };
    let about = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about.map_err(failed)?,
    };
    if about.permissions().mode() & 0o077 != 0 {
        return Err(ProfileError::Open { file: file.into() });
    }
    if about.len() > MAX_PROFILE {
        return Err(failed(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    let text = fs::read_to_string(file).map_err(failed)?;
    let unreadable = |source| ProfileError::Unreadable { file: file.into(), source: Box::new(source) };
    toml::from_str(&text).map(Some).map_err(unreadable)
}

/// Writes the profile, whole or not at all, readable by its owner alone.
///
/// # Errors
/// The disk failed.
pub(crate) fn save(file: &Path, profile: &Profile) -> Result<(), ProfileError> {
    let text = toml::to_string(profile)?;
    let failed = |source| ProfileError::Io { doing: "write", file: file.into(), source };
    let dir = file.parent().unwrap_or(Path::new(""));
    if !dir.as_os_str().is_empty() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let partial = file.with_extension(format!("{}.partial", std::process::id()));
    let written = write_private(&partial, &text).and_then(|()| fs::rename(&partial, file));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&partial);
    }
    written.map_err(failed)
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut handle = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    handle.write_all(text.as_bytes())?;
    handle.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            manager: "https://manager:8443".into(),
            user: "admin".into(),
            password: Password::new("s3cret \"quoted\""),
            device: Some(Password::new("0a.1b")),
            authority: Some("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n".into()),
            fingerprint: None,
        }
    }

    #[test]
    fn profile_reads_back_as_saved_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/config.toml");
        assert_eq!(load(&file).unwrap(), None);
        save(&file, &profile()).unwrap();
        save(&file, &profile()).unwrap();
        assert_eq!(load(&file).unwrap(), Some(profile()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "a partial file is left");
    }

    #[test]
    fn profile_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        save(&file, &profile()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&file), Err(ProfileError::Open { .. })));
    }

    #[test]
    fn profile_lies_where_the_environment_says() {
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            let variable = |name: &str| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string())
            };
            assert_eq!(place(variable).ok(), expected.map(PathBuf::from));
        };
        check(&[("HOME", "/h")], Some("/h/.config/pitlane/config.toml"));
        check(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")], Some("/x/pitlane/config.toml"));
        check(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")], Some("/h/.config/pitlane/config.toml"));
        check(&[("HOME", "/h"), ("PITLANE_CONFIG", "/p.toml")], Some("/p.toml"));
        check(&[], None);
    }

    #[test]
    fn password_is_never_shown() {
        assert!(!format!("{:?}", profile()).contains("s3cret"));
    }
}
