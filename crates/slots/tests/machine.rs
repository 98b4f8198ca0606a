//! The rules of the slots on a real disk, and the operations that are refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use slots::{Attempt, Error, FellBack, Machine, Slot, SlotIdentity, Stranded, UnixMillis, Why};
use tempfile::TempDir;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const TRIES: u32 = 2;

fn identity(release: u32) -> SlotIdentity {
    SlotIdentity::new(format!("{release:064x}"), format!("{release}"), release * 100, "bin/program".into())
}

fn unpack(dir: &Path) -> PathBuf {
    fs::create_dir(dir.join("bin")).unwrap();
    let program = dir.join("bin/program");
    fs::write(&program, "a program").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn installed() -> (TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::open(root.path());
    let staging = machine.install_first().unwrap();
    unpack(&staging.dir());
    staging.finish(&identity(1)).unwrap();
    (root, machine)
}

fn stage(machine: &Machine, running: Slot, release: u32) {
    let staging = machine.begin_staging(running).unwrap();
    unpack(&staging.dir());
    staging.finish(&identity(release)).unwrap();
}

fn staged() -> (TempDir, Machine) {
    let (root, machine) = installed();
    stage(&machine, Slot::A, 2);
    (root, machine)
}

fn selected() -> (TempDir, Machine) {
    let (root, machine) = staged();
    machine.select(&identity(2).manifest).unwrap();
    (root, machine)
}

#[test]
fn machine_is_installed_once() {
    let (_root, machine) = installed();
    assert!(matches!(machine.install_first(), Err(Error::AlreadyInstalled { .. })));
    let start = machine.next_start(TRIES, NOW).unwrap();
    assert_eq!((start.slot, start.attempt, start.identity), (Slot::A, Attempt::Confirmed, identity(1)));
}

#[test]
fn staged_release_changes_nothing_until_it_is_selected() {
    let (_root, machine) = staged();
    assert_eq!(machine.staged().unwrap(), Some(identity(2)));
    assert_eq!(machine.next_start(TRIES, NOW).unwrap().identity, identity(1));
}

#[test]
fn selected_release_is_tried_and_confirmed_and_the_previous_one_can_be_selected() {
    let (_root, machine) = selected();
    let start = machine.next_start(TRIES, NOW).unwrap();
    assert_eq!((start.slot, start.attempt), (Slot::B, Attempt::Trying { attempt: 1 }));
    machine.confirm(Slot::B).unwrap();
    machine.confirm(Slot::B).unwrap();
    assert_eq!(machine.next_start(TRIES, NOW).unwrap().attempt, Attempt::Confirmed);
    assert_eq!(machine.staged().unwrap(), Some(identity(1)));
    machine.select(&identity(1).manifest).unwrap();
    assert_eq!(machine.next_start(TRIES, NOW).unwrap().identity, identity(1));
}

#[test]
fn used_up_tries_fall_back_which_is_recorded_until_the_next_selection() {
    let (_root, machine) = selected();
    for attempt in 1..=TRIES {
        assert_eq!(machine.next_start(TRIES, NOW).unwrap().attempt, Attempt::Trying { attempt });
    }
    let start = machine.next_start(TRIES, NOW).unwrap();
    assert_eq!((start.slot, start.attempt), (Slot::A, Attempt::Confirmed));
    assert_eq!(start.fell_back.as_ref().unwrap().why, Why::TriesUsedUp { tries: TRIES });
    assert_eq!(machine.record().unwrap().fell_back, start.fell_back);
    machine.select(&identity(2).manifest).unwrap();
    assert_eq!(machine.record().unwrap().fell_back, None);
}

#[test]
fn nothing_is_staged_while_a_release_is_tried() {
    let (_root, machine) = selected();
    assert!(matches!(machine.begin_staging(Slot::A), Err(Error::BeingTried { slot: Slot::B })));
    assert!(matches!(machine.begin_staging(Slot::B), Err(Error::BeingTried { slot: Slot::B })));
    assert_eq!(machine.release(Slot::B).unwrap(), Some(identity(2)));
}

#[test]
fn slot_that_runs_is_never_staged_into() {
    let (_root, machine) = installed();
    assert!(matches!(machine.begin_staging(Slot::B), Err(Error::NotConfirmed { .. })));
    assert_eq!(machine.release(Slot::A).unwrap(), Some(identity(1)));
}

#[test]
fn selection_during_staging_refuses_the_staging() {
    let (_root, machine) = staged();
    let late = machine.begin_staging(Slot::A).unwrap();
    unpack(&late.dir());
    stage(&machine, Slot::A, 3);
    machine.select(&identity(3).manifest).unwrap();
    assert!(matches!(late.finish(&identity(4)), Err(Error::BeingTried { .. })));
    assert_eq!(machine.next_start(TRIES, NOW).unwrap().identity, identity(3));
}

#[test]
fn only_what_is_staged_can_be_selected_and_only_once_at_a_time() {
    let (_root, machine) = staged();
    assert!(matches!(machine.select(&identity(3).manifest), Err(Error::NotStaged { .. })));
    machine.select(&identity(2).manifest).unwrap();
    machine.select(&identity(2).manifest).unwrap();
    assert!(matches!(machine.select(&identity(3).manifest), Err(Error::BeingTried { .. })));
}

#[test]
fn only_the_tried_release_confirms_itself() {
    let (_root, machine) = selected();
    assert!(matches!(machine.confirm(Slot::A), Err(Error::NotTried { .. })));
    machine.fall_back(Why::NeverConfirmed { within_seconds: 300 }, NOW).unwrap();
    assert!(matches!(machine.confirm(Slot::B), Err(Error::NotTried { .. })));
    assert!(matches!(machine.fall_back(Why::TriesUsedUp { tries: 1 }, NOW), Err(Error::NotTried { .. })));
}

#[test]
fn release_without_its_program_is_not_installed() {
    let (_root, machine) = installed();
    let check = |prepare: &dyn Fn(&Path), identity: &SlotIdentity| {
        let staging = machine.begin_staging(Slot::A).unwrap();
        prepare(&unpack(&staging.dir()));
        assert!(matches!(staging.finish(identity), Err(Error::NotARelease { .. })));
        assert_eq!(machine.staged().unwrap(), None);
    };
    check(&|program| fs::remove_file(program).unwrap(), &identity(2));
    check(&|program| fs::set_permissions(program, fs::Permissions::from_mode(0o644)).unwrap(), &identity(2));
    check(&|program| symlink("/bin/sh", program.with_file_name("link")).unwrap(), &identity(2));
    check(&|_| (), &SlotIdentity { program: "../a/bin/program".into(), ..identity(2) });
    check(&|_| (), &SlotIdentity { manifest: "short".into(), ..identity(2) });
    check(&|_| (), &SlotIdentity { format: 2, ..identity(2) });
}

#[test]
fn damaged_tried_slot_falls_back_and_a_damaged_confirmed_one_is_an_error() {
    let (root, machine) = selected();
    fs::write(root.path().join("slots/b/slot.json"), "{").unwrap();
    let start = machine.next_start(TRIES, NOW).unwrap();
    assert_eq!(start.slot, Slot::A);
    assert!(matches!(start.fell_back.unwrap().why, Why::Damaged { .. }));
    fs::remove_file(root.path().join("slots/a/bin/program")).unwrap();
    assert!(matches!(machine.next_start(TRIES, NOW), Err(Error::SlotDamaged { slot: Slot::A, .. })));
}

#[test]
fn slot_that_fails_inspection_falls_back_without_a_counted_try_or_is_not_started() {
    let (_root, machine) = selected();
    let mut inspected = Vec::new();
    let mut only_a = |slot: Slot, identity: &SlotIdentity| {
        inspected.push((slot, identity.clone()));
        if slot == Slot::A { Ok(()) } else { Err("it was changed".to_string()) }
    };
    let start = machine.next_inspected_start(TRIES, NOW, &mut only_a).unwrap();
    assert_eq!(start.slot, Slot::A);
    assert_eq!(start.fell_back.unwrap().why, Why::Damaged { reason: "it was changed".into() });
    assert_eq!(inspected, [(Slot::B, identity(2)), (Slot::A, identity(1))]);

    let before = machine.record().unwrap();
    let refused = machine.next_inspected_start(TRIES, NOW, &mut |_, _| Err("it was changed".into()));
    assert!(matches!(refused, Err(Error::NotVerified { slot: Slot::A, .. })), "{refused:?}");
    assert_eq!(machine.record().unwrap(), before);
}

#[test]
fn tried_slot_with_another_release_in_it_falls_back() {
    let (root, machine) = selected();
    let path = root.path().join("slots/b/slot.json");
    fs::write(&path, serde_json::to_vec(&identity(7)).unwrap()).unwrap();
    let start = machine.next_start(TRIES, NOW).unwrap();
    assert!(matches!(start.fell_back.unwrap().why, Why::Damaged { .. }));
}

#[test]
fn missing_or_damaged_record_is_named_and_never_guessed() {
    let (root, machine) = staged();
    let path = root.path().join("boot.json");
    for text in [
        "",
        "{",
        "{\"format\":2,\"confirmed\":\"a\"}",
        "{\"format\":1,\"confirmed\":\"c\"}",
        &" ".repeat(20_000),
    ] {
        fs::write(&path, text).unwrap();
        let error = machine.next_start(TRIES, NOW).unwrap_err();
        assert!(matches!(error, Error::RecordDamaged { .. }), "{error}");
        assert!(error.to_string().contains("boot.json"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let error = machine.next_start(TRIES, NOW).unwrap_err();
    assert!(matches!(error, Error::NoRecord { .. }));
    assert!(error.to_string().contains("pitlane machine install"), "{error}");
}

#[test]
fn record_of_up_to_16_kib_is_read_and_a_longer_one_is_damaged() {
    let (root, machine) = installed();
    let before = machine.record().unwrap();
    let write = |length: usize| {
        let record = "{\"format\":1,\"confirmed\":\"a\"}";
        fs::write(root.path().join("boot.json"), format!("{record:length$}")).unwrap();
    };
    write(16_384);
    assert_eq!(machine.record().unwrap(), before);
    write(16_385);
    assert!(matches!(machine.record(), Err(Error::RecordDamaged { .. })));
}

#[test]
fn record_that_cannot_be_read_is_not_reported_as_damaged() {
    let (root, machine) = staged();
    let path = root.path().join("boot.json");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = machine.next_start(TRIES, NOW).unwrap_err();
    assert!(!matches!(error, Error::RecordDamaged { .. } | Error::NoRecord { .. }), "{error}");
    assert!(error.to_string().contains("boot.json"), "{error}");
}

#[test]
fn record_that_the_error_proposes_is_accepted() {
    let (root, machine) = installed();
    fs::write(root.path().join("boot.json"), "{\"format\":1,\"confirmed\":\"a\"}").unwrap();
    assert_eq!(machine.next_start(TRIES, NOW).unwrap().identity, identity(1));
}

#[test]
fn program_refuses_a_slot_of_another_release() {
    let (_root, machine) = installed();
    assert_eq!(machine.check_compiled(Slot::A, "1", 100).unwrap(), identity(1));
    for (version, build) in [("1", 101), ("1.1", 100)] {
        let refused = machine.check_compiled(Slot::A, version, build);
        assert!(matches!(refused, Err(Error::Disagrees { .. })));
    }
    assert!(matches!(machine.check_compiled(Slot::B, "1", 100), Err(Error::SlotDamaged { .. })));
}

#[test]
fn confirmed_release_that_does_not_start_is_recorded_once_with_the_last_fall_back() {
    let (_root, machine) = selected();
    let stranded = |exit: &str| Stranded { exit: exit.into() };
    machine.note_stranded(stranded("while another release is tried")).unwrap();
    machine.fall_back(Why::NeverConfirmed { within_seconds: 300 }, NOW).unwrap();
    assert_eq!(machine.record().unwrap().fell_back.unwrap().stranded, None);
    machine.note_stranded(stranded("exit status 1")).unwrap();
    machine.note_stranded(stranded("exit status 2")).unwrap();
    assert_eq!(machine.record().unwrap().fell_back.unwrap().stranded, Some(stranded("exit status 1")));
}

#[test]
fn earlier_fall_back_is_left_as_it_is_while_a_release_is_tried() {
    let (root, machine) = selected();
    let mut record = machine.record().unwrap();
    let manifest = identity(3).manifest;
    record.fell_back = Some(FellBack { manifest, why: Why::Unknown, at: NOW, stranded: None });
    fs::write(root.path().join("boot.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    machine.note_stranded(Stranded { exit: "exit status 1".into() }).unwrap();
    assert_eq!(machine.record().unwrap(), record);
}

#[test]
fn program_finds_the_slot_that_it_runs_from() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::open(root.path());
    assert_eq!(machine.root(), root.path());
    assert_eq!(machine.slot_of_this_program(), None);
    let program = std::env::current_exe().unwrap();
    fs::create_dir_all(root.path().join("slots/a")).unwrap();
    symlink(program.parent().unwrap(), root.path().join("slots/b")).unwrap();
    assert_eq!(machine.slot_of_this_program(), Some(Slot::B));
}
