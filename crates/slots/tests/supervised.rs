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

/// Runs one of the programs below in a process of its own, and fails when it does.
fn run(program: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg0("slots/b/bin/pitlane-node").args(["--exact", "--ignored", program]);
    command.envs(environment.iter().copied());
    assert!(command.status().unwrap().success(), "{program} with {environment:?}");
}

#[test]
#[ignore = "a program that the tests below start"]
fn program_with_a_link() {
    let link = supervised().unwrap().unwrap();
    assert_eq!(link.slot(), Slot::B);
    link.extend(Duration::from_secs(90)).unwrap();
    link.ready().unwrap();
    assert_eq!(fs::read_to_string("/proc/self/comm").unwrap(), "pitlane-node\n");
}

#[test]
#[ignore = "a program that the tests below start"]
fn program_whose_boot_has_ended() {
    assert!(matches!(supervised(), Err(Error::BootEnded)));
}

#[test]
#[ignore = "a program that the tests below start"]
fn program_with_an_unusable_environment() {
    let wrong = env::var("WRONG").unwrap();
    let error = supervised().unwrap_err();
    assert!(matches!(&error, Error::Environment { variable, .. } if *variable == wrong), "{error}");
}

#[test]
fn program_knows_its_slot_reports_to_boot_and_takes_its_name() {
    let name = format!("pitlane-test-{}", process::id());
    let boot = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let (id, address) = (process::id().to_string(), format!("@{name}"));
    // The program has ended when this reads, so what it sent is there.
    boot.set_nonblocking(true).unwrap();
    run("program_with_a_link", &[(SLOT_VARIABLE, "b"), (BOOT_VARIABLE, &id), (NOTIFY_VARIABLE, &address)]);
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
    run(
        "program_whose_boot_has_ended",
        &[(SLOT_VARIABLE, "b"), (BOOT_VARIABLE, "1"), (NOTIFY_VARIABLE, "@x")],
    );
}

#[test]
fn unusable_environment_is_refused_with_its_variable() {
    let id = process::id().to_string();
    let check = |wrong: &str, slot: &str, boot: &str, address: &str| {
        let environment =
            [(SLOT_VARIABLE, slot), (BOOT_VARIABLE, boot), (NOTIFY_VARIABLE, address), ("WRONG", wrong)];
        run("program_with_an_unusable_environment", &environment);
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
