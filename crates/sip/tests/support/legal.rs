//! Legal messages from a seed, in random forms.

use super::random::Random;

impl Random {
    /// White space where it may stand.
    pub(crate) fn space(&mut self) -> &'static str {
        self.pick(&["", "", "", " ", "\t", "  ", "\r\n ", " \r\n\t "])
    }

    /// White space where it must stand.
    pub(crate) fn gap(&mut self) -> &'static str {
        self.pick(&[" ", " ", "\t", "\r\n ", " \r\n \t"])
    }

    /// A name in any case.
    pub(crate) fn cased(&mut self, name: &str) -> String {
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

/// The values of Route or Record-Route, each with its name.
fn proxies(random: &mut Random, name: &str) -> Vec<(String, String)> {
    let proxies = ["<sip:p1.example;lr>", "\"p, 2\"<sips:p2.example:5062;lr>;x", "<sip:[2001:db8::2]>"];
    (0..random.index(3)).map(|_| (name.to_owned(), random.pick(&proxies).to_owned())).collect()
}

/// A legal message and what it was made of.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: (String, String, String, String),
    pub(crate) contacts: Vec<(String, String, String, String)>,
    pub(crate) branches: Vec<String>,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

/// A legal request: headers in any order, in any case or compact, alone or joined by commas.
pub(crate) fn legal(random: &mut Random) -> Made {
    let from = address(random);
    let contacts: Vec<_> = (0..random.index(4)).map(|_| address(random)).collect();
    let branches: Vec<String> =
        (0..=random.index(5)).map(|n| format!("z9hG4bK{n}x{}", random.index(100))).collect();
    let sequence = u32::try_from(random.next() >> 33).expect("31 bits");
    let body: Vec<u8> = (0..random.index(60)).map(|_| random.next().to_le_bytes()[0]).collect();
    let mut headers: Vec<Vec<(String, String)>> = Vec::new();
    let vias = branches.iter().map(|branch| {
        let (s, g) = (random.space(), random.gap());
        let transport = random.pick(&["UDP", "tcp", "TLS", "x-y"]);
        // White space around the colon is rare, for other parsers refuse it and what else stands in the message.
        let rare = if random.index(16) == 0 { "[::1] : 5080" } else { "[::1]:5080" };
        let host = random.pick(&["h.example", "192.0.2.1:5070", "[2001:db8::1]", rare]);
        let seen = random.pick(&[";rport", "", ";rport=9;received=192.0.2.9", ";received=2001:db8::9"]);
        (
            random.pick(&["Via", "v"]).to_owned(),
            format!("SIP{s}/2.0{s}/{s}{transport}{g}{host};{s}branch={s}{branch}{s}{seen}"),
        )
    });
    headers.push(vias.collect());
    headers.push(proxies(random, "Route"));
    headers.push(proxies(random, "Record-Route"));
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
