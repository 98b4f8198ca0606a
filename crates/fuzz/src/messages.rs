//! The messages between manager and node, applied to a platform in the middle of a run and to a node's agent. Whatever
//! is sent, nothing panics, every promise of the core holds, and a node with calls never restarts.
//!
//! An input is a sequence of events: the first byte of each part selects the event. Messages are JSON as on the wire;
//! the other events (time, calls, the operator) are there to reach every phase of a run.

mod node;
mod platform;

use node::Node;
use platform::Platform;
use wire::{Sync, SyncAnswer};

use crate::input::{joined, parts};

pub(crate) const DICTIONARY: &[&str] = &[
    "\"protocols\"",
    "\"min\"",
    "\"max\"",
    "\"observed\"",
    "\"at\"",
    "\"generation\"",
    "\"epoch\"",
    "\"n\"",
    "\"release\"",
    "\"version\"",
    "\"build\"",
    "\"footing\"",
    "\"confirmed\"",
    "\"trying\"",
    "\"leaving\"",
    "\"admission\"",
    "\"admitting\"",
    "\"refusing\"",
    "\"calls\"",
    "\"unknown\"",
    "\"known\"",
    "\"count\"",
    "\"oldest\"",
    "\"staging\"",
    "\"nothing\"",
    "\"fetching\"",
    "\"staged\"",
    "\"rejected\"",
    "\"percent\"",
    "\"manifest\"",
    "\"run\"",
    "\"why\"",
    "\"unfit\"",
    "\"tally\"",
    "\"configuration\"",
    "\"wait\"",
    "\"no\"",
    "\"for_news\"",
    "\"desired\"",
    "\"intent\"",
    "\"owners\"",
    "\"operator\"",
    "\"platform\"",
    "\"software\"",
    "\"stage\"",
    "\"install\"",
    "\"rooms\"",
    "\"name\"",
    "\"aliases\"",
    "\"heard_at\"",
    "\"fetch_rate\"",
    "null",
    "18446744073709551615",
    "4294967295",
    "2147483647",
    "-1",
    "\n%%\n",
    "\"0707070707070707070707070707070707070707070707070707070707070707\"",
    "\"34.1\"",
    "\"34.2\"",
    "\"participants\"",
    "\"since\"",
    "\"to\"",
    "\"removed\"",
    "\"changed\"",
    "\"statistics\"",
    "\"outcomes\"",
    "\"commands\"",
    "\"certificate\"",
    "\"operators\"",
    "\"command\"",
    "\"participant\"",
    "\"failure\"",
    "\"missing\"",
    "\"do\"",
];

/// Reports, start, the manager's own upgrade, then the node: staged, asked to drain, drained, restarted, back.
const UPGRADED: &str = "= = S s M = g = = c = = w = = R = = =";

/// Runs a sequence of events.
pub(crate) fn run(data: &[u8]) {
    let (mut platform, mut node) = (Platform::new(), Node::new());
    for part in parts(data) {
        let Some((what, rest)) = part.split_first() else { continue };
        match what {
            // A node's report to the manager.
            b'1'..=b'3' => {
                if let Ok(sync) = serde_json::from_slice::<Sync>(rest) {
                    assert_reads_back(&sync);
                    platform.report(u32::from(what - b'0'), sync);
                }
            }
            // The manager's answer to the node.
            b'A' => {
                if let Ok(answer) = serde_json::from_slice::<SyncAnswer>(rest) {
                    assert_reads_back(&answer);
                    node.receive_answer(answer);
                }
            }
            // Both: the manager's real desired state reaches the node, and the node's real report the manager.
            b'=' => {
                node.accept(platform.wanted_of_first());
                platform.observed(node.observed());
            }
            _ => {
                platform.apply_event(*what, rest);
                node.apply_event(*what, rest);
            }
        }
        platform.check();
        node.check();
    }
}

fn assert_reads_back<T: PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned>(
    message: &T,
) {
    let text = serde_json::to_vec(message).expect("a message is plain data");
    assert_eq!(&serde_json::from_slice::<T>(&text).expect("a message reads back"), message);
}

/// A platform in the middle of a run and a node of it, as they are stored.
pub(crate) fn stored() -> (String, String) {
    let (mut platform, mut node) = (Platform::new(), Node::new());
    for what in [b'=', b'=', b'S', b's', b'M', b'=', b'g', b'='] {
        if what == b'=' {
            node.accept(platform.wanted_of_first());
            platform.observed(node.observed());
        } else {
            platform.apply_event(what, b"");
            node.apply_event(what, b"");
        }
    }
    assert!(platform.runs(), "the run has not started");
    platform.stored()
}

/// The recorded messages, alone and within a run, and a complete run.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let syncs = [
        &include_bytes!("../../wire/tests/recorded/34/sync-1.json")[..],
        include_bytes!("../../wire/tests/recorded/34/sync-2.json"),
        include_bytes!("../../wire/tests/recorded/34/sync-3.json"),
        include_bytes!("../../wire/tests/recorded/34/sync-4.json"),
        include_bytes!("../../wire/tests/recorded/34/sync-5.json"),
        include_bytes!("../../wire/tests/recorded/34/sync-6.json"),
    ];
    let answers = [
        &include_bytes!("../../wire/tests/recorded/34/answer-1.json")[..],
        include_bytes!("../../wire/tests/recorded/34/answer-4.json"),
        include_bytes!("../../wire/tests/recorded/34/answer-6.json"),
    ];
    let message = |kind: u8, json: &[u8]| [&[kind], json].concat();
    let reports: Vec<Vec<u8>> = syncs.iter().map(|sync| message(b'1', sync)).collect();
    let mut received: Vec<Vec<u8>> = answers.iter().map(|answer| message(b'A', answer)).collect();
    received.push(b"d".to_vec());
    let upgraded: Vec<&str> = UPGRADED.split(' ').collect();
    let mixed = [reports.clone(), vec![b"S".to_vec(), b"s".to_vec(), b"M".to_vec()], reports.clone()];
    let late = "= = S s M = g = d t4000000 d l3 l1 d T d R =";
    vec![
        joined(&reports),
        joined(&received),
        joined(&upgraded),
        joined(&mixed.concat()),
        joined(&late.split(' ').collect::<Vec<_>>()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a seed and returns the progress of its node.
    fn last_status(events: &str) -> String {
        let (mut platform, mut node) = (Platform::new(), Node::new());
        for part in events.split(' ') {
            if part == "=" {
                node.accept(platform.wanted_of_first());
                platform.observed(node.observed());
            } else {
                let (what, rest) = part.as_bytes().split_first().unwrap();
                platform.apply_event(*what, rest);
                node.apply_event(*what, rest);
            }
        }
        platform.record_of_first()
    }

    #[test]
    fn seeds_reach_the_phases_of_a_run() {
        let check = |events: &str, expected: &str| {
            let record = last_status(events);
            assert!(record.contains(expected), "{record}");
        };
        check(UPGRADED, "upgraded");
        check("= = S s M = g = c1 = =", "draining");
        check("= = S s M = G = =", "failed");
    }
}
