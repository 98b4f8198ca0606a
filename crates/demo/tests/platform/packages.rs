//! Packages that are refused change nothing.

use std::fs;

use demo::{Built, Contents};

use crate::world::{UNHURRIED, World, version};

#[test]
fn a_damaged_package_is_refused_with_its_reason_and_changes_nothing() {
    let world = World::new(1);
    let package = world.platform.build_package("next", &Contents::next()).unwrap();
    let mut bytes = fs::read(&package).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = package.with_file_name("damaged.pitlane");
    fs::write(&damaged, &bytes).unwrap();
    let refusal = world.platform.upload(&damaged).unwrap_err().to_string();
    assert!(refusal.contains("changed"), "{refusal}");

    bytes.truncate(middle);
    fs::write(&damaged, &bytes).unwrap();
    let refusal = world.platform.upload(&damaged).unwrap_err().to_string();
    assert!(refusal.contains("truncated") || refusal.contains("ends after"), "{refusal}");

    let refusal = world.platform.start(&UNHURRIED).unwrap_err().to_string();
    assert!(refusal.contains("no upgrade package has been uploaded"), "{refusal}");
    let status = world.platform.status().unwrap();
    assert_eq!(version(&status, 1), Built::PRESENT.version);
    assert!(status["run"].is_null() && status["last_run"].is_null());
    let held = fs::read_dir(world.platform.manager.root.join("packages"));
    assert_eq!(held.map_or(0, Iterator::count), 0, "something of a refused package was kept");
}
