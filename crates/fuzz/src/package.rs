//! The upgrade package as it is uploaded, and its manifest. A valid package is built and signed here; a changed one
//! must be refused, and one that is signed with a trusted key must contain what its manifest lists.

pub(crate) mod release;
mod signed;

use std::fs;
use std::path::Path;

use package::{
    Download, Refusal, Role, Verified, check_slot, extract_payload, read_head, unpack, verify,
    verify_manifest,
};

use crate::input::{joined, parts, patched};
use crate::scratch;
pub(crate) use release::release;

pub(crate) const DICTIONARY: &[&str] = &[
    "\"format\"",
    "\"product\"",
    "\"version\"",
    "\"build\"",
    "\"released\"",
    "\"path\"",
    "\"protocols\"",
    "\"wire\"",
    "\"min\"",
    "\"max\"",
    "\"media\"",
    "\"notes\"",
    "\"payloads\"",
    "\"manager\"",
    "\"node\"",
    "\"role\"",
    "\"size\"",
    "\"unpacked_size\"",
    "\"program\"",
    "\"files\"",
    "\"pieces\"",
    "\"sha256\"",
    "\"mode\"",
    "\"executable\"",
    "\"plain\"",
    "\"to\"",
    "\"from\"",
    "\"reason\"",
    "bin/",
    "../",
    "ustar",
    "manifest.json",
    "manifest.json.minisig",
    "payload-manager.tar.zst",
    "payload-node.tar.zst",
    "18446744073709551615",
    "4294967296",
    "-1",
    "1e999",
    "34.1",
    "\u{28}\u{b5}\u{2f}\u{fd}",
];

/// The most bytes that are unpacked in a run. The product's own limit is 4 GiB and has tests.
const UNPACKED: u64 = 16 << 20;

/// An upload: raw bytes, patches to the valid package, parts that are signed here, or the node's payload as an archive
/// that is compressed and signed here.
pub(crate) fn upload(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'p' => changed(&patched(&release().bytes, data)),
        b's' => forged(&signed::package(&parts(data), signed::Node::Compressed)),
        b'a' => forged(&signed::package(&parts(data), signed::Node::Archive)),
        _ => changed(data),
    }
}

/// Any package but the valid one, byte for byte, is refused.
fn changed(bytes: &[u8]) {
    let good = release();
    match verify(bytes, &good.trusted) {
        Ok(verified) => {
            assert!(bytes == good.bytes, "a package was accepted that nobody signed");
            use_verified(bytes, &verified);
        }
        Err(refusal) => check_refusal(&refusal),
    }
    // The head alone may be unchanged.
    if let Ok(head) = read_head(bytes, &good.trusted) {
        assert_eq!(head.hash(), good.hash);
    }
}

/// A package with any contents, signed by a trusted key.
fn forged(bytes: &[u8]) {
    match verify(bytes, &release().trusted) {
        Ok(verified) => {
            assert_eq!(verified.package_size(), bytes.len() as u64);
            use_verified(bytes, &verified);
        }
        Err(refusal) => check_refusal(&refusal),
    }
}

/// Does what manager and node do with a verified package.
fn use_verified(bytes: &[u8], verified: &Verified) {
    let folder = scratch::folder();
    let file = folder.path().join("package");
    fs::write(&file, bytes).expect("the package");
    for role in Role::ALL {
        assert_eq!(verified.installed(role).manifest, verified.hash().to_string());
        let payload = folder.path().join(role.payload_file());
        extract_payload(&file, verified, role, &payload).expect("a verified payload");
        downloaded(&fs::read(&payload).expect("the payload"), verified, role, folder.path());
        if verified.payload(role).unpacked_size <= UNPACKED {
            unpacked(&payload, verified, role, folder.path());
        }
    }
}

/// Downloads a payload in unequal parts, one of them first with a wrong byte.
fn downloaded(payload: &[u8], verified: &Verified, role: Role, folder: &Path) {
    let to = folder.join("download");
    let mut download = Download::open(&to, verified.payload(role)).expect("a download");
    let (first, second) = payload.split_at(payload.len() / 3);
    let mut wrong = second.to_vec();
    wrong[0] ^= 1;
    download.write(first).expect("the beginning");
    assert!(download.write(&wrong).is_err(), "a wrong byte was taken");
    download.write(&payload[download.at() as usize..]).expect("the rest");
    download.finish().expect("all of it");
    fs::remove_file(to).expect("no download");
}

/// Unpacking writes nothing outside the slot, and nothing in it that the manifest does not list.
fn unpacked(payload: &Path, verified: &Verified, role: Role, folder: &Path) {
    let (slot, listed) = (folder.join("slot"), verified.payload(role));
    let before = names(folder);
    match unpack(payload, listed, &slot, &mut |progress| assert!(progress.done <= progress.total)) {
        Ok(()) => {
            check_slot(&slot, listed).expect("an unpacked slot");
            assert_eq!(files(&slot), listed.files.len());
        }
        Err(refusal) => {
            check_refusal(&refusal);
            assert!(names(&slot).is_empty(), "a refusal leaves files behind");
        }
    }
    fs::remove_dir_all(&slot).expect("no slot");
    assert_eq!(names(folder), before, "something was written beside the slot");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("the folder").flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

/// A refusal is a sentence of bounded length on one line, whatever the package contained.
fn check_refusal(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(!text.is_empty() && text.len() < 4096, "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// A manifest with any contents, signed by a trusted key.
pub(crate) fn manifest(data: &[u8]) {
    let good = release();
    let verified = match verify_manifest(data, good.sign(data).as_bytes(), &good.trusted) {
        Ok(verified) => verified,
        Err(refusal) => return check_refusal(&refusal),
    };
    let manifest = verified.manifest();
    let bytes = serde_json::to_vec(manifest).expect("a manifest is plain data");
    let again = verify_manifest(&bytes, good.sign(&bytes).as_bytes(), &good.trusted);
    assert_eq!(again.expect("a manifest reads back").manifest(), manifest);
    for role in Role::ALL {
        let payload = verified.payload(role);
        let sizes = (0..payload.pieces.len()).map(|index| payload.piece_size(index));
        assert_eq!(sizes.sum::<u64>(), payload.size);
        let slot = Path::new("/slot");
        assert!(payload.files.iter().all(|file| stays_below(&file.path.below(slot), slot)), "{payload:?}");
        let _ = payload.name();
    }
    assert!(verified.package_size() > 0);
    let _ = verified.admits(manifest.release(), None).map_err(|refusal| refusal.to_string());
}

fn stays_below(path: &Path, folder: &Path) -> bool {
    let plain = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::RootDir);
    path.starts_with(folder) && path.components().all(plain)
}

pub(crate) fn upload_seeds() -> Vec<Vec<u8>> {
    let good = release();
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let [manager, node] = &good.payloads;
    let archive = zstd::decode_all(node.as_slice()).expect("the node's archive");
    vec![
        tagged(b'w', &good.bytes),
        tagged(b'p', &[]),
        tagged(b'p', &[0, 0, 2, 0, 3, b'x', b'y', b'z']),
        tagged(b's', &joined(&[&good.manifest, manager, node])),
        tagged(b'a', &joined(&[&good.manifest, manager, &archive])),
    ]
}

pub(crate) fn manifest_seeds() -> Vec<Vec<u8>> {
    let compact: serde_json::Value = serde_json::from_slice(&release().manifest).expect("JSON");
    vec![release().manifest.clone(), compact.to_string().into_bytes()]
}
