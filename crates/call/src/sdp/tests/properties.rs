//! What holds for any bytes and any order of offers and answers. A fixed seed makes each run the same.

use sdp_types::Session;

use super::*;
use crate::sdp::body::Headers;

/// Random numbers of a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// A media line with attributes, some of them nonsense.
fn medium(random: &mut Random) -> String {
    let kind = random.one_of(&["audio", "audio", "audio", "video", "application"]);
    let port = random.one_of(&["5004", "5004", "0", "6000/2", "65535"]);
    let profile = random.one_of(&["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVP"]);
    let formats = random.one_of(&[
        "0",
        "8 0",
        "0 8 101",
        "96 97 13",
        "97 96",
        "101 98 0",
        "18",
        "*",
        "0 8 9 13 96 101",
    ]);
    let mut text = format!("m={kind} {port} {profile} {formats}\r\n");
    for _ in 0..random.below(6) {
        text.push_str(random.one_of(&[
            "a=rtpmap:96 PCMA/8000\r\n",
            "a=rtpmap:96 PCMU/8000\r\n",
            "a=rtpmap:96 telephone-event/8000\r\n",
            "a=rtpmap:97 telephone-event/8000\r\n",
            "a=rtpmap:97 PCMA/8000\r\n",
            "a=rtpmap:98 CN/8000\r\n",
            "a=rtpmap:101 telephone-event/8000\r\n",
            "a=rtpmap:101 PCMU/8000/1\r\n",
            "a=sendonly\r\n",
            "a=recvonly\r\n",
            "a=inactive\r\n",
            "a=sendrecv\r\n",
            "a=ptime:30\r\n",
            "a=maxptime:7\r\n",
            "a=rtcp-mux\r\n",
            "a=rtcp:9\r\n",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\r\n",
            "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC\r\n",
            "a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD|1:4\r\n",
            "a=crypto:4 F8_128_HMAC_SHA1_80 inline:x\r\n",
            "a=setup:actpass\r\n",
            "a=setup:passive\r\n",
            "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
            "c=IN IP4 0.0.0.0\r\n",
            "c=IN IP4 224.0.0.1\r\n",
            "c=IN IP6 2001:db8::1\r\n",
            "a=x \u{e9}\r\n",
        ]));
    }
    text
}

/// What we have written is read by the parser as what we meant.
fn check_written(text: &str, lines: usize, agreed: Option<&Agreed>) {
    let session = Session::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut again = Vec::new();
    session.write(&mut again).expect("written");
    assert_eq!(String::from_utf8_lossy(&again), text, "the parser writes the same");
    assert_eq!(session.medias.len(), lines, "{text}");
    let ours: Vec<_> = session.medias.iter().filter(|media| media.port != 0).collect();
    let [audio] = ours[..] else { panic!("not one line is ours: {text}") };
    assert_eq!((audio.media.as_str(), audio.port), ("audio", 40_000));
    let Some(agreed) = agreed else { return };
    let types: Vec<String> = agreed.receives.iter().map(|format| format.payload_type.to_string()).collect();
    assert_eq!(audio.fmt, types.join(" "), "{text}");
    for format in &agreed.receives {
        let map = format!("{} {}", format.payload_type, format.content.encoding());
        let named = |a: &sdp_types::Attribute| a.attribute == "rtpmap" && a.value.as_deref() == Some(&map);
        assert!(audio.attributes.iter().any(named), "{map} is missing: {text}");
    }
    assert!(audio.attributes.iter().any(|a| a.attribute == agreed.direction.name()), "{text}");
    let count = |name| audio.attributes.iter().filter(|a| a.attribute == name).count();
    let expected = match agreed.security {
        Security::Plain => (0, 0, 0),
        Security::Keys(_) => (1, 0, 0),
        Security::Handshake(_) => (0, 1, 1),
    };
    assert_eq!((count("crypto"), count("setup"), count("fingerprint")), expected, "{text}");
    assert!(agreed.security != Security::Plain || !audio.proto.contains("SAVP"), "{text}");
}

