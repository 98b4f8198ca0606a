//! The small files of a machine as a program finds them at its start: slot record, slot identity, settings, persistent
//! state. Each is read, or refused with a reason that says what to do.

use std::fs;
use std::path::Path;

use fleet::agent::{Agent, PersistentState, Start};
use fleet::version::Release;
use node::identity::Identity;
use node::persistent_state::{ConfigurationFile, PersistentStateFile};
use package::TrustedKeys;
use slots::{Machine, Slot};

use crate::package::release;
use crate::scratch::folder;

pub(crate) const DICTIONARY: &[&str] = &[
    "\"format\"",
    "\"confirmed\"",
    "\"trying\"",
    "\"fell_back\"",
    "\"slot\"",
    "\"manifest\"",
    "\"tries\"",
    "\"why\"",
    "\"kind\"",
    "\"never_confirmed\"",
    "\"ended_at_start\"",
    "\"tries_used_up\"",
    "\"damaged\"",
    "\"within_seconds\"",
    "\"at\"",
    "\"a\"",
    "\"b\"",
    "\"version\"",
    "\"build\"",
    "\"program\"",
    "[manager]",
    "[api]",
    "requests_per_minute",
    "[node]",
    "[boot]",
    "[calls]",
    "[authentication]",
    "[registration]",
    "[[accounts]]",
    "[[logins]]",
    "[policy]",
    "people",
    "nodes",
    "names",
    "fetch_rate",
    "nodes_at_once",
    "sip",
    "media",
    "media_ports",
    "advertised",
    "media_v6",
    "sip_tls",
    "certificate",
    "trust",
    "web",
    "call_limit",
    "source_rate",
    "media_timeout_seconds",
    "ring_time_seconds",
    "session_interval_seconds",
    "min_session_interval_seconds",
    "tcp_idle_seconds",
    "confirm_within_seconds",
    "realm",
    "algorithms",
    "rooms",
    "min_expires_seconds",
    "max_expires_seconds",
    "username",
    "password",
    "ha1",
    "aliases",
    "SHA-256",
    "SHA-512-256",
    "MD5",
    "\"stamp\"",
    "\"memory\"",
    "\"accepted\"",
    "\"generation\"",
    "\"intent\"",
    "\"held_until\"",
    "\"let_go\"",
    "\"selected\"",
    "\"rejected\"",
    "\"rooms\"",
    "untrusted comment:",
    "18446744073709551615",
    "9223372036854775807",
    "-1",
    "null",
    "true",
    "..",
    "/",
];

/// The first byte selects the file.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, contents)) = data.split_first() else { return };
    let folder = folder();
    let root = folder.path();
    match kind {
        b'b' => record(root, contents),
        b's' => slot(root, contents),
        b'm' => settings(root, contents),
        b'a' => persistent_state(root, contents),
        b'i' => identity(root, contents),
        b'c' => drop(ConfigurationFile::new(&written(root, "configuration.json", contents)).load()),
        _ => keys(root, contents),
    }
}

/// Writes the file and returns its folder.
fn written(folder: &Path, name: &str, contents: &[u8]) -> std::path::PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join(name), contents).expect("a file");
    folder.into()
}

fn check_refusal(text: &str) {
    assert!(!text.is_empty() && text.len() < 16 << 10, "{text}");
}

/// `boot.json`, and every change that boot or a release may make to it next.
fn record(root: &Path, contents: &[u8]) {
    let changes: [fn(&Machine) -> slots::Result<()>; 4] = [
        |machine| machine.confirm(Slot::A),
        |machine| machine.confirm(Slot::B),
        |machine| machine.select(&"b".repeat(64)),
        |machine| {
            machine.fall_back(slots::Why::TriesUsedUp { tries: 2 }, slots::UnixMillis(u64::MAX)).map(|_| ())
        },
    ];
    for change in changes {
        written(root, "boot.json", contents);
        let machine = Machine::open(root);
        match machine.record() {
            Err(refusal) => return check_refusal(&refusal.to_string()),
            Ok(record) => {
                drop((record.selected(), record.fell_back.map(|fell_back| fell_back.why.to_string())))
            }
        }
        match change(&machine) {
            Err(refusal) => check_refusal(&refusal.to_string()),
            Ok(()) => drop(machine.record().expect("a record that was written")),
        }
    }
}

/// `slot.json` of a slot.
fn slot(root: &Path, contents: &[u8]) {
    let machine = Machine::open(root);
    written(&machine.slot_dir(Slot::A), "slot.json", contents);
    match machine.release(Slot::A) {
        Ok(identity) => {
            let program = identity.map(|identity| machine.slot_dir(Slot::A).join(identity.program));
            let leads_out =
                |program: &Path| !program.starts_with(root) || program.to_string_lossy().contains("..");
            assert!(!program.is_some_and(|program| leads_out(&program)), "a program outside its slot");
        }
        Err(refusal) => check_refusal(&refusal.to_string()),
    }
}

