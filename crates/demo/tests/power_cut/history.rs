//! Records all changes of the disks of a platform during an upgrade. The programs are the shipped ones, started by
//! scripts so that a package is small.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use demo::{AddressBlock, Built, Contents, Plan, Platform, Releases, Step, Topology};
use faultfs::{FaultFs, Record};

/// The time limit of every wait. Generous: the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The limits of the run, and the timeouts of the platform.
const LIMITS: [&str; 6] = ["--drain-limit", "5m", "--run-limit", "15m", "--rest", "1s"];
const SETTINGS: &str = "[boot]\nconfirm_within_seconds = 60\ntries = 2\nstop_grace_seconds = 5\n";

/// The files of a slot, by their path in it.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The recorded changes.
pub(crate) struct History {
    pub(crate) manager: Record,
    pub(crate) node: Record,
    /// The files of each machine's slots a and b at the end, when both are complete.
    pub(crate) releases: BTreeMap<&'static str, [Files; 2]>,
}

impl History {
    /// Records from the installation to the end of a run, with a room added before the run and one after it.
    pub(crate) fn of_an_upgrade() -> Self {
        let folder = tempfile::Builder::new().prefix("pitlane-").tempdir().expect("a temporary folder");
        let disks = ["manager", "node1"].map(|name| disk(folder.path(), name));
        let mark = |what: &str| disks.iter().for_each(|disk| disk.mark(what));
        let pitlane = |platform: &Platform, arguments: &[&str]| {
            platform.pitlane.run(arguments).unwrap_or_else(|error| panic!("{error}"));
        };
        let mut platform = bring_up(folder.path());
        mark("serves");
        pitlane(&platform, &["room", "add", "before", "--alias", "before"]);
        mark("room before");
        let package = platform.build_package("next", &Contents::next()).expect("a package");
        platform.upload(&package).unwrap_or_else(|error| panic!("{error}"));
        mark("uploaded");
        platform.start(&LIMITS).unwrap_or_else(|error| panic!("{error}"));
        mark("started");
        let ended = platform.wait_until_ended(TIMEOUT).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ended["last_run"]["outcome"], "complete", "{ended}");
        mark("ended");
        pitlane(&platform, &["room", "add", "after", "--alias", "after"]);
        mark("room after");
        platform.stop();
        let [manager, node] = disks.each_ref().map(FaultFs::record);
        let releases = ["manager", "node1"].map(|name| (name, slots_of(&folder.path().join(name))));
        Self { manager, node, releases: releases.into() }
    }
}

/// A recording disk at the root of a machine that is not installed yet.
fn disk(folder: &Path, name: &str) -> FaultFs {
    let [backing, at] = [folder.join(format!("{name}.behind")), folder.join(name)];
    fs::create_dir(&backing).expect("a new folder");
    fs::create_dir(&at).expect("a new folder");
    let disk = FaultFs::mount(&backing, &at).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    disk.begin_record().expect("a folder that can be read");
    disk
}

fn bring_up(folder: &Path) -> Platform {
    let plan = Plan {
        releases: scripts(&folder.join("releases")),
        manager: Built::PRESENT,
        conferencing: Built::PRESENT,
        folder: folder.to_owned(),
        topology: Topology::Loopback(AddressBlock::of_this_process()),
        nodes: 1,
        rooms: Vec::new(),
        settings: SETTINGS.to_owned(),
    };
    Platform::bring_up(plan).unwrap_or_else(|error| {
        let log = |name: &str| fs::read_to_string(folder.join("logs").join(name)).unwrap_or_default();
        panic!("{error}\nmanager: {}\nnode1: {}", log("manager.log"), log("node1.log"))
    })
}

/// The releases of the gate, with a script in place of each program that executes it.
fn scripts(dir: &Path) -> Releases {
    let built = Releases::of_the_gate(Step::TO_NEXT).unwrap_or_else(|error| panic!("{error}"));
    fs::create_dir(dir).expect("a new folder");
    for outside in ["pitlane", "pitlane-boot"] {
        symlink(built.program(outside), dir.join(outside)).expect("a new link");
    }
    for release in [Built::PRESENT, Built::NEXT] {
        fs::create_dir(dir.join(release.version)).expect("a new folder");
        for name in ["pitlane-manager", "pitlane-node"] {
            let script = dir.join(release.version).join(name);
            let program = built.program_of(release, name);
            fs::write(&script, format!("#!/bin/sh\nexec {} \"$@\"\n", program.display())).expect("a script");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
        }
    }
    Releases::in_folder(dir, Step::TO_NEXT).unwrap_or_else(|error| panic!("{error}"))
}

fn slots_of(root: &Path) -> [Files; 2] {
    ["a", "b"].map(|slot| files_below(&root.join("slots").join(slot)))
}

/// All files below a folder.
pub(crate) fn files_below(dir: &Path) -> Files {
    let mut found = Files::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("a folder that can be read").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("below it").to_owned();
                found.insert(name, fs::read(&path).expect("a file that can be read"));
            }
        }
    }
    found
}
