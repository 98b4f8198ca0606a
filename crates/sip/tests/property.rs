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

use support::random::Random;
use support::{described, frames, malformed, request};

impl Random {
    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a usize")
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.index(of.len())]
    }

    /// White space where it may stand.
    fn space(&mut self) -> &'static str {
        self.pick(&["", "", "", " ", "\t", "  ", "\r\n ", " \r\n\t "])
    }

    /// White space where it must stand.
    fn gap(&mut self) -> &'static str {
        self.pick(&[" ", " ", "\t", "\r\n ", " \r\n \t"])
    }

    /// A name in any case.
    fn cased(&mut self, name: &str) -> String {
        let cased = |letter: char| {
            if self.index(2) == 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
        };
        name.chars().map(cased).collect()
    }
}

const URIS: [&str; 8] = [
    "sip:ida@clinic.example",
    "sips:b%6fb:p%20w@[2001:db8::9:1]:5061;transport=tls;lr",
    "sip:+1-201;phone-context=x@192.0.2.1;user=phone",
    "sip:example.com?Subject=a%20b&X=",
    "tel:+1-201-555-0123;ext=5",
    "http://example.com/a;b,c?d=e",
    "urn:service:sos",
    "SIP:0bed-_.!~*'()&=+$,;?/Z:p-_.!~*'()&=+$,9@h",
];

const NAMES: [(&str, &str); 5] = [
    ("", ""),
    ("Bob", "Bob"),
    ("\"a \\\"b\\\" <c>, ;d\"", "a \"b\" <c>, ;d"),
    ("ward~`7 bed", "ward~`7 bed"),
    ("\"\"", ""),
];

/// An address in a random form, and what it is to read back as: display name, URI, tag.
fn address(random: &mut Random) -> (String, String, String, String) {
    let (written, name) = NAMES[random.index(NAMES.len())];
    let uri = random.pick(&URIS);
    let tag = format!("t{}", random.index(1000));
    let (s1, s2, s3, s4) = (random.space(), random.space(), random.space(), random.space());
    let other = random.pick(&["", ";x", ";y=\"a;b,c\\\"\"", " ; z = [::1]"]);
    let parameter = random.cased("tag");
    let bare = written.is_empty() && !uri.contains(['?', ',', ';']) && random.index(2) == 0;
    let uri_part = if bare { uri.to_owned() } else { format!("{written}{s1}<{uri}>") };
    let text = format!("{uri_part}{other}{s2};{s3}{parameter}{s4}={}{tag}", random.space());
    (text, name.to_owned(), uri.to_owned(), tag)
}

struct Made {
    bytes: Vec<u8>,
    from: (String, String, String, String),
    contacts: Vec<(String, String, String, String)>,
    branches: Vec<String>,
    sequence: u32,
    body: Vec<u8>,
}

/// A legal request: headers in any order, in any case or compact, alone or joined by commas.
fn legal(random: &mut Random) -> Made {
    let from = address(random);
    let contacts: Vec<_> = (0..random.index(4)).map(|_| address(random)).collect();
    let branches: Vec<String> =
        (0..=random.index(5)).map(|n| format!("z9hG4bK{n}x{}", random.index(100))).collect();
    let sequence = u32::try_from(random.next() >> 33).expect("31 bits");
    let body: Vec<u8> = (0..random.index(60)).map(|_| random.next().to_le_bytes()[0]).collect();
    let mut headers: Vec<Vec<(String, String)>> = Vec::new();
    let vias = branches.iter().map(|branch| {
        let (s, g) = (random.space(), random.gap());
        let host = random.pick(&["h.example", "192.0.2.1:5070", "[2001:db8::1]", "[::1] : 5080"]);
        (
            random.pick(&["Via", "v"]).to_owned(),
            format!("SIP{s}/2.0{s}/{s}UDP{g}{host};{s}branch={s}{branch}{s};rport"),
        )
    });
    headers.push(vias.collect());
    headers.push(contacts.iter().map(|c| (random.pick(&["Contact", "m"]).to_owned(), c.0.clone())).collect());
    headers.push(vec![(random.pick(&["From", "f"]).to_owned(), from.0.clone())]);
    headers.push(vec![(random.pick(&["To", "t"]).to_owned(), address(random).0)]);
    headers.push(vec![(random.pick(&["Call-ID", "i"]).to_owned(), "a(b)<c>\"@d".to_owned())]);
    headers.push(vec![("CSeq".to_owned(), format!("{sequence}{}INVITE", random.gap()))]);
    headers.push(vec![("Max-Forwards".to_owned(), "70".to_owned())]);
    headers.push(vec![("X-Unknown".to_owned(), ",;\"<\\ \u{fc}".to_owned())]);
    headers.push(vec![(random.pick(&["Content-Length", "l"]).to_owned(), body.len().to_string())]);
    let mut head = "INVITE sip:meet@b SIP/2.0\r\n".to_owned();
    while !headers.is_empty() {
        let group = headers.swap_remove(random.index(headers.len()));
        let mut open = false;
        for (name, value) in group {
            if open && random.index(2) == 0 {
                head += &format!("{},{}{value}", random.space(), random.space());
            } else {
                let end = if open { "\r\n" } else { "" };
                let name = random.cased(&name);
                head += &format!("{end}{name}{}:{}{value}", random.pick(&["", " ", " \t"]), random.space());
            }
            open = true;
        }
        head += if open { "\r\n" } else { "" };
    }
    let bytes = [head.as_bytes(), b"\r\n", &body].concat();
    Made { bytes, from, contacts, branches, sequence, body }
}

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
        .flat_map(|file| support::messages(file))
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
