//! Tests of offers and answers, each file one concept.

mod answers;
mod bodies;
mod calls;
mod handshakes;
mod keys;
mod properties;
mod reading;
mod refusals;

use std::cell::Cell;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

/// The head of a description of the far end.
const HEAD: &str = "v=0\r\no=caller 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn local() -> Local {
    Local {
        address: "198.51.100.7:40000".parse().expect("address"),
        session: 7,
        path: Path::Open,
        certificate: Fingerprint::of(b"node"),
    }
}

/// A generator that has given nothing yet, another one at each call.
pub(crate) fn generator() -> StdRng {
    thread_local!(static SEED: Cell<u64> = const { Cell::new(0) });
    StdRng::seed_from_u64(SEED.replace(SEED.get() + 1))
}

fn call() -> Negotiation {
    Negotiation::new(local())
}

/// A description with these media lines, or all of it when it begins with `v=`.
fn description(media: &str) -> String {
    if media.starts_with("v=") { media.to_owned() } else { format!("{HEAD}{media}") }
}

/// Reads an offer.
fn offer(media: &str) -> Result<Offer, Unacceptable> {
    Offer::read(description(media).as_bytes())
}

/// What a new call answers to an offer, and what is agreed then.
fn answer(media: &str) -> (String, Agreed) {
    answer_in(&mut call(), media)
}

/// What a call answers to its next offer, and what is agreed then.
fn answer_in(call: &mut Negotiation, media: &str) -> (String, Agreed) {
    let offer = offer(media).unwrap_or_else(|error| panic!("{error}: {media}"));
    let answer = call.answer_to(&offer, &mut generator());
    (answer, call.agreed().expect("an agreement").clone())
}

/// A description from its first media line on.
fn media_part(text: &str) -> &str {
    &text[text.find("m=").expect("media")..]
}

/// The media lines of a description.
fn media_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("m=")).collect()
}

/// The version in `o=`.
fn version(text: &str) -> u64 {
    let origin = text.lines().find_map(|line| line.strip_prefix("o=")).expect("o=");
    origin.split(' ').nth(2).expect("version").parse().expect("a number")
}

/// The payload types of a description's formats with their meaning in words.
fn formats(formats: &[Format]) -> Vec<(u8, String)> {
    formats.iter().map(|format| (format.payload_type, format.content.encoding())).collect()
}
