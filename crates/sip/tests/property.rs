//! Messages from seeds: legal ones in random forms read back as what they were made of, and whatever is made of
//! messages by random changes is read, refused and answered without a panic.

#[allow(dead_code)] // The other tests need more of it.
mod support;

use sip::fields::Contacts;
use sip::message::{self, Message};
use sip::name::Name;
use sip::reply::{Reply, Source};
use sip::uri::Uri;
use sip::value::Token;

use support::legal::legal;
use support::random::Random;
use support::{described, frames, malformed, request};

#[test]
fn legal_messages_in_any_form_read_back_as_what_they_were_made_of() {
    for seed in 0..2000 {
        let made = legal(&mut Random(seed));
        let request = request(&made.bytes);
        let headers = request.headers();
        let same = |found: sip::address::Address<'_>, made: &(String, String, String, String)| {
            let name = String::from_utf8_lossy(&found.display_name()).into_owned();
            let found = (name, found.uri.as_str(), found.tag());
            assert_eq!(found, (made.1.clone(), made.2.as_str(), Some(made.3.as_str())), "seed {seed}");
        };
        same(headers.from(), &made.from);
        let Contacts::Listed(contacts) = headers.contacts() else { panic!("no star") };
        let contacts = contacts.all().unwrap();
        assert_eq!(contacts.len(), made.contacts.len(), "seed {seed}");
        contacts.into_iter().zip(&made.contacts).for_each(|(found, made)| same(found, made));
        let branches: Vec<_> =
            headers.vias().map(|via| via.unwrap().transaction().unwrap().to_owned()).collect();
        assert_eq!(branches, made.branches, "seed {seed}");
        assert_eq!((headers.cseq().number, request.body()), (made.sequence, &made.body[..]), "seed {seed}");
        assert_eq!(headers.others("x-unknown").next(), Some(",;\"<\\ \u{fc}".as_bytes()));
        assert_eq!((request.bytes(), malformed(headers)), (&made.bytes[..], 0), "seed {seed}");
    }
}

/// Changes a message at random: bytes, pieces taken out, doubled, or moved in from elsewhere.
fn changed(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.index(3) {
        let length = bytes.len().max(1);
        let (one, two) = (random.index(length), random.index(length));
        let (from, to) = (one.min(two), one.max(two).min(one.min(two) + 40).min(bytes.len()));
        match random.index(4) {
            0 if !bytes.is_empty() => bytes[from] = b"\r\n :;,<>\"\\%@[]()=/?*\0\xff9aS"[random.index(25)],
            1 => drop(bytes.drain(from..to)),
            2 => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(from..from, piece);
            }
            _ => {
                let at = random.index(other.len());
                let piece = other[at..other.len().min(at + 20)].to_vec();
                bytes.splice(from..to, piece);
            }
        }
    }
    bytes
}

/// What must hold of any bytes.
fn promises(bytes: &[u8], seed: u64) {
    let (answer, fields) = match message::datagram(bytes) {
        Ok(message) => {
            malformed(message.headers());
            let again = message::datagram(message.bytes()).expect("what was read reads again");
            assert_eq!(again.bytes(), message.bytes(), "seed {seed}");
            let Message::Request(request) = message else { return };
            let tag = Token::new("t").expect("a token");
            let source = Source { received: Some([192, 0, 2, 9].into()), rport: Some(9) };
            let draft = Reply::to(&request, sip::status::Status::OK).tagged(tag).seen_from(source).draft();
            let answer = support::response(&draft.finish());
            assert_eq!(answer.headers().call_id(), request.headers().call_id(), "seed {seed}");
            assert_eq!(answer.headers().cseq(), request.headers().cseq(), "seed {seed}");
            assert_eq!(answer.headers().vias().count(), request.headers().vias().count(), "seed {seed}");
            assert!(answer.headers().to().tag().is_some(), "seed {seed}");
            assert!(Uri::new(request.uri().as_str().as_bytes()).is_ok());
            return;
        }
        Err(refused) => {
            malformed(refused.fields());
            let answer = Reply::refusing(&refused).map(|reply| reply.draft().finish());
            (answer, refused.fields().clone())
        }
    };
    let Some(answer) = answer else { return };
    // An answer to any request is cut into the headers that were put into it: nothing in them began another.
    let read = match message::datagram(&answer) {
        Ok(message) => sip::fields::Fields::clone(message.headers()),
        Err(refused) => refused.fields().clone(),
    };
    for name in [Name::Via, Name::CallId, Name::From] {
        let copied = read.values(name).next() == fields.values(name).next();
        assert!(copied, "seed {seed}: {name} in {}", answer.escape_ascii());
    }
    assert!(read.iter().all(|field| field.known.is_some()), "seed {seed}: {}", answer.escape_ascii());
}

#[test]
fn changed_messages_are_read_refused_and_answered_and_nothing_breaks() {
    let corpus: Vec<Vec<u8>> = [include_str!("messages/rfc4475.txt"), include_str!("messages/rfc5118.txt")]
        .iter()
        .flat_map(|file| support::messages::messages(file))
        .map(|(_, bytes)| bytes)
        .collect();
    for seed in 0..30_000 {
        let random = &mut Random(seed);
        let (one, other) = (random.index(corpus.len()), random.index(corpus.len()));
        promises(&changed(random, &corpus[one], &corpus[other]), seed);
    }
}

#[test]
fn stream_gives_the_same_frames_in_any_portions() {
    for seed in 0..500 {
        let random = &mut Random(seed);
        let made: Vec<Vec<u8>> = (0..4).map(|_| legal(random).bytes).collect();
        let stream = changed(random, &made.concat(), &made[0]);
        let words = |portion| {
            let found = frames(&stream, portion);
            found
                .iter()
                .map(described)
                .filter(|described| described != "ping" && described != "pong")
                .collect::<Vec<_>>()
        };
        let whole = words(usize::MAX);
        for portion in [1, 3, 1 + random.index(200)] {
            assert_eq!(words(portion), whole, "seed {seed}, portions of {portion}");
        }
    }
}
