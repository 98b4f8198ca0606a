//! Slots that an attacker has changed: only programs signed with a key that the machine trusts are run.

use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use package::{MANIFEST_FILE, SIGNATURE_FILE, generate_key};
use rustix::process::Signal;
use slots::{Record, Slot, Why};

use crate::bench::{Bench, lives, release_of, trial};
use crate::signed::{key, signed};

/// An attacker's program: it leaves a file when it runs.
const EVIL: &str = "#!/bin/sh\necho evil >> \"$2/evil\"\nexec sleep 1000\n";

/// A way to change a slot, and the text with which it is reported.
type Change = (&'static dyn Fn(&Bench, &str), &'static str);

fn write(bench: &Bench, path: &str, contents: impl AsRef<[u8]>) {
    fs::write(bench.path(path), contents).unwrap();
}

/// Everything that a slot can have been changed in, one by one.
const CHANGES: [Change; 12] = [
    (&|bench, slot| write(bench, &format!("{slot}/bin/program"), EVIL), "bin/program is not the file"),
    (&|bench, slot| write(bench, &format!("{slot}/bin/helper"), "a hacker"), "bin/helper is not the file"),
    (&|bench, slot| fs::remove_file(bench.path(slot).join("bin/helper")).unwrap(), "it is missing"),
    (&|bench, slot| executable(bench, &format!("{slot}/bin/helper")), "its mode is another one"),
    (&|bench, slot| write(bench, &format!("{slot}/bin/more"), EVIL), "holds bin/more"),
    (&|bench, slot| symlink("/bin/sh", bench.path(slot).join("sh")).unwrap(), "holds sh"),
    (&link_helper, "it is not a regular file"),
    (&another_manifest, "slot.json says"),
    (&untrusted, "which this machine does not trust"),
    (&change_manifest, "was changed after it was signed"),
    (&|bench, slot| fs::remove_file(bench.path(slot).join(MANIFEST_FILE)).unwrap(), MANIFEST_FILE),
    (&|bench, slot| fs::remove_file(bench.path(slot).join(SIGNATURE_FILE)).unwrap(), SIGNATURE_FILE),
];

