//! Packages that are built, verified, extracted and unpacked again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::*;

use super::*;

#[test]
fn unpacked_files_have_the_packed_content_and_mode() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let verified = verify_file(&package, &kit.trusted).unwrap();
    assert_eq!(verified, built);
    assert_eq!(verified.package_size(), fs::metadata(&package).unwrap().len());
    assert_eq!(verified.key(), kit.key.id());
    for (role, source) in [(Role::Manager, &kit.recipe.manager), (Role::Node, &kit.recipe.node)] {
        let (payload, slot) = (verified.payload(role), kit.at(&format!("slot-{role}")));
        extract_payload(&package, &verified, role, &kit.at("payload")).unwrap();
        let mut seen = Vec::new();
        unpack(&kit.at("payload"), payload, &slot, &mut |progress| seen.push(progress)).unwrap();
        assert!(seen.is_sorted_by_key(|progress| progress.done));
        assert_eq!(
            seen.last(),
            Some(&Progress { done: payload.unpacked_size, total: payload.unpacked_size })
        );
        for file in &source.files {
            let at = file.path.below(&slot);
            assert_eq!(fs::read(&at).unwrap(), fs::read(&file.source).unwrap());
            assert_eq!(at.metadata().unwrap().permissions().mode() & 0o7777, file.mode.bits());
        }
        check_slot(&slot, payload).unwrap();
    }
}

#[test]
fn head_alone_names_the_package() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let head = read_head(fs::File::open(package).unwrap(), &kit.trusted).unwrap();
    assert_eq!(head.hash(), built.hash());
    let apart =
        verify_manifest(head.manifest_bytes(), head.signature_text().as_bytes(), &kit.trusted).unwrap();
    assert_eq!(apart, head);
}

#[test]
fn head_is_verified_before_anything_else_is_read() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let mut file = fs::File::open(package).unwrap();
    read_head(&mut file, &kit.trusted).unwrap();
    let read = std::io::Seek::stream_position(&mut file).unwrap();
    assert_eq!(read, built.payload_at(Role::Manager) - 512);
}

#[test]
fn same_recipe_gives_the_same_bytes_except_for_the_signature() {
    let kit = Kit::small();
    let (first, mut again) = (kit.bytes(), kit.recipe.clone());
    again.node.files.reverse();
    let built = build(&again, &kit.key, &kit.at("again.pkg")).unwrap();
    let second = fs::read(kit.at("again.pkg")).unwrap();
    let signature = 512 + built.manifest_bytes().len().next_multiple_of(512);
    let payloads = built.payload_at(Role::Manager) as usize - 512;
    assert_eq!(first.len(), second.len());
    assert_eq!(first[..signature], second[..signature]);
    assert_eq!(first[payloads..], second[payloads..]);
}

#[test]
fn build_leaves_nothing_but_the_package() {
    let kit = Kit::small();
    let before = kit.names();
    let (package, _) = kit.build();
    let added: Vec<_> = kit.names().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(added, [package]);
}

#[test]
fn recipe_that_would_be_refused_builds_nothing() {
    let check = |spoil: &dyn Fn(&mut Recipe), expected: &str| {
        let mut kit = Kit::small();
        spoil(&mut kit.recipe);
        let before = kit.names();
        let error = build(&kit.recipe, &kit.key, &kit.at("release.pkg")).unwrap_err();
        let said = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
        assert_eq!(kit.names(), before);
    };
    check(&|recipe| recipe.path.0.clear(), "does not lead to its own version 34.1");
    check(&|recipe| recipe.node.program = "bin/other".parse().unwrap(), "names bin/other as its program");
    check(&|recipe| recipe.node.files[1].mode = Mode::Plain, "contains no executable file");
    check(&|recipe| recipe.notes = "x".repeat(1 << 20), "the size of the manifest in bytes is");
    let twice = |recipe: &mut Recipe| recipe.node.files.push(recipe.node.files[0].clone());
    check(&twice, "two files go to share/doc/readme");
    check(&|recipe| recipe.node.files[0].source = "/nowhere".into(), "No such file");
}

