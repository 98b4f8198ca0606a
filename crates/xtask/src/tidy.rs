//! What no compiler checks: the directions between the crates, the length of files, and markers that
//! were left behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{Failed, cargo, output, workspace};

/// A file of code holds one concept: more lines than this and it holds several.
const LINES: usize = 600;

/// Words that must not stay in code.
const MARKERS: [&str; 4] = ["TODO", "FIXME", "XXX", "#[ignore"];

/// Which of our crates each may use. What is not listed uses none.
const DIRECTIONS: [(&str, &[&str]); 13] = [
    ("fleet", &[]),
    ("slots", &[]),
    ("call", &[]),
    ("wire", &["fleet"]),
    ("package", &["fleet"]),
    ("sim", &["fleet"]),
    ("boot", &["slots"]),
    ("callers", &["call"]),
    ("manager", &["fleet", "wire", "package", "slots"]),
    ("node", &["fleet", "wire", "package", "slots", "call"]),
    ("ctl", &["fleet", "package", "slots"]),
    ("demo", &["callers"]),
    ("xtask", &[]),
];

/// Checks everything and names all that is not as it should be.
pub(crate) fn check() -> Result<(), Failed> {
    let mut faults = directions()?;
    for file in code()? {
        let text = fs::read_to_string(&file).map_err(|error| Failed::File(file.clone(), error))?;
        faults.extend(file_faults(&file, &text));
    }
    faults.extend(core_faults()?);
    if faults.is_empty() { Ok(()) } else { Err(Failed::Untidy(faults)) }
}

/// Uses between our crates that the design does not have.
fn directions() -> Result<Vec<String>, Failed> {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut faults = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(of, _)| *of == name) else {
            faults.push(format!("{name} has no place in the table of directions"));
            continue;
        };
        let uses = package["dependencies"].as_array().cloned().unwrap_or_default();
        let shipped = uses.iter().filter(|used| used["kind"].is_null());
        for used in shipped.filter_map(|used| used["name"].as_str()) {
            if ours.contains(used) && !allowed.contains(&used) {
                faults.push(format!("{name} must not use {used}"));
            }
        }
    }
    Ok(faults)
}

/// The core stays pure: no standard library, and nothing outside but serde.
fn core_faults() -> Result<Vec<String>, Failed> {
    let file = workspace().join("crates/fleet/src/lib.rs");
    let text = fs::read_to_string(&file).map_err(|error| Failed::File(file, error))?;
    let mut faults = Vec::new();
    if !text.contains("#![no_std]") {
        faults.push("the core must not use the standard library".into());
    }
    let tree = output(&mut cargo(&[
        "tree", "-p", "fleet", "--edges", "normal", "--depth", "1", "--prefix", "none",
    ]))?;
    let strangers = tree.lines().skip(1).filter(|line| !line.starts_with("serde "));
    faults.extend(strangers.map(|line| format!("the core must not use {line}")));
    Ok(faults)
}

fn file_faults(file: &Path, text: &str) -> Vec<String> {
    let name = file.strip_prefix(workspace()).unwrap_or(file).display().to_string();
    let mut faults = Vec::new();
    let tests = name.contains("/tests/") || name.ends_with("tests.rs");
    if text.lines().count() > LINES && !tests {
        faults.push(format!("{name} has more than {LINES} lines: is it still one concept?"));
    }
    if !text.starts_with("//!") && !tests {
        faults.push(format!("{name} does not say what it is for"));
    }
    if !name.ends_with("xtask/src/tidy.rs") {
        for marker in MARKERS.iter().filter(|marker| text.contains(**marker)) {
            faults.push(format!("{name} has a {marker}"));
        }
    }
    faults
}

/// Every file of code.
fn code() -> Result<Vec<PathBuf>, Failed> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join("crates")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| Failed::File(folder.clone(), error))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
