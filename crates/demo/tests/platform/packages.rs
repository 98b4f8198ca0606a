//! A package that is rejected changes nothing.

use std::fs;

use demo::{Built, Contents};

use crate::fixture::{Fixture, LONG_LIMITS, version};

#[test]
fn damaged_package_is_rejected_with_its_reason_and_changes_nothing() {
    let fixture = Fixture::new(1);
    let package = fixture.platform.build_package("next", &Contents::next()).unwrap();
    let mut bytes = fs::read(&package).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = package.with_file_name("damaged.pitlane");
    fs::write(&damaged, &bytes).unwrap();
    let refusal = fixture.platform.upload(&damaged).unwrap_err().to_string();
    assert!(refusal.contains("changed"), "{refusal}");

    bytes.truncate(middle);
    fs::write(&damaged, &bytes).unwrap();
    let refusal = fixture.platform.upload(&damaged).unwrap_err().to_string();
    assert!(refusal.contains("truncated") || refusal.contains("ends after"), "{refusal}");

    let refusal = fixture.platform.start(&LONG_LIMITS).unwrap_err().to_string();
    assert!(refusal.contains("no upgrade package has been uploaded"), "{refusal}");
    let status = fixture.platform.status().unwrap();
    assert_eq!(version(&status, 1), Built::PRESENT.version);
    assert!(status["run"].is_null() && status["last_run"].is_null());
    let kept = fs::read_dir(fixture.platform.manager.root.join("packages"));
    assert_eq!(kept.map_or(0, Iterator::count), 0, "parts of a rejected package were kept");
}
