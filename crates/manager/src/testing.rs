//! Fixtures for the tests of this crate: a machine in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clock::SetByHand;
use fleet::desired::Generation;
use fleet::observed::{self, Admission, Calls, Observed, ReleaseState};
use fleet::path::{self, Step};
use fleet::policy::Policy;
use fleet::time::Time;
use fleet::version::{Build, Release, Version};
use package::{
    Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, Role, SigningKey, SlotPath, SourceFile,
    Verified,
};
use slots::{Machine, Slot, Staging};
use tempfile::TempDir;

use crate::driver::Committer;
use crate::layout::Layout;
use crate::own_machine::{OwnMachine, identity};
use crate::start::{ReleaseStatus, open_store, take_over, take_over_on};

/// How long a test waits for a condition.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A machine whose slot a contains this release, confirmed, and that trusts one key.
pub(crate) struct Bench {
    dir: TempDir,
    key: SigningKey,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("trust")).unwrap();
        let pair = package::generate_key("a key for tests").unwrap();
        pair.write(&dir.path().join("trust"), "test").unwrap();
        let settings =
            "[manager]\npeople = \"127.0.0.1:0\"\nnodes = \"127.0.0.1:0\"\nnames = [\"127.0.0.1\"]\n";
        fs::write(dir.path().join("machine.toml"), settings).unwrap();
        let bench = Self { dir, key: pair.signing };
        bench.fill(bench.own(Slot::A).machine.install_first().unwrap(), "exit 0");
        bench
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.root())
    }

    pub(crate) fn own(&self, slot: Slot) -> OwnMachine {
        OwnMachine {
            machine: Machine::open(self.root()),
            slot,
            release: Release::PRESENT,
            layout: self.layout(),
        }
    }

    /// Stages this same release once more, as another package, and selects it.
    pub(crate) fn select_again(&self) -> String {
        let own = self.own(Slot::A);
        let manifest = self.fill(own.machine.begin_staging(Slot::A).unwrap(), "exit 1");
        own.machine.select(&manifest).unwrap();
        manifest
    }

    /// The committer of the confirmed release in slot a.
    pub(crate) async fn committer(&self) -> Committer {
        let layout = self.layout();
        let connection = open_store(&layout, ReleaseStatus::Confirmed, Slot::A, &mut || {}).unwrap();
        take_over(connection, layout.store(Slot::A), Policy::standard(), Release::PRESENT, None)
            .await
            .unwrap()
    }

    /// The same on a machine with these clocks.
    pub(crate) async fn committer_on(&self, clocks: &SetByHand) -> Committer {
        let layout = self.layout();
        let connection = open_store(&layout, ReleaseStatus::Confirmed, Slot::A, &mut || {}).unwrap();
        let (clocks, path) = (Arc::new(clocks.clone()), layout.store(Slot::A));
        take_over_on(clocks, connection, path, Policy::standard(), Release::PRESENT, None).await.unwrap()
    }

    /// The release after this one, signed, as an uploaded file. The checks of its programs succeed.
    pub(crate) fn upload(&self) -> PathBuf {
        self.upload_with("exit 0")
    }

    /// The same, with programs that run this script.
    pub(crate) fn upload_with(&self, script: &str) -> PathBuf {
        let running = Release::PRESENT.version;
        let version = Version::new(running.major, running.minor + 1);
        let release = Release { version, build: Build(Release::PRESENT.build.0 + 100) };
        let upload = self.root().join("upload.pitlane");
        let recipe = recipe(self.root(), release, running, script);
        package::build(&recipe, &self.key, &upload).unwrap();
        upload
    }

    /// The manifest of what [`Bench::select_again`] stages.
    pub(crate) fn again(&self) -> String {
        let folder = TempDir::new().unwrap();
        self.own_package("exit 1", folder.path()).hash().to_string()
    }

    /// This same release, signed, in `package` in a folder. The same script makes the same package.
    fn own_package(&self, script: &str, folder: &Path) -> Verified {
        let recipe = recipe(folder, Release::PRESENT, Version::new(33, 0), script);
        package::build(&recipe, &self.key, &folder.join("package")).unwrap()
    }

    /// Fills a slot with this same release, signed, with programs that run this script; returns its manifest.
    fn fill(&self, staging: Staging, script: &str) -> String {
        let folder = TempDir::new().unwrap();
        let (file, payload) = (folder.path().join("package"), folder.path().join("payload"));
        let verified = self.own_package(script, folder.path());
        package::extract_payload(&file, &verified, Role::Manager, &payload).unwrap();
        package::unpack_release(&payload, &verified, Role::Manager, &staging.dir()).unwrap();
        staging.finish(&identity(&verified)).unwrap();
        verified.hash().to_string()
    }
}

/// A release whose programs run a script, and are made in a folder.
fn recipe(folder: &Path, release: Release, from: Version, script: &str) -> Recipe {
    let payload = |name: &str| {
        let source = folder.join(name);
        fs::write(&source, format!("#!/bin/sh\n# {name}\n{script}\n")).unwrap();
        let path: SlotPath = format!("bin/{name}").parse().unwrap();
        let file = SourceFile { source, path: path.clone(), mode: Mode::Executable };
        PayloadSource { files: vec![file], program: path }
    };
    Recipe {
        version: release.version,
        build: release.build,
        released: jiff::civil::date(2026, 11, 23),
        valid_until: None,
        rules: None,
        path: path::Path(vec![Step { to: release.version, from, reason: "the store changed".into() }]),
        protocols: Protocols { wire: ProtocolRange { min: 1, max: 1 }, media: 1 },
        notes: "For tests.".into(),
        manager: payload("pitlane-manager"),
        node: payload("pitlane-node"),
        level: Level::QUICK,
    }
}

/// The report of a healthy node that has accepted no desired state yet.
pub(crate) fn observed(at: u64) -> Observed {
    Observed {
        at: Time(at),
        generation: Generation::default(),
        release: Release::PRESENT,
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::NONE,
        staging: observed::Staging::Nothing,
        unfit: None,
        start_fault: None,
        process: None,
    }
}

/// Waits until a condition holds, checked again after every commit.
pub(crate) async fn until(committer: &Committer, holds: impl Fn(&fleet::platform::Fleet) -> bool) {
    let mut commits = committer.commits();
    let waited = async {
        while !committer.read(|fleet, _| holds(fleet)) {
            commits.changed().await.unwrap();
        }
    };
    tokio::time::timeout(BOUND, waited).await.expect("the condition was never met");
}
