//! What the tests of this crate stand on: a machine in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clock::SetByHand;
use fleet::desired::Generation;
use fleet::observed::{Admission, Calls, Footing, Observed, Staging};
use fleet::path::{self, Step};
use fleet::policy::Policy;
use fleet::time::Time;
use fleet::version::{Build, Release, Version};
use package::{Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, SigningKey, SourceFile};
use slots::{Machine, Slot, SlotIdentity};
use tempfile::TempDir;

use crate::driver::{Desk, Own};
use crate::layout::Layout;
use crate::start::{Standing, open_store, take_over, take_over_on};

/// How long a test waits for what must happen.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A machine whose slot a holds this release, confirmed, and that trusts one key.
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
        fill(bench.own(Slot::A).machine.install_first().unwrap(), Release::COMPILED, "a");
        bench
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.root())
    }

    pub(crate) fn own(&self, slot: Slot) -> Own {
        Own { machine: Machine::open(self.root()), slot, layout: self.layout() }
    }

    /// Stages this very release once more, as another package, and selects it: it is to be tried.
    pub(crate) fn select_again(&self) -> String {
        let own = self.own(Slot::A);
        let manifest = fill(own.machine.begin_staging(Slot::A).unwrap(), Release::COMPILED, "b");
        own.machine.select(&manifest).unwrap();
        manifest
    }

    /// The desk of the confirmed release in slot a.
    pub(crate) async fn desk(&self) -> Desk {
        let layout = self.layout();
        let connection = open_store(&layout, Standing::Confirmed, Slot::A, &mut || {}).unwrap();
        take_over(connection, layout.store(Slot::A), Policy::standard(), None).await.unwrap()
    }

    /// The same on a machine with these clocks.
    pub(crate) async fn desk_on(&self, clocks: &SetByHand) -> Desk {
        let layout = self.layout();
        let connection = open_store(&layout, Standing::Confirmed, Slot::A, &mut || {}).unwrap();
        let (clocks, path) = (Arc::new(clocks.clone()), layout.store(Slot::A));
        take_over_on(clocks, connection, path, Policy::standard(), None).await.unwrap()
    }

    /// The release after this one, signed, as an uploaded file. Its programs find nothing wrong.
    pub(crate) fn upload(&self) -> PathBuf {
        self.upload_with("exit 0")
    }

    /// The same, with programs that run this script.
    pub(crate) fn upload_with(&self, script: &str) -> PathBuf {
        let file = |name: &str| {
            let source = self.root().join(name);
            fs::write(&source, format!("#!/bin/sh\n# {name}\n{script}\n")).unwrap();
            let path = format!("bin/{name}").parse().unwrap();
            SourceFile { source, path, mode: Mode::Executable }
        };
        let payload = |name: &str| PayloadSource {
            files: vec![file(name)],
            program: format!("bin/{name}").parse().unwrap(),
        };
        let running = Release::COMPILED.version;
        let version = Version::new(running.major, running.minor + 1);
        let step = Step { to: version, from: running, reason: "the store changed".into() };
        let recipe = Recipe {
            version,
            build: Build(Release::COMPILED.build.0 + 100),
            released: jiff::civil::date(2026, 11, 23),
            valid_until: None,
            path: path::Path(vec![step]),
            protocols: Protocols { wire: ProtocolRange { min: 1, max: 1 }, media: 1 },
            notes: "For tests.".into(),
            manager: payload("pitlane-manager"),
            node: payload("pitlane-node"),
            level: Level::QUICK,
        };
        let upload = self.root().join("upload.pitlane");
        package::build(&recipe, &self.key, &upload).unwrap();
        upload
    }
}

/// Puts a release with a program of a few bytes into a slot, and says its manifest.
fn fill(staging: slots::Staging, release: Release, tag: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(staging.dir().join("bin")).unwrap();
    let program = staging.dir().join("bin/pitlane-manager");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let manifest = tag.repeat(64);
    let (version, build) = (release.version.to_string(), release.build.0);
    let identity = SlotIdentity::new(manifest.clone(), version, build, "bin/pitlane-manager".into());
    staging.finish(&identity).unwrap();
    manifest
}

/// What a healthy node says that has accepted nothing yet.
pub(crate) fn observed(at: u64) -> Observed {
    Observed {
        at: Time(at),
        generation: Generation::default(),
        release: Release::COMPILED,
        footing: Footing::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::NONE,
        staging: Staging::Nothing,
        unfit: None,
        start_fault: None,
        process: None,
    }
}

/// Waits until something holds, looking again after every commit.
pub(crate) async fn until(desk: &Desk, holds: impl Fn(&fleet::platform::Fleet) -> bool) {
    let mut commits = desk.commits();
    let waited = async {
        while !desk.read(|fleet, _| holds(fleet)) {
            commits.changed().await.unwrap();
        }
    };
    tokio::time::timeout(BOUND, waited).await.expect("it never came to hold");
}
