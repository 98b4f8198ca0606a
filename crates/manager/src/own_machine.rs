//! The machine of the Management Node for its upgrade of itself: stages the run's release in the inactive slot, checks it there,
//! and selects it.
//!
//! It relies on `package` for verification and on `slots` for atomic changes. Each step may be interrupted at
//! any point and repeated. It never touches the slot that runs.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use edge::error_chain::chain;
use fleet::desired::Assignment;
use fleet::version::Release;
use package::{Installed, Refusal, Role, TrustedKeys, Verified};
use slots::{CheckFailed, Held, Machine, Slot, SlotIdentity};
use thiserror::Error;
use tracing::warn;

use crate::layout::Layout;
use crate::packages::{self, HeldPackage, PackageError};

/// How long the check of a release may take. It migrates a copy of the store, for which a start has five
/// minutes where nothing else is set.
pub const RELEASE_WITHIN: Duration = Duration::from_secs(slots::CONFIRM_WITHIN_SECONDS);

/// The release cannot be staged or selected. The running slot is not changed.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// The package is not held, or refused now.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The package is not what it was when the run was started.
    #[error("the package is refused")]
    Refused(#[from] Refusal),
    /// The package is another than the run's.
    #[error("the package contains another release than that of the run; upload it again")]
    OtherRelease,
    /// Its own check reports that it would not start here.
    #[error("the new release would not start on this machine: {0}")]
    WouldNotStart(#[from] CheckFailed),
    /// The slots report an error.
    #[error(transparent)]
    Slots(#[from] slots::Error),
    /// The disk reported an error.
    #[error("could not write {}; check the disk and its free space", path.display())]
    Disk {
        /// What was written.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// The machine of this Management Node, and the slot that it runs in.
#[derive(Clone, Debug)]
pub struct OwnMachine {
    /// The slots.
    pub machine: Machine,
    /// The slot of this process.
    pub slot: Slot,
    /// The release of this process.
    pub release: Release,
    /// The paths.
    pub layout: Layout,
}

impl OwnMachine {
    /// Stages the release in the inactive slot, verified again from the package to the last file. It takes a
    /// while: call it where blocking is allowed.
    pub(crate) fn stage(&self, assignment: Assignment) -> Result<(), UpgradeError> {
        let held = packages::held(&self.layout, assignment.manifest)?;
        if held.verified.manifest().release() != assignment.release {
            return Err(UpgradeError::OtherRelease);
        }
        if self.is_staged(&held.verified)? {
            return Ok(());
        }
        self.unpack(&held)
    }

    /// Whether the inactive slot contains the release, file by file.
    fn is_staged(&self, verified: &Verified) -> Result<bool, UpgradeError> {
        let other = self.slot.other();
        let Ok(Some(found)) = self.machine.release(other) else { return Ok(false) };
        let payload = verified.payload(Role::Manager);
        Ok(found.manifest == verified.hash().to_string()
            && package::check_slot(&self.machine.slot_dir(other), payload).is_ok())
    }

    fn unpack(&self, held: &HeldPackage) -> Result<(), UpgradeError> {
        let keys = TrustedKeys::load(&self.layout.trust()).map_err(PackageError::from)?;
        let verified = package::verify_file(&held.file(), &keys)?;
        if verified.hash() != held.verified.hash() {
            return Err(UpgradeError::OtherRelease);
        }
        let downloads = self.layout.downloads();
        fs::create_dir_all(&downloads).map_err(failed(&downloads))?;
        let file = downloads.join(Role::Manager.payload_file());
        package::extract_payload(&held.file(), &verified, Role::Manager, &file)?;
        let staging = self.machine.begin_staging(self.slot)?;
        package::unpack_release(&file, &verified, Role::Manager, &staging.dir())?;
        staging.finish(&identity(&verified))?;
        // A file that is left is overwritten by the next upgrade.
        let _ = fs::remove_file(&file);
        Ok(())
    }

    /// Runs the check of the staged release: its own program, in its slot, with a copy of the store. Call it
    /// where blocking is allowed.
    pub(crate) fn check_staged(&self, held: &Held) -> Result<(), UpgradeError> {
        Ok(self.machine.check_release(self.slot.other(), held, RELEASE_WITHIN)?)
    }

    /// Selects the staged release, which is then the one that starts next. The record decides, even after an
    /// error, which may have occurred when the record was written already.
    pub(crate) fn select(&self, assignment: Assignment) -> Result<(), UpgradeError> {
        let manifest = assignment.manifest.to_string();
        let Err(cause) = self.machine.select(&manifest) else { return Ok(()) };
        let trying = self.machine.record().ok().and_then(|record| record.trying);
        if trying.is_some_and(|trying| trying.manifest == manifest) {
            let error = chain(&cause);
            warn!(error, "the new release is selected, and whether that is durable is not known");
            return Ok(());
        }
        Err(cause.into())
    }
}

/// The identity of a slot that contains the manager's payload of this package.
pub(crate) fn identity(verified: &Verified) -> SlotIdentity {
    let Installed { manifest, version, build, program } = verified.installed(Role::Manager);
    SlotIdentity::new(manifest, version, build, program)
}

fn failed(path: &std::path::Path) -> impl FnOnce(io::Error) -> UpgradeError + use<> {
    let path = path.to_path_buf();
    move |source| UpgradeError::Disk { path, source }
}
