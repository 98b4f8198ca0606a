//! Stores why a release could not confirm itself, for the release that is started after it: boot knows only that no
//! confirmation came. It is shown to the operator and decides nothing.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::files::{self, chain};

/// The file with the reason.
#[derive(Clone, Debug)]
pub struct UnconfirmedFile {
    path: PathBuf,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Unconfirmed {
    /// SHA-256 of the manifest of the release that could not.
    manifest: String,
    why: String,
}

impl UnconfirmedFile {
    /// The file in the node's state directory.
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("unconfirmed.json") }
    }

    /// Stores the reason. A failed write is logged and has no other effect.
    pub fn note(&self, manifest: &str, why: &str) {
        let unconfirmed = Unconfirmed { manifest: manifest.into(), why: why.into() };
        if let Err(error) = files::store(&self.path, &unconfirmed) {
            warn!("{}", chain(&error));
        }
    }

    /// Removes it: the release has confirmed itself.
    pub fn forget(&self) {
        // A file that cannot be removed names a release that did not fall back, so it is never read.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Why the release with this manifest could not confirm itself, if it has stored that.
    pub fn why(&self, manifest: &str) -> Option<String> {
        let unconfirmed: Unconfirmed = files::load(&self.path, "it is passed over").ok().flatten()?;
        (unconfirmed.manifest == manifest).then_some(unconfirmed.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_that_of_one_release_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = UnconfirmedFile::new(dir.path());
        assert_eq!(file.why("a"), None);
        file.note("a", "no port");
        assert_eq!((file.why("a").as_deref(), file.why("b")), (Some("no port"), None));
        file.forget();
        assert_eq!(file.why("a"), None);
    }
}
