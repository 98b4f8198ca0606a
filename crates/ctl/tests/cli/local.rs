//! Packages and machines, end to end on files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::Home;

const SPEC: &str = r#"
version = "34.1"
build = 34100
released = "2026-11-20"
notes = "notes.md"

[protocols]
wire = { min = 1, max = 1 }
media = 1

[[path]]
to = "34.1"
from = "34"
reason = "the node's store changed"

[manager]
program = "bin/pitlane-manager"
[manager.files]
"bin/pitlane-manager" = "built/manager"

[node]
program = "bin/pitlane-node"
[node.files]
"bin/pitlane-node" = "built/node"
"share/readme" = "notes.md"
"#;

/// A home with keys, a specification and a built package.
fn built() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.path().join("built")).unwrap();
    fs::create_dir(home.path().join("trust")).unwrap();
    for program in ["manager", "node"] {
        let file = home.path().join("built").join(program);
        fs::write(&file, format!("#!/bin/sh\necho {program}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(home.path().join("notes.md"), "# 34.1\n\n- drains faster\n").unwrap();
    fs::write(home.path().join("release.toml"), SPEC).unwrap();
    home.good(&["package", "keygen", "--out", "release"]);
    fs::copy(home.path().join("release.pub"), home.path().join("trust/release.pub")).unwrap();
    home.good(&[
        "package",
        "build",
        "--spec",
        "release.toml",
        "--key",
        "release.key",
        "--out",
        "p.pkg",
        "--quick",
    ]);
    home
}

#[test]
fn a_package_is_built_inspected_and_verified() {
    let home = built();
    assert_eq!(home.run(&["package", "keygen", "--out", "release"]).code, 3, "a key was replaced");
    let blind = home.good(&["package", "inspect", "p.pkg"]).out;
    assert!(
        blind.starts_with("NOT VERIFIED: no keys were given; it claims to be signed with key "),
        "{blind}"
    );
    assert!(blind.contains("  version   34.1 (34100), released 2026-11-20\n"), "{blind}");
    assert!(
        blind.contains("  path      34.1 can be installed on 34 or later: the node's store changed\n"),
        "{blind}"
    );
    assert!(blind.contains("  notes     # 34.1\n            - drains faster\n"), "{blind}");
    let sighted = home.good(&["package", "inspect", "p.pkg", "--trust", "trust"]).out;
    assert!(sighted.contains("What is below is verified; the payloads were not read."), "{sighted}");
    let verified = home.good(&["package", "verify", "p.pkg", "--trust", "trust"]).out;
    assert!(verified.starts_with("p.pkg is verified, every byte of it: signed with key "), "{verified}");
    let object: Value =
        serde_json::from_str(&home.good(&["package", "verify", "p.pkg", "--trust", "trust", "--json"]).out)
            .unwrap();
    assert_eq!((&object["verified"], &object["manifest"]["version"]), (&true.into(), &"34.1".into()));
}

#[test]
fn a_damaged_package_is_refused_and_an_untrusted_one_too() {
    let home = built();
    let mut bytes = fs::read(home.path().join("p.pkg")).unwrap();
    let payload = bytes.len() - 1024 - 512;
    bytes[payload - 256] ^= 1;
    fs::write(home.path().join("damaged.pkg"), bytes).unwrap();
    let damaged = home.run(&["package", "verify", "damaged.pkg", "--trust", "trust"]);
    assert_eq!(damaged.code, 3, "{damaged:?}");
    assert!(damaged.err.starts_with("pitlane: damaged.pkg is refused\n  because: "), "{}", damaged.err);

    home.good(&["package", "keygen", "--out", "other"]);
    fs::create_dir(home.path().join("others")).unwrap();
    fs::copy(home.path().join("other.pub"), home.path().join("others/other.pub")).unwrap();
    for command in ["verify", "inspect"] {
        let untrusted = home.run(&["package", command, "p.pkg", "--trust", "others"]);
        assert_eq!(untrusted.code, 3);
        assert!(untrusted.err.contains("which this machine does not trust"), "{}", untrusted.err);
    }
    assert_eq!(home.run(&["package", "inspect", "notes.md"]).code, 3);
    assert_eq!(home.run(&["package", "inspect", "nothing.pkg"]).code, 1);
}

#[test]
fn a_wrong_specification_says_what_is_wrong() {
    let home = built();
    let check = |from: &str, to: &str, expected: &str| {
        fs::write(home.path().join("wrong.toml"), SPEC.replace(from, to)).unwrap();
        let came =
            home.run(&["package", "build", "--spec", "wrong.toml", "--key", "release.key", "--out", "w.pkg"]);
        assert_ne!(came.code, 0);
        assert!(came.err.contains(expected), "{}", came.err);
        assert!(!home.path().join("w.pkg").exists());
    };
    check("2026-11-20", "yesterday", "\"yesterday\" is not a day like 2026-11-23");
    check("build = ", "biuld = ", "unknown field `biuld`");
    check("\"bin/pitlane-node\" =", "\"../node\" =", "is no path for a file in a slot");
    check("built/node", "built/nothing", "built/nothing");
    check("to = \"34.1\"", "to = \"35\"", "does not lead to its own version");
}

const INSTALL: [&str; 10] =
    ["machine", "install", "--root", "root", "--role", "node", "--package", "p.pkg", "--trust", "trust"];

#[test]
fn a_machine_is_installed_once_with_its_keys_and_settings() {
    let home = built();
    fs::write(home.path().join("machine.toml"), "[node]\nsip = \"127.0.0.1:5060\"\n").unwrap();
    let install = [&INSTALL[..], &["--settings", "machine.toml"]].concat();
    let came = home.good(&install);
    assert!(
        came.out
            .starts_with("root is installed as a Conferencing Node: 34.1 (34100) in slot a, confirmed.\n"),
        "{}",
        came.out
    );
    let root = home.path().join("root");
    let machine = slots::Machine::open(&root);
    assert_eq!(machine.record().unwrap(), slots::Record::confirmed(slots::Slot::A));
    assert_eq!(machine.release(slots::Slot::A).unwrap().unwrap().to_string(), "34.1 (34100)");
    let keys = package::TrustedKeys::load(&root.join("trust")).unwrap();
    let slot = root.join("slots/a");
    let (manifest, signature) = (
        fs::read(slot.join("manifest.json")).unwrap(),
        fs::read(slot.join("manifest.json.minisig")).unwrap(),
    );
    let verified = package::verify_manifest(&manifest, &signature, &keys).unwrap();
    assert_eq!(verified.manifest().version.to_string(), "34.1");
    assert_eq!(fs::read_to_string(slot.join("bin/pitlane-node")).unwrap(), "#!/bin/sh\necho node\n");
    assert_eq!(
        fs::read(root.join("machine.toml")).unwrap(),
        fs::read(home.path().join("machine.toml")).unwrap()
    );
    let names: Vec<String> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains("payload")), "something is left behind: {names:?}");

    let again = home.run(&install);
    assert_eq!(again.code, 3, "{again:?}");
    assert_eq!(machine.record().unwrap(), slots::Record::confirmed(slots::Slot::A));
}

#[test]
fn a_machine_is_not_installed_with_what_does_not_fit() {
    let home = built();
    fs::write(home.path().join("manager.toml"), "[manager]\n").unwrap();
    let other_role = home.run(&[&INSTALL[..], &["--settings", "manager.toml"]].concat());
    assert_eq!(other_role.code, 3);
    assert!(other_role.err.contains("has no table [node]"), "{}", other_role.err);
    fs::remove_file(home.path().join("trust/release.pub")).unwrap();
    let untrusted = home.run(&INSTALL);
    assert_eq!(untrusted.code, 1);
    assert!(untrusted.err.contains("no public key"), "{}", untrusted.err);
    assert!(!home.path().join("root").exists(), "something was written");
}
