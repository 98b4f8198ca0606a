//! Payloads that are signed by a trusted key and differ from their manifest: nothing is written outside the staging
//! directory, and nothing remains in it.

use std::fs;
use std::io::Write;

use crate::container::{header, padding};
use crate::*;

use super::*;

/// An archive under construction.
#[derive(Default)]
struct Raw(Vec<u8>);

impl Raw {
    fn entry(mut self, header: [u8; 512], content: &[u8]) -> Self {
        self.0.extend(header);
        self.0.extend(content);
        self.0.extend(vec![0; padding(content.len() as u64)]);
        self
    }

    fn file(self, name: &str, content: &[u8], mode: u32) -> Self {
        self.entry(header(name, content.len() as u64, mode), content)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn end(self) -> Self {
        self.bytes(&[0; 1024])
    }
}

const PROGRAM: &str = "bin/pitlane-node";
const CONTENT: &[u8] = b"#!/bin/sh\nexec true\n";

/// The first entry of the good payload.
fn good_start() -> Raw {
    Raw::default().file(PROGRAM, CONTENT, 0o755)
}

/// The whole good archive.
fn good() -> Raw {
    good_start().file("share/doc/readme", b"read me", 0o644).end()
}

/// A header of another kind under a name, with a right checksum.
fn special(name: &str, kind: tar::EntryType, link: &str) -> [u8; 512] {
    let mut header = tar::Header::from_byte_slice(&header(name, 0, 0o755)).clone();
    header.set_entry_type(kind);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    *header.as_bytes()
}

/// Unpacks these bytes as the node payload, its pieces right and its files listed as in the good one.
fn unpack_compressed(compressed: &[u8]) -> Result<(), Refusal> {
    let kit = Kit::small();
    let mut payload = kit.build().1.payload(Role::Node).clone();
    (payload.size, payload.pieces) = pieces_of(compressed);
    fs::write(kit.at("payload"), compressed).unwrap();
    kit.unpack(&kit.at("payload"), &payload).map(|_| ())
}

fn unpack_archive(archive: Raw) -> Result<(), Refusal> {
    unpack_compressed(&zstd::encode_all(archive.0.as_slice(), 1).unwrap())
}

fn check(archive: Raw, expected: &str) {
    let said = refused(unpack_archive(archive));
    assert!(said.contains(expected), "{said:?} does not say {expected:?}");
}

#[test]
fn archive_that_the_forgeries_start_from_is_good() {
    unpack_archive(good()).unwrap();
}

#[test]
fn entry_outside_the_slot_is_refused() {
    check(Raw::default().file("../evil", CONTENT, 0o755), "the file \"../evil\"");
    check(Raw::default().file("/tmp/evil", CONTENT, 0o755), "the file \"/tmp/evil\"");
    check(Raw::default().file("bin/../../evil", CONTENT, 0o755), "the file \"bin/../../evil\"");
    check(Raw::default().file("bin/other", CONTENT, 0o755), "the file \"bin/other\"");
}

#[test]
fn entry_that_is_no_regular_file_is_refused() {
    use tar::EntryType;
    let start = |kind, link| Raw::default().entry(special(PROGRAM, kind, link), &[]);
    check(start(EntryType::Symlink, "/bin/sh"), "the symbolic link \"bin/pitlane-node\"");
    check(start(EntryType::Link, "/etc/passwd"), "the hard link \"bin/pitlane-node\"");
    check(start(EntryType::Char, ""), "the special entry \"bin/pitlane-node\"");
    check(start(EntryType::Block, ""), "the special entry");
    check(start(EntryType::Fifo, ""), "the special entry");
    check(start(EntryType::Directory, ""), "the directory");
    check(start(EntryType::GNULongName, ""), "the special entry");
    check(start(EntryType::XHeader, ""), "the special entry");
    check(start(EntryType::GNUSparse, ""), "the special entry");
    let link = Raw::default().entry(special("bin", EntryType::Symlink, "/tmp"), &[]);
    check(link.file(PROGRAM, CONTENT, 0o755), "the symbolic link \"bin\"");
}

#[test]
fn doubled_missing_added_or_swapped_file_is_refused() {
    check(good_start().file(PROGRAM, CONTENT, 0o755), "the file \"bin/pitlane-node\" of 20 bytes");
    check(good_start().end(), "holds the end of the archive where");
    check(good_start().file("share/doc/readme", b"read me", 0o644).file("more", b"x", 0o644), "\"more\"");
    check(Raw::default().file("share/doc/readme", b"read me", 0o644), "the file \"share/doc/readme\"");
    check(good().bytes(&[0]), "more bytes where the manifest lists the end of the archive");
    check(Raw::default(), "holds nothing more where");
}

#[test]
fn another_mode_owner_or_content_is_refused() {
    check(Raw::default().file(PROGRAM, CONTENT, 0o4755), "mode 4755");
    check(Raw::default().file(PROGRAM, CONTENT, 0o777), "mode 777");
    check(Raw::default().file(PROGRAM, b"#!/bin/sh\nexec fals\n", 0o755), "its content has another hash");
    let mut owned = header(PROGRAM, CONTENT.len() as u64, 0o755);
    let mut changed = tar::Header::from_byte_slice(&owned).clone();
    changed.set_uid(1000);
    changed.set_cksum();
    owned.copy_from_slice(changed.as_bytes());
    check(Raw::default().entry(owned, CONTENT), "where the manifest lists");
}

#[test]
fn wrong_sizes_are_refused() {
    check(Raw::default().file(PROGRAM, &noise(21), 0o755), "of 21 bytes");
    check(Raw::default().file(PROGRAM, &noise(19), 0o755), "of 19 bytes");
    let lying = header(PROGRAM, CONTENT.len() as u64, 0o755);
    check(Raw::default().entry(lying, &CONTENT[..19]).end(), "its content has another hash");
    check(Raw::default().bytes(&lying).bytes(&CONTENT[..19]), "holds nothing more where");
    check(
        Raw::default().bytes(&lying).bytes(CONTENT).bytes(&[1; 492]),
        "other bytes where the manifest lists zeros",
    );
}

#[test]
fn decompression_bomb_is_refused_after_its_listed_size() {
    // 1 GiB of zeros behind the archive, in a payload of about 100 kB.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&good().0).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    let said = refused(unpack_compressed(&encoder.finish().unwrap()));
    assert!(said.contains("holds more bytes where the manifest lists the end of the archive"), "{said}");
}

#[test]
fn window_above_the_limit_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(limits::WINDOW_LOG + 1).unwrap();
    encoder.write_all(&good().0).unwrap();
    let said = refused(unpack_compressed(&encoder.finish().unwrap()));
    assert!(said.contains("cannot be decompressed"), "{said}");
}

