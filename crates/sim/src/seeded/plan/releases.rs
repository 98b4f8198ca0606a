//! The releases and packages of a seeded world.

use fleet::version::{Release, Sha256, Version};

use crate::world::package;

/// The version that the platform begins with, and those that packages bring.
pub(crate) const VERSIONS: [Version; 3] = [Version::new(34, 0), Version::new(34, 1), Version::new(34, 2)];

/// A release and the package that it comes from.
pub(crate) fn installed(version: Version) -> (Release, Sha256) {
    let package = package(version);
    (package.release, package.manifest)
}