/// `machine.toml`, as manager and node read it.
fn settings(root: &Path, contents: &[u8]) {
    written(root, slots::MACHINE_FILE, contents);
    if let Err(refusal) = manager::settings::Settings::read(&root.join(slots::MACHINE_FILE)) {
        check_refusal(&refusal.to_string());
    }
    match node::settings::Settings::read(root) {
        Ok(settings) => drop(settings.calls.ack_timeout() * 2),
        Err(refusal) => check_refusal(&refusal.to_string()),
    }
}

/// A node's persistent state, and the agent that starts with it.
fn persistent_state(root: &Path, contents: &[u8]) {
    written(root, "agent.json", contents);
    match PersistentStateFile::new(root).load() {
        Err(refusal) => check_refusal(&refusal.to_string()),
        Ok((state, clock)) => start_agent(state, clock.now()),
    }
}

fn start_agent(state: PersistentState, now: fleet::time::Time) {
    let start = Start { release: Release::PRESENT, confirmed: true, staged: None, fell_back: None };
    let mut agent = Agent::new(state, start);
    agent.apply(now, fleet::agent::AgentEvent::DeadlinePassed);
    let _ = (agent.wanted(), agent.next_deadline(), agent.observed(now));
}

fn identity(root: &Path, contents: &[u8]) {
    written(&root.join("state"), "identity.json", contents);
    let client = Identity::load(root).and_then(|identity| identity.client());
    if let Err(refusal) = client {
        check_refusal(&refusal.to_string());
    }
}

/// A public key in the trust directory, and a secret key.
fn keys(root: &Path, contents: &[u8]) {
    written(root, "fuzz.pub", contents);
    if let Err(refusal) = TrustedKeys::load(root) {
        check_refusal(&refusal.to_string());
    }
    if let Err(refusal) = package::SigningKey::load(&root.join("fuzz.pub")) {
        check_refusal(&refusal.to_string());
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let hash = "b".repeat(64);
    let texts = [
        "b{\"format\":1,\"confirmed\":\"a\",\"trying\":null,\"fell_back\":null}".to_string(),
        format!(
            "b{{\"format\":1,\"confirmed\":\"a\",\"trying\":{{\"slot\":\"b\",\"manifest\":\"{hash}\",\"tries\":1}},\
             \"fell_back\":{{\"manifest\":\"{hash}\",\"why\":{{\"kind\":\"never_confirmed\",\"within_seconds\":9}},\"at\":1}}}}"
        ),
        format!(
            "s{{\"format\":1,\"manifest\":\"{hash}\",\"version\":\"34.1\",\"build\":34100,\"program\":\"bin/pitlane-node\"}}"
        ),
        "m[manager]\npeople = \"127.0.0.1:8443\"\nnodes = \"127.0.0.1:8444\"\nnames = [\"manager\", \"::1\"]\n\
         fetch_rate = 1000\n[policy]\nname = \"mine\"\nnodes_at_once = 3\n"
            .into(),
        "m[node]\nsip = \"127.0.0.1:5060\"\nmedia = \"127.0.0.1\"\nmedia_ports = [4000, 5000]\nweb = \"[::1]:80\"\n\
         [calls]\ncall_limit = 9\nsource_rate = { admitted = 1 }\nring_time_seconds = 1\n[boot]\n\
         confirm_within_seconds = 9\n[authentication]\nrealm = \"r\"\nalgorithms = [\"MD5\"]\nrooms = [\"standup\"]\n\
         [registration]\nmin_expires_seconds = 5\n[[accounts]]\nusername = \"ann\"\npassword = \"p\"\n\
         aliases = [\"ann\"]\n[[accounts]]\nusername = \"bob\"\nha1 = { MD5 = \"0123456789abcdef0123456789abcdef\" }\n\
         [[logins]]\nhost = \"h\"\nrealm = \"p\"\nusername = \"u\"\npassword = \"p\"\n"
            .into(),
        format!("a{}", accepted_state()),
        "c{\"revision\":3,\"rooms\":[{\"name\":\"standup\",\"aliases\":[\"meet\"]}]}".into(),
        format!("k{}", release().public_key),
        "i{\"format\":1,\"node\":\"node1\",\"manager\":[\"127.0.0.1:8444\"],\"authority\":\"\",\"certificate\":\"\",\
         \"key\":\"\",\"renew_at\":1}"
            .into(),
    ];
    texts.map(String::into_bytes).to_vec()
}

/// The persistent state of a node that has accepted a desired state.
fn accepted_state() -> String {
    let folder = folder();
    let (_, clock) = PersistentStateFile::new(folder.path()).load().expect("an empty state");
    let answer: wire::SyncAnswer =
        serde_json::from_slice(include_bytes!("../../wire/tests/recorded/34/answer-4.json"))
            .expect("an answer");
    let state = PersistentState {
        accepted: answer.desired.into(),
        held_until: Some(clock.now()),
        ..PersistentState::default()
    };
    PersistentStateFile::new(folder.path()).store(&state, &clock).expect("a state");
    fs::read_to_string(folder.path().join("agent.json")).expect("a state")
}