#[test]
fn random_calls_keep_their_lines_versions_and_numbers() {
    let mut random = Random(1);
    let mut answered = 0;
    for _ in 0..400 {
        let path = [Path::Open, Path::Secure][random.below(2)];
        let mut call = Negotiation::new(Local { path, ..local() });
        let (mut last, mut lines) = (String::new(), 1);
        let mut meanings = std::collections::BTreeMap::new();
        for _ in 0..30 {
            let text = match random.below(4) {
                0 => call.offer(&mut generator()),
                1 => call.repeat_offer(&mut generator()),
                _ => {
                    let count = 1 + random.below(4);
                    let media: Vec<String> = (0..count).map(|_| medium(&mut random)).collect();
                    let text = description(&media.concat());
                    if random.below(3) == 0 {
                        let _ = call.apply_answer(text.as_bytes());
                        call.description()
                    } else if let Ok(offer) = Offer::read(text.as_bytes()) {
                        let answer = call.answer_to(&offer, &mut generator());
                        (answered, lines) = (answered + 1, count);
                        check_written(&answer, lines, call.agreed());
                        answer
                    } else {
                        call.description()
                    }
                }
            };
            if text.is_empty() {
                continue;
            }
            check_written(&text, lines, None);
            let without_version = |text: &str| text.split_once("IN").map(|(_, rest)| rest.to_owned());
            let rise = version(&text) - if last.is_empty() { 0 } else { version(&last) };
            assert_eq!(rise, u64::from(without_version(&text) != without_version(&last)), "{last}{text}");
            for line in text.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")) {
                let (number, meaning) = line.split_once(' ').expect("a map");
                let before = meanings.insert(number.to_owned(), meaning.to_owned());
                assert!(before.is_none_or(|before| before == meaning), "{number} changed to {meaning}");
            }
            last = text;
        }
    }
    assert!(answered > 1000, "only {answered} offers were answered");
}

#[test]
fn mutated_descriptions_neither_panic_nor_inject_lines() {
    let mut random = Random(7);
    let mut answered = 0;
    for _ in 0..20_000 {
        let mut bytes = description(&format!("{}{}", medium(&mut random), medium(&mut random))).into_bytes();
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[place] = random.below(256) as u8,
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, b"\n\r\0 =/:,0m"[random.below(10)]),
            }
        }
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"m=")).count();
        if let Ok(offer) = Offer::read(&bytes) {
            let mut call = call();
            let answer = call.answer_to(&offer, &mut generator());
            check_written(&answer, lines, call.agreed());
            answered += 1;
        }
        let mut call = call();
        call.offer(&mut generator());
        let _ = call.apply_answer(&bytes);
    }
    assert!(answered > 1000, "only {answered} offers were answered");
}

#[test]
fn no_body_causes_a_panic_and_what_is_found_lies_within_it() {
    let mut random = Random(3);
    let pieces = [
        "--b",
        "--b--",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "Content-Type: application/sdp",
        "Content-Disposition: session",
        ";handling=required",
        "Content-Type: multipart/mixed;boundary=b",
        "v=0",
        ":",
        "\u{e9}",
        "--",
    ];
    let kinds = [
        "application/sdp",
        "multipart/mixed;boundary=b",
        "multipart/alternative; boundary=\"b\"",
        "",
        ";=;\"=",
    ];
    let mut found = 0;
    for _ in 0..20_000 {
        let body: String = (0..random.below(14)).map(|_| random.one_of(&pieces)).collect();
        let headers = Headers { kind: Some(random.one_of(&kinds)), ..Headers::default() };
        if let Ok(Some(description)) = body::description(headers, body.as_bytes()) {
            assert!(body.contains(std::str::from_utf8(description).expect("a part of it")));
            found += 1;
        }
    }
    assert!(found > 1000, "{found}");
}
