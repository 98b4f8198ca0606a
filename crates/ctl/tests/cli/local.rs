//! Packages and machines, end to end on files.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

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
    home.run_ok(&["package", "keygen", "--no-passphrase", "--out", "release"]);
    fs::copy(home.path().join("release.pub"), home.path().join("trust/release.pub")).unwrap();
    home.run_ok(&[
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
fn package_is_built_inspected_and_verified() {
    let home = built();
    assert_eq!(
        home.run(&["package", "keygen", "--no-passphrase", "--out", "release"]).code,
        3,
        "a key was replaced"
    );
    let blind = home.run_ok(&["package", "inspect", "p.pkg"]).out;
    assert!(blind.starts_with("NOT VERIFIED: no keys were given; it names the signing key "), "{blind}");
    assert!(blind.contains("  version   34.1 (34100), released 2026-11-20\n"), "{blind}");
    assert!(
        blind.contains("  path      34.1 can be installed on 34 or later: the node's store changed\n"),
        "{blind}"
    );
    assert!(blind.contains("  notes     # 34.1\n            - drains faster\n"), "{blind}");
    let sighted = home.run_ok(&["package", "inspect", "p.pkg", "--trust", "trust"]).out;
    assert!(sighted.contains("What is below is verified; the payloads were not read."), "{sighted}");
    let verified = home.run_ok(&["package", "verify", "p.pkg", "--trust", "trust"]).out;
    assert!(verified.starts_with("p.pkg is verified, every byte of it: signed with key "), "{verified}");
    let object: Value =
        serde_json::from_str(&home.run_ok(&["package", "verify", "p.pkg", "--trust", "trust", "--json"]).out)
            .unwrap();
    assert_eq!((&object["verified"], &object["manifest"]["version"]), (&true.into(), &"34.1".into()));
}

#[test]
fn damaged_package_is_refused_and_an_untrusted_one_too() {
    let home = built();
    let mut bytes = fs::read(home.path().join("p.pkg")).unwrap();
    let payload = bytes.len() - 1024 - 512;
    bytes[payload - 256] ^= 1;
    fs::write(home.path().join("damaged.pkg"), bytes).unwrap();
    let damaged = home.run(&["package", "verify", "damaged.pkg", "--trust", "trust"]);
    assert_eq!(damaged.code, 3, "{damaged:?}");
    assert!(damaged.err.starts_with("pitlane: damaged.pkg is refused\n  because: "), "{}", damaged.err);

    home.run_ok(&["package", "keygen", "--no-passphrase", "--out", "other"]);
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
fn error_of_a_specification_names_the_fault() {
    let home = built();
    let check = |from: &str, to: &str, expected: &str| {
        fs::write(home.path().join("wrong.toml"), SPEC.replace(from, to)).unwrap();
        let outcome =
            home.run(&["package", "build", "--spec", "wrong.toml", "--key", "release.key", "--out", "w.pkg"]);
        assert_ne!(outcome.code, 0);
        assert!(outcome.err.contains(expected), "{}", outcome.err);
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
fn machine_is_installed_once_with_its_keys_and_settings() {
    let home = built();
    fs::write(home.path().join("machine.toml"), "[node]\nsip = \"127.0.0.1:5060\"\n").unwrap();
    let install = [&INSTALL[..], &["--settings", "machine.toml"]].concat();
    let outcome = home.run_ok(&install);
    assert!(
        outcome
            .out
            .starts_with("root is installed as a Conferencing Node: 34.1 (34100) in slot a, confirmed.\n"),
        "{}",
        outcome.out
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
fn machine_is_not_installed_with_settings_or_package_of_another_role() {
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

#[test]
fn key_without_a_passphrase_must_be_requested_explicitly() {
    let home = built();
    let unsaid = home.run(&["package", "keygen", "--out", "unsaid"]);
    assert_eq!(unsaid.code, 2, "{unsaid:?}");
    assert!(unsaid.err.contains("--passphrase-file FILE, or --no-passphrase"), "{}", unsaid.err);
    assert!(!home.path().join("unsaid.key").exists());

    fs::write(home.path().join("passphrase"), "correct horse\n").unwrap();
    home.run_ok(&["package", "keygen", "--passphrase-file", "passphrase", "--out", "kept"]);
    fs::copy(home.path().join("kept.pub"), home.path().join("trust/kept.pub")).unwrap();
    let build =
        ["package", "build", "--quick", "--spec", "release.toml", "--key", "kept.key", "--out", "k.pkg"];
    let bare = home.run(&build);
    assert_eq!(bare.code, 2, "{bare:?}");
    fs::write(home.path().join("wrong"), "battery staple\n").unwrap();
    let wrong = home.run(&[&build[..], &["--passphrase-file", "wrong"]].concat());
    assert!(wrong.code == 1 && wrong.err.contains("the passphrase does not open kept.key"), "{wrong:?}");
    assert!(!home.path().join("k.pkg").exists());
    home.run_ok(&[&build[..], &["--passphrase-file", "passphrase"]].concat());
    home.run_ok(&["package", "verify", "k.pkg", "--trust", "trust"]);
    fs::write(home.path().join("short"), "1234\n").unwrap();
    let short = home.run(&["package", "keygen", "--passphrase-file", "short", "--out", "weak"]);
    assert!(short.err.contains("a passphrase has 8 to 1024 bytes"), "{short:?}");
}

#[test]
fn last_day_of_a_package_is_shown_and_an_expired_one_can_be_installed() {
    let home = built();
    let shown = home.run_ok(&["package", "inspect", "p.pkg", "--trust", "trust"]).out;
    assert!(shown.contains("  upgrades  until 2028-11-19; what is installed runs on\n"), "{shown}");
    let built_with = |line: &str| {
        let spec = SPEC.replace("released = \"2026-11-20\"", line);
        fs::write(home.path().join("other.toml"), spec).unwrap();
        home.run(&[
            "package",
            "build",
            "--quick",
            "--spec",
            "other.toml",
            "--key",
            "release.key",
            "--out",
            "p.pkg",
        ])
    };
    let never = built_with("valid_until = \"never\"");
    assert!(never.out.contains("  upgrades  for ever: it names no last day\n"), "{never:?}");
    let backwards = built_with("released = \"2026-11-20\"\nvalid_until = \"2026-11-19\"");
    assert!(backwards.err.contains("it expires before the day of its release"), "{backwards:?}");
    assert_eq!(built_with("released = \"2020-11-20\"\nvalid_until = \"2020-11-20\"").code, 0);
    let outcome = home.run_ok(&INSTALL);
    assert!(
        outcome.err.contains("The package expired on 2020-11-20: it is installed all the same"),
        "{outcome:?}"
    );
}

#[test]
fn machine_is_owned_by_its_user_except_for_keys_and_settings() {
    let home = built();
    fs::write(home.path().join("machine.toml"), "[node]\n").unwrap();
    let stranger = home.run(&[&INSTALL[..], &["--run-as", "no-such-user"]].concat());
    assert!(stranger.code == 1 && stranger.err.contains("there is no user \"no-such-user\""), "{stranger:?}");
    let root_user = home.run(&[&INSTALL[..], &["--run-as", "root"]].concat());
    assert!(root_user.err.contains("a release does not run as root"), "{root_user:?}");
    assert!(!home.path().join("root").exists());

    home.run_ok(&[&INSTALL[..], &["--settings", "machine.toml"]].concat());
    let protect = ["machine", "protect", "--root", "root", "--run-as", "nobody"];
    let root = home.path().join("root");
    fs::create_dir(root.join("trust/licences")).unwrap();
    fs::write(root.join("trust/licences/publisher.pub"), "a key").unwrap();
    let protected = home.run(&protect);
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        assert!(protected.err.contains("this needs the rights of root"), "{protected:?}");
        return;
    }
    assert_eq!(protected.code, 0, "{protected:?}");
    let seen = |name: &str| {
        let found = root.join(name).symlink_metadata().unwrap();
        (found.uid() == 0, found.mode() & 0o7777)
    };
    assert_eq!(seen(""), (true, 0o1770));
    assert_eq!((seen("trust"), seen("trust/release.pub")), ((true, 0o755), (true, 0o644)));
    assert_eq!(seen("trust/licences"), (true, 0o755));
    assert_eq!(seen("trust/licences/publisher.pub"), (true, 0o644));
    assert_eq!(seen("machine.toml"), (true, 0o640));
    for name in ["boot.json", "slots", "slots/a", "slots/a/bin/pitlane-node", "slots/a/manifest.json"] {
        assert!(!seen(name).0, "{name} belongs to root");
    }

    let lock = fs::File::create(root.join("boot.lock")).unwrap();
    lock.try_lock().unwrap();
    let runs = home.run(&protect);
    assert!(runs.code == 3 && runs.err.contains("runs; nothing was changed"), "{runs:?}");
    drop(lock);
    fs::hard_link(home.path().join("notes.md"), root.join("slots/a/more")).unwrap();
    let odd = home.run(&protect);
    assert!(odd.code == 3 && odd.err.contains("slots/a/more has another hard link"), "{odd:?}");
    assert_eq!(fs::metadata(home.path().join("notes.md")).unwrap().uid(), 0, "its owner was changed");
}
