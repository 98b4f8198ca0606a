//! Tests the check before a start with real processes: faults are found while the node serves, and before it refuses a
//! call for a release that would not start.

mod support;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners};
use fleet::observed::{Admission, Staging};
use fleet::time::Span;
use fleet::version::Version;
use slots::Slot;

use support::machine::{INSTALLED_KEY, Node, TestMachine};
use support::package::{Publisher, next_release};
use support::{Manager, until};

fn desired(n: u64, owners: Owners, software: Assignment, depth: Depth) -> Desired {
    let intent = Intent { owners, software: Some((software, depth)) };
    Desired { generation: Generation { epoch: 1, n }, intent }
}

fn by_run() -> Owners {
    Owners { run: Some(Span::hours(1)), ..Owners::default() }
}

fn check(machine: &TestMachine) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane-node"));
    command.args(["check", "--slot", "a", "--root"]).arg(machine.path()).output().unwrap()
}

fn faults(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(String::from).collect()
}

async fn enrolled() -> (TestMachine, Manager) {
    let (machine, manager) = (TestMachine::installed(), Manager::start().await);
    assert!(machine.enrol(&manager).await.status.success());
    (machine, manager)
}

async fn in_service() -> (TestMachine, Manager, Node) {
    let (machine, manager) = enrolled().await;
    let node = machine.start(Slot::A);
    machine.until_web_says(200).await;
    (machine, manager, node)
}

