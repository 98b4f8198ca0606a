//! Calls that move to an engine in another process and back, while their callers listen.

#[path = "support/own_address.rs"]
mod own_address;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use call::audio::Participant;
use call::handover::Given;
use call::{Admission, CallEngine, Calls, Room, Rooms, Settings};
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, Cause, Codec, LiveCall, Target, Transport};
use own_address::own_address;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far longer than any wait takes on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often all calls move there and back.
const ROUNDS: usize = 2;
/// The packets of one caller's sound that may get lost: those of 100 ms in each of the moves, on a machine that is held up
/// in the middle of one. On an idle one none is.
const MOST_LOST: u64 = 5 * 2 * ROUNDS as u64;

/// `examples/second_engine.rs`, which ends when this is dropped.
struct SecondEngine {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    socket: PathBuf,
}

impl SecondEngine {
    async fn start(folder: &Path) -> SecondEngine {
        let program = std::env::current_exe().expect("a test is a file");
        let program = program.ancestors().nth(2).expect("its folder").join("examples/second_engine");
        let socket = folder.join("handover");
        let mut process = Command::new(program)
            .arg(own_address().to_string())
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the examples are built");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut engine = SecondEngine { _process: process, input, output, socket };
        engine.says("answering").await;
        engine
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).await.expect("it listens")
    }

    /// Has it give the calls of the conference to whoever connects next.
    async fn give(&mut self) {
        self.input.write_all(b"give\n").await.expect("it runs");
    }

    /// Waits for its next line, which begins so.
    async fn says(&mut self, start: &str) -> String {
        let line = tokio::time::timeout(TIMEOUT, self.output.next_line()).await.expect("in time");
        let line = line.expect("text").expect("it runs");
        assert!(line.starts_with(start), "{line}");
        line
    }
}

async fn first_engine() -> CallEngine {
    let address = own_address();
    let rooms = Rooms::new([Room {
        name: "lobby".into(),
        aliases: vec!["lobby".into()],
        callers: call::Callers::Anyone,
    }]);
    CallEngine::start(Settings::new(address, address.ip()), rooms, Admission::Open).await.expect("engine")
}

/// Three callers that expect each other's tones, over both transports and with both codecs.
async fn three(agent: &Agent, engine: &CallEngine) -> Vec<LiveCall> {
    let mut calls: Vec<LiveCall> = Vec::new();
    let kinds = [(Transport::Udp, Codec::Pcmu), (Transport::Tcp, Codec::Pcma), (Transport::Udp, Codec::Pcma)];
    for (n, (transport, codec)) in kinds.into_iter().enumerate() {
        let target = Target { alias: "lobby".into(), node: engine.sip_address(), transport };
        let id = CallId(format!("moving-{n}-{}", agent.address().port()));
        let settings = CallSettings { codec, ..CallSettings::new(id, target, Tone::nth(n * 7)) };
        let call = agent.dial(settings).await.expect("it is answered");
        for other in &calls {
            other.expect(call.settings().tone, call.answered_at());
            call.expect(other.settings().tone, call.answered_at());
        }
        calls.push(call);
    }
    calls
}

/// Waits until every caller has received sound for so many further windows of 100 ms.
async fn listen(calls: &[LiveCall], windows: u64) {
    let before: Vec<u64> = calls.iter().map(|call| call.sound().windows).collect();
    let wait = async {
        while !calls.iter().zip(&before).all(|(call, before)| call.sound().windows >= before + windows) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(TIMEOUT, wait).await.is_ok(), "no sound");
}

fn count(engine: &CallEngine) -> u32 {
    match *engine.calls().borrow() {
        Calls::Known { count, .. } => count,
        Calls::Unknown => panic!("the calls are unknown"),
    }
}

fn all_moved(given: &BTreeMap<Participant, Given>) -> bool {
    given.len() == 3 && given.values().all(|given| *given == Given::Moved)
}

#[tokio::test(flavor = "multi_thread")]
async fn conference_moves_to_another_process_and_back_and_nobody_misses_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, mut second) = (first_engine().await, SecondEngine::start(folder.path()).await);
    let agent = Agent::open(LOOPBACK).await.expect("agent");
    let calls = three(&agent, &first).await;
    listen(&calls, 20).await;
    for _ in 0..ROUNDS {
        let given = first.give_conference(&"lobby".into(), second.connect().await).await;
        assert!(all_moved(&given), "{given:?}");
        second.says("took 3").await;
        listen(&calls, 20).await;
        assert_eq!(count(&first), 0);

        second.give().await;
        assert_eq!(first.take_calls(second.connect().await).await, 3);
        println!("{}", second.says("gave").await);
        listen(&calls, 20).await;
        assert_eq!(count(&first), 3);
    }
    for call in &calls {
        let sound = call.sound();
        assert_eq!(call.judge(), vec![], "{}: {sound:?}", call.id());
        assert_eq!((sound.own_tone, sound.strangers.len()), (0, 0), "{}", call.id());
        println!(
            "{}: {} of {} packets lost, longest pause {}, longest gap {}",
            call.id(),
            sound.lost,
            sound.packets,
            sound.longest_pause,
            sound.longest_gap
        );
        assert!(sound.lost <= MOST_LOST, "{sound:?}");
    }
    for call in &calls {
        assert_eq!(call.hang_up().await.cause, Cause::HungUp);
    }
    assert_eq!((first.stats().taken_over, first.stats().handed_over), (6, 6));
}
