//! Crates that Cargo.lock has in several versions: each has a reason in a list, and goes from the list when the
//! duplicate goes. Pure: takes the text of Cargo.lock, returns faults.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// A crate, its version series, and why not all of its users can have the same one.
type Duplicate = (&'static str, &'static [&'static str], &'static str);

const MINISIGN: &str = "minisign 0.10 uses scrypt 0.11, of the earlier generation of the RustCrypto crates";
const STATERIGHT: &str = "stateright 0.31, in tests only, uses the earlier one";

const DUPLICATES: [Duplicate; 17] = [
    ("base64", &["0.22", "0.23"], "rsipstack 0.7.14, whose version is fixed, uses 0.22"),
    ("block-buffer", &["0.10", "0.12"], MINISIGN),
    ("cpufeatures", &["0.2", "0.3"], MINISIGN),
    ("crypto-common", &["0.1", "0.2"], MINISIGN),
    ("digest", &["0.10", "0.11"], MINISIGN),
    (
        "getrandom",
        &["0.2", "0.3", "0.4"],
        "0.2 is not compiled (ring, on Android and Apple); 0.3 is stateright's",
    ),
    (
        "hashbrown",
        &["0.14", "0.15", "0.17"],
        "0.14 is stateright's; rsipstack enables tokio-util/full, with 0.15",
    ),
    ("md-5", &["0.10", "0.11"], "sipx-sip 1.0.1, in tests only, uses 0.10"),
    ("r-efi", &["5", "6"], "not compiled: getrandom on UEFI"),
    ("rand", &["0.9", "0.10"], STATERIGHT),
    ("rand_core", &["0.9", "0.10"], STATERIGHT),
    ("sha2", &["0.10", "0.11"], MINISIGN),
    ("syn", &["2", "3"], "the derives of asn1-rs, num_enum, tracing and zerocopy still use 2"),
    ("synstructure", &["0.13", "0.14"], "the derive of asn1-rs (x509-parser) uses 0.13"),
    ("tower-http", &["0.6", "0.7"], "reqwest 0.13 uses 0.6, which has no protection against CSRF"),
    ("untrusted", &["0.7", "0.9"], "aws-lc-rs uses 0.7, rustls-webpki 0.9"),
    ("windows-sys", &["0.52", "0.59", "0.61"], "not compiled: Windows"),
];

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Duplicates in `lock`, the text of Cargo.lock, that are not in the list, and entries of the list without one.
pub(super) fn faults(lock: &str) -> Vec<String> {
    faults_by(&DUPLICATES, lock)
}

fn faults_by(listed: &[Duplicate], lock: &str) -> Vec<String> {
    let lock: Lock = match toml::from_str(lock) {
        Ok(lock) => lock,
        Err(error) => return vec![format!("Cargo.lock cannot be read: {error}")],
    };
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for Package { name, version } in &lock.package {
        found.entry(name).or_default().insert(series(version));
    }
    let mut faults = Vec::new();
    for (name, versions) in found.iter().filter(|(_, versions)| versions.len() > 1) {
        let expected = listed.iter().find(|(listed, ..)| listed == name).map(|(_, versions, _)| *versions);
        if expected.is_none_or(|expected| !expected.iter().copied().eq(sorted(versions))) {
            let versions = sorted(versions).collect::<Vec<_>>().join(", ");
            faults.push(format!(
                "Cargo.lock has {name} in the versions {versions}; find out with `cargo tree -i` whether one can go, \
                 or give the reason in crates/xtask/src/tidy/duplicates.rs"
            ));
        }
    }
    for (name, ..) in listed {
        if found.get(name).is_none_or(|versions| versions.len() < 2) {
            faults.push(format!(
                "Cargo.lock has {name} in one version; remove it from the list in crates/xtask/src/tidy/duplicates.rs"
            ));
        }
    }
    faults
}

/// The part of a version within which cargo has one version only: the first number that is not zero.
fn series(version: &str) -> String {
    match version.split('.').collect::<Vec<_>>().as_slice() {
        ["0", "0", patch, ..] => format!("0.0.{patch}"),
        ["0", minor, ..] => format!("0.{minor}"),
        [major, ..] => (*major).into(),
        [] => String::new(),
    }
}

/// Series in the order of their numbers.
fn sorted(series: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    let mut series: Vec<&str> = series.iter().map(String::as_str).collect();
    series.sort_by_key(|series| {
        series.split('.').map(|number| number.parse().unwrap_or(0)).collect::<Vec<u64>>()
    });
    series.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: [Duplicate; 1] = [("base64", &["0.9", "0.23"], "a reason")];

    fn lock(packages: &[(&str, &str)]) -> String {
        packages
            .iter()
            .map(|(name, version)| format!("[[package]]\nname={name:?}\nversion={version:?}\n"))
            .collect()
    }

    #[test]
    fn listed_duplicate_is_no_fault_and_versions_of_one_series_are_none() {
        let text = lock(&[("base64", "0.23.1"), ("base64", "0.9.4"), ("a", "1.2.0"), ("a", "1.3.0")]);
        assert_eq!(faults_by(&LISTED, &text), [""; 0]);
    }

    #[test]
    fn new_duplicate_other_versions_and_a_stale_entry_are_faults() {
        let check = |packages: &[(&str, &str)], expected: &[&str]| {
            let found = faults_by(&LISTED, &lock(packages));
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(
                found.iter().zip(expected).all(|(fault, expected)| fault.contains(expected)),
                "{found:?}"
            );
        };
        let base64 = [("base64", "0.9.4"), ("base64", "0.23.1")];
        check(&[base64[0], base64[1], ("syn", "2.0.1"), ("syn", "3.0.1")], &["syn in the versions 2, 3"]);
        check(&[base64[0], ("base64", "0.24.0")], &["base64 in the versions 0.9, 0.24"]);
        check(&[base64[1]], &["base64 in one version"]);
    }

    #[test]
    fn lock_file_that_cannot_be_read_is_a_fault() {
        assert_eq!(faults_by(&LISTED, "").len(), 1);
    }
}
