//! Checks of the tree that no compiler makes: dependencies between crates, duplicate versions, the length of files,
//! module docs, leftover markers, and documents against the tree. Each fault is a line; nothing is corrected.

mod duplicates;
mod promises;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::run::{Failed, cargo, output, workspace};

/// The most lines of a file of code. A longer one has more than one concept.
const LINES: usize = 600;

/// Markers that must not remain in code.
const MARKERS: [&str; 4] = ["TODO", "FIXME", "XXX", "#[ignore"];

/// Which of our crates each crate may depend on.
const DIRECTIONS: [(&str, &[&str]); 22] = [
    ("fleet", &[]),
    ("slots", &[]),
    ("sip", &[]),
    ("phones", &[]),
    ("call", &["sip"]),
    ("faultfs", &[]),
    ("clock", &["fleet"]),
    ("edge", &[]),
    ("wire", &["fleet"]),
    ("package", &["fleet"]),
    ("backup", &["fleet"]),
    ("licence", &["fleet", "package"]),
    ("answers", &["fleet"]),
    ("sim", &["fleet", "clock"]),
    ("boot", &["package", "slots"]),
    // Shares no code with the engine that it tests.
    ("callers", &[]),
    ("manager", &["fleet", "clock", "wire", "edge", "package", "backup", "licence", "answers", "slots"]),
    ("node", &["fleet", "clock", "wire", "edge", "package", "slots", "call"]),
    ("ctl", &["fleet", "edge", "package", "licence", "answers", "sim", "slots"]),
    ("demo", &["callers", "faultfs"]),
    ("fuzz", &["fleet", "wire", "package", "backup", "licence", "slots", "call", "manager", "node"]),
    ("xtask", &[]),
];

/// Makes all checks and returns all faults.
pub(crate) fn check() -> Result<(), Failed> {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let mut faults = directions(&serde_json::from_str(&metadata).unwrap_or_default());
    let files = files()?;
    for name in files.iter().filter(|name| name.ends_with(".rs")) {
        faults.extend(file_faults(name, &read(name)?));
    }
    for (name, allowed) in PURE {
        faults.extend(pure_faults(name, allowed)?);
    }
    faults.extend(duplicates::faults(&read("Cargo.lock")?));
    faults.extend(promises::path_faults(&read("ARCHITECTURE.md")?, &files));
    faults.extend(promises::scenario_faults(&files));
    let unit = |role: &str| read(&format!("dist/systemd/pitlane-{role}.service"));
    faults.extend(promises::unit_faults(&unit("manager")?, &unit("node")?));
    let enrolment = read("dist/systemd/pitlane-enrol@.service")?;
    faults.extend(promises::confinement_faults(&unit("node")?, &enrolment));
    if faults.is_empty() { Ok(()) } else { Err(Failed::Untidy(faults)) }
}

/// Dependencies between our crates that the table does not allow. Those of tests are free.
fn directions(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    if packages.is_empty() {
        return vec!["cargo metadata cannot be read: no crate is found in it, so none was checked".into()];
    }
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(of, _)| *of == name) else {
            faults.push(format!("{name} has no place in the table of directions"));
            continue;
        };
        let uses = package["dependencies"].as_array().into_iter().flatten();
        let shipped = uses.filter(|used| used["kind"] != "dev").filter_map(|used| used["name"].as_str());
        let wrong = shipped.filter(|used| ours.contains(used) && !allowed.contains(used));
        faults.extend(wrong.map(|used| format!("{name} must not use {used}")));
    }
    faults
}

/// Crates that stay pure: no standard library, and no dependency but those named.
const PURE: [(&str, &[&str]); 2] = [("fleet", &["serde"]), ("sip", &[])];

/// The parts of a crate that decide and do no I/O.
const PURE_PARTS: [&str; 10] = [
    "crates/manager/src/resources/",
    "crates/call/src/signalling/",
    "crates/call/src/audio/",
    "crates/call/src/srtp/",
    "crates/call/src/sdp",
    "crates/call/src/session_timer",
    "crates/call/src/handover/giver",
    "crates/call/src/handover/taker",
    "crates/call/src/media/placement",
    "crates/call/src/media/protection",
];
/// What does I/O, reads a clock, starts a task or draws random numbers of the system.
const IMPURE: [&str; 10] = [
    "tokio",
    "rustix",
    "nix::",
    "std::fs",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "UdpSocket",
    "TcpStream",
    "Uuid",
];

/// What a file of a pure part uses and must not.
fn impurities(name: &str, text: &str) -> Vec<String> {
    if !PURE_PARTS.iter().any(|part| name.starts_with(part)) {
        return Vec::new();
    }
    let found = IMPURE.iter().filter(|word| text.contains(**word));
    found.map(|word| format!("{name} decides and does no I/O: it must not use {word}")).collect()
}

/// What a pure crate uses and must not.
fn pure_faults(name: &str, allowed: &[&str]) -> Result<Vec<String>, Failed> {
    let mut faults = Vec::new();
    if !read(&format!("crates/{name}/src/lib.rs"))?.contains("#![no_std]") {
        faults.push(format!("{name} must not use the standard library"));
    }
    let tree =
        output(&mut cargo(&["tree", "-p", name, "--edges", "normal", "--depth", "1", "--prefix", "none"]))?;
    let crates = tree.lines().skip(1);
    let others = crates.filter(|line| !allowed.contains(&line.split(' ').next().unwrap_or_default()));
    faults.extend(others.map(|line| format!("{name} must not use {line}")));
    Ok(faults)
}

