//! The covering cases of the fault matrix, on the programs as they ship. `pitlane-faults` without options runs all
//! cases.

use std::path::PathBuf;
use std::process::Command;

/// Cases that run at the same time: most of the time of a case is waiting.
const JOBS: &str = "4";

#[test]
fn every_phase_and_every_fault_leave_a_platform_that_can_be_upgraded() {
    let releases = std::env::var_os("PITLANE_RELEASES").map_or_else(built_by_the_gate, PathBuf::from);
    let output = Command::new(env!("CARGO_BIN_EXE_pitlane-faults"))
        .args(["--covering", "--jobs", JOBS, "--releases"])
        .arg(releases)
        .output()
        .expect("pitlane-faults was built");
    let [results, progress] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{results}\n{progress}");
    assert!(
        results.contains(" 0 broken") && results.contains(" held"),
        "no case was run: {results}\n{progress}"
    );
}

fn built_by_the_gate() -> PathBuf {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crates.ancestors().nth(2).map(|workspace| workspace.join("target/releases")).unwrap_or_default()
}
