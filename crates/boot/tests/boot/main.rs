//! `pitlane-boot` with real processes: releases that confirm themselves, crash, hang and report falsely, and a
//! `boot` that is killed and started again.

mod bench;
#[path = "../support/signed.rs"]
mod signed;
mod verified;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use bench::{Bench, lives, trial};
use rustix::process::{Pid, Signal, kill_process};
use slots::{Attempt, Record, Slot, UnixMillis, Why};

fn left(record: &Record) -> Option<&Why> {
    assert_eq!(record.confirmed, Slot::A);
    record.fell_back.as_ref().map(|fell_back| &fell_back.why)
}

#[test]
fn new_release_that_confirms_itself_stays_selected() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("confirm"));
    bench.boot();
    bench.wait_for_line("slot b: release 34.2 (34200) has confirmed itself");
    assert!(bench.log().contains("slot b: starting release 34.2 (34200), try 1 of 2"), "{}", bench.log());
    assert_eq!(bench.machine.record().unwrap(), Record::confirmed(Slot::B));
    assert!(bench.end_boot(Signal::TERM).success());
    bench.boot();
    bench.wait_for_line("slot b: starting release 34.2 (34200)\n");
}

#[test]
fn new_release_that_never_confirms_itself_falls_back() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("serve"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    let record = bench.machine.record().unwrap();
    assert_eq!(left(&record), Some(&Why::NeverConfirmed { within_seconds: 1 }));
    let line = "slot b: 34.2 did not confirm itself in 1 s; going back to slot a (34.1)";
    assert!(bench.log().contains(line), "{}", bench.log());
    assert!(!lives(bench.pids("b runs")[0]), "both releases run");
}

#[test]
fn new_release_that_hangs_and_ignores_sigterm_is_killed_and_falls_back() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("stubborn"));
    bench.settings(3);
    bench.boot();
    bench.wait_for_event("a runs", 1);
    assert!(matches!(left(&bench.machine.record().unwrap()), Some(Why::NeverConfirmed { .. })));
    assert!(bench.log().contains("killing it"), "{}", bench.log());
    assert!(!lives(bench.pids("b runs")[0]), "both releases run");
}

#[test]
fn new_release_that_crashes_uses_up_its_tries_and_falls_back() {
    let mut bench = Bench::with_selected(&trial("serve"), "echo 'b runs 1' >> \"$2/journal\"; exit 7");
    bench.boot();
    bench.wait_for_event("a runs", 1);
    let why = Why::EndedAtStart { tries: 2, exit: "exit status 7".into() };
    assert_eq!(left(&bench.machine.record().unwrap()), Some(&why));
    assert_eq!(bench.pids("b runs").len(), 2);
}

#[test]
fn new_release_whose_program_cannot_be_executed_falls_back() {
    let mut bench = Bench::installed(&trial("serve"));
    bench.stage_program("#!/nonexistent/interpreter\n");
    bench.select();
    bench.boot();
    bench.wait_for_event("a runs", 1);
    assert!(matches!(left(&bench.machine.record().unwrap()), Some(Why::EndedAtStart { tries: 2, .. })));
}

#[test]
fn release_that_reports_ready_without_a_confirmation_in_the_record_falls_back() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("pretend"));
    bench.settings(3);
    bench.boot();
    bench.wait_for_line("has not confirmed itself in the record");
    bench.wait_for_event("a runs", 1);
    assert!(matches!(left(&bench.machine.record().unwrap()), Some(Why::NeverConfirmed { .. })));
}

#[test]
fn release_that_confirms_itself_while_it_is_being_stopped_stays_selected() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("at-the-last-moment"));
    bench.settings(3);
    bench.boot();
    bench.wait_for_event("b confirmed", 1);
    bench.wait_for_line("slot b: starting release 34.2 (34200)\n");
    assert_eq!(bench.machine.record().unwrap(), Record::confirmed(Slot::B));
    assert!(bench.pids("a runs").is_empty());
}

#[test]
fn confirmation_in_the_record_is_valid_without_its_message() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("confirm-silently"));
    bench.boot();
    bench.wait_for_line("slot b: release 34.2 (34200) has confirmed itself");
    assert_eq!(bench.machine.record().unwrap(), Record::confirmed(Slot::B));
    assert!(lives(bench.pids("b runs")[0]), "{}", bench.log());
    assert_eq!(bench.pids("b runs").len(), 1);
}

#[test]
fn confirmation_timeout_is_extended_while_a_release_asks_for_more_time() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("wait-for-manager"));
    bench.settings(2);
    bench.boot();
    // At twenty milliseconds each this is more than twice the time to confirm.
    bench.wait_for_event("b waits", 110);
    std::fs::write(bench.path("manager"), "").unwrap();
    bench.wait_for_line("has confirmed itself");
    assert_eq!(bench.machine.record().unwrap(), Record::confirmed(Slot::B));
    assert!(!bench.log().contains("going back"), "{}", bench.log());
    assert_eq!(bench.log().matches("asks for more time").count(), 1, "{}", bench.log());
}

