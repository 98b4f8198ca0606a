//! A valid package, built once, and the key that signs what an input wants signed.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use fleet::path::{self, Step};
use fleet::version::{Build, Sha256, Version};
use package::{
    Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, Role, SourceFile, TrustedKeys, build,
    extract_payload, generate_key,
};

use crate::scratch;

/// The one untrusted comment that is accepted.
const UNTRUSTED: &str = "signature of a Pitlane upgrade package";

/// The valid package and its parts.
pub(crate) struct Release {
    pub(crate) bytes: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) payloads: [Vec<u8>; 2],
    pub(crate) hash: Sha256,
    pub(crate) trusted: TrustedKeys,
    /// The public key as a file, for targets that read the trust directory.
    pub(crate) public_key: String,
    secret: minisign::SecretKey,
}

impl Release {
    /// A signature by the trusted key.
    pub(crate) fn sign(&self, manifest: &[u8]) -> String {
        let made = minisign::sign(None, &self.secret, manifest, Some("fuzz"), Some(UNTRUSTED));
        made.expect("a signature").into_string()
    }
}

/// The package, the same in all runs of this process.
pub(crate) fn release() -> &'static Release {
    static RELEASE: OnceLock<Release> = OnceLock::new();
    RELEASE.get_or_init(make)
}

fn make() -> Release {
    let folder = scratch::folder();
    let pair = generate_key("a key for fuzzing").expect("a key");
    let (secret, public) = pair.write(folder.path(), "fuzz").expect("its files");
    let trusted = TrustedKeys::load(folder.path()).expect("the key");
    let secret = fs::read_to_string(secret).expect("the secret key");
    let secret = minisign::SecretKeyBox::from_string(&secret)
        .and_then(minisign::SecretKeyBox::into_unencrypted_secret_key)
        .expect("a secret key");
    let file = folder.path().join("release");
    let verified = build(&recipe(folder.path()), &pair.signing, &file).expect("a package");
    let payloads = Role::ALL.map(|role| {
        let to = folder.path().join("payload");
        extract_payload(&file, &verified, role, &to).expect("a payload");
        fs::read(to).expect("a payload")
    });
    Release {
        bytes: fs::read(&file).expect("the package"),
        manifest: verified.manifest_bytes().to_vec(),
        payloads,
        hash: verified.hash(),
        trusted,
        public_key: fs::read_to_string(public).expect("the public key"),
        secret,
    }
}

fn recipe(folder: &Path) -> Recipe {
    let file = |content: &str, path: &str, mode| {
        let source = folder.join(path.replace('/', "-"));
        fs::write(&source, content).expect("a file");
        SourceFile { source, path: path.parse().expect("a path"), mode }
    };
    let payload = |program: &str, more: SourceFile| PayloadSource {
        files: vec![file(&format!("the program {program}"), program, Mode::Executable), more],
        program: program.parse().expect("a path"),
    };
    let (from, to) = (Version::new(34, 1), Version::new(34, 2));
    Recipe {
        version: to,
        build: Build(34_200),
        released: jiff::civil::date(2026, 11, 23),
        valid_until: None,
        rules: None,
        path: path::Path(vec![Step { to, from, reason: "the store changed".into() }]),
        protocols: Protocols { wire: ProtocolRange { min: 1, max: 2 }, media: 1 },
        notes: "For fuzzing.".into(),
        manager: payload("bin/pitlane-manager", file("", "web/empty.css", Mode::Plain)),
        node: payload("bin/pitlane-node", file("read me", "share/doc/readme", Mode::Plain)),
        level: Level::QUICK,
    }
}
