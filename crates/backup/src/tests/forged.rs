//! Contents that somebody who knows the passphrase has made: everything that does not follow from the manifest is
//! refused.

use std::fs;
use std::io::Write;

use serde_json::json;

use super::*;
use crate::age::Seal;
use crate::archive::{END, header, padding};

/// Compresses and encrypts a tar.
fn sealed(tar: &[u8]) -> Vec<u8> {
    encrypted(&zstd::encode_all(tar, 1).unwrap())
}

fn encrypted(contents: &[u8]) -> Vec<u8> {
    let mut seal = Seal::new(Vec::new(), &passphrase(), WorkFactor::QUICK).unwrap();
    seal.write_all(contents).unwrap();
    seal.finish().unwrap()
}

fn entry(name: &str, content: &[u8]) -> Vec<u8> {
    let size = content.len() as u64;
    [&header(name, size)[..], content, &vec![0; padding(size)]].concat()
}

/// A manifest of the file `a` with the content `b`, with some fields changed.
fn manifest(changes: serde_json::Value) -> Vec<u8> {
    let hash = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
    let mut manifest = json!({
        "format": 1, "product": "pitlane", "version": "34.1", "build": 34100, "platform": "p", "made": 0,
        "files": [{"name": "a", "size": 1, "sha256": hash}],
    });
    for (key, value) in changes.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    serde_json::to_vec(&manifest).unwrap()
}

fn tar(parts: &[&[u8]]) -> Vec<u8> {
    [&parts.concat()[..], &[0; END]].concat()
}

/// What unpacking says, which must leave nothing behind when it refuses.
fn unpacked(backup: &[u8]) -> Result<Manifest, Refusal> {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("restore");
    let result = Backup::open(backup, &passphrase()).and_then(|backup| backup.unpack(&into, &mut |_| {}));
    if result.is_err() && into.exists() {
        assert_eq!(fs::read_dir(&into).unwrap().count(), 0);
    }
    let beside = fs::read_dir(dir.path()).unwrap().count();
    assert!(beside <= 1, "something was written beside the directory");
    result
}

#[test]
fn files_must_follow_the_manifest_byte_for_byte() {
    let manifest = entry("manifest.json", &manifest(json!({})));
    let good = tar(&[&manifest, &entry("a", b"b")]);
    assert_eq!(unpacked(&sealed(&good)).unwrap().files.len(), 1);
    let differs = |file: &[u8]| {
        let refusal = unpacked(&sealed(&tar(&[&manifest, file]))).unwrap_err();
        assert!(matches!(refusal, Refusal::FileDiffers { .. }), "{refusal}");
    };
    differs(&entry("a", b"c"));
    differs(&entry("a", b"bb"));
    differs(&entry("../a", b"b"));
    differs(&entry("/etc/a", b"b"));
    let mut link = header("a", 0);
    link[156] = b'2';
    differs(&link);
    let other = |tar: &[u8]| {
        let refusal = unpacked(&sealed(tar)).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherContents { .. }), "{refusal}");
    };
    other(&tar(&[&manifest, &entry("a", b"b"), &entry("c", b"d")]));
    other(&[&good[..], &[0]].concat());
    other(&good[..good.len() - 1]);
    other(&[&manifest[..], &header("a", 1), b"b", &[1; 511], &[0; END]].concat());
    other(&tar(&[&entry("a", b"b"), &manifest]));
    other(b"");
}

#[test]
fn manifest_that_breaks_a_rule_is_refused() {
    let refused = |changes: serde_json::Value| {
        let refusal = unpacked(&sealed(&tar(&[&entry("manifest.json", &manifest(changes))]))).unwrap_err();
        assert!(!refusal.to_string().contains('\n'), "{refusal}");
        refusal
    };
    assert!(matches!(refused(json!({"format": 2})), Refusal::OtherFormat { format: 2 }));
    let hash = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
    let file = |name: &str, size: u64| json!({"name": name, "size": size, "sha256": hash});
    for changes in [
        json!({"product": "other"}),
        json!({"version": "x\ny"}),
        json!({"files": [file("../a", 1)]}),
        json!({"files": [file("b", 1), file("a", 1)]}),
        json!({"files": [file("a", 1), file("a", 1)]}),
        json!({"files": [file("a", 1), file("a/b", 1)]}),
        json!({"files": "none"}),
    ] {
        assert!(matches!(refused(changes.clone()), Refusal::OtherContents { .. }), "{changes}");
    }
    for changes in [
        json!({"files": [file("a", limits::MAX_FILE + 1)]}),
        json!({"files": [file("a", limits::MAX_FILE), file("b", limits::MAX_FILE), file("c", 1)]}),
        json!({"files": (0..=limits::MAX_FILES).map(|n| file(&format!("{n:05}"), 0)).collect::<Vec<_>>()}),
        json!({"platform": "p".repeat(limits::MAX_PLATFORM + 1)}),
        json!({"padding": "p".repeat(limits::MAX_MANIFEST as usize)}),
    ] {
        assert!(matches!(refused(changes.clone()), Refusal::TooLarge { .. }));
    }
    assert!(matches!(
        unpacked(&sealed(&tar(&[&entry("manifest.json", b"{")]))),
        Err(Refusal::OtherContents { .. })
    ));
}

#[test]
fn fields_of_a_later_release_are_passed_over() {
    let manifest = entry("manifest.json", &manifest(json!({"later": {"a": 1}})));
    unpacked(&sealed(&tar(&[&manifest, &entry("a", b"b")]))).unwrap();
}

#[test]
fn contents_that_are_no_archive_or_need_too_large_a_window_are_refused() {
    for contents in [&b""[..], b"any text", &noise(70_000)] {
        let refusal = unpacked(&encrypted(contents)).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherContents { .. }), "{refusal}");
    }
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(limits::WINDOW_LOG + 1).unwrap();
    encoder.write_all(&tar(&[&entry("manifest.json", &manifest(json!({}))), &entry("a", b"b")])).unwrap();
    let refusal = unpacked(&encrypted(&encoder.finish().unwrap())).unwrap_err();
    assert!(matches!(refusal, Refusal::OtherContents { .. }), "{refusal}");
}

#[test]
fn little_that_decompresses_to_much_is_not_read_to_its_end() {
    let bomb = vec![0; 64 << 20];
    let manifest = entry("manifest.json", &manifest(json!({})));
    let refusal = unpacked(&sealed(&[&manifest[..], &entry("a", b"b"), &bomb].concat())).unwrap_err();
    assert!(matches!(refusal, Refusal::OtherContents { .. }), "{refusal}");
}
