//! Checks a machine after a power cut: it starts a complete release, and acknowledged data is present.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use faultfs::{CrashState, lay_out};
use rusqlite::Connection;
use slots::{Slot, UnixMillis};
use tempfile::TempDir;

use crate::history::{Files, files_below};

const TRIES: u32 = 2;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// For one of this many disks, the whole store is read and acknowledged data is looked up in it.
const STORE_INTERVAL: usize = 8;

/// The role of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Manager,
    Node,
}

/// Checks the disks of one machine, each laid out in a folder.
pub(crate) struct Inspector<'a> {
    machine: Machine,
    releases: &'a [Files; 2],
    folder: TempDir,
    disks: usize,
    stores: usize,
}

impl fmt::Display for Inspector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} disks checked, {} stores read", self.disks, self.stores)
    }
}

impl<'a> Inspector<'a> {
    pub(crate) fn new(machine: Machine, releases: &'a BTreeMap<&'static str, [Files; 2]>) -> Self {
        let name = match machine {
            Machine::Manager => "manager",
            Machine::Node => "node1",
        };
        // In memory if possible: thousands of folders are created there.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let folder = folder.expect("a temporary folder");
        Self { machine, releases: &releases[name], folder, disks: 0, stores: 0 }
    }

    pub(crate) fn check(&mut self, state: &CrashState<'_>) -> Result<(), String> {
        self.disks += 1;
        let root = self.folder.path().join("machine");
        lay_out(state.nodes, &root).map_err(|error| error.to_string())?;
        let verdict = self.check_root(&root, state.marks);
        fs::remove_dir_all(&root).map_err(|error| error.to_string())?;
        verdict
    }

    fn check_root(&mut self, root: &Path, marks: &[&str]) -> Result<(), String> {
        let slots = slots::Machine::open(root);
        if !marks.contains(&"serves") && slots.record().is_err() {
            return match slots.install_first() {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("it is not installed and cannot be installed: {error}")),
            };
        }
        let start = slots.next_start(TRIES, NOW).map_err(|error| format!("it does not start: {error}"))?;
        let release = &self.releases[usize::from(start.slot == Slot::B)];
        if files_below(&slots.slot_dir(start.slot)) != *release {
            return Err(format!("slot {} would be started and is not complete", start.slot));
        }
        if marks.contains(&"ended") && start.slot != Slot::B {
            return Err("the release from before the run would be started after it".into());
        }
        let confirmed = slots.record().map_err(|error| error.to_string())?.confirmed;
        self.state_is_complete(root, confirmed, marks)
    }

    fn state_is_complete(&mut self, root: &Path, confirmed: Slot, marks: &[&str]) -> Result<(), String> {
        match self.machine {
            Machine::Node => json_files_are_complete(&root.join("state")),
            Machine::Manager if self.disks.is_multiple_of(STORE_INTERVAL) => {
                self.stores += 1;
                package_is_complete(root, marks)?;
                store_is_complete(&root.join(format!("store-{confirmed}.db")), marks)
            }
            Machine::Manager => package_is_complete(root, marks),
        }
    }
}

/// Every state file of a node is complete or absent.
fn json_files_are_complete(dir: &Path) -> Result<(), String> {
    for (name, contents) in files_below(dir) {
        if name.extension().is_some_and(|kind| kind == "json")
            && let Err(error) = serde_json::from_slice::<serde_json::Value>(&contents)
        {
            return Err(format!("{} is damaged: {error}", name.display()));
        }
    }
    Ok(())
}

/// The store is intact and contains acknowledged data.
fn store_is_complete(path: &Path, marks: &[&str]) -> Result<(), String> {
    if !path.exists() {
        return match marks.contains(&"serves") {
            true => Err(format!("{} does not exist", path.display())),
            false => Ok(()),
        };
    }
    let failed = |error: rusqlite::Error| format!("{}: {error}", path.display());
    let store = Connection::open(path).map_err(failed)?;
    let ask = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(failed);
    let healthy = ask("PRAGMA integrity_check")?;
    if healthy != "ok" {
        return Err(format!("{}: {healthy}", path.display()));
    }
    for alias in marks.iter().filter_map(|mark| mark.strip_prefix("room ")) {
        ask(&format!("SELECT alias FROM conference_alias WHERE alias = '{alias}'"))?;
    }
    for (mark, sql) in [
        ("uploaded", "SELECT manifest FROM package"),
        ("started", "SELECT body FROM run"),
        ("serves", "SELECT name FROM account"),
    ] {
        if marks.contains(&mark) {
            ask(sql)?;
        }
    }
    Ok(())
}

/// A package that was acknowledged is present and complete.
fn package_is_complete(root: &Path, marks: &[&str]) -> Result<(), String> {
    if !marks.contains(&"uploaded") || marks.contains(&"started") {
        return Ok(());
    }
    let files = files_below(&root.join("packages"));
    let is_partial = |part: &OsStr| part.as_encoded_bytes().ends_with(b".partial");
    for name in ["package.pitlane", "payload-node", "manifest.json", "manifest.json.minisig"] {
        let whole = |(path, contents): (&PathBuf, &Vec<u8>)| {
            path.ends_with(name) && !path.iter().any(is_partial) && !contents.is_empty()
        };
        if !files.iter().any(whole) {
            return Err(format!("{name} of the uploaded package is missing: {:?}", files.keys()));
        }
    }
    Ok(())
}