#[test]
fn slot_that_was_changed_is_noticed() {
    let check = |change: &dyn Fn(&std::path::Path), expected: &str| {
        let kit = Kit::small();
        let (package, built) = kit.build();
        extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
        let slot = kit.unpack(&kit.at("payload"), built.payload(Role::Node)).unwrap();
        change(&slot);
        let said = refused(check_slot(&slot, built.payload(Role::Node)));
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
    };
    let program = "bin/pitlane-node";
    check(&|slot| fs::remove_file(slot.join(program)).unwrap(), "it is missing");
    check(
        &|slot| fs::write(slot.join(program), "#!/bin/sh\nexec fals\n").unwrap(),
        "its content has another hash",
    );
    check(&|slot| fs::write(slot.join(program), "short").unwrap(), "its size is another one");
    let mode = |slot: &std::path::Path| {
        fs::set_permissions(slot.join(program), fs::Permissions::from_mode(0o4755)).unwrap();
    };
    check(&mode, "its mode is another one");
    let link = |slot: &std::path::Path| {
        fs::rename(slot.join(program), slot.join("../moved")).unwrap();
        std::os::unix::fs::symlink("../../moved", slot.join(program)).unwrap();
    };
    check(&link, "it is not a regular file");
    // Without O_NONBLOCK the check would wait for a writer.
    let pipe = |slot: &std::path::Path| {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        fs::remove_file(slot.join(program)).unwrap();
        mknodat(CWD, slot.join(program), FileType::Fifo, Mode::from_raw_mode(0o755), 0).unwrap();
    };
    check(&pipe, "it is not a regular file");
    check(
        &|slot| fs::write(slot.join("share/doc/readme"), "read my").unwrap(),
        "share/doc/readme is not the",
    );
    check(&|slot| fs::write(slot.join("bin/more"), "").unwrap(), "holds bin/more, which");
    check(&|slot| fs::create_dir(slot.join("lib")).unwrap(), "holds lib, which");
    let reserved = |slot: &std::path::Path| {
        std::os::unix::fs::symlink("/bin/sh", slot.join("slot.json")).unwrap();
    };
    check(&reserved, "holds slot.json as something else than a plain file, which");
    let executable = |slot: &std::path::Path| {
        fs::write(slot.join("slot.json"), "{}").unwrap();
        fs::set_permissions(slot.join("slot.json"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    check(&executable, "holds slot.json as something else than a plain file, which");
}

#[test]
fn copied_program_is_what_was_hashed_or_is_refused() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let payload = built.payload(Role::Node);
    extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
    let slot = kit.unpack(&kit.at("payload"), payload).unwrap();
    let mut copy = Vec::new();
    copy_program(&slot, payload, &mut copy).unwrap();
    assert_eq!(copy, b"#!/bin/sh\nexec true\n");
    fs::write(slot.join("bin/pitlane-node"), "#!/bin/sh\nexec fals\n").unwrap();
    check_all_but_program(&slot, payload).unwrap();
    assert!(matches!(copy_program(&slot, payload, &mut Vec::new()), Err(Refusal::FileDiffers { .. })));
}

#[test]
fn identity_that_differs_from_the_manifest_in_any_field_has_no_payload() {
    let (_, built) = Kit::small().build();
    let good = built.installed(Role::Node);
    assert_eq!(payload_of(&built, &good).unwrap().role, Role::Node);
    let others = [
        Installed { manifest: "0".repeat(64), ..good.clone() },
        Installed { version: "34".into(), ..good.clone() },
        Installed { build: 1, ..good.clone() },
        Installed { program: "share/doc/readme".into(), ..good },
    ];
    for other in others {
        assert_eq!(payload_of(&built, &other), None, "{other:?}");
    }
}

#[test]
fn distant_repetitions_are_compressed_and_unpacked_within_the_window() {
    let half = noise(9 << 20);
    let mut kit = Kit::with_node_program(&[half.as_slice(), half.as_slice()].concat());
    kit.recipe.level = Level::RELEASE;
    let (package, built) = kit.build();
    let payload = built.payload(Role::Node);
    assert!(payload.size < 10 << 20, "the second half was compressed anew: {} bytes", payload.size);
    extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
    let slot = kit.unpack(&kit.at("payload"), payload).unwrap();
    check_slot(&slot, payload).unwrap();
}

#[test]
fn modes_of_a_release_do_not_depend_on_the_umask() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let slot = kit.unpack(&kit.at("payload"), built.payload(Role::Node)).unwrap();
    rustix::process::umask(before);
    check_slot(&slot, built.payload(Role::Node)).unwrap();
    for dir in ["", "bin", "share", "share/doc"] {
        let mode = slot.join(dir).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "the mode of {dir:?}");
    }
}

