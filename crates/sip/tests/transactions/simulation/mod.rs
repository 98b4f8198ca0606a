//! Two layers, their users, and a network between them, in one world that follows from a seed.

mod network;
mod user;

use std::collections::BTreeMap;

use sip::time::Time;
use sip::transaction::TransactionId;
use sip::transaction::effect::Effect;
use sip::transaction::layer::Layer;
use sip::transaction::outgoing::{Branch, Outgoing};
use sip::transaction::settings::Settings;
use sip::transport::flow::{Destination, Peer, Protocol, Stream};
use sip::transport::listeners::{Listener, Listeners};

use crate::kit::bare;

use network::{Habits, Network, address};
use user::{Action, User};

/// Requests that each side sends.
const REQUESTS: u64 = 8;

struct World {
    now: u64,
    network: Network,
    layers: [Layer; 2],
    users: [User; 2],
    actions: BTreeMap<(u64, u64), (usize, Action)>,
    sequence: u64,
    /// Over what requests go, and how long their subjects are.
    transports: Transports,
    /// Everything that was sent, as one number.
    trace: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transports {
    /// Short requests as datagrams.
    Datagrams,
    /// Short and long requests, as datagrams and over connections.
    All,
}

fn layer(side: usize) -> Layer {
    let listener = |protocol| Listener { protocol, address: address(side), advertised: None };
    let listeners = Listeners([Protocol::Udp, Protocol::TCP].map(listener).to_vec());
    Layer::new(Settings { listeners, ..Settings::default() }, side as u64)
}

impl World {
    fn new(seed: u64, habits: Habits, transports: Transports) -> Self {
        let mut world = Self {
            now: 0,
            network: Network::new(seed, habits),
            layers: [layer(0), layer(1)],
            users: [User::default(), User::default()],
            actions: BTreeMap::new(),
            sequence: 0,
            transports,
            trace: 0,
        };
        for (side, number) in (0..2).flat_map(|side| (0..REQUESTS).map(move |number| (side, number))) {
            let after = world.network.random.below(20_000);
            world.plan(after, side, Action::Begin { number });
        }
        world
    }

    /// Goes on until nothing is left to happen.
    fn run(&mut self) {
        while let Some(next) = self.next() {
            assert!(next < 3_600_000, "it does not end");
            self.now = next;
            for (side, input) in self.network.arrived(next) {
                let effects = self.layers[side].apply(Time(next), input);
                self.perform(side, effects);
            }
            while let Some(entry) = self.actions.first_entry().filter(|entry| entry.key().0 <= next) {
                let (side, action) = entry.remove();
                self.act(side, action);
            }
            for side in [0, 1] {
                let effects = self.layers[side].pass_time(Time(next));
                self.perform(side, effects);
            }
        }
    }

    fn next(&self) -> Option<u64> {
        let deadlines = self.layers.iter().filter_map(|layer| layer.next_deadline().map(|at| at.0));
        let action = self.actions.keys().next().map(|(at, _)| *at);
        deadlines.chain(action).chain(self.network.next()).min().map(|at| at.max(self.now))
    }

    fn plan(&mut self, after: u64, side: usize, action: Action) {
        self.sequence += 1;
        self.actions.insert((self.now + after, self.sequence), (side, action));
    }