/// A log whose fields are written without `edge::log::VisibleFields`, so that foreign text could begin a line.
fn log_fault(name: &str, text: &str) -> Option<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let begins = ["tracing_subscriber::fmt()", "fmt::layer()"].iter().any(|begin| code.contains(begin));
    (begins && !code.contains("fmt_fields") && !name.ends_with("xtask/src/tidy.rs"))
        .then(|| format!("{name} begins a log without edge::log::VisibleFields"))
}

/// The faults of the file of code `name`, a path in the workspace.
fn file_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let tests = name.contains("/tests/") || name.ends_with("tests.rs");
    if text.lines().count() > LINES && !tests {
        faults.push(format!("{name} has more than {LINES} lines: is it still one concept?"));
    }
    if !text.starts_with("//!") && !tests {
        faults.push(format!("{name} has no module doc"));
    }
    if !tests {
        faults.extend(log_fault(name, text));
        faults.extend(impurities(name, text));
        faults.extend(database_fault(name, text));
    }
    if !name.ends_with("xtask/src/tidy.rs") {
        for marker in MARKERS.iter().filter(|marker| text.contains(**marker)) {
            faults.push(format!("{name} has a {marker}"));
        }
    }
    faults
}

/// A use of the database outside of the part that has all statements, so that another one can take its place.
fn database_fault(name: &str, text: &str) -> Option<String> {
    let knows = name.starts_with("crates/manager/src/store/") || !name.starts_with("crates/manager/src/");
    // The last part of a file may be its tests.
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    (!knows && code.contains("rusqlite")).then(|| format!("{name} must not know the database: use the store"))
}

/// A file of the workspace.
fn read(name: &str) -> Result<String, Failed> {
    let file = workspace().join(name);
    fs::read_to_string(&file).map_err(|error| Failed::File(file, error))
}

/// Every file of the code, the documents and `dist`, by its path in the workspace.
fn files() -> Result<BTreeSet<String>, Failed> {
    let mut found = BTreeSet::new();
    let mut folders = ["crates", "dist", "docs"].map(|name| workspace().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| Failed::File(folder.clone(), error))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(name) = path.strip_prefix(workspace()) {
                found.insert(name.display().to_string());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn log_without_visible_fields_is_a_fault() {
        let faults = |text: &str| file_faults("crates/x/src/main.rs", &format!("//! X.\n{text}"));
        assert_eq!(faults("tracing_subscriber::fmt().init();").len(), 1);
        assert_eq!(faults("let lines = fmt::layer();").len(), 1);
        assert_eq!(faults("tracing_subscriber::fmt().fmt_fields(VisibleFields).init();"), [""; 0]);
        assert_eq!(faults("#[cfg(test)]\nmod tests { tracing_subscriber::fmt() }"), [""; 0]);
    }

    /// A crate that is used, and whether for building or for tests.
    type Used<'a> = (&'a str, Option<&'a str>);

    /// Crates with their dependencies, in the form of `cargo metadata`.
    fn metadata(crates: &[(&str, &[Used<'_>])]) -> Value {
        let used = |(name, kind): &Used<'_>| json!({"name": name, "kind": kind});
        let package = |(name, uses): &(&str, &[Used<'_>])| {
            let uses: Vec<Value> = uses.iter().map(used).collect();
            json!({"name": name, "dependencies": uses})
        };
        json!({"packages": crates.iter().map(package).collect::<Vec<_>>()})
    }

    #[test]
    fn forbidden_dependency_of_any_kind_but_dev_is_found() {
        let check = |kind: Option<&str>, expected: &[&str]| {
            let found =
                directions(&metadata(&[("fleet", &[]), ("slots", &[("fleet", kind), ("serde", None)])]));
            assert_eq!(found, expected, "{kind:?}");
        };
        check(None, &["slots must not use fleet"]);
        check(Some("build"), &["slots must not use fleet"]);
        check(Some("dev"), &[]);
    }

    #[test]
    fn allowed_dependency_is_no_fault_and_an_unlisted_crate_is_one() {
        assert!(directions(&metadata(&[("slots", &[]), ("boot", &[("slots", None)])])).is_empty());
        assert_eq!(
            directions(&metadata(&[("stray", &[])])),
            ["stray has no place in the table of directions"]
        );
    }

    #[test]
    fn metadata_that_cannot_be_read_is_a_fault_and_not_a_clean_tree() {
        for nothing in [Value::Null, json!({}), json!({"packages": []}), json!({"packages": "none"})] {
            assert_eq!(directions(&nothing).len(), 1, "{nothing}");
        }
    }

    #[test]
    fn each_fault_of_a_file_is_found() {
        let check = |name: &str, text: &str, expected: &[&str]| {
            let found = file_faults(name, text);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(fault, word)| fault.contains(word)), "{found:?}");
        };
        let long = format!("//! Long.\n{}", "x\n".repeat(LINES));
        check("crates/x/src/lib.rs", "//! Good.\n", &[]);
        check("crates/x/src/lib.rs", "use std::fs;\n", &["has no module doc"]);
        check("crates/x/src/lib.rs", &long, &["has more than"]);
        check("crates/x/src/lib.rs", "//! Good.\n// TODO: all of it", &["has a TODO"]);
        check("crates/x/tests/all.rs", &long, &[]);
        check("crates/x/tests/all.rs", "#[ignore]", &["has a #[ignore"]);
    }
}
