//! Changes of a message at the level of the grammar.

use crate::support::random::Random;

/// A message in its parts, whatever they are.
struct Parts {
    start_line: Vec<u8>,
    /// Each with the lines that continue it, and without its end.
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
        let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut rest = &bytes[..end];
        while !rest.is_empty() {
            let length = rest.windows(2).position(|window| window == b"\r\n").unwrap_or(rest.len());
            match lines.last_mut() {
                Some(last) if rest.starts_with(b" ") || rest.starts_with(b"\t") => {
                    last.extend(b"\r\n");
                    last.extend(&rest[..length]);
                }
                Some(_) | None => lines.push(rest[..length].to_vec()),
            }
            rest = rest.get(length + 2..).unwrap_or_default();
        }
        let start_line = if lines.is_empty() { Vec::new() } else { lines.remove(0) };
        Self { start_line, lines, body }
    }

    fn bytes(&self) -> Vec<u8> {
        let lines = self.lines.iter().flat_map(|line| [&b"\r\n"[..], line].concat());
        [self.start_line.clone(), lines.collect(), b"\r\n\r\n".to_vec(), self.body.clone()].concat()
    }
}

const START_LINES: [&str; 12] = [
    "SIP/2.0 200 OK",
    "SIP/2.0 180 ",
    "SIP/2.0 404",
    "sip/2.0 699 a  b\tc ",
    "SIP/2.0 700 x",
    "SIP/2.0 099 x",
    "SIP/3.0 200 OK",
    "INVITE sip:a@b SIP/2.1",
    "INVITE sip:a@b;lr?x=y SIP/2.0",
    "INVITE  sip:a@b SIP/2.0",
    "OPTIONS tel:+1-201;ext=7 sip/2.0",
    "INVITE urn:service:sos SIP/2.0",
];

const LINES: [&str; 28] = [
    "Contact: *",
    "m: <sip:a@b;transport=tcp>;q=0.5, sip:c@d;expires=9",
    "Contact:",
    "Route: <sip:p1;lr>,<sip:p2;lr>",
    "Route: sip:p1;lr",
    "Route:",
    "Record-Route: <sip:p3;lr;lr>",
    "Record-Route: <sip:p4;transport=udp;transport=tcp>",
    "Via: SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKm;received=[2001:db8::8];rport=0",
    "v:SIP/2.0/WS a_b.example;rport;branch=z9hG4bKn;rport=5",
    "Via: SIP/2.0/UDP a;received=a.example;maddr=224.0.0.1;ttl=1",
    "Via: SIP/2.0/UDP [2001:db8:::192.0.2.1];branch=z9hG4bKo",
    "Via:",
    "To: <sip:a@b>;tag=1;tag=2",
    "f: \"q\" <sip:a@b>;tag=\"x\"",
    "From: J\u{fc}rgen (Work) <sip:a@b>;tag=a",
    "To: sip:*21#@b;tag=a@b",
    "Max-Forwards: 70",
    "Content-Length: 0",
    "l: 5",
    "Call-ID: other@call",
    "CSeq: 7 INVITE",
    "Subject: \u{fc}, (a \"b",
    "n: <http://a/b>",
    "a: *;audio",
    "m: sip:(@b, <sip:c@d>",
    "Contact: <9ip:a>",
    "To: sip:a,b@c",
];

const PARAMETERS: [&str; 20] = [
    ";x",
    ";x=y",
    ";x=\"a;b,c\\\"\"",
    ";x=",
    ";;x",
    ";",
    ";tag=zz",
    ";tag",
    ";tag=\"a\"",
    ";branch=z9hG4bKx",
    ";branch",
    ";rport",
    ";rport=5",
    ";rport=+5",
    ";received=192.0.2.7",
    ";received=x",
    ";lr",
    ";transport=TCP",
    ";x=a=b",
    ";%74ag=1",
];

const NUMBERS: [&str; 16] = [
    "",
    "0",
    "00",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "065535",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "-1",
    "+1",
    "99999999999999999999999",
];

/// Full names and their compact forms.
const FORMS: [(&str, &str); 13] = [
    ("Via", "v"),
    ("From", "f"),
    ("To", "t"),
    ("Call-ID", "i"),
    ("Contact", "m"),
    ("Content-Length", "l"),
    ("Content-Type", "c"),
    ("Content-Encoding", "e"),
    ("Supported", "k"),
    ("Subject", "s"),
    ("Refer-To", "r"),
    ("Event", "o"),
    ("Session-Expires", "x"),
];

/// Bytes that separate something, next to which white space may stand or must not.
const SEPARATORS: &[u8] = b" \t;,=:/<>@\"?";

/// What a byte is replaced by.
const BYTES: &[u8] = b" :;,<>\"\\%@[]()=/?*#\0\xff\xc3\r\n9aS";

/// Changes a message in one to three places.
pub(crate) fn changed(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut parts = Parts::of(bytes);
    for _ in 0..=random.index(3) {
        change(random, &mut parts);
    }
    parts.bytes()
}

