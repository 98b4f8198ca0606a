//! How long it takes to verify a package, a slot with a copy of its program into memory as `boot` makes it, and a
//! slot without that as a program checks its own once a minute, each next to plain SHA-256 of the same bytes in the same run. Prints the medians of the ratios of all rounds.

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fleet::path::Step;
use fleet::version::{Build, Version};
use package::{
    Installed, Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, Role, SourceFile, TrustedKeys,
    build, copy_program, extract_payload, generate_key, unpack_release, verify_file, verify_slot,
    verify_slot_but_program,
};
use sha2::Digest as _;

/// Bytes of each of the two payloads: a package of about 64 MiB.
const PAYLOAD: usize = 32 << 20;

/// Odd, so that the median is one of them.
const ROUNDS: usize = 15;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (package, trusted) = prepare(dir.path());
    compare("package", &package, || {
        verify_file(&package, &trusted).expect("a good package");
    });
    let (slot, program, says) = unpacked(dir.path(), &package, &trusted);
    compare("slot", &program, || copy_verified(&slot, &says, &trusted));
    compare("checked slot", &program, || verify_slot(&slot, &says, &trusted).expect("a good slot"));
}

/// Prints what the work on a file costs, next to its plain hash.
fn compare(what: &str, file: &Path, work: impl Fn()) {
    let size = fs::metadata(file).expect("the file").len();
    let mut rounds: Vec<(Duration, Duration)> =
        (0..ROUNDS).map(|_| (time(|| plain_sha256(file)), time(&work))).collect();
    rounds.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    let (first, median, last) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
    println!("{what}: {:.1} MiB, {ROUNDS} rounds", size as f64 / f64::from(1 << 20));
    println!("plain SHA-256: {:.1} ms, verify: {:.1} ms", millis(median.0), millis(median.1));
    println!(
        "verify {what} / sha256 = {:.2}x (rounds between {:.2}x and {:.2}x)",
        ratio(median),
        ratio(first),
        ratio(last)
    );
}

/// A slot with the node's payload, the program in it, and what the slot says of itself.
fn unpacked(dir: &Path, package: &Path, trusted: &TrustedKeys) -> (PathBuf, PathBuf, Installed) {
    let verified = verify_file(package, trusted).expect("a good package");
    let (payload, slot) = (dir.join("payload"), dir.join("slot"));
    extract_payload(package, &verified, Role::Node, &payload).expect("a good package");
    unpack_release(&payload, &verified, Role::Node, &slot).expect("room for it");
    let program = slot.join("bin/pitlane-node");
    (slot, program, verified.installed(Role::Node))
}

/// What `boot` does before a start.
fn copy_verified(slot: &Path, says: &Installed, trusted: &TrustedKeys) {
    let payload = verify_slot_but_program(slot, says, trusted).expect("a good slot");
    let memory = rustix::fs::memfd_create("bench", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    copy_program(slot, &payload, &mut fs::File::from(memory)).expect("a good program");
}

fn ratio((plain, verify): (Duration, Duration)) -> f64 {
    verify.as_secs_f64() / plain.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    black_box(work());
    begin.elapsed()
}

/// What the verification is measured against: the file read once, in portions of the same size.
fn plain_sha256(file: &Path) -> [u8; 32] {
    let mut file = fs::File::open(file).expect("the package");
    let mut hasher = sha2::Sha256::new();
    let mut portion = vec![0; 128 << 10];
    loop {
        let count = file.read(&mut portion).expect("the package");
        if count == 0 {
            return hasher.finalize().into();
        }
        hasher.update(&portion[..count]);
    }
}

/// Builds a package of data that does not compress.
fn prepare(dir: &Path) -> (PathBuf, TrustedKeys) {
    let key = generate_key("a key for the bench").expect("a key");
    key.write(dir, "bench").expect("the key files");
    let trusted = TrustedKeys::load(dir).expect("the key");
    let step =
        Step { to: Version::new(34, 1), from: Version::new(34, 0), reason: "the store changed".to_string() };
    let recipe = Recipe {
        version: Version::new(34, 1),
        build: Build(34_100),
        released: jiff::civil::date(2026, 11, 23),
        valid_until: None,
        rules: None,
        path: fleet::path::Path(vec![step]),
        protocols: Protocols { wire: ProtocolRange { min: 1, max: 1 }, media: 1 },
        notes: String::new(),
        manager: payload(dir, "bin/pitlane-manager", 1),
        node: payload(dir, "bin/pitlane-node", 2),
        level: Level::QUICK,
    };
    let out = dir.join("bench.pkg");
    build(&recipe, &key.signing, &out).expect("a package");
    (out, trusted)
}

fn payload(dir: &Path, path: &str, seed: u64) -> PayloadSource {
    let source = dir.join(format!("program-{seed}"));
    let mut state = seed;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let noise: Vec<u8> = (0..PAYLOAD / 8).flat_map(|_| word()).collect();
    fs::write(&source, noise).expect("the program");
    let path: package::SlotPath = path.parse().expect("a path in a slot");
    PayloadSource {
        files: vec![SourceFile { source, path: path.clone(), mode: Mode::Executable }],
        program: path,
    }
}
