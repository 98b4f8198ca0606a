//! The check of a release in a slot, with real processes.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use slots::{CheckFailed, Held, Machine, Slot, SlotIdentity};

const WITHIN: Duration = Duration::from_secs(20);

/// A machine whose slot a holds a release with this script as its program.
fn machine(root: &Path, script: &str) -> Machine {
    let machine = Machine::open(root);
    let staging = machine.install_first().unwrap();
    fs::create_dir(staging.dir().join("bin")).unwrap();
    let program = staging.dir().join("bin/program");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let identity = SlotIdentity::new("0".repeat(64), "34.1".into(), 34_100, "bin/program".into());
    staging.finish(&identity).unwrap();
    machine
}

fn held() -> Held {
    Held { addresses: vec!["127.0.0.1:1".parse().unwrap()], calls: 3 }
}

fn check(script: &str, within: Duration) -> Result<(), CheckFailed> {
    let root = tempfile::tempdir().unwrap();
    machine(root.path(), script).check_release(Slot::A, &held(), within)
}

#[test]
fn check_gets_the_slot_and_no_input_or_link_to_boot() {
    // A program that boot has started has these variables, so the test runs itself with them.
    let name = "check_gets_the_slot_and_no_input_or_link_to_boot";
    if env::var_os("WATCHDOG_PID").is_none() {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", name]).env("PITLANE_SLOT", "b").env("PITLANE_BOOT", "1");
        again.env("NOTIFY_SOCKET", "@nobody").env("WATCHDOG_PID", "1").env("WATCHDOG_USEC", "1");
        assert!(again.status().unwrap().success());
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let script = "cat > \"$3/input\"; echo \"$@\" > \"$3/arguments\"; \
         env | grep -c -E '^(PITLANE_(SLOT|BOOT)|NOTIFY_SOCKET|WATCHDOG_)' > \"$3/inherited\"; exit 0";
    let machine = machine(root.path(), script);
    machine.check_release(Slot::A, &held(), WITHIN).unwrap();
    let wrote = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
    let expected =
        format!("check --root {} --slot a --held 127.0.0.1:1 --held-calls 3\n", root.path().display());
    let (input, arguments, inherited) = (wrote("input"), wrote("arguments"), wrote("inherited"));
    assert_eq!((input, arguments, inherited), (String::new(), expected, "0\n".into()));
}

#[test]
fn each_line_of_a_release_that_would_not_start_is_a_fault() {
    let failed =
        check("echo 'port 5060 is taken'; echo; printf 'no \\033room\\n'; exit 1", WITHIN).unwrap_err();
    let CheckFailed::Faults(faults) = &failed else { panic!("{failed:?}") };
    assert_eq!(faults, &["port 5060 is taken", "no room"]);
    assert_eq!(failed.to_string(), "port 5060 is taken; no room");
}

#[test]
fn twenty_faults_of_several_hundred_characters_are_all_reported() {
    let script = "for fault in $(seq 20); do printf '%0700d\\n' $fault; done; exit 1";
    let failed = check(script, WITHIN).unwrap_err();
    let CheckFailed::Faults(faults) = &failed else { panic!("{failed:?}") };
    assert!(faults.len() == 20 && faults.iter().all(|fault| fault.len() == 700), "{failed}");
}

#[test]
fn release_that_cannot_answer_would_not_start() {
    let said = |script: &str| check(script, WITHIN).unwrap_err().to_string();
    assert!(said("exit 7").contains("exit status 7"), "{}", said("exit 7"));
    assert!(said("kill -SEGV $$").contains("signal 11"));
    let root = tempfile::tempdir().unwrap();
    let machine = machine(root.path(), "");
    fs::write(root.path().join("slots/a/bin/program"), "#!/nonexistent/interpreter\n").unwrap();
    let failed = machine.check_release(Slot::A, &Held::default(), WITHIN).unwrap_err();
    assert!(matches!(failed, CheckFailed::NotRun { .. }), "{failed:?}");
}

#[test]
fn check_that_does_not_end_or_prints_without_end_is_bounded() {
    let began = Instant::now();
    let failed = check("sleep 60 & exec sleep 60", Duration::from_millis(300)).unwrap_err();
    assert!(matches!(failed, CheckFailed::Late { .. }), "{failed:?}");
    let failed = check("yes fault", WITHIN).unwrap_err();
    let CheckFailed::Faults(faults) = &failed else { panic!("{failed:?}") };
    assert_eq!(faults.len(), 20);
    assert!(began.elapsed() < WITHIN);
}