fn change(random: &mut Random, parts: &mut Parts) {
    let kind = random.index(16);
    if parts.lines.is_empty() || kind == 0 {
        return add_line(random, parts);
    }
    let at = random.index(parts.lines.len());
    match kind {
        1 => drop(parts.lines.remove(at)),
        2 => parts.lines.insert(random.index(at + 1), parts.lines[at].clone()),
        3 => parts.lines[at] = renamed(random, &parts.lines[at]),
        4 => parts.start_line = random.pick(&START_LINES).into(),
        5 => change_text(random, &mut parts.start_line),
        6 => split_or_joined(random, parts, at),
        7 => parts.body.truncate(random.index(parts.body.len() + 1)),
        _ => change_text(random, &mut parts.lines[at]),
    }
}

/// Adds a header, or puts it in the place of those of its name.
fn add_line(random: &mut Random, parts: &mut Parts) {
    let line = random.pick(&LINES);
    let name = line.split_once(':').map_or("", |(name, _)| name);
    if random.index(2) == 0 {
        let named = |other: &Vec<u8>| {
            other.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        };
        parts.lines.retain(|other| !named(other));
    }
    parts.lines.insert(random.index(parts.lines.len() + 1), line.into());
}

/// A header with its name in another case or in its other form.
fn renamed(random: &mut Random, line: &[u8]) -> Vec<u8> {
    let end = line.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t')).unwrap_or(0);
    let name = String::from_utf8_lossy(&line[..end]).into_owned();
    let is = |form: &str| form.eq_ignore_ascii_case(&name);
    let other = FORMS.iter().find_map(|(full, compact)| match (is(full), is(compact)) {
        (true, _) => Some(*compact),
        (_, true) => Some(*full),
        (false, false) => None,
    });
    let kept = random.index(2) == 0;
    let name = random.cased(other.filter(|_| !kept).unwrap_or(&name));
    [name.as_bytes(), &line[end..]].concat()
}

/// A header of several values becomes two, or two headers of a name become one.
fn split_or_joined(random: &mut Random, parts: &mut Parts, at: usize) {
    let line = parts.lines[at].clone();
    let name = line.split_inclusive(|byte| *byte == b':').next().unwrap_or_default().to_vec();
    if let Some(comma) = line.iter().position(|byte| *byte == b',') {
        parts.lines[at] = line[..comma].to_vec();
        return parts.lines.insert(at + 1, [&name, &line[comma + 1..]].concat());
    }
    let next = parts.lines.get(at + 1).filter(|next| next.starts_with(&name)).cloned();
    if let Some(next) = next {
        let comma = random.pick(&[",", " , ", ",\r\n "]).as_bytes();
        parts.lines[at] = [&line, comma, &next[name.len()..]].concat();
        parts.lines.remove(at + 1);
    }
}

/// The places of a text that a change may begin at.
fn place(random: &mut Random, text: &[u8], fits: impl Fn(u8) -> bool) -> Option<usize> {
    let places: Vec<usize> = (0..text.len()).filter(|at| fits(text[*at])).collect();
    (!places.is_empty()).then(|| places[random.index(places.len())])
}

/// Changes a start line or a header.
fn change_text(random: &mut Random, text: &mut Vec<u8>) {
    match random.index(7) {
        0 => text.extend(random.pick(&PARAMETERS).bytes()),
        1 => insert_parameter(random, text),
        2 => quote(random, text),
        3 => insert_space(random, text),
        4 => remove_space(random, text),
        5 => replace_number(random, text),
        _ => {
            let byte = BYTES[random.index(BYTES.len())];
            let at = random.index(text.len().max(1));
            text.get_mut(at).into_iter().for_each(|place| *place = byte);
        }
    }
}

/// Before a parameter, the end of an address or a further element.
fn insert_parameter(random: &mut Random, text: &mut Vec<u8>) {
    if let Some(at) = place(random, text, |byte| matches!(byte, b';' | b'>' | b',' | b' ')) {
        let parameter = random.pick(&PARAMETERS);
        text.splice(at..at, parameter.bytes());
    }
}

/// Puts the value of a parameter in quotes.
fn quote(random: &mut Random, text: &mut Vec<u8>) {
    let Some(at) = place(random, text, |byte| byte == b'=') else { return };
    let rest = &text[at + 1..];
    let end = rest.iter().position(|byte| SEPARATORS.contains(byte)).unwrap_or(rest.len());
    text.insert(at + 1 + end, b'"');
    text.insert(at + 1, b'"');
}

fn insert_space(random: &mut Random, text: &mut Vec<u8>) {
    if let Some(at) = place(random, text, |byte| SEPARATORS.contains(&byte)) {
        let at = at + random.index(2);
        let gap = random.gap();
        text.splice(at..at, gap.bytes());
    }
}

fn remove_space(random: &mut Random, text: &mut Vec<u8>) {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    if let Some(at) = place(random, text, is_space) {
        let length = text[at..].iter().take_while(|byte| is_space(**byte)).count();
        text.drain(at..at + length);
    }
}

fn replace_number(random: &mut Random, text: &mut Vec<u8>) {
    if let Some(at) = place(random, text, |byte| byte.is_ascii_digit()) {
        let length = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = random.pick(&NUMBERS);
        text.splice(at..at + length, number.bytes());
    }
}