#[test]
fn release_that_hangs_after_it_asked_for_more_time_falls_back() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("wait-then-hang"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    assert!(matches!(left(&bench.machine.record().unwrap()), Some(Why::NeverConfirmed { .. })));
}

#[test]
fn running_release_selects_the_next_one_and_it_starts_at_once() {
    let mut bench = Bench::installed(&trial("upgrade"));
    bench.stage(&trial("confirm"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    std::fs::write(bench.path("package"), "").unwrap();
    bench.wait_for_line("slot b: release 34.2 (34200) has confirmed itself");
    assert!(!bench.log().contains("next start in"), "{}", bench.log());
}

#[test]
fn confirmed_release_that_keeps_crashing_is_restarted_with_backoff_and_never_falls_back() {
    let mut bench = Bench::installed("echo 'a runs 1' >> \"$2/journal\"; kill -SEGV $$");
    bench.stage(&trial("serve"));
    bench.boot();
    bench.wait_for_event("a runs", 4);
    for line in
        ["ended after 0.0 s, signal 11", "next start in 0.1 s", "next start in 0.2 s", "next start in 0.4 s"]
    {
        bench.wait_for_line(line);
    }
    assert_eq!(bench.machine.record().unwrap(), Record::confirmed(Slot::A));
    assert!(bench.pids("b runs").is_empty());
}

#[test]
fn release_that_ends_without_an_error_is_started_again() {
    let mut bench = Bench::installed(&trial("restart"));
    bench.boot();
    for times in 1..=3 {
        bench.wait_for_event("a runs", times);
        std::fs::write(bench.path("restart"), "").unwrap();
    }
    bench.wait_for_event("a runs", 4);
}

#[test]
fn boot_that_is_stopped_ends_its_program_and_its_children() {
    let script = format!("sleep 1000 & echo \"a helper $!\" >> \"$2/journal\"; {}", trial("stubborn"));
    let mut bench = Bench::installed(&script);
    bench.boot();
    bench.wait_for_event("a runs", 1);
    let (program, helper) = (bench.pids("a runs")[0], bench.pids("a helper")[0]);
    assert!(lives(program) && lives(helper));
    assert!(bench.end_boot(Signal::INT).success());
    assert!(!lives(program), "the program still runs");
    bench.wait("the end of the helper", || !lives(helper));
}

#[test]
fn program_of_a_killed_boot_ends_and_boot_can_be_started_again() {
    let mut bench = Bench::installed(&trial("serve"));
    for times in 1..=3 {
        bench.boot();
        bench.wait_for_event("a runs", times);
        bench.end_boot(Signal::KILL);
    }
    bench.boot();
    bench.wait_for_event("a runs", 4);
    let pids = bench.pids("a runs");
    assert_eq!(pids.iter().filter(|pid| lives(**pid)).count(), 1, "{}", bench.log());
}

#[test]
fn program_that_outlives_a_killed_boot_is_killed_before_the_next_start() {
    let mut bench = Bench::installed(&trial("deaf"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    bench.end_boot(Signal::KILL);
    let old = bench.pids("a runs")[0];
    assert!(lives(old), "it noticed");
    bench.boot();
    bench.wait_for_event("a runs", 2);
    assert!(!lives(old), "two programs run: {}", bench.log());
}

#[test]
fn service_manager_is_notified_that_the_machine_is_up() {
    let bench = Bench::installed(&trial("serve"));
    let socket = UnixDatagram::bind(bench.path("manager.socket")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut boot = bench.boot_command().env("NOTIFY_SOCKET", bench.path("manager.socket")).spawn().unwrap();
    let mut message = [0; 64];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    kill_process(Pid::from_child(&boot), Signal::TERM).unwrap();
    assert!(boot.wait().unwrap().success());
}

#[test]
fn fall_back_to_a_release_that_does_not_start_either_is_reported_and_kept() {
    let old = "[ -e \"$2/well\" ] || exit 3; ".to_string() + &trial("confirm");
    let bench = Bench::with_selected(&old, "exit 7");
    let socket = UnixDatagram::bind(bench.path("manager.socket")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut boot = bench.boot_command().env("NOTIFY_SOCKET", bench.path("manager.socket")).spawn().unwrap();
    let status = || {
        let mut message = [0; 1024];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let reported = std::iter::repeat_with(status).find(|message| message.starts_with("STATUS=")).unwrap();
    let line =
        "slot a: release 34.1 (34100) has not become ready in 2 starts in a row, the last one: exit status 3";
    assert!(reported.contains(line) && reported.contains("This machine runs no release"), "{reported}");
    bench.wait_for_line(line);
    bench.wait_for_record("the fall-back that found no release", |record| {
        record.fell_back.as_ref().is_some_and(|fell_back| fell_back.stranded.is_some())
    });
    let fell_back = bench.machine.record().unwrap().fell_back.unwrap();
    let said = fell_back.sentence(UnixMillis::now());
    assert!(
        said.contains("exit status 7") && said.contains("did not start either (exit status 3)"),
        "{said}"
    );
    std::fs::write(bench.path("well"), "").unwrap();
    bench.wait_for_line("slot a: release 34.1 (34100) is ready, after");
    let reported =
        std::iter::repeat_with(status).find(|message| message.starts_with("STATUS=release")).unwrap();
    assert_eq!(reported, "STATUS=release 34.1 (34100) runs");
    kill_process(Pid::from_child(&boot), Signal::TERM).unwrap();
    assert!(boot.wait().unwrap().success());
}

#[test]
fn second_boot_on_the_same_machine_is_refused() {
    let mut bench = Bench::installed(&trial("serve"));
    bench.boot();
    bench.wait_for_event("a runs", 1);
    assert!(!bench.another_boot().wait().unwrap().success());
    assert!(bench.log().contains("another pitlane-boot runs this machine"), "{}", bench.log());
    assert!(lives(bench.pids("a runs")[0]), "the second one disturbed the first");
}

/// A child that a killed boot has forked holds the lock until it executes its program.
#[test]
fn lock_that_is_given_up_within_seconds_is_waited_for() {
    let mut bench = Bench::installed(&trial("serve"));
    let lock = std::fs::File::create(bench.path("boot.lock")).unwrap();
    lock.lock().unwrap();
    bench.boot();
    std::thread::sleep(Duration::from_secs(1));
    drop(lock);
    bench.wait_for_event("a runs", 1);
}

#[test]
fn boot_killed_repeatedly_while_it_tries_a_release_falls_back() {
    let mut bench = Bench::with_selected(&trial("confirm"), &trial("serve"));
    bench.settings(1000);
    for times in 1..=2 {
        bench.boot();
        bench.wait_for_event("b runs", times);
        bench.end_boot(Signal::KILL);
    }
    bench.boot();
    bench.wait_for_event("a runs", 1);
    assert_eq!(left(&bench.machine.record().unwrap()), Some(&Why::TriesUsedUp { tries: 2 }));
    bench.wait("the end of the tried release", || !bench.pids("b runs").into_iter().any(lives));
}

#[test]
fn boot_killed_at_any_time_during_an_upgrade_starts_a_complete_release() {
    for milliseconds in (0..60).step_by(4) {
        let mut bench = Bench::with_selected(&trial("serve"), &trial("confirm"));
        bench.settings(1000);
        bench.boot();
        // No condition to wait for: the moment of the kill is what varies.
        std::thread::sleep(Duration::from_millis(milliseconds));
        bench.end_boot(Signal::KILL);
        bench.boot();
        bench.wait_for_record("a confirmed release 2", |record| *record == Record::confirmed(Slot::B));
        bench.wait("one program", || bench.pids("b runs").into_iter().filter(|pid| lives(*pid)).count() == 1);
    }
}

#[test]
fn machine_without_a_usable_record_or_settings_is_refused_by_name() {
    let check = |spoil: &dyn Fn(&Bench), named: &[&str]| {
        let bench = Bench::installed(&trial("serve"));
        spoil(&bench);
        assert_eq!(bench.another_boot().wait().unwrap().code(), Some(1));
        for word in named {
            assert!(bench.log().contains(word), "{word:?} is missing: {}", bench.log());
        }
    };
    check(&|bench| std::fs::remove_file(bench.path("boot.json")).unwrap(), &["boot.json", "machine install"]);
    check(&|bench| std::fs::write(bench.path("boot.json"), "?").unwrap(), &["boot.json", "damaged"]);
    check(&|bench| std::fs::remove_file(bench.path("machine.toml")).unwrap(), &["machine.toml"]);
    check(&|bench| std::fs::write(bench.path("machine.toml"), "[boot]\ntries = 0").unwrap(), &["tries is 0"]);
    check(&|bench| std::fs::remove_file(bench.path("slots/a/slot.json")).unwrap(), &["slots/a/slot.json"]);
}

#[test]
fn counted_try_is_never_used_twice() {
    let mut bench = Bench::with_selected(&trial("serve"), &trial("serve"));
    bench.settings(1000);
    bench.boot();
    bench.wait_for_event("b runs", 1);
    bench.end_boot(Signal::KILL);
    let next = bench.machine.next_start(2, UnixMillis::now()).unwrap();
    assert_eq!(next.attempt, Attempt::Trying { attempt: 2 });
}
