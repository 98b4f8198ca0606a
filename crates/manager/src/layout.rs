//! The paths of all files on the machine of a Management Node. Nothing here accesses the disk.

use std::path::{Path, PathBuf};

use fleet::version::Sha256;
use slots::Slot;

/// The paths below the root directory of the machine.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The settings of the machine.
    pub fn settings(&self) -> PathBuf {
        self.root.join("machine.toml")
    }

    /// The public keys of packages that the machine trusts.
    pub fn trust(&self) -> PathBuf {
        self.root.join(package::TRUST_DIR)
    }

    /// The public keys of licences that the machine trusts.
    pub fn licence_trust(&self) -> PathBuf {
        self.root.join(licence::TRUST_DIR)
    }

    /// What is kept over upgrades: keys, certificates, the first password.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The backups that were made.
    pub fn backups(&self) -> PathBuf {
        self.state().join("backups")
    }

    /// A backup that is being restored.
    pub fn restore(&self) -> PathBuf {
        self.root.join("restore")
    }

    /// The store that belongs to a slot.
    pub fn store(&self, slot: Slot) -> PathBuf {
        self.root.join(format!("store-{}.db", slot.name()))
    }

    /// Uploads in progress.
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// The packages that are held, each in a directory named by its manifest.
    pub fn packages(&self) -> PathBuf {
        self.root.join("packages")
    }

    /// One package.
    pub fn package(&self, manifest: Sha256) -> PathBuf {
        self.packages().join(manifest.to_string())
    }

    /// Files that are not needed after a restart.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }
}
