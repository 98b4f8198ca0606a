//! Runs every scenario script and compares its output with the expected one. `REWRITE=1` writes the real output
//! instead.

use std::fs;
use std::path::Path;

#[test]
fn every_scenario_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut differing = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let written = fs::read_to_string(&path).unwrap();
        let real = sim::run_script(&written);
        count += 1;
        if real == written {
            continue;
        }
        if std::env::var_os("REWRITE").is_some() {
            fs::write(&path, real).unwrap();
        } else {
            differing.push(format!("{}\n{real}", path.display()));
        }
    }
    assert!(count >= 16, "only {count} scenarios were found in {}", folder.display());
    assert!(
        differing.is_empty(),
        "the output of these differs from the expected one:\n{}",
        differing.join("\n")
    );
}
