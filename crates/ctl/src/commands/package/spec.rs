//! The specification of a package, in TOML, read into the recipe that crate `package` builds from. Paths are relative
//! to the file's own directory. Payload files are not read here.
//!
//! ```toml
//! version = "34.1"
//! build = 34100
//! released = "2026-11-23"        # today when left out
//! valid_until = "2028-11-22"     # the last day of upgrades to it; two years when left out, or "never"
//! notes = "notes.md"
//!
//! [protocols]
//! wire = { min = 1, max = 1 }
//! media = 1
//!
//! [[path]]
//! to = "34.1"
//! from = "34"
//! reason = "the node's store changed"
//!
//! [[rules]]                       # what else must hold; when left out, the hashes md5 and sha1 from below 32
//! rule = "certificate_hash"
//! from_below = "35"
//! hashes = ["md5", "sha1"]
//!
//! [manager]
//! program = "bin/pitlane-manager"
//! [manager.files]
//! "bin/pitlane-manager" = "target/release/pitlane-manager"
//!
//! [node]
//! program = "bin/pitlane-node"
//! [node.files]
//! "bin/pitlane-node" = "target/release/pitlane-node"
//! ```
//!
//! A file is executable in the slot if it is executable here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ::package::limits::{MAX_FILES, MAX_MANIFEST};
use ::package::rules::Rule;
use ::package::{Level, Mode, PayloadSource, Protocols, Recipe, SlotPath, SourceFile};
use fleet::path;
use fleet::version::{Build, Version};
use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;

use crate::api::now;
use crate::failure::Failure;

/// Largest accepted specification, in bytes: every file of both payloads has a line.
const MAX_SPEC: u64 = 1 << 20;

/// How many days after its release a package may be used for an upgrade, if its specification does not contain a
/// last day. Two years: longer than the time between two steps of a platform's version path, and short enough that
/// a release with a known fault cannot be installed for ever. A step that is needed later is signed again.
const VALID_DAYS: i64 = 2 * 365;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    version: Version,
    build: Build,
    released: Option<String>,
    valid_until: Option<String>,
    notes: PathBuf,
    protocols: Protocols,
    path: path::Path,
    rules: Option<Vec<Rule>>,
    manager: Payload,
    node: Payload,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    program: String,
    files: BTreeMap<String, PathBuf>,
}

/// Reads a specification and the files that it names, except those of the payloads.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(file: &Path, level: Level) -> Result<Recipe, Failure> {
    let text = read_small(file, MAX_SPEC)?;
    let wrong = |source| Failure::Toml { file: file.into(), source: Box::new(source) };
    let spec: Spec = toml::from_str(&text).map_err(wrong)?;
    let dir = file.parent().unwrap_or(Path::new(""));
    let Spec { version, build, released, valid_until, notes, protocols, path, rules, manager, node } = spec;
    let released = released.map_or(Ok(today()), |text| day(file, &text))?;
    let valid_until = match valid_until.as_deref() {
        Some("never") => None,
        Some(text) => Some(day(file, text)?),
        None => Some(released.saturating_add(Span::new().days(VALID_DAYS))),
    };
    let notes = read_small(&dir.join(notes), MAX_MANIFEST)?;
    let (manager, node) = (payload(file, dir, manager)?, payload(file, dir, node)?);
    if let Some(name) = rules.iter().flatten().find_map(unknown) {
        return Err(refuse(file, format!("{name:?} is the name of no rule; there is certificate_hash")));
    }
    Ok(Recipe { version, build, released, valid_until, path, rules, protocols, notes, manager, node, level })
}

/// The name of a rule that no Management Node of this release knows.
fn unknown(rule: &Rule) -> Option<&str> {
    match rule {
        Rule::CertificateHash(_) => None,
        Rule::Unknown { name, fields: _ } => Some(name),
    }
}

fn day(file: &Path, text: &str) -> Result<Date, Failure> {
    text.parse().map_err(|_| refuse(file, format!("{text:?} is not a day like 2026-11-23")))
}

fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(now().0).date()
}

fn refuse(file: &Path, why: String) -> Failure {
    Failure::Declined {
        what: format!("{}: {why}", file.display()),
        hint: "correct the file and try again".into(),
    }
}

fn payload(spec: &Path, dir: &Path, payload: Payload) -> Result<PayloadSource, Failure> {
    let slot_path = |text: &str| text.parse::<SlotPath>().map_err(|error| refuse(spec, error.to_string()));
    if payload.files.len() > MAX_FILES {
        return Err(refuse(
            spec,
            format!("a payload has {} files, {MAX_FILES} are allowed", payload.files.len()),
        ));
    }
    let mut files = Vec::new();
    for (path, source) in &payload.files {
        let source = dir.join(source);
        let about = fs::metadata(&source).map_err(Failure::io(format!("read {}", source.display())))?;
        let executable = about.permissions().mode() & 0o100 != 0;
        let mode = if executable { Mode::Executable } else { Mode::Plain };
        files.push(SourceFile { source, path: slot_path(path)?, mode });
    }
    Ok(PayloadSource { files, program: slot_path(&payload.program)? })
}

fn read_small(file: &Path, limit: u64) -> Result<String, Failure> {
    let failed = || Failure::io(format!("read {}", file.display()));
    if fs::metadata(file).map_err(failed())?.len() > limit {
        return Err(failed()(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    fs::read_to_string(file).map_err(failed())
}