#[test]
fn slot_keeps_its_manifest_and_is_verified_by_it_without_the_package() {
    let (kit, other_kit) = (Kit::small(), Kit::small());
    let (package, built) = kit.build();
    extract_payload(&package, &built, Role::Node, &kit.at("payload")).unwrap();
    let slot = kit.unpack(&kit.at("payload"), built.payload(Role::Node)).unwrap();
    assert!(kept_manifest(&slot, &kit.trusted).is_err());
    keep_manifest(&built, &slot).unwrap();
    fs::remove_file(&package).unwrap();
    let kept = kept_manifest(&slot, &kit.trusted).unwrap();
    assert_eq!(kept, built);
    check_slot(&slot, kept.payload(Role::Node)).unwrap();
    assert!(matches!(kept_manifest(&slot, &other_kit.trusted), Err(Refusal::UntrustedKey { .. })));
    fs::write(slot.join(MANIFEST_FILE), vec![b' '; 2 << 20]).unwrap();
    assert!(matches!(kept_manifest(&slot, &kit.trusted), Err(Refusal::TooLarge { is: 1_048_577, .. })));
}

#[test]
fn slot_is_verified_by_its_identity_and_by_the_signed_manifest() {
    let (kit, other_kit) = (Kit::small(), Kit::small());
    let (package, built) = kit.build();
    let (payload, slot) = (kit.at("payload"), kit.at("staging"));
    extract_payload(&package, &built, Role::Node, &payload).unwrap();
    unpack_release(&payload, &built, Role::Node, &slot).unwrap();
    let says = built.installed(Role::Node);
    verify_slot(&slot, &says, &kit.trusted).unwrap();
    assert_eq!(verify_slot_but_program(&slot, &says, &kit.trusted).unwrap(), *built.payload(Role::Node));
    let other = Installed { build: 1, ..says.clone() };
    let said = refused(verify_slot(&slot, &other, &kit.trusted));
    assert!(said.contains("slot.json says 34.1 (1), manifest ") && said.contains("34.1 (34100)"), "{said}");
    assert!(matches!(verify_slot(&slot, &says, &other_kit.trusted), Err(Refusal::UntrustedKey { .. })));
    // Of the same length: only the hash differs.
    let program = slot.join("bin/pitlane-node");
    let length = fs::metadata(&program).unwrap().len() as usize;
    fs::write(program, "x".repeat(length)).unwrap();
    verify_slot_but_program(&slot, &says, &kit.trusted).unwrap();
    assert!(matches!(verify_slot(&slot, &says, &kit.trusted), Err(Refusal::FileDiffers { .. })));
    fs::remove_file(slot.join(SIGNATURE_FILE)).unwrap();
    let unsigned = verify_slot(&slot, &says, &kit.trusted);
    assert!(matches!(unsigned, Err(Refusal::NotKept { name: SIGNATURE_FILE })), "{unsigned:?}");
}

#[test]
fn release_is_unpacked_with_its_manifest_and_names_its_identity() {
    let kit = Kit::small();
    let (package, built) = kit.build();
    let (payload, slot) = (kit.at("payload"), kit.at("staging"));
    extract_payload(&package, &built, Role::Node, &payload).unwrap();
    unpack_release(&payload, &built, Role::Node, &slot).unwrap();
    let kept = kept_manifest(&slot, &kit.trusted).unwrap();
    check_slot(&slot, kept.payload(Role::Node)).unwrap();
    let expected = Installed {
        manifest: built.hash().to_string(),
        version: "34.1".into(),
        build: 34_100,
        program: "bin/pitlane-node".into(),
    };
    assert_eq!(kept.installed(Role::Node), expected);
    assert_eq!(kept.installed(Role::Manager).program, "bin/pitlane-manager");
}
