//! Damage in transit: a package with any byte changed, missing or added is refused.

use std::fs;

use crate::*;

use super::*;

#[test]
fn package_with_any_one_byte_changed_is_refused() {
    let kit = Kit::small();
    let good = kit.bytes();
    let verified = verify(good.as_slice(), &kit.trusted).unwrap();
    let (name, text) = (verified.hash(), verified.signature_text().as_bytes());
    assert_eq!(check_undamaged(good.as_slice()).unwrap(), name);
    let begins = good.windows(text.len()).position(|bytes| bytes == text).unwrap();
    let signature = begins..begins + text.len();
    for at in 0..good.len() {
        // One bit, and the bit that turns a letter into its other case and a zero byte into a space.
        for flip in [1 << (at % 8), 0x20] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert!(
                verify(bad.as_slice(), &kit.trusted).is_err(),
                "byte {at} changed by {flip:#x} was accepted"
            );
            // Without a key, what differs is the package's name at least, or its signature.
            let undamaged = check_undamaged(bad.as_slice());
            let is_signature = signature.contains(&at);
            assert!(
                is_signature || undamaged.ok() != Some(name),
                "byte {at} changed by {flip:#x} was not noticed"
            );
        }
    }
}

#[test]
fn package_truncated_anywhere_is_refused_as_truncated() {
    let kit = Kit::small();
    let good = kit.bytes();
    for length in 0..good.len() {
        match verify(&good[..length], &kit.trusted) {
            Err(Refusal::HeadTruncated { has }) => assert_eq!(has, length as u64),
            Err(Refusal::Truncated { has, needs, .. }) => {
                assert_eq!((has, needs), (length as u64, good.len() as u64));
            }
            other => panic!("cut to {length} bytes: {other:?}"),
        }
    }
}

#[test]
fn truncated_package_is_refused_alike_without_a_key() {
    let kit = Kit::small();
    let good = kit.bytes();
    for length in [0, 100, 512, good.len() / 2, good.len() - 1] {
        let said = refused(check_undamaged(&good[..length]));
        assert_eq!(said, refused(verify(&good[..length], &kit.trusted)));
    }
}

#[test]
fn anything_after_the_end_is_refused() {
    let kit = Kit::small();
    let good = kit.bytes();
    let check = |added: &[u8]| {
        let said = refused(verify([&good, added].concat().as_slice(), &kit.trusted));
        assert!(said.contains("is followed by more bytes"), "{said}");
    };
    check(&[0]);
    check(&[0; 512]);
    check(&container::header("payload-node.tar.zst", 0, 0o644));
}

/// The entries of a good package, with their headers and padding, and its end.
fn entries(good: &[u8], built: &Verified) -> Vec<Vec<u8>> {
    let signature = 512 + built.manifest_bytes().len().next_multiple_of(512);
    let [manager, node] = Role::ALL.map(|role| built.payload_at(role) as usize - 512);
    let cuts = [0, signature, manager, node, good.len() - 1024, good.len()];
    cuts.windows(2).map(|cut| good[cut[0]..cut[1]].to_vec()).collect()
}

#[test]
fn entries_out_of_order_missing_doubled_or_unknown_are_refused() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let good = fs::read(package).unwrap();
    let mut parts = entries(&good, &built);
    assert_eq!(parts.concat(), good);
    parts.push([container::header("extra", 0, 0o644).to_vec()].concat());
    parts.push(container::header("payload-node.tar.zst", 512, 0o644).to_vec());
    let check = |order: &[usize], expected: &str| {
        let bytes: Vec<u8> = order.iter().flat_map(|part| parts[*part].clone()).collect();
        let said = refused(verify(bytes.as_slice(), &kit.trusted));
        assert!(said.contains(expected), "{order:?}: {said:?} does not say {expected:?}");
    };
    check(&[1, 0, 2, 3, 4], "not an upgrade package");
    check(&[2, 3, 4], "not an upgrade package");
    check(&[4], "not an upgrade package");
    check(&[0, 2, 3, 4], "not signed");
    check(&[0, 4], "not signed");
    check(&[0, 0, 1, 2, 3, 4], "not signed");
    check(&[0, 1, 3, 2, 4], "where payload-manager.tar.zst belongs");
    check(&[0, 1, 2, 2, 3, 4], "where payload-node.tar.zst belongs");
    check(&[0, 1, 1, 2, 3, 4], "where payload-manager.tar.zst belongs");
    check(&[0, 1, 5, 2, 3, 4], "the file \"extra\"");
    check(&[0, 1, 2, 4], "the end of the archive");
    check(&[0, 1, 2, 6, 3, 4], "of 512 bytes");
    check(&[0, 1, 2, 3, 5, 4], "is followed by the file \"extra\"");
    check(&[0, 1, 2, 3, 3, 4], "is followed by the file \"payload-node.tar.zst\"");
}

#[test]
fn payloads_of_two_releases_cannot_be_mixed() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let mut parts = entries(&fs::read(&package).unwrap(), &built);
    fs::write(&kit.recipe.node.files[1].source, "#!/bin/sh\nexec tRue\n").unwrap();
    let (_, other) = kit.build();
    parts[3] = entries(&fs::read(&package).unwrap(), &other).swap_remove(3);
    let said = refused(verify(parts.concat().as_slice(), &kit.trusted));
    assert!(said.starts_with("piece 0 of payload-node.tar.zst was changed"), "{said}");
}

#[test]
fn other_files_are_not_packages() {
    let kit = Kit::small();
    for bytes in [b"PK\x03\x04 a zip".to_vec(), vec![0; 4096], noise(4096), b"{}".to_vec()] {
        assert!(matches!(verify(bytes.as_slice(), &kit.trusted), Err(Refusal::NotAPackage)));
    }
}

#[test]
fn package_that_changes_after_it_was_verified_is_not_extracted() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let mut bytes = fs::read(&package).unwrap();
    let at = built.payload_at(Role::Node) as usize;
    bytes[at + 20] ^= 1;
    fs::write(&package, &bytes).unwrap();
    let before = kit.names();
    let said = refused(extract_payload(&package, &built, Role::Node, &kit.at("payload")));
    assert!(said.starts_with("piece 0 of payload-node.tar.zst"), "{said}");
    fs::write(&package, &bytes[..at + 20]).unwrap();
    let said = refused(extract_payload(&package, &built, Role::Node, &kit.at("payload")));
    assert!(said.starts_with("payload-node.tar.zst ends after 20 of"), "{said}");
    assert_eq!(kit.names(), before);
}

#[test]
fn size_of_a_manifest_above_the_limit_is_refused_at_its_header() {
    let kit = Kit::small();
    let header = container::header(MANIFEST_FILE, limits::MAX_MANIFEST + 1, 0o644);
    let said = refused(verify(header.as_slice(), &kit.trusted));
    assert!(said.starts_with("the size of the manifest in bytes is 1048577, and at most 1048576"), "{said}");
    let (package, built) = kit.build();
    let mut head = entries(&fs::read(package).unwrap(), &built).swap_remove(0);
    head.extend(container::header(SIGNATURE_FILE, limits::MAX_SIGNATURE + 1, 0o644));
    let said = refused(verify(head.as_slice(), &kit.trusted));
    assert!(said.starts_with("the size of the signature in bytes is 2049"), "{said}");
}