/// The settings with one text in the place of another.
fn edit(machine: &TestMachine, from: &str, to: &str) {
    let path = machine.path().join("machine.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_of_a_machine_that_would_start_finds_nothing_and_changes_nothing() {
    let (machine, _manager) = enrolled().await;
    let files = || {
        let mut names: Vec<_> =
            fs::read_dir(machine.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.extend(fs::read_dir(machine.path().join("state")).unwrap().map(|it| it.unwrap().file_name()));
        names
    };
    let before = files();
    let output = check(&machine);
    assert!(output.status.success() && faults(&output).is_empty(), "{output:?}");
    assert_eq!(files(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_keeps_a_node_from_starting_is_named_by_its_check() {
    type Spoil = fn(&TestMachine) -> Option<UdpSocket>;
    let spoils: [(&str, Spoil); 10] = [
        ("sipp", |machine| {
            edit(machine, "sip =", "sipp =");
            None
        }),
        ("media_ports", |machine| {
            edit(machine, "[40000, 40999]", "\"many\"");
            None
        }),
        ("call_limit is 0", |machine| {
            edit(machine, "[node]", "[calls]\ncall_limit = 0\n[node]");
            None
        }),
        ("machine.toml", |machine| {
            fs::remove_file(machine.path().join("machine.toml")).unwrap();
            None
        }),
        (":5060", |machine| Some(UdpSocket::bind(machine.sip).unwrap())),
        ("192.0.2.1:8080", |machine| {
            edit(machine, &format!("web = \"{}\"", machine.web), "web = \"192.0.2.1:8080\"");
            None
        }),
        ("cannot both be listened on", |machine| {
            edit(machine, &format!("web = \"{}\"", machine.web), &format!("web = \"{}\"", machine.sip));
            None
        }),
        ("agent.json", |machine| {
            fs::write(machine.path().join("state/agent.json"), "{").unwrap();
            None
        }),
        ("identity.json", |machine| {
            fs::write(machine.path().join("state/identity.json"), "{}").unwrap();
            None
        }),
        ("boot.json", |machine| {
            fs::write(machine.path().join("boot.json"), "?").unwrap();
            None
        }),
    ];
    for (named, spoil) in spoils {
        let (machine, _manager) = enrolled().await;
        let _taken = spoil(&machine);
        let output = check(&machine);
        let found = faults(&output);
        assert!(
            !output.status.success() && found.iter().any(|fault| fault.contains(named)),
            "{named}: {found:?}"
        );
        assert!(!machine.start(Slot::A).ended().await.success(), "{named}: it started all the same");
    }
}

/// Lets no trusted key be the one that signed what is installed.
fn forget_key(machine: &TestMachine) {
    Publisher::new().install_key_as(machine.path(), INSTALLED_KEY);
}

/// The program is another one, of the same length.
fn replace_program(machine: &TestMachine) {
    let program = machine.path().join("slots/a/bin/pitlane-node");
    let length = fs::metadata(&program).unwrap().len() as usize;
    fs::write(program, "x".repeat(length)).unwrap();
}

/// `boot` starts a slot only when it holds what was signed with a key of the machine: `crates/boot/tests/boot/`.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_keeps_boot_from_starting_a_slot_is_named_by_the_check_of_its_node() {
    type Spoil = fn(&TestMachine);
    let spoils: [(&str, Spoil); 11] = [
        ("bin/pitlane-node is not the file that the manifest lists: its content", replace_program),
        ("bin/pitlane-node is not the file that the manifest lists: its size", |machine| {
            fs::write(machine.path().join("slots/a/bin/pitlane-node"), "short").unwrap();
        }),
        ("the slot holds bin/more", |machine| {
            fs::write(machine.path().join("slots/a/bin/more"), "").unwrap();
        }),
        ("its program is missing", |machine| {
            fs::remove_file(machine.path().join("slots/a/bin/pitlane-node")).unwrap();
        }),
        ("the slot holds no manifest.json,", |machine| {
            fs::remove_file(machine.path().join("slots/a/manifest.json")).unwrap();
        }),
        ("the slot holds no manifest.json.minisig,", |machine| {
            fs::remove_file(machine.path().join("slots/a/manifest.json.minisig")).unwrap();
        }),
        ("was changed after it was signed", |machine| {
            let manifest = machine.path().join("slots/a/manifest.json");
            let text = fs::read_to_string(&manifest).unwrap();
            fs::write(manifest, text + "\n").unwrap();
        }),
        ("slot.json says", |machine| {
            let path = machine.path().join("slots/a/slot.json");
            let identity = fs::read_to_string(&path).unwrap();
            let manifest = &machine.machine.release(Slot::A).unwrap().unwrap().manifest;
            fs::write(path, identity.replace(manifest, &"0".repeat(64))).unwrap();
        }),
        ("which this machine does not trust", forget_key),
        ("trust/installed.pub is not a minisign public key", |machine| {
            fs::write(machine.path().join(INSTALLED_KEY), "").unwrap();
        }),
        ("trust holds no public key", |machine| {
            fs::remove_file(machine.path().join(INSTALLED_KEY)).unwrap();
        }),
    ];
    for (named, spoil) in spoils {
        let (machine, _manager) = enrolled().await;
        spoil(&machine);
        let output = check(&machine);
        let found = faults(&output);
        assert!(
            !output.status.success() && found.len() == 1 && found[0].contains(named),
            "{named}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_named_at_once_one_on_each_line() {
    let (machine, _manager) = enrolled().await;
    let _media: Vec<UdpSocket> =
        (40_000..41_000).step_by(2).map(|port| UdpSocket::bind((machine.sip.ip(), port)).unwrap()).collect();
    let _sip = UdpSocket::bind(machine.sip).unwrap();
    edit(&machine, "[boot]", "[boot]\ntries = 0");
    fs::write(machine.path().join("state/agent.json"), "{").unwrap();
    let found = faults(&check(&machine));
    for named in ["tries is 0", "agent.json is damaged", ":5060", "media_ports 40000-40999 has 0 free"] {
        assert_eq!(found.iter().filter(|fault| fault.contains(named)).count(), 1, "{named}: {found:?}");
    }
}

/// What a node says of itself that serves, once something was done to its machine.
async fn serves_on_and_says(spoil: fn(&TestMachine), named: &str) {
    let (machine, manager, mut node) = in_service().await;
    spoil(&machine);
    until("it says so", || manager.last().is_some_and(|last| last.start_fault.is_some())).await;
    let last = manager.last().unwrap();
    assert!(
        last.start_fault.as_ref().is_some_and(|why| why.contains(named) && !why.contains('\n')),
        "{last:?}"
    );
    assert_eq!((last.admission, last.unfit), (Admission::Admitting, None));
    machine.until_web_says(200).await;
    assert!(node.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_serves_says_that_a_restart_would_fail_and_serves_on() {
    serves_on_and_says(|machine| edit(machine, "sip =", "sipp ="), "sipp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_slot_was_replaced_while_it_serves_says_so_and_serves_on() {
    serves_on_and_says(replace_program, "the release in slot a cannot be started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_trusted_key_was_removed_while_it_serves_says_so_and_serves_on() {
    serves_on_and_says(forget_key, "which this machine does not trust").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn release_that_would_not_start_is_rejected_while_the_node_takes_calls() {
    let (machine, manager, _node) = in_service().await;
    let mut publisher = Publisher::new();
    publisher.check = "echo 'port 5060 is taken'; exit 1";
    publisher.install_key(machine.path());
    let served = publisher.publish(next_release(), Version::new(34, 0), 100_000);
    manager.with(|fake| {
        fake.served = Some(served.dir.clone());
        fake.desired = desired(1, Owners::default(), served.assignment(), Depth::Stage);
    });
    until("it is rejected", || rejection(&manager).is_some()).await;
    assert!(rejection(&manager).unwrap().contains("would not start on this machine: port 5060 is taken"));
    let refused = manager.with(|fake| fake.seen.iter().any(says_refusing_after_service));
    assert!(!refused, "a call was refused for nothing");
}

fn says_refusing_after_service(sync: &wire::Sync) -> bool {
    sync.observed.admission == wire::report::Admission::Refusing && sync.observed.generation.n > 0
}

fn rejection(manager: &Manager) -> Option<String> {
    match manager.last()?.staging {
        Staging::Rejected { why, .. } => Some(why),
        Staging::Nothing | Staging::Fetching { .. } | Staging::Staged { .. } => None,
    }
}

/// A node that has staged a release which would start unless there is a file `broken`.
async fn staged() -> (TestMachine, Manager, Node, Assignment) {
    let (machine, manager, node) = in_service().await;
    let mut publisher = Publisher::new();
    publisher.check = "[ -e \"$3/broken\" ] || exit 0; echo 'the settings are broken'; exit 1";
    publisher.install_key(machine.path());
    let served = publisher.publish(next_release(), Version::new(34, 0), 100_000);
    let software = served.assignment();
    manager.with(|fake| {
        fake.served = Some(served.dir.clone());
        fake.desired = desired(1, Owners::default(), software, Depth::Stage);
    });
    let staged = Staging::Staged { manifest: software.manifest };
    until("it is staged", || manager.last().is_some_and(|last| last.staging == staged)).await;
    // What is served is not read again.
    std::mem::forget(publisher);
    (machine, manager, node, software)
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_asked_out_of_service_for_a_release_that_would_not_start_takes_calls_all_the_while() {
    let (machine, manager, mut node, software) = staged().await;
    fs::write(machine.path().join("broken"), "").unwrap();
    manager.with(|fake| fake.desired = desired(2, by_run(), software, Depth::Stage));
    until("it is rejected and accepted", || {
        rejection(&manager).is_some() && manager.last().is_some_and(|last| last.generation.n == 2)
    })
    .await;
    assert!(rejection(&manager).unwrap().contains("the settings are broken"));
    assert!(!manager.with(|fake| fake.seen.iter().any(says_refusing_after_service)), "a call was refused");
    machine.until_web_says(200).await;
    // Whatever it is asked for then, it does not leave.
    manager.with(|fake| fake.desired = desired(3, by_run(), software, Depth::Install));
    until("it has accepted", || manager.last().is_some_and(|last| last.generation.n == 3)).await;
    assert!(node.is_running() && machine.machine.record().unwrap().trying.is_none());
    machine.until_web_says(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_fault_comes_while_it_drains_does_not_leave_and_says_why() {
    let (machine, manager, mut node, software) = staged().await;
    manager.with(|fake| fake.desired = desired(2, by_run(), software, Depth::Stage));
    machine.until_web_says(503).await;
    // Longer than the check that let it leave service is good for.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    fs::write(machine.path().join("broken"), "").unwrap();
    manager.with(|fake| fake.desired = desired(3, by_run(), software, Depth::Install));
    until("it is rejected", || rejection(&manager).is_some()).await;
    assert!(node.is_running() && machine.machine.record().unwrap().trying.is_none());
    manager.with(|fake| {
        fake.desired = Desired { generation: Generation { epoch: 1, n: 4 }, ..Desired::default() }
    });
    machine.until_web_says(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_that_nobody_may_write_is_a_fault() {
    let (machine, _manager) = enrolled().await;
    let state = machine.path().join("state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
    let found = faults(&check(&machine));
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    // Permissions do not stop root.
    let root = rustix::process::geteuid().is_root();
    assert!(root || found.iter().any(|fault| fault.contains("could not write")), "{found:?}");
}