    fn perform(&mut self, side: usize, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Notify(event) = effect {
                for (after, action) in self.users[side].described(&mut self.network.random, *event) {
                    self.plan(after, side, action);
                }
                continue;
            }
            if let Effect::Send { bytes, .. } | Effect::Refuse { bytes, .. } = &effect {
                for byte in bytes.iter() {
                    self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3) ^ self.now;
                }
            }
            self.network.carry(self.now, side, effect);
        }
    }

    fn act(&mut self, side: usize, action: Action) {
        match action {
            Action::Begin { number } => {
                let method = if self.network.random.percent(60) { "INVITE" } else { "OPTIONS" };
                let (id, effects) = self.send(side, method, number);
                self.users[side].began(id, method, number);
                self.perform(side, effects);
            }
            Action::Acknowledge { number } => {
                let (_, effects) = self.send(side, "ACK", number);
                self.perform(side, effects);
            }
            Action::Cancel { id } => {
                // It may have been answered meanwhile.
                if let Ok((cancel, effects)) = self.layers[side].cancel(Time(self.now), id) {
                    self.users[side].began(cancel, "CANCEL", 0);
                    self.perform(side, effects);
                }
            }
            Action::Respond { id, status } => self.respond(side, id, status),
            Action::Repeat { id, pause, until } => self.repeat(side, id, pause, until),
        }
    }

    /// Sends a request over a transport of chance.
    fn send(&mut self, side: usize, method: &str, number: u64) -> (TransactionId, Vec<Effect>) {
        let random = &mut self.network.random;
        let all = self.transports == Transports::All;
        let long = if all && random.percent(40) { 2_000 } else { 0 };
        let destination = if all && random.percent(40) {
            let peer = Peer { stream: Stream::Tcp, remote: address(1 - side), name: None };
            Destination::Stream { local: address(side).ip(), connection: None, peer }
        } else {
            Destination::Datagrams { local: address(side), remote: address(1 - side) }
        };
        let branch = Branch::new(random.bytes());
        let bytes = String::from_utf8(bare(method, long)).expect("text");
        let bytes = bytes.replace("Call-ID: c2", &format!("Call-ID: {side}-{number}")).into_bytes();
        let outgoing = Outgoing { bytes, destination, branch };
        let sent = self.layers[side].request(Time(self.now), outgoing);
        sent.expect("it can be sent")
    }

    fn respond(&mut self, side: usize, id: TransactionId, status: u16) {
        let user = &self.users[side];
        let bytes = user.response(id, status);
        let theirs = &user.theirs[&id];
        if theirs.answered {
            return;
        }
        let is_invite = user.is_invite(id);
        let responded = self.layers[side].respond(Time(self.now), id, &bytes);
        let Ok(effects) = responded else { panic!("a request that was not answered cannot be answered") };
        self.perform(side, effects);
        self.users[side].theirs.get_mut(&id).expect("it is there").answered = status >= 200;
        if is_invite && status == 200 {
            self.plan(500, side, Action::Repeat { id, pause: 500, until: self.now + 32_000 });
        }
    }

    fn repeat(&mut self, side: usize, id: TransactionId, pause: u64, until: u64) {
        if self.users[side].theirs[&id].acknowledged || self.now >= until {
            return;
        }
        let bytes = self.users[side].response(id, 200);
        if let Ok(effects) = self.layers[side].respond(Time(self.now), id, &bytes) {
            self.perform(side, effects);
        }
        let pause = (pause * 2).min(4_000);
        self.plan(pause, side, Action::Repeat { id, pause, until });
    }

    /// What must hold in the end, whatever the network does.
    fn check(&self, seed: u64) {
        for side in [0, 1] {
            let (load, user) = (self.layers[side].load(), &self.users[side]);
            assert_eq!(
                (load.ours, load.of_others, load.kept),
                (0, 0, 0),
                "seed {seed}, side {side}: {load:?}"
            );
            assert_eq!((load.entries, load.opening), (0, 0), "seed {seed}, side {side}: {load:?}");
            for (request, times) in &user.came {
                assert_eq!(*times, 1, "seed {seed}, side {side}: {request} came {times} times");
            }
            for ours in user.ours.values() {
                assert_eq!(ours.outcomes.len(), 1, "seed {seed}, side {side}: {ours:?}");
            }
        }
    }

    /// What must hold as well when no message is lost for ever.
    fn check_success(&self, seed: u64) {
        for (side, user) in self.users.iter().enumerate() {
            assert!(user.troubles.is_empty(), "seed {seed}, side {side}: {:?}", user.troubles);
            for ours in user.ours.values() {
                let is_final = ours.outcomes[0].parse::<u16>().is_ok_and(|status| status >= 200);
                assert!(is_final, "seed {seed}, side {side}: {ours:?}");
            }
            for theirs in user.theirs.values() {
                assert!(theirs.answered, "seed {seed}, side {side}: {theirs:?}");
            }
        }
        let came: usize = self.users.iter().map(|user| user.came.len()).sum();
        assert!(came as u64 >= 2 * REQUESTS, "seed {seed}: {came} requests came");
    }
}

const BAD: Habits = Habits { loss: 40, doubled: 20, delay: 1_500, opened: 60, broken: 40 };

#[test]
fn every_transaction_ends_well_over_datagrams_that_are_lost_doubled_and_reordered() {
    for seed in 0..300 {
        let mut world = World::new(seed, BAD, Transports::Datagrams);
        world.run();
        world.check(seed);
        world.check_success(seed);
    }
}

#[test]
fn every_transaction_ends_once_over_connections_that_break() {
    let mut outcomes = BTreeMap::<String, u32>::new();
    for seed in 0..300 {
        let mut world = World::new(seed, BAD, Transports::All);
        world.run();
        world.check(seed);
        for ours in world.users.iter().flat_map(|user| user.ours.values()) {
            *outcomes.entry(ours.outcomes[0].clone()).or_default() += 1;
        }
    }
    // The network is bad enough to see failures, and good enough to see answers.
    for outcome in ["200", "486", "487", "failed", "timeout"] {
        assert!(outcomes.get(outcome).is_some_and(|times| *times > 5), "{outcomes:?}");
    }
}

#[test]
fn same_seed_gives_the_same_world() {
    let trace = |seed| {
        let mut world = World::new(seed, BAD, Transports::All);
        world.run();
        (world.trace, world.now)
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}
