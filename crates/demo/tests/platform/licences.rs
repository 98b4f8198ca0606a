//! Licences over a platform: calls are counted at the nodes, and shares move to where the calls are.

use std::fs;
use std::time::Instant;

use callers::time::Millis;
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, DialError, LiveCall, Target, Transport};

use crate::fixture::{Fixture, ROOM, TIMEOUT};

/// A licence of two calls for every version.
const TERMS: &str =
    "id = \"2026-0042\"\ncustomer = \"Example Ltd\"\ncounts = { port = 2 }\nversions = { from = 1 }\n";

/// Signs the licence with a key that the Management Node accepts, and installs it.
fn install(fixture: &Fixture) {
    let (root, run) = (&fixture.platform.manager.root, |line: &[&str]| {
        fixture.platform.pitlane.run(line).unwrap_or_else(|error| panic!("{error}"))
    });
    let trust = root.join("trust/licences");
    fs::create_dir_all(&trust).expect("a directory for the key");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let [key, spec, signed] = ["publisher", "terms.toml", "2026-0042.licence"].map(file);
    fs::write(&spec, TERMS).expect("the terms are written");
    run(&["package", "keygen", "--no-passphrase", "--out", &key]);
    fs::copy(format!("{key}.pub"), trust.join("publisher.pub")).expect("the key is copied");
    let private = format!("{key}.key");
    run(&["licence", "sign", "--spec", &spec, "--key", &private, "--out", &signed]);
    run(&["licence", "add", &signed]);
}

/// Waits until so many of so many calls are shown as used.
fn wait_for_use(fixture: &Fixture, count: u64, total: u64) {
    let until = Instant::now() + TIMEOUT;
    loop {
        let usage = fixture.platform.pitlane.query(&["licence", "usage"]).expect("the use is shown");
        if usage["port_count"] == count && usage["port_total"] == total {
            return;
        }
        assert!(Instant::now() < until, "never {count} of {total} calls: {usage}");
    }
}

/// Whoever calls, one after the other.
struct Callers<'f> {
    fixture: &'f Fixture,
    agent: Agent,
    dialled: usize,
}

impl Callers<'_> {
    async fn dial(&mut self, node: u8) -> Result<LiveCall, DialError> {
        self.dialled += 1;
        let (alias, node) = (ROOM.to_owned(), self.fixture.platform.sip(node));
        let target = Target { alias, node, transport: Transport::Udp };
        let settings =
            CallSettings::new(CallId(format!("caller-{}", self.dialled)), target, Tone::nth(self.dialled));
        self.agent.dial(CallSettings { answer_within: Millis::seconds(10), ..settings }).await
    }

    /// Calls until the node takes one.
    async fn taken(&mut self, node: u8) -> LiveCall {
        let until = Instant::now() + TIMEOUT;
        loop {
            match self.dial(node).await {
                Ok(call) => return call,
                Err(error) => assert!(Instant::now() < until, "node{node} takes no call: {error}"),
            }
        }
    }

    /// Calls until the node refuses one for want of licences; those that it has taken are hung up.
    async fn refused(&mut self, node: u8) -> usize {
        let (until, mut taken) = (Instant::now() + TIMEOUT, Vec::new());
        loop {
            assert!(Instant::now() < until, "node{node} refuses no call");
            match self.dial(node).await {
                Ok(call) => taken.push(call),
                Err(DialError::Refused { status: 503, reason: Some(reason), .. })
                    if reason.contains("Insufficient licenses") =>
                {
                    break;
                }
                // The source may call too often.
                Err(_) => {}
            }
        }
        let count = taken.len();
        for call in taken {
            call.hang_up().await;
        }
        count
    }
}

#[test]
fn call_beyond_the_licences_is_refused_at_every_node_and_the_next_is_taken_after_a_hang_up() {
    let fixture = Fixture::new(2);
    install(&fixture);
    fixture.runtime.block_on(async {
        let agent = Agent::open(fixture.platform.callers()).await.expect("the callers have a socket");
        let mut callers = Callers { fixture: &fixture, agent, dialled: 0 };
        // From here on each node goes by a share.
        callers.refused(1).await;
        callers.refused(2).await;
        let (first, second) = (callers.taken(1).await, callers.taken(1).await);
        assert_eq!(callers.refused(1).await, 0, "a third call was taken");
        assert_eq!(callers.refused(2).await, 0, "a third call was taken at another node");
        wait_for_use(&fixture, 2, 2);
        assert!(first.how_it_ended().is_none() && second.how_it_ended().is_none(), "both go on");

        first.hang_up().await;
        let third = callers.taken(2).await;
        assert_eq!(callers.refused(1).await + callers.refused(2).await, 0, "a third call was taken");
        fixture.platform.pitlane.run(&["licence", "delete", "2026-0042"]).expect("it is deleted");
        let more = [callers.taken(1).await, callers.taken(1).await, callers.taken(2).await];
        for call in [second, third].into_iter().chain(more) {
            assert!(call.how_it_ended().is_none(), "{:?} has ended", call.id());
            call.hang_up().await;
        }
    });
}
