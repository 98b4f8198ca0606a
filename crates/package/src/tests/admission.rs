//! Which running releases a valid package may be installed on.

use std::fs;

use fleet::version::{Release, Sha256};

use crate::*;

use super::*;

fn runs(major: u16, minor: u16) -> Release {
    of_build(Version::new(major, minor), 1)
}

fn of_build(version: Version, build: u32) -> Release {
    Release { version, build: Build(build) }
}

#[test]
fn version_path_in_the_manifest_decides_r15() {
    let (_, package) = Kit::small().build();
    assert_eq!(package.admits(runs(34, 0), None), Ok(()));
    let said = package.admits(runs(33, 0), None).unwrap_err().to_string();
    assert!(said.contains("no upgrade path is known from before 34"), "{said}");
    let said = package.admits(runs(35, 0), None).unwrap_err().to_string();
    assert!(said.contains("newer than 34.1"), "{said}");
}

#[test]
fn same_release_is_repeated_only_with_the_same_package_r9() {
    let kit = Kit::small();
    let (_, package) = kit.build();
    let release = package.manifest().release();
    assert_eq!(package.admits(release, Some(package.hash())), Ok(()));
    fs::write(&kit.recipe.node.files[0].source, "another text").unwrap();
    let (_, other) = kit.build();
    let refusal = other.admits(release, Some(package.hash()));
    let (running, offered) = (Some(package.hash()), other.hash());
    assert_eq!(refusal, Err(NotAdmitted::SameReleaseOtherPackage { release, running, package: offered }));
    assert!(other.admits(release, None).is_err());
    assert!(other.admits(release, Some(Sha256([0; 32]))).is_err());
}

#[test]
fn later_build_replaces_an_earlier_one_of_its_version_and_never_the_other_way() {
    let (_, package) = Kit::small().build();
    let Release { version, build } = package.manifest().release();
    assert_eq!(package.admits(of_build(version, build.0 - 1), Some(Sha256([0; 32]))), Ok(()));
    assert_eq!(package.admits(of_build(version, build.0 - 1), None), Ok(()));
    let said = package.admits(of_build(version, build.0 + 1), None).unwrap_err().to_string();
    assert!(said.contains("34.1 (34101), which is a later build than 34.1 (34100)"), "{said}");
}

#[test]
fn expired_package_is_not_accepted_for_an_upgrade_and_is_still_verified() {
    let mut kit = Kit::small();
    let last = jiff::civil::date(2027, 11, 23);
    kit.recipe.valid_until = Some(last);
    let (package, built) = kit.build();
    assert_eq!(built.taken_on(last), Ok(()));
    let refusal = built.taken_on(jiff::civil::date(2027, 11, 24)).unwrap_err();
    assert!(refusal.to_string().contains("until 2027-11-23, and this machine's clock says 2027-11-24"));
    assert_eq!(verify_file(&package, &kit.trusted).unwrap().manifest().valid_until, Some(last));
    kit.recipe.valid_until = Some(kit.recipe.released);
    kit.build();
    kit.recipe.valid_until = Some(jiff::civil::date(2026, 11, 22));
    let wrong = build(&kit.recipe, &kit.key, &kit.at("wrong.pkg")).unwrap_err();
    assert!(matches!(wrong, BuildError::Refused(Refusal::BadManifest { .. })), "{wrong:?}");
}

#[test]
fn package_without_a_last_day_never_expires_and_does_not_mention_one() {
    let (_, built) = Kit::small().build();
    assert_eq!(built.taken_on(jiff::civil::date(9999, 12, 31)), Ok(()));
    assert!(!String::from_utf8_lossy(built.manifest_bytes()).contains("valid_until"));
}
