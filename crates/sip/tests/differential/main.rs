//! Our parser against two others, which share no code with it: they agree on messages from seeds, but for the
//! exceptions of a table. `PITLANE_MESSAGES` is how many messages are compared, if not those of the gate.

mod exceptions;
mod mutation;
mod ours;
mod reading;
mod rsip;
mod sipx;
#[path = "../support/mod.rs"]
#[allow(dead_code)] // The other tests need more of it.
mod support;

use std::collections::BTreeMap;

use sip::message;

use exceptions::{Case, Difference, Exception, RSIPSTACK, SIPX};
use reading::Reading;
use support::random::Random;

/// The messages of the gate: every exception occurs among them.
const MESSAGES: u64 = 40_000;

/// What is counted.
#[derive(Debug, Default)]
struct Seen {
    /// Messages that both accept.
    accepted: u64,
    /// How often each exception has occurred.
    exceptions: BTreeMap<&'static str, u64>,
    /// Differences that no exception explains, the first of each kind.
    unexplained: BTreeMap<String, String>,
}

impl Seen {
    fn note(&mut self, table: &[Exception], seed: u64, case: &Case<'_>) {
        if let Some(found) = table.iter().find(|exception| (exception.holds)(case)) {
            *self.exceptions.entry(found.what).or_default() += 1;
            return;
        }
        let kind = match case.difference {
            Difference::Refused(why) => format!("it refuses: {why}"),
            Difference::Accepted(fault) => format!("ours refuses: {fault}"),
            Difference::Read { aspect, .. } => format!("{aspect:?}"),
        };
        let text = format!("seed {seed}: {:?}\n{}", case.difference, case.bytes.escape_ascii());
        self.unexplained.entry(kind).or_insert(text);
    }

    /// Nothing is unexplained, and every exception has occurred.
    fn check(&self, table: &[Exception]) {
        let unexplained: Vec<String> = self.unexplained.values().cloned().collect();
        assert!(unexplained.is_empty(), "{}", unexplained.join("\n\n"));
        for Exception { what, source, .. } in table {
            assert!(
                self.exceptions.contains_key(what),
                "remove from the table what does not occur: {what} ({source})"
            );
        }
    }
}

/// The messages of RFC 4475 and RFC 5118.
fn corpus() -> Vec<Vec<u8>> {
    let files = [include_str!("../messages/rfc4475.txt"), include_str!("../messages/rfc5118.txt")];
    files.iter().flat_map(|file| support::messages::messages(file)).map(|(_, bytes)| bytes).collect()
}

/// A message: one of the files as it is, then legal ones and changes of both.
fn made(seed: u64, corpus: &[Vec<u8>]) -> Vec<u8> {
    if let Some(bytes) = usize::try_from(seed).ok().and_then(|seed| corpus.get(seed)) {
        return bytes.clone();
    }
    let random = &mut Random(seed);
    let bytes = match random.index(2) {
        0 => support::legal::legal(random).bytes,
        _ => corpus[random.index(corpus.len())].clone(),
    };
    if random.index(8) == 0 { bytes } else { mutation::changed(random, &bytes) }
}

/// What both accept and read in another way.
fn differences(ours: &Reading, theirs: &Reading) -> Vec<Difference> {
    let missing = || "nothing".to_owned();
    let read = theirs
        .iter()
        .map(|(aspect, theirs)| (*aspect, ours.get(aspect).cloned().unwrap_or_else(missing), theirs));
    read.filter(|(_, ours, theirs)| ours != *theirs)
        .map(|(aspect, ours, theirs)| Difference::Read { aspect, ours, theirs: theirs.clone() })
        .collect()
}

/// Compares messages from seeds. `theirs` reads a message, or says why not; nothing where it is not asked.
fn compared(table: &[Exception], theirs: impl Fn(&[u8]) -> Option<Result<Reading, String>>) -> Seen {
    let messages =
        std::env::var("PITLANE_MESSAGES").map_or(MESSAGES, |count| count.parse().expect("a number"));
    let corpus = corpus();
    let mut seen = Seen::default();
    for seed in 0..messages {
        let bytes = made(seed, &corpus);
        let Some(theirs) = theirs(&bytes) else { continue };
        let ours = message::datagram(&bytes);
        let found = match (&ours, theirs) {
            (Ok(message), Ok(theirs)) => {
                seen.accepted += 1;
                differences(&ours::reading(message), &theirs)
            }
            (Ok(_), Err(why)) => vec![Difference::Refused(why)],
            (Err(refused), Ok(_)) => vec![Difference::Accepted(refused.fault())],
            (Err(_), Err(_)) => Vec::new(),
        };
        let fields = match &ours {
            Ok(message) => message.headers(),
            Err(refused) => refused.fields(),
        };
        for difference in &found {
            seen.note(table, seed, &Case { bytes: &bytes, fields, difference });
        }
    }
    println!("{messages} messages, {} accepted by both; {:#?}", seen.accepted, seen.exceptions);
    seen
}

#[test]
fn sipx_accepts_and_reads_the_same_but_for_the_exceptions() {
    compared(&SIPX, |bytes| Some(sipx::reading(bytes))).check(&SIPX);
}

#[test]
fn rsipstack_reads_the_same_of_what_both_accept_but_for_the_exceptions() {
    let theirs = |bytes: &[u8]| message::datagram(bytes).ok().and_then(|_| rsip::reading(bytes)).map(Ok);
    compared(&RSIPSTACK, theirs).check(&RSIPSTACK);
}