fn executable(bench: &Bench, path: &str) {
    fs::set_permissions(bench.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

fn link_helper(bench: &Bench, slot: &str) {
    let helper = bench.path(slot).join("bin/helper");
    fs::rename(&helper, bench.path("helper")).unwrap();
    symlink(bench.path("helper"), helper).unwrap();
}

/// The manifest of another package, signed as well as the right one.
fn another_manifest(bench: &Bench, slot: &str) {
    for file in &release_of("true", 3).files[2..] {
        write(bench, &format!("{slot}/{}", file.name), &file.contents);
    }
}

/// A whole release, signed by somebody else.
fn untrusted(bench: &Bench, slot: &str) {
    let untrusted_key = generate_key("an untrusted key").unwrap();
    let release = signed(2, EVIL, "a helper", &untrusted_key.signing);
    for file in &release.files {
        write(bench, &format!("{slot}/{}", file.name), &file.contents);
    }
    let identity = serde_json_of(&release.identity);
    write(bench, &format!("{slot}/slot.json"), identity);
    rename_selected(bench, &release.identity.manifest);
}

fn serde_json_of(identity: &slots::SlotIdentity) -> String {
    let slots::SlotIdentity { format, manifest, version, build, program } = identity;
    format!(
        r#"{{"format":{format},"manifest":"{manifest}","version":"{version}","build":{build},"program":"{program}"}}"#
    )
}

/// The user who owns the slots owns the record, too.
fn rename_selected(bench: &Bench, manifest: &str) {
    let Some(trying) = bench.machine.record().unwrap().trying else { return };
    let record = fs::read_to_string(bench.path("boot.json")).unwrap();
    write(bench, "boot.json", record.replace(&trying.manifest, manifest));
}

fn change_manifest(bench: &Bench, slot: &str) {
    let path = format!("{slot}/{MANIFEST_FILE}");
    let mut manifest = fs::read(bench.path(&path)).unwrap();
    manifest.push(b'\n');
    write(bench, &path, manifest);
}

#[test]
fn tried_slot_that_was_changed_falls_back_and_is_never_run() {
    for (change, said) in CHANGES {
        let mut bench = Bench::with_selected(&trial("serve"), &trial("serve"));
        change(&bench, "slots/b");
        bench.boot();
        bench.wait_for_event("a runs", 1);
        let record = bench.machine.record().unwrap();
        assert_eq!((record.confirmed, &record.trying), (Slot::A, &None), "{said}");
        let Some(Why::Damaged { reason }) = record.fell_back.map(|fell_back| fell_back.why) else {
            panic!("{said}: {}", bench.log());
        };
        assert!(reason.contains(said), "{said}: {reason}");
        assert!(bench.log().contains(said), "{said}: {}", bench.log());
        assert!(!bench.path("evil").exists() && bench.pids("b runs").is_empty(), "{said}: it was run");
    }
}

#[test]
fn confirmed_slot_that_was_changed_is_not_started_and_changes_nothing() {
    for (change, said) in CHANGES {
        let bench = Bench::installed(&trial("serve"));
        change(&bench, "slots/a");
        assert_eq!(bench.another_boot().wait().unwrap().code(), Some(1), "{said}");
        assert!(bench.log().contains(said), "{said}: {}", bench.log());
        assert_eq!(bench.machine.record().unwrap(), Record::confirmed(Slot::A), "{said}");
        assert!(!bench.path("evil").exists() && bench.pids("a runs").is_empty(), "{said}: it was run");
    }
}

#[test]
fn neither_of_two_changed_slots_is_started_and_both_are_reported() {
    let bench = Bench::with_selected(&trial("serve"), &trial("serve"));
    for slot in ["slots/a", "slots/b"] {
        write(&bench, &format!("{slot}/bin/program"), EVIL);
    }
    for _ in 0..2 {
        assert_eq!(bench.another_boot().wait().unwrap().code(), Some(1));
    }
    let record = bench.machine.record().unwrap();
    assert!(matches!(record.fell_back.unwrap().why, Why::Damaged { .. }));
    assert!(bench.log().contains("the release in slot a cannot be started"), "{}", bench.log());
    assert!(bench.journal().is_empty() && !bench.path("evil").exists(), "{}", bench.log());

    release_of(&trial("serve"), 1).files.iter().for_each(|file| {
        write(&bench, &format!("slots/a/{}", file.name), &file.contents);
    });
    let mut bench = bench;
    bench.boot();
    bench.wait_for_event("a runs", 1);
}

#[test]
fn machine_without_trusted_keys_starts_nothing_and_keeps_the_selection() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("confirm"));
    let before = bench.machine.record().unwrap();
    let hidden = bench.path("hidden");
    fs::rename(bench.path("trust"), &hidden).unwrap();
    assert_eq!(bench.another_boot().wait().unwrap().code(), Some(1));
    fs::create_dir(bench.path("trust")).unwrap();
    assert_eq!(bench.another_boot().wait().unwrap().code(), Some(1));
    assert!(bench.log().contains("no release can be started"), "{}", bench.log());
    assert!(bench.log().contains("holds no public key"), "{}", bench.log());
    assert_eq!(bench.machine.record().unwrap(), before);
    fs::remove_dir(bench.path("trust")).unwrap();
    fs::rename(hidden, bench.path("trust")).unwrap();
    bench.boot();
    bench.wait_for_event("b confirmed", 1);
}

/// Starts boot in namespaces of its own, after these commands.
fn refused_after(bench: &Bench, commands: &str) {
    let boot = bench.boot_command();
    let script = format!("{commands} && exec \"$0\" \"$@\"");
    let log = fs::File::options().append(true).create(true).open(bench.path("boot.log")).unwrap();
    let ended = Command::new("timeout")
        .args([
            "30",
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            &script,
        ])
        .arg(boot.get_program())
        .args(boot.get_args())
        .stderr(log)
        .status()
        .unwrap();
    assert_eq!(ended.code(), Some(1), "{commands}: {}", bench.log());
}

/// Machines that cannot execute memory. The fault is not the release's, so none is left.
#[test]
fn machine_that_executes_no_memory_is_reported_and_keeps_the_selection() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("confirm"));
    let before = bench.machine.record().unwrap();
    refused_after(&bench, "mount -t tmpfs nothing /proc");
    assert!(bench.log().contains("no release is started: /proc is not there"), "{}", bench.log());
    refused_after(&bench, "echo 2 > /proc/sys/vm/memfd_noexec");
    assert!(bench.log().contains("`sysctl vm.memfd_noexec=0`"), "{}", bench.log());
    assert_eq!(bench.machine.record().unwrap(), before);
    bench.boot();
    bench.wait_for_event("b confirmed", 1);
}

