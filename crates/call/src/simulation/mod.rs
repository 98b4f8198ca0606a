//! Whole calls in one deterministic world: the signalling and the conferences of a node, callers of many habits, guests
//! whose calls have to be refused, a network that loses, doubles, delays and reorders messages and sound, a proxy that is
//! restarted, connections that break, a translator that binds callers anew, strangers who forge, and an operator. A world follows from
//! its seed.
//!
//! The callers write their messages by hand and share nothing with the node's dialogs, so that both sides would have to
//! be wrong in the same way. What must hold is in `oracle`, each promise with a world that breaks it on purpose.

mod caller;
mod closed;
mod guest;
mod habits;
mod hostile;
mod media;
mod moving;
mod network;
mod node;
mod observed_calls;
mod operator;
mod oracle;
mod proxy;
mod requests;
mod sabotage;
mod streams;
mod traffic;
mod translator;
mod voice;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sabotage::Sabotage;
use world::World;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The seeds of a run of the tests. More are run by `SEEDS=10000 cargo nextest run -p call simulation`.
const SEEDS: u64 = 1000;

/// What happens in a twentieth of all worlds, or more.
const SEEN: [&str; 21] = [
    "muted caller",
    "PRACK",
    "CANCEL",
    "UPDATE",
    "refresh of the node",
    "restart of the proxy",
    "broken connection",
    "connection of the node",
    "refused connection of the node",
    "new port for sound",
    "new ports",
    "new address",
    "forged message",
    "lost sound",
    "doubled sound",
    "refusal in maintenance mode",
    "refusal above the limit of calls",
    "refusal without a media port",
    "refusal of an unknown room",
    "refusal of an unknown codec",
    "change in maintenance mode",
];

#[test]
fn calls_keep_their_promises_over_a_bad_network() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let (mut carried, mut seen) = (0, BTreeMap::new());
    for seed in 0..seeds {
        let mut world = World::new(seed, Sabotage::None);
        world.run().unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        carried += world.carried();
        for (what, times) in world.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    assert!(carried > 3 * seeds, "{carried} calls in {seeds} worlds: they are about nothing");
    for what in SEEN {
        let times: u64 = seen.get(what).copied().unwrap_or_default();
        assert!(times > seeds / 20, "{what} happens {times} times in {seeds} worlds: {seen:?}");
    }
}

#[test]
fn world_is_the_same_for_the_same_seed() {
    let trace = |seed| {
        let mut world = World::new(seed, Sabotage::None);
        world.run().expect("a world that keeps its promises");
        world.trace
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn each_promise_that_is_broken_is_noticed() {
    for (sabotage, expected) in [
        (Sabotage::KeepLegs, "outlives"),
        (Sabotage::KeepDialogs, "outlives"),
        (Sabotage::KeepTransaction, "has been the oldest"),
        (Sabotage::IgnorePacketTime, "does not hear"),
        (Sabotage::LoseStart, "does not hear"),
        (Sabotage::MixOwnSound, "does not hear"),
        (Sabotage::TrustBye, "does not hear"),
        (Sabotage::HearNeighbour, "does not hear"),
        (Sabotage::AdmitFlood, "entries"),
        (Sabotage::SendToStranger, "a stranger"),
        (Sabotage::HangUpInMaintenance, "ended by the node"),
        (Sabotage::CountTooFew, "are counted"),
        (Sabotage::CountTooMany, "are counted"),
        (Sabotage::AdmitInMaintenance, "is admitted"),
        (Sabotage::AdmitAboveLimit, "is admitted"),
        (Sabotage::RefuseForever, "is refused by"),
        (Sabotage::CountRefused, "are counted"),
        (Sabotage::RefuseCalls, "was refused"),
        (Sabotage::PassTheProxy, "past its proxy"),
        (Sabotage::ForgetTheProxy, "without its Route"),
        (Sabotage::ForgetPortions, "closes Connection"),
        (Sabotage::KeepSource, "does not hear"),
        (Sabotage::IgnorePrack, "its PRACK is never answered"),
        (Sabotage::HearMuted, "does not hear"),
        (Sabotage::ForgetRemovals, "participants are shown"),
    ] {
        let broken = (0..50).find_map(|seed| World::new(seed, sabotage).run().err());
        let broken = broken.unwrap_or_else(|| panic!("{sabotage:?} is not noticed"));
        assert!(broken.contains(expected), "{sabotage:?}: {broken}");
    }
}
