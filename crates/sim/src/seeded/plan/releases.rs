//! The releases that there are in a seeded world.

use fleet::version::{Release, Sha256, Version};

use crate::world::package;

/// The versions that packages bring, after the one that the platform begins with.
pub(crate) const VERSIONS: [Version; 3] = [Version::new(34, 0), Version::new(34, 1), Version::new(34, 2)];

/// A release and the package that it comes from.
pub(crate) fn installed(version: Version) -> (Release, Sha256) {
    let package = package(version);
    (package.release, package.manifest)
}
