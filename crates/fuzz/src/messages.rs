//! What managers and nodes say to each other, applied to a platform in the middle of a run and to a
//! node's brain. Whatever is said, nobody panics, every promise of the core is kept, and a node with calls
//! never leaves.
//!
//! An input is a play: each part is one thing that happens, its first byte says what. Messages are JSON as
//! they travel; the rest of the play (time, calls, the operator) is there to reach every place of a run.

mod node;
mod platform;

use node::Node;
use platform::Platform;
use wire::{Sync, SyncAnswer};

use crate::input::{joined, parts};

pub(crate) const WORDS: &[&str] = &[
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
];

/// Reports, start, the manager's own upgrade, then the node: staged, told, drained, left, back.
const UPGRADED: &str = "= = S s M = g = = c = = w = = R = = =";

/// Lets a play happen.
pub(crate) fn run(data: &[u8]) {
    let (mut platform, mut node) = (Platform::new(), Node::new());
    for part in parts(data) {
        let Some((what, rest)) = part.split_first() else { continue };
        match what {
            // A node's report, to the manager.
            b'1'..=b'3' => {
                if let Ok(sync) = serde_json::from_slice::<Sync>(rest) {
                    assert_reads_back(&sync);
                    platform.report(u32::from(what - b'0'), sync);
                }
            }
            // The manager's answer, to the node.
            b'A' => {
                if let Ok(answer) = serde_json::from_slice::<SyncAnswer>(rest) {
                    assert_reads_back(&answer);
                    node.told(answer);
                }
            }
            // Both at once: the manager's real answer reaches the node, and its real report the manager.
            b'=' => {
                node.asked(platform.wanted_of_first());
                platform.observed(node.observed());
            }
            _ => {
                platform.happens(*what, rest);
                node.happens(*what, rest);
            }
        }
        platform.check();
        node.check();
    }
}

fn assert_reads_back<T: PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned>(
    said: &T,
) {
    let text = serde_json::to_vec(said).expect("a message is plain data");
    assert_eq!(&serde_json::from_slice::<T>(&text).expect("a message reads back"), said);
}

/// A platform in the middle of a run as it is stored, and a node of it.
pub(crate) fn stored() -> (String, String) {
    let (mut platform, mut node) = (Platform::new(), Node::new());
    for what in [b'=', b'=', b'S', b's', b'M', b'=', b'g', b'='] {
        if what == b'=' {
            node.asked(platform.wanted_of_first());
            platform.observed(node.observed());
        } else {
            platform.happens(what, b"");
            node.happens(what, b"");
        }
    }
    assert!(platform.runs(), "the run has not started");
    platform.stored()
}

/// The recorded conversation, alone and within a run, and a run that goes all the way.
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
    let said = |who: u8, message: &[u8]| [&[who], message].concat();
    let conversation: Vec<Vec<u8>> = syncs.iter().map(|sync| said(b'1', sync)).collect();
    let mut told: Vec<Vec<u8>> = answers.iter().map(|answer| said(b'A', answer)).collect();
    told.push(b"d".to_vec());
    let play: Vec<&str> = UPGRADED.split(' ').collect();
    let mixed =
        [conversation.clone(), vec![b"S".to_vec(), b"s".to_vec(), b"M".to_vec()], conversation.clone()];
    let late = "= = S s M = g = d t4000000 d l3 l1 d T d R =";
    vec![
        joined(&conversation),
        joined(&told),
        joined(&play),
        joined(&mixed.concat()),
        joined(&late.split(' ').collect::<Vec<_>>()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a seed, and says how far its node has come.
    fn last_status(play: &str) -> String {
        let (mut platform, mut node) = (Platform::new(), Node::new());
        for part in play.split(' ') {
            if part == "=" {
                node.asked(platform.wanted_of_first());
                platform.observed(node.observed());
            } else {
                let (what, rest) = part.as_bytes().split_first().unwrap();
                platform.happens(*what, rest);
                node.happens(*what, rest);
            }
        }
        platform.record_of_first()
    }

    #[test]
    fn the_plays_that_the_inputs_start_from_reach_the_places_of_a_run() {
        let check = |play: &str, expected: &str| {
            let record = last_status(play);
            assert!(record.contains(expected), "{record}");
        };
        check(UPGRADED, "upgraded");
        check("= = S s M = g = c1 = =", "draining");
        check("= = S s M = G = =", "failed");
    }
}
