//! Whatever comes, from seeds: nothing panics, what is kept has its bounds, and nothing stays.

use sip::transaction::settings::Settings;

use crate::kit::{BOTH, Random, Side, settings, their};
use crate::support::messages::messages;

/// Changes a message at random.
fn changed(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.below(4) {
        let at = usize::try_from(random.below(bytes.len() as u64)).expect("it is within");
        match random.below(3) {
            0 => {
                bytes[at] =
                    b"\r\n :;,<>\"\\%@[]=/?0\xff9aS"[usize::try_from(random.below(22)).expect("small")]
            }
            1 => drop(bytes.drain(at..bytes.len().min(at + 9))),
            _ => {
                let piece = bytes[at..bytes.len().min(at + 30)].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn any_message_is_taken_within_the_bounds_and_leaves_nothing() {
    let files = [include_str!("../messages/rfc4475.txt"), include_str!("../messages/rfc5118.txt")];
    let mut corpus: Vec<_> = files.iter().flat_map(|file| messages(file)).map(|(_, bytes)| bytes).collect();
    corpus.extend(["INVITE", "ACK", "CANCEL", "BYE"].map(|method| their(method, "1").into_bytes()));
    for (seed, protocol) in (0..40).flat_map(|seed| BOTH.map(|protocol| (seed, protocol))) {
        let bounded = Settings { server_transactions: 20, reserved_for_dialogs: 5, ..settings() };
        let (mut random, mut side) = (Random(seed), Side::with(protocol, bounded));
        for _ in 0..200 {
            let one = &corpus[usize::try_from(random.below(corpus.len() as u64)).expect("it is within")];
            let said = side.came(changed(&mut random, one));
            let words: Vec<&str> = said.split([' ', ',']).collect();
            if let Some(place) = words.iter().rposition(|word| matches!(*word, "request" | "cancel")) {
                let id = words[place + 1].parse().expect("a number");
                if random.percent(50) {
                    side.respond(id, 100);
                }
                side.respond(id, if random.percent(50) { 200 } else { 486 });
            }
            let load = side.layer.load();
            assert!(load.of_others <= 25, "seed {seed}: {load:?}");
        }
        side.until(32_000);
        assert_eq!(side.entries(), 0, "seed {seed}");
    }
}