#[test]
fn program_that_is_replaced_while_it_runs_is_not_started_again() {
    let mut bench = Bench::installed(&trial("restart"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    write(&bench, "slots/a/bin/program", EVIL);
    write(&bench, "restart", "");
    bench.wait("the end of boot", || bench.log().contains("pitlane-boot ends"));
    assert!(!bench.path("evil").exists(), "{}", bench.log());
}

#[test]
fn release_staged_while_another_runs_starts_from_the_copy_verified_then() {
    let mut bench = Bench::installed(&trial("upgrade"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    let release = release_of(&trial("confirm"), 2);
    bench.stage_signed(&release);
    let program = &release.files[0].contents;
    bench.wait("a copy of the new program", || bench.keeps(program));
    // As long as what it replaces, for only the content is not looked at again.
    let mut evil = EVIL.as_bytes().to_vec();
    evil.resize(program.len(), b'\n');
    write(&bench, "slots/b/bin/program", evil);
    write(&bench, "package", "");
    bench.wait_for_event("b confirmed", 1);
    assert!(!bench.path("evil").exists(), "{}", bench.log());
    assert!(lives(bench.pids("b runs")[0]));
}

#[test]
fn staged_release_that_is_not_what_was_signed_is_named_while_the_old_one_runs() {
    let mut bench = Bench::installed(&trial("upgrade"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    let mut release = release_of(&trial("confirm"), 2);
    release.files[0].contents = EVIL.into();
    bench.stage_signed(&release);
    bench.wait_for_line("slots/b: not what was signed: bin/program is not the file");
    assert!(lives(bench.pids("a runs")[0]));
    write(&bench, "package", "");
    bench.wait_for_line("slot b: 34.2 could not be started: bin/program is not the file");
    bench.wait_for_event("a runs", 2);
    assert!(!bench.path("evil").exists(), "{}", bench.log());
}

/// The time between the check and the start is what an attacker with a process of the same user has.
#[test]
fn program_that_changes_constantly_is_only_run_as_signed() {
    let mut bench = Bench::installed(&trial("serve"));
    let path = bench.path("slots/a/bin/program");
    let good = fs::read(&path).unwrap();
    let mut evil = EVIL.as_bytes().to_vec();
    evil.resize(good.len(), b'\n');
    let (over, ours) = (Arc::new(AtomicBool::new(false)), key().signing.id());
    let attacker = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            while !over.load(Ordering::Relaxed) {
                for contents in [&evil, &good] {
                    file.rewind().unwrap();
                    file.write_all(contents).unwrap();
                }
            }
        }
    });
    let mut started = 0;
    for _ in 0..40 {
        let before = bench.pids("a runs").len();
        bench.boot();
        let (mut ended, mut runs) = (false, false);
        while !ended && !runs {
            ended = bench.has_ended();
            runs = bench.pids("a runs").len() > before || bench.path("evil").exists();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        started += usize::from(runs);
        if !ended {
            bench.end_boot(Signal::KILL);
        }
    }
    over.store(true, Ordering::Relaxed);
    attacker.join().unwrap();
    assert!(!bench.path("evil").exists(), "with key {ours}: {}", bench.log());
    println!("{started} of 40 starts found the program as it was signed");
}

#[test]
fn program_is_run_once_with_arguments_after_the_same_verification() {
    let bench = Bench::installed("echo \"once $*\" > \"$3/once\"");
    let once = || {
        let mut command = bench.boot_command();
        command.arg("--").args(["enrol", "--root"]).arg(bench.path("")).status().unwrap()
    };
    assert!(once().success(), "{}", bench.log());
    let said = fs::read_to_string(bench.path("once")).unwrap();
    assert!(said.starts_with("once enrol --root "), "{said}");
    fs::remove_file(bench.path("once")).unwrap();
    write(&bench, "slots/a/bin/program", EVIL);
    assert_eq!(once().code(), Some(1));
    assert!(bench.log().contains("the release in slot a cannot be started"), "{}", bench.log());
    assert!(!bench.path("once").exists() && !bench.path("evil").exists());
}
