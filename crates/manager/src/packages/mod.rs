//! The packages that the Management Node holds. Each is verified in full when it is admitted, and its
//! signature again whenever it is used.
//!
//! A package lies complete in its directory or not at all: it is assembled beside it and renamed. Which
//! packages are kept, `retention` decides.

mod retention;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clock::{Machine, Source as _};
use edge::error_chain::chain;
use fleet::run;
use fleet::time::Wall;
use fleet::version::Sha256;
use jiff::civil::Date;
use package::{KeyError, MANIFEST_FILE, NotAdmitted, Refusal, Role, SIGNATURE_FILE, TrustedKeys, Verified};
use thiserror::Error;
use tracing::warn;
use wire::PROTOCOL;

use crate::layout::Layout;

pub use retention::{AHEAD, Held, Need, Needs};

/// The whole package as it was uploaded.
pub const PACKAGE_FILE: &str = "package.pitlane";

/// The payload of the nodes, taken out of the package.
pub const NODE_PAYLOAD_FILE: &str = "payload-node";

/// A package cannot be used.
#[derive(Debug, Error)]
pub enum PackageError {
    /// The package is refused.
    #[error("the package is refused")]
    Refused(#[from] Refusal),
    /// Its release has no protocol version in common with this one.
    #[error(
        "the package is refused: its release supports versions {min} to {max} of the messages between nodes and \
         manager, and this platform {} to {}; upgrade to a release between the two first",
        PROTOCOL.min, PROTOCOL.max
    )]
    NoCommonProtocol {
        /// The oldest version that it knows.
        min: u32,
        /// The newest.
        max: u32,
    },
    /// It has expired.
    #[error(transparent)]
    Expired(#[from] NotAdmitted),
    /// The keys of the machine cannot be read.
    #[error("the keys that this machine trusts cannot be used; check the files in its directory trust")]
    Keys(#[from] KeyError),
    /// It is not held here.
    #[error("package {0} is not held here; upload it first")]
    NotHeld(Sha256),
    /// The disk reported an error.
    #[error("could not {doing} {}; check the disk and its free space", path.display())]
    Disk {
        /// The operation.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// A package that is held, verified.
#[derive(Clone, Debug)]
pub struct HeldPackage {
    /// Its verified manifest.
    pub verified: Verified,
    /// Its directory.
    pub dir: PathBuf,
}

impl HeldPackage {
    /// The part of it that a run needs.
    pub fn for_run(&self) -> run::Package {
        let manifest = self.verified.manifest();
        run::Package {
            release: manifest.release(),
            manifest: self.verified.hash(),
            path: manifest.path.clone(),
        }
    }

    /// The package as it was uploaded.
    pub fn file(&self) -> PathBuf {
        self.dir.join(PACKAGE_FILE)
    }
}

/// Verifies an uploaded file in full and admits it: the file is moved. Admitting a package that is held
/// already changes nothing and removes the file. This takes seconds: call it where blocking is allowed.
///
/// # Errors
/// Why the package is refused; then the file stays where it was.
pub fn admit(layout: &Layout, upload: &Path) -> Result<HeldPackage, PackageError> {
    admit_on(layout, upload, today())
}

/// The day by the wall clock of this machine, in UTC. Expiry is judged by it and not by the platform's time,
/// which an operator cannot correct.
pub(crate) fn today() -> Date {
    let millis = i64::try_from(Machine.wall().0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    jiff::tz::TimeZone::UTC.to_datetime(at).date()
}

/// Why a held package is not accepted for a new run on this day. The package that the platform was upgraded
/// to already is always accepted: nodes that were left behind are upgraded with it.
pub(crate) fn expired(verified: &Verified, installed: Option<Sha256>, today: Date) -> Option<NotAdmitted> {
    let is_installed = installed == Some(verified.hash());
    verified.taken_on(today).err().filter(|_| !is_installed)
}

pub(crate) fn admit_on(layout: &Layout, upload: &Path, today: Date) -> Result<HeldPackage, PackageError> {
    let verified = package::verify_file(upload, &TrustedKeys::load(&layout.trust())?)?;
    check_protocols(&verified)?;
    let dir = layout.package(verified.hash());
    if dir.exists() {
        fs::remove_file(upload).map_err(failed("remove", upload))?;
        return Ok(HeldPackage { verified, dir });
    }
    verified.taken_on(today)?;
    let staging = layout.packages().join(format!("{}.partial", verified.hash()));
    remove_dir(&staging)?;
    fs::create_dir_all(&staging).map_err(failed("create", &staging))?;
    // The directory of all packages may be new: it must be durable before the packages in it are.
    sync(layout.root())?;
    package::extract_payload(upload, &verified, Role::Node, &staging.join(NODE_PAYLOAD_FILE))?;
    package::keep_manifest(&verified, &staging)?;
    let file = staging.join(PACKAGE_FILE);
    sync(upload)?;
    fs::rename(upload, &file).map_err(failed("move", upload))?;
    sync(&staging)?;
    fs::rename(&staging, &dir).map_err(failed("rename", &staging))?;
    sync(&layout.packages())?;
    Ok(HeldPackage { verified, dir })
}

/// The nodes of this release must have a protocol version in common with the manager of the next.
fn check_protocols(verified: &Verified) -> Result<(), PackageError> {
    let spoken = verified.manifest().protocols.wire;
    let (min, max) = (u32::from(PROTOCOL.min), u32::from(PROTOCOL.max));
    if spoken.min <= max && min <= spoken.max {
        return Ok(());
    }
    Err(PackageError::NoCommonProtocol { min: spoken.min, max: spoken.max })
}

/// A package that is held, its signature checked again.
///
/// # Errors
/// It is not held, or no longer what it was.
pub fn held(layout: &Layout, manifest: Sha256) -> Result<HeldPackage, PackageError> {
    let dir = layout.package(manifest);
    let read = |name: &str| fs::read(dir.join(name)).map_err(|_| PackageError::NotHeld(manifest));
    let (bytes, signature) = (read(MANIFEST_FILE)?, read(SIGNATURE_FILE)?);
    let verified = package::verify_manifest(&bytes, &signature, &TrustedKeys::load(&layout.trust())?)?;
    if verified.hash() != manifest {
        return Err(PackageError::NotHeld(manifest));
    }
    Ok(HeldPackage { verified, dir })
}

/// The manifests of the packages that are held, in no particular order.
///
/// # Errors
/// The directory cannot be read.
pub fn list(layout: &Layout) -> Result<Vec<Sha256>, PackageError> {
    let dir = layout.packages();
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("list", &dir))?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(failed("list", &dir))?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// Removes the packages that nothing needs now that `kept` was admitted, and the directories of interrupted
/// admissions. `uploaded` says when each was uploaded; those without a time count as the oldest. The caller
/// makes sure that no other package is admitted, removed or started meanwhile.
///
/// # Errors
/// The directory cannot be read. A package that cannot be removed is tried again the next time.
pub fn prune(
    layout: &Layout,
    needs: &Needs,
    kept: Sha256,
    uploaded: &BTreeMap<Sha256, Wall>,
) -> Result<Vec<Held>, PackageError> {
    remove_partial(layout)?;
    let mut manifests = list(layout)?;
    manifests.sort_by_key(|manifest| std::cmp::Reverse((uploaded.get(manifest).copied(), *manifest)));
    let mut all = Vec::new();
    for manifest in manifests {
        match held(layout, manifest) {
            Ok(held) => all.push(Held { manifest, release: Some(held.verified.manifest().release()) }),
            Err(PackageError::Refused(_) | PackageError::NotHeld(_) | PackageError::Expired(_)) => {
                all.push(Held { manifest, release: None })
            }
            // The fault is the machine's and not the package's.
            Err(
                PackageError::Keys(_) | PackageError::Disk { .. } | PackageError::NoCommonProtocol { .. },
            ) => {}
        }
    }
    let mut gone = needs.unneeded(&all, kept);
    gone.retain(|manifest| match remove(layout, *manifest) {
        Ok(()) => true,
        Err(cause) => {
            warn!(%manifest, error = %chain(&cause), "a package that is not needed stays on the disk");
            false
        }
    });
    Ok(all.into_iter().filter(|package| gone.contains(&package.manifest)).collect())
}

/// Removes the directories of interrupted admissions, which nothing else removes when another package is
/// uploaded.
fn remove_partial(layout: &Layout) -> Result<(), PackageError> {
    let dir = layout.packages();
    let entries = fs::read_dir(&dir).map_err(failed("list", &dir))?;
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(".partial")) {
            remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a package. The caller makes sure that no run uses it.
///
/// # Errors
/// It is not held, or the disk reported an error.
pub fn remove(layout: &Layout, manifest: Sha256) -> Result<(), PackageError> {
    let dir = layout.package(manifest);
    let gone = layout.packages().join(format!("{manifest}.partial"));
    remove_dir(&gone)?;
    match fs::rename(&dir, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PackageError::NotHeld(manifest)),
        renamed => {
            renamed.map_err(failed("remove", &dir))?;
            sync(&layout.packages())?;
            remove_dir(&gone)
        }
    }
}

fn remove_dir(dir: &Path) -> Result<(), PackageError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("remove", dir)),
    }
}

fn sync(path: &Path) -> Result<(), PackageError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed("make durable", path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PackageError {
    let path = path.to_path_buf();
    move |source| PackageError::Disk { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[test]
    fn package_is_admitted_whole_and_once() {
        let bench = Bench::new();
        let layout = bench.layout();
        let upload = bench.upload();
        let admitted = admit(&layout, &upload).unwrap();
        assert!(!upload.exists(), "the upload was not moved");
        assert_eq!(list(&layout).unwrap(), [admitted.verified.hash()]);
        assert_eq!(held(&layout, admitted.verified.hash()).unwrap().verified, admitted.verified);
        fs::copy(admitted.file(), &upload).unwrap();
        assert_eq!(admit(&layout, &upload).unwrap().verified, admitted.verified);
        assert!(!upload.exists(), "the second upload was left behind");
        let for_run = admitted.for_run();
        assert_eq!(for_run.manifest, admitted.verified.hash());
        assert!(for_run.path.leads_to(for_run.release.version));
    }

    #[test]
    fn admission_that_was_cut_short_is_done_again() {
        let bench = Bench::new();
        let layout = bench.layout();
        let manifest = package::verify_file(&bench.upload(), &TrustedKeys::load(&layout.trust()).unwrap());
        let manifest = manifest.unwrap().hash();
        let partial = layout.packages().join(format!("{manifest}.partial"));
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join(NODE_PAYLOAD_FILE), "half").unwrap();
        assert!(matches!(held(&layout, manifest), Err(PackageError::NotHeld(_))));
        assert_eq!(list(&layout).unwrap(), []);
        admit(&layout, &bench.root().join("upload.pitlane")).unwrap();
        assert_eq!(list(&layout).unwrap(), [manifest]);
    }

    #[test]
    fn package_that_is_refused_stays_where_it_was_and_is_not_held() {
        let bench = Bench::new();
        let upload = bench.upload();
        let mut bytes = fs::read(&upload).unwrap();
        bytes.truncate(bytes.len() / 2);
        fs::write(&upload, &bytes).unwrap();
        assert!(matches!(admit(&bench.layout(), &upload), Err(PackageError::Refused(_))));
        assert_eq!(fs::read(&upload).unwrap(), bytes);
        assert_eq!(list(&bench.layout()).unwrap(), []);
    }

    #[test]
    fn package_that_was_tampered_with_on_the_disk_is_not_used() {
        let bench = Bench::new();
        let admitted = admit(&bench.layout(), &bench.upload()).unwrap();
        let manifest = admitted.dir.join(MANIFEST_FILE);
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, text.replace("For tests.", "Forged.....")).unwrap();
        let refusal = held(&bench.layout(), admitted.verified.hash()).unwrap_err();
        assert!(matches!(refusal, PackageError::Refused(Refusal::SignatureWrong { .. })), "{refusal}");
    }

    #[test]
    fn package_is_removed_once() {
        let bench = Bench::new();
        let admitted = admit(&bench.layout(), &bench.upload()).unwrap();
        let manifest = admitted.verified.hash();
        remove(&bench.layout(), manifest).unwrap();
        assert!(matches!(remove(&bench.layout(), manifest), Err(PackageError::NotHeld(_))));
        assert_eq!(fs::read_dir(bench.layout().packages()).unwrap().count(), 0);
    }

    #[test]
    fn unneeded_packages_and_interrupted_admissions_are_removed() {
        let bench = Bench::new();
        let layout = bench.layout();
        let admitted = admit(&layout, &bench.upload()).unwrap();
        let kept = admitted.verified.hash();
        // One that can no longer be verified, and two interrupted admissions.
        fs::create_dir(layout.package(Sha256([9; 32]))).unwrap();
        for left in ["0.partial", "1.partial"] {
            fs::create_dir(layout.packages().join(left)).unwrap();
        }
        let fleet =
            fleet::platform::Fleet::new(fleet::version::Release::PRESENT, fleet::policy::Policy::standard());
        let gone = prune(&layout, &Needs::of(&fleet), kept, &BTreeMap::new()).unwrap();
        assert_eq!(gone, [Held { manifest: Sha256([9; 32]), release: None }]);
        let left: Vec<_> =
            fs::read_dir(layout.packages()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [std::ffi::OsString::from(kept.to_string())]);
    }
}
