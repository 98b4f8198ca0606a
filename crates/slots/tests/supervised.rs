//! A program's link to `boot`, with a real process: this test starts itself, as `boot` starts a program.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::time::Duration;

use slots::{BOOT_VARIABLE, Error, NOTIFY_VARIABLE, SLOT_VARIABLE, Slot, notify, supervised};

/// Set in a process that a test has started: it is the program then.
const PROGRAM: &str = "SUPERVISED_TEST_PROGRAM";

/// Whether this process is the program, and no test.
fn is_program() -> bool {
    env::var_os(PROGRAM).is_some()
}

/// Runs a test of this file in a process of its own, as the program, and fails when it does.
fn run(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg0("slots/b/bin/pitlane-node").args(["--exact", test]).env(PROGRAM, "1");
    command.envs(environment.iter().copied());
    assert!(command.status().unwrap().success(), "{test} with {environment:?}");
}

#[test]
fn program_knows_its_slot_reports_to_boot_and_takes_its_name() {
    if is_program() {
        let link = supervised().unwrap().unwrap();
        assert_eq!(link.slot(), Slot::B);
        link.extend(Duration::from_secs(90)).unwrap();
        link.ready().unwrap();
        assert_eq!(fs::read_to_string("/proc/self/comm").unwrap(), "pitlane-node\n");
        return;
    }
    let name = format!("pitlane-test-{}", process::id());
    let boot = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let (id, address) = (process::id().to_string(), format!("@{name}"));
    // The program has ended when this reads, so what it sent is there.
    boot.set_nonblocking(true).unwrap();
    run(
        "program_knows_its_slot_reports_to_boot_and_takes_its_name",
        &[(SLOT_VARIABLE, "b"), (BOOT_VARIABLE, &id), (NOTIFY_VARIABLE, &address)],
    );
    for expected in ["EXTEND_TIMEOUT_USEC=90000000", "READY=1"] {
        let mut message = [0; 100];
        let length = boot.recv(&mut message).unwrap();
        assert_eq!(str::from_utf8(&message[..length]), Ok(expected));
    }
}

#[test]
fn program_that_boot_did_not_start_has_no_link() {
    assert!(supervised().unwrap().is_none());
}

#[test]
fn program_does_not_run_on_when_its_boot_has_ended() {
    if is_program() {
        assert!(matches!(supervised(), Err(Error::BootEnded)));
        return;
    }
    run(
        "program_does_not_run_on_when_its_boot_has_ended",
        &[(SLOT_VARIABLE, "b"), (BOOT_VARIABLE, "1"), (NOTIFY_VARIABLE, "@x")],
    );
}

#[test]
fn unusable_environment_is_refused_with_its_variable() {
    if is_program() {
        let wrong = env::var("WRONG").unwrap();
        let error = supervised().unwrap_err();
        assert!(matches!(&error, Error::Environment { variable, .. } if *variable == wrong), "{error}");
        return;
    }
    let id = process::id().to_string();
    let check = |wrong: &str, slot: &str, boot: &str, address: &str| {
        let environment =
            [(SLOT_VARIABLE, slot), (BOOT_VARIABLE, boot), (NOTIFY_VARIABLE, address), ("WRONG", wrong)];
        run("unusable_environment_is_refused_with_its_variable", &environment);
    };
    check(SLOT_VARIABLE, "c", &id, "@x");
    check(BOOT_VARIABLE, "b", "boot", "@x");
    check(NOTIFY_VARIABLE, "b", &id, &format!("/{}", "x".repeat(200)));
}

#[test]
fn message_is_sent_to_a_path_too_and_a_missing_receiver_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    assert!(notify(path.as_os_str(), "READY=1").is_err());
    let receiver = UnixDatagram::bind(&path).unwrap();
    receiver.set_nonblocking(true).unwrap();
    notify(path.as_os_str(), "READY=1").unwrap();
    let mut message = [0; 100];
    let length = receiver.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    assert!(notify(OsStr::new("@nobody-listens-here"), "READY=1").is_err());
}
