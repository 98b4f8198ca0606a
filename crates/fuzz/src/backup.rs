//! Backups: a valid one that was changed must be refused, and one whose contents somebody with the passphrase has made
//! must be what its manifest says, and leaves nothing outside its directory.

use std::fs;
use std::sync::OnceLock;

use backup::{Backup, Content, Manifest, Origin, Passphrase, Refusal, Source, WorkFactor};
use fleet::time::Wall;
use fleet::version::Release;

use crate::input::patched;
use crate::scratch;

pub(crate) const DICTIONARY: &[&str] = &[
    "age-encryption.org/v1\n",
    "-> scrypt ",
    "-> X25519 ",
    "\n--- ",
    "manifest.json",
    "\"format\"",
    "\"product\"",
    "\"pitlane\"",
    "\"version\"",
    "\"build\"",
    "\"platform\"",
    "\"made\"",
    "\"files\"",
    "\"name\"",
    "\"size\"",
    "\"sha256\"",
    "../",
    "ustar",
    "18446744073709551615",
    "8589934592",
    "\u{28}\u{b5}\u{2f}\u{fd}",
];

/// The most bytes that are unpacked in a run. The product's own limit is 8 GiB and has tests.
const UNPACKED: u64 = 16 << 20;

fn passphrase() -> Passphrase {
    Passphrase::new("grandstand").expect("a passphrase")
}

/// A valid backup.
fn good() -> &'static [u8] {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let source = |name: &str, content: &[u8]| Source {
            name: name.parse().expect("a name"),
            content: Content::Bytes(content.into()),
        };
        let sources = [source("store.db", &[7; 2_000]), source("state/authority.key", b"secret")];
        let origin = Origin { release: Release::PRESENT, platform: "p".into(), made: Wall(0) };
        backup::make(Vec::new(), &passphrase(), WorkFactor::QUICK, origin, &sources).expect("a backup").0
    })
}

/// Raw bytes, patches to the valid backup, contents that are encrypted here, or an archive that is compressed and
/// encrypted here.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'p' => changed(&patched(good(), data)),
        b'c' => unpacked(&backup::fuzz::encrypted(data, &passphrase())),
        b'a' => {
            let compressed = zstd::encode_all(data, 1).expect("compressed");
            unpacked(&backup::fuzz::encrypted(&compressed, &passphrase()));
        }
        _ => changed(data),
    }
}

/// Any backup but the valid one, byte for byte, is refused.
fn changed(bytes: &[u8]) {
    match read(bytes) {
        Ok(_) => assert!(bytes == good(), "a backup was read that nobody made"),
        Err(refusal) => check(&refusal),
    }
}

fn read(bytes: &[u8]) -> Result<Manifest, Refusal> {
    // Attempts at other work factors would be all that the time is spent on.
    let is_slow = bytes.iter().take(200).filter(|byte| **byte == b'\n').count() > 1 && !has_factor_of(bytes);
    if is_slow {
        Err(Refusal::WrongPassphrase)
    } else {
        Backup::open(bytes, &passphrase())?.check(&mut |_| {})
    }
}

/// Whether the second line names the work factor of the valid backup, or one that is refused.
fn has_factor_of(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').nth(1).unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    let factor = text.rsplit(' ').next().and_then(|factor| factor.parse::<u8>().ok());
    factor.is_none_or(|factor| factor <= 8 || factor > backup::limits::MAX_WORK)
}

/// Unpacks a backup and compares what is there with its manifest.
fn unpacked(bytes: &[u8]) {
    let opened = match Backup::open(bytes, &passphrase()) {
        Ok(opened) => opened,
        Err(refusal) => return check(&refusal),
    };
    if opened.manifest().total() > UNPACKED {
        return;
    }
    let folder = scratch::folder();
    let into = folder.path().join("restore");
    match opened.unpack(&into, &mut |progress| assert!(progress.done <= progress.total)) {
        Ok(manifest) => {
            for file in &manifest.files {
                let there = fs::metadata(file.name.below(&into)).expect("a file of the manifest");
                assert!(there.is_file() && there.len() == file.size);
            }
        }
        Err(refusal) => {
            check(&refusal);
            assert_eq!(
                fs::read_dir(&into).expect("the directory").count(),
                0,
                "a refusal leaves files behind"
            );
        }
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder").count(),
        1,
        "something was written beside it"
    );
}

fn check(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(!text.is_empty() && text.len() < 4096, "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let contents = backup::fuzz::decrypted(good(), &passphrase());
    let archive = zstd::decode_all(&contents[..]).expect("an archive");
    vec![
        tagged(b'w', good()),
        tagged(b'p', &[]),
        tagged(b'p', &[0, 0, 2, 0, 3, b'x', b'y', b'z']),
        tagged(b'c', &contents),
        tagged(b'a', &archive),
    ]
}