#[test]
fn invalid_or_truncated_compressed_data_is_refused() {
    let whole = zstd::encode_all(good().0.as_slice(), 1).unwrap();
    for length in 1..whole.len() {
        assert!(
            unpack_compressed(&whole[..length]).is_err(),
            "cut to {length} of {} was accepted",
            whole.len()
        );
    }
    assert!(refused(unpack_compressed(&noise(1000))).contains("cannot be decompressed"));
    let trailing = [whole, b"more".to_vec()].concat();
    assert!(refused(unpack_compressed(&trailing)).contains("cannot be decompressed"));
}

#[test]
fn non_empty_directory_is_not_unpacked_into() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
    fs::create_dir(kit.at("staging")).unwrap();
    fs::write(kit.at("staging/precious"), "kept").unwrap();
    let payload = built.payload(Role::Node);
    let refusal = unpack(&kit.at("payload"), payload, &kit.at("staging"), &mut |_| {});
    assert!(matches!(refusal, Err(Refusal::NotEmpty { .. })));
    assert_eq!(fs::read_to_string(kit.at("staging/precious")).unwrap(), "kept");
}

#[test]
fn payload_changed_on_the_nodes_disk_is_not_unpacked() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
    let good = fs::read(kit.at("payload")).unwrap();
    let check = |bytes: &[u8], expected: &str| {
        fs::write(kit.at("payload"), bytes).unwrap();
        let said = refused(kit.unpack(&kit.at("payload"), built.payload(Role::Node)));
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
    };
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        check(&bad, "piece 0 of payload-node.tar.zst was changed");
    }
    check(&good[..good.len() - 1], "payload-node.tar.zst ends after");
    check(&[good.as_slice(), b"x"].concat(), "is followed by more bytes");
}
