//! A covering part of all phases of a run and all faults, on real processes: the programs as they ship,
//! with people on the phone. `pitlane-faults` without options plays the whole product.

use std::path::PathBuf;
use std::process::Command;

/// Cases that are played beside each other: most of a case is waiting.
const BESIDE_EACH_OTHER: &str = "4";

#[test]
fn every_phase_and_every_fault_leave_a_platform_that_can_be_upgraded() {
    let releases = std::env::var_os("PITLANE_RELEASES").map_or_else(built_by_the_gate, PathBuf::from);
    let output = Command::new(env!("CARGO_BIN_EXE_pitlane-faults"))
        .args(["--covering", "--jobs", BESIDE_EACH_OTHER, "--releases"])
        .arg(releases)
        .output()
        .expect("pitlane-faults was built");
    let [played, story] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{played}\n{story}");
    assert!(
        played.contains(" 0 broken") && played.contains(" held"),
        "nothing was played: {played}\n{story}"
    );
}

fn built_by_the_gate() -> PathBuf {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crates.ancestors().nth(2).map(|workspace| workspace.join("target/releases")).unwrap_or_default()
}
