//! Small signed releases for the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;

use fleet::path::Step;
use fleet::version::{Build, Version};
use package::{
    KeyPair, Level, MANIFEST_FILE, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, Role,
    SIGNATURE_FILE, SigningKey, SourceFile, build, generate_key,
};
use slots::SlotIdentity;

/// A file of a slot.
#[derive(Clone, Debug)]
pub(crate) struct SlotFile {
    pub(crate) name: &'static str,
    pub(crate) contents: Vec<u8>,
    pub(crate) mode: u32,
}

/// A release as it lies in a slot.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) identity: SlotIdentity,
    pub(crate) files: Vec<SlotFile>,
}

/// The key that the machines of a test trust.
pub(crate) fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| generate_key("a key for tests").expect("randomness"))
}

/// Lets a machine trust [`key`].
pub(crate) fn trust(root: &Path) {
    let dir = root.join("trust");
    fs::create_dir(&dir).expect("a new directory");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (_, public) = key().write(elsewhere.path(), "test").expect("a key file");
    fs::copy(public, dir.join("test.pub")).expect("room for it");
}

/// Release 34.N with this program and `bin/helper`, signed with `key`. Release 2 prints `34.2 (34200)`.
pub(crate) fn signed(release: u32, program: &str, helper: &str, key: &SigningKey) -> Signed {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path(), release, program, helper);
    let verified = build(&recipe, key, &folder.path().join("package")).expect("a package");
    let installed = verified.installed(Role::Node);
    let plain = |name, contents: &[u8]| SlotFile { name, contents: contents.into(), mode: 0o644 };
    Signed {
        identity: SlotIdentity::new(
            installed.manifest,
            installed.version,
            installed.build,
            installed.program,
        ),
        files: vec![
            SlotFile { mode: 0o755, ..plain("bin/program", program.as_bytes()) },
            plain("bin/helper", helper.as_bytes()),
            plain(MANIFEST_FILE, verified.manifest_bytes()),
            plain(SIGNATURE_FILE, verified.signature_text().as_bytes()),
        ],
    }
}

fn recipe(folder: &Path, release: u32, program: &str, helper: &str) -> Recipe {
    let version = Version::new(34, u16::try_from(release).expect("a small number"));
    let file = |name: &str, contents: &str, mode| {
        let source = folder.join(name);
        fs::write(&source, contents).expect("room for it");
        SourceFile { source, path: format!("bin/{name}").parse().expect("a path in a slot"), mode }
    };
    let payload = PayloadSource {
        files: vec![file("program", program, Mode::Executable), file("helper", helper, Mode::Plain)],
        program: "bin/program".parse().expect("a path in a slot"),
    };
    Recipe {
        version,
        build: Build(34_000 + release * 100),
        released: jiff::civil::date(2026, 11, 23),
        valid_until: None,
        rules: None,
        path: fleet::path::Path(vec![Step {
            to: version,
            from: Version::new(34, 0),
            reason: "a test".into(),
        }]),
        protocols: Protocols { wire: ProtocolRange { min: 1, max: 1 }, media: 1 },
        notes: String::new(),
        manager: payload.clone(),
        node: payload,
        level: Level::QUICK,
    }
}

impl Signed {
    /// Writes the files into a directory that is being staged, without making anything durable.
    pub(crate) fn unpack(&self, dir: &Path) {
        fs::create_dir(dir.join("bin")).expect("a new directory");
        for SlotFile { name, contents, mode } in &self.files {
            fs::write(dir.join(name), contents).expect("room for it");
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(*mode)).expect("our own file");
        }
    }
}
