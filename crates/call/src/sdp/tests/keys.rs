//! Keys in offers and answers: which are taken, which are named, and when they change.

use super::*;
use crate::srtp::{MasterKey, Suite};

/// Keys of the far end with 30 bytes, as base64 has them, and the bytes that each consists of.
const KEYS: [(&str, u8); 3] = [
    ("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB", 1),
    ("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC", 2),
    ("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD", 3),
];

/// What everybody has.
const USUAL: &str = "AES_CM_128_HMAC_SHA1_80";

fn crypto(tag: u32, suite: &str, key: usize) -> String {
    format!("a=crypto:{tag} {suite} inline:{}\r\n", KEYS[key].0)
}

/// A media line with a key of the usual suite, at a port.
fn line(port: u16, key: usize) -> String {
    format!("m=audio {port} RTP/SAVP 0\r\n{}", crypto(1, USUAL, key))
}

fn master(suite: Suite, key: usize) -> MasterKey {
    MasterKey::new(suite, &[KEYS[key].1; 30]).expect("a key")
}

fn keys(agreed: &Agreed) -> Keys {
    match agreed.security {
        Security::Keys(keys) => keys,
        Security::Plain | Security::Handshake(_) => panic!("no keys: {agreed:?}"),
    }
}

/// The keys that a description of ours names: tag, suite and what follows.
fn named(text: &str) -> Vec<(&str, &str, &str)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    lines
        .map(|line| {
            let mut fields = line.split(' ');
            let mut next = || fields.next().expect("a field");
            (next(), next(), next())
        })
        .collect()
}

/// A call over a path that others cannot read.
fn secure_call() -> Negotiation {
    Negotiation::new(Local { path: Path::Secure, ..local() })
}

/// Whether an attribute names a key that can be used.
fn is_usable(value: &str) -> bool {
    offer(&format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:{value}\r\n")).is_ok()
}

#[test]
fn answer_has_the_tag_and_suite_of_the_first_key_that_can_be_used_and_a_key_of_our_own() {
    let media = [
        "m=audio 5004 RTP/SAVP 0\r\n",
        &crypto(1, "F8_128_HMAC_SHA1_80", 0),
        &crypto(22, "aes_cm_128_hmac_sha1_32", 1),
        &crypto(3, USUAL, 2),
    ];
    let (text, agreed) = answer(&media.concat());
    let keys = keys(&agreed);
    assert_eq!(keys.theirs, master(Suite::AesCm128Sha32, 1));
    assert_eq!((keys.ours.suite(), keys.mki), (Suite::AesCm128Sha32, 0));
    assert_ne!(keys.ours.key_and_salt(), keys.theirs.key_and_salt());
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/SAVP 0"]);
    let [(tag, suite, key)] = named(&text)[..] else { panic!("not one key: {text}") };
    assert_eq!((tag, suite), ("22", "AES_CM_128_HMAC_SHA1_32"));
    assert_eq!(key.len(), "inline:".len() + 40);
    let (_, read) = answer(media_part(&text));
    assert_eq!(self::keys(&read).theirs, keys.ours, "the far end reads what we send under");
}

#[test]
fn each_suite_is_agreed_on_in_each_profile() {
    for (suite, bytes) in Suite::ALL.into_iter().zip([30, 30, 28, 44]) {
        for profile in ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "rtp/avpf"] {
            let key = MasterKey::new(suite, &vec![7; bytes]).expect("a key");
            let mut line = format!("m=audio 5004 {profile} 0\r\n");
            crypto::Named { tag: 9, key }.write(&mut line);
            let (text, agreed) = answer(&line);
            assert_eq!(media_lines(&text), [format!("m=audio 40000 {profile} 0")]);
            assert_eq!((keys(&agreed).theirs, keys(&agreed).ours.suite()), (key, suite));
        }
    }
}

#[test]
fn key_is_read_in_each_form_and_with_parameters_that_change_nothing() {
    let key = KEYS[0].0;
    for (form, mki) in [
        (format!("1 {USUAL} inline:{key}"), 0),
        (format!("999999999  {USUAL}\tINLINE:{key}|2^31"), 0),
        (format!("1 {USUAL} inline:{key}|1048576"), 0),
        (format!("1 {USUAL} inline:{key}|2^20|1:4"), 4),
        (format!("1 {USUAL} inline:{key}|66051:128 WSH=128 -UNKNOWN"), 128),
        (format!("1 {USUAL} inline:{key} wsh=64"), 0),
    ] {
        let (_, agreed) = answer(&format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:{form}\r\n"));
        assert_eq!(
            (keys(&agreed).theirs, keys(&agreed).mki),
            (master(Suite::AesCm128Sha80, 0), mki),
            "{form}"
        );
    }
    let unpadded = format!("1 AEAD_AES_128_GCM inline:{}", "BwcH".repeat(9) + "Bw");
    assert!(is_usable(&unpadded) && is_usable(&format!("{unpadded}==")));
}

#[test]
fn key_that_cannot_be_used_is_passed_over() {
    let key = KEYS[0].0;
    for value in [
        String::new(),
        "1".into(),
        format!("1 {USUAL}"),
        format!("1 {USUAL} inline:"),
        format!("1 {USUAL} inline:{}", &key[..36]),
        format!("1 {USUAL} inline:{key}AAAA"),
        format!("1 {USUAL} inline:{}?", &key[..39]),
        format!("1 {USUAL} uri:{key}"),
        format!("1 {USUAL} \u{e9}nline:{key}"),
        format!("x {USUAL} inline:{key}"),
        format!("+1 {USUAL} inline:{key}"),
        format!("1000000000 {USUAL} inline:{key}"),
        format!("1 AEAD_AES_128_GCM inline:{key}"),
        format!("1 {USUAL} inline:{key}|1:4;inline:{key}|2:4"),
        format!("1 {USUAL} inline:{key}|x"),
        format!("1 {USUAL} inline:{key}|2^x"),
        format!("1 {USUAL} inline:{key}|1:0"),
        format!("1 {USUAL} inline:{key}|1:129"),
        format!("1 {USUAL} inline:{key}|2^20|1:4|5"),
        format!("1 {USUAL} inline:{key} UNENCRYPTED_SRTP"),
        format!("1 {USUAL} inline:{key} WSH=64 UNAUTHENTICATED_SRTP"),
        format!("1 {USUAL} inline:{key} KDR=1"),
    ] {
        assert!(!is_usable(&value), "{value}");
    }
    assert!(is_usable(&format!("1 {USUAL} inline:{key}")));
}

#[test]
fn protected_line_is_preferred_to_one_in_the_clear_until_the_call_has_its_line() {
    let (plain, protected) = ("m=audio 5004 RTP/AVP 0\r\n", line(5006, 0));
    for (media, expected) in [
        (format!("{plain}{protected}"), ["m=audio 0 RTP/AVP 0", "m=audio 40000 RTP/SAVP 0"]),
        (format!("{protected}{plain}"), ["m=audio 40000 RTP/SAVP 0", "m=audio 0 RTP/AVP 0"]),
    ] {
        let (text, agreed) = answer(&media);
        assert_eq!(media_lines(&text), expected);
        assert!(matches!(agreed.security, Security::Keys(_)));
    }
    let mut call = call();
    answer_in(&mut call, plain);
    let (text, agreed) = answer_in(&mut call, &format!("{plain}{protected}"));
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/AVP 0", "m=audio 0 RTP/SAVP 0"]);
    assert_eq!((agreed.security, named(&text).len()), (Security::Plain, 0));
}

#[test]
fn line_in_the_clear_is_protected_if_it_names_a_key_that_can_be_used() {
    let plain = "m=audio 5004 RTP/AVP 0\r\n";
    let (text, agreed) = answer(&format!("{plain}{}", crypto(4, USUAL, 0)));
    assert_eq!((media_lines(&text)[0], named(&text)[0].0), ("m=audio 40000 RTP/AVP 0", "4"));
    assert_eq!(keys(&agreed).theirs, master(Suite::AesCm128Sha80, 0));
    let (text, agreed) = answer(&format!("{plain}{}", crypto(4, "F8_128_HMAC_SHA1_80", 0)));
    assert_eq!((named(&text).len(), agreed.security), (0, Security::Plain));
}

#[test]
fn line_may_become_protected_and_clear_again() {
    let mut call = call();
    let plain = "m=audio 5004 RTP/AVP 0\r\n";
    let mut ours = Vec::new();
    for (n, media) in [plain, &line(5004, 0), plain, &line(5004, 0)].into_iter().enumerate() {
        let (text, agreed) = answer_in(&mut call, media);
        assert_eq!(version(&text), n as u64 + 1);
        match agreed.security {
            Security::Keys(keys) => ours.push(keys.ours),
            Security::Plain | Security::Handshake(_) => assert_eq!((n % 2, named(&text).len()), (0, 0)),
        }
    }
    assert!(ours.len() == 2 && ours[0] != ours[1], "no key is used twice");
}

#[test]
fn our_key_changes_with_the_suite_or_the_device_of_the_far_end_and_not_otherwise() {
    let mut call = call();
    let mut agree = |media: &str| {
        let (text, agreed) = answer_in(&mut call, media);
        (keys(&agreed), version(&text))
    };
    let (first, one) = agree(&line(5004, 0));
    assert_eq!(agree(&line(5004, 0)), (first, one), "a refresh");
    assert_eq!(agree(&line(5006, 0)), (first, one), "another port and the same key");
    let (second, version) = agree(&line(5006, 1));
    assert_eq!((second.ours, version), (first.ours, one), "another key at the same address");
    assert_eq!(second.theirs, master(Suite::AesCm128Sha80, 1));
    let (third, version) = agree(&line(5008, 2));
    assert!(third.ours != first.ours && version == one + 1, "another key at another address");
    let other_suite = line(5008, 2).replace("_80", "_32");
    let (fourth, version) = agree(&other_suite);
    assert_ne!(fourth.ours.key_and_salt(), third.ours.key_and_salt());
    assert_eq!((fourth.ours.suite(), version), (Suite::AesCm128Sha32, one + 2));
}

#[test]
fn our_offer_names_keys_where_others_cannot_read_them() {
    assert_eq!(named(&call().offer(&mut generator())), []);
    let mut call = secure_call();
    let text = call.offer(&mut generator());
    assert!(media_lines(&text)[0].starts_with("m=audio 40000 RTP/AVP "), "who has no SRTP reads no key");
    let keys = named(&text);
    assert_eq!(
        keys.iter().map(|(tag, suite, _)| (*tag, *suite)).collect::<Vec<_>>(),
        [
            ("1", USUAL),
            ("2", "AES_CM_128_HMAC_SHA1_32"),
            ("3", "AEAD_AES_128_GCM"),
            ("4", "AEAD_AES_256_GCM"),
        ]
    );
    let distinct: std::collections::BTreeSet<_> = keys.iter().map(|(.., key)| &key[..20]).collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn answer_to_our_offer_chooses_one_of_its_keys_or_none() {
    let check = |answer: &str, expected: Option<Suite>| {
        let mut call = secure_call();
        let offer = call.offer(&mut generator());
        let agreed = call.apply_answer(description(answer).as_bytes()).expect("an agreement").clone();
        let Some(suite) = expected else { return assert_eq!(agreed.security, Security::Plain, "{answer}") };
        let keys = keys(&agreed);
        assert_eq!(keys.theirs, master(suite, 0), "{answer}");
        let ours =
            named(&offer).into_iter().find(|(_, name, _)| *name == suite.name()).expect("it was offered");
        let mut written = String::new();
        crypto::Named { tag: 1, key: keys.ours }.write(&mut written);
        assert!(written.contains(ours.2), "{answer}");
    };
    let plain = "m=audio 5004 RTP/AVP 0\r\n";
    check(plain, None);
    check(&format!("{plain}{}", crypto(1, "F8_128_HMAC_SHA1_80", 0)), None);
    check(&format!("{plain}{}", crypto(2, "AES_CM_128_HMAC_SHA1_32", 0)), Some(Suite::AesCm128Sha32));
    check(&format!("{plain}{}", crypto(7, USUAL, 0)), Some(Suite::AesCm128Sha80));
    check(&line(5004, 0), Some(Suite::AesCm128Sha80));
    // A key that answers none of ours is none.
    let mut call = call();
    call.offer(&mut generator());
    let answer = description(&format!("{plain}{}", crypto(1, USUAL, 0)));
    assert_eq!(call.apply_answer(answer.as_bytes()).expect("an agreement").security, Security::Plain);
}

#[test]
fn refresh_repeats_the_key_and_an_answer_may_bring_another_of_the_far_end() {
    let mut call = call();
    let (text, before) = answer_in(&mut call, &line(5004, 0));
    assert_eq!(call.repeat_offer(&mut generator()), text);
    let answered =
        |call: &mut Negotiation, media: &str| call.apply_answer(description(media).as_bytes()).map(keys);
    assert_eq!(answered(&mut call, &line(5004, 0)), Ok(keys(&before)));
    call.repeat_offer(&mut generator());
    let keys = answered(&mut call, &line(5004, 1)).expect("an agreement");
    assert_eq!((keys.ours, keys.theirs), (self::keys(&before).ours, master(Suite::AesCm128Sha80, 1)));
    for refused in ["m=audio 5004 RTP/AVP 0\r\n", "m=audio 5004 RTP/SAVP 0\r\n"] {
        call.repeat_offer(&mut generator());
        assert!(answered(&mut call, refused).is_err(), "{refused}");
        assert_eq!(call.agreed().map(self::keys), Some(keys), "all is as it was");
    }
}

/// In a line that may be protected and need not be: otherwise our key would be used again from its first index.
#[test]
fn answer_takes_no_protection_away_that_was_agreed_on() {
    let mut call = call();
    let optional = format!("m=audio 5004 RTP/AVP 0\r\n{}", crypto(1, USUAL, 0));
    let (_, before) = answer_in(&mut call, &optional);
    call.repeat_offer(&mut generator());
    let refused = call.apply_answer(description("m=audio 5004 RTP/AVP 0\r\n").as_bytes()).map(|_| ());
    assert!(matches!(refused, Err(Unacceptable::NoSuite { .. })), "{refused:?}");
    assert_eq!(call.agreed(), Some(&before));
    call.repeat_offer(&mut generator());
    let agreed = call.apply_answer(description(&optional).as_bytes()).expect("an agreement");
    assert_eq!(agreed.security, before.security);
}

#[test]
fn new_offer_within_a_protected_call_names_a_new_key_for_its_suite() {
    for path in [Path::Open, Path::Secure] {
        let mut call = Negotiation::new(Local { path, ..local() });
        let (_, before) = answer_in(&mut call, &line(5004, 0).replace("_80", "_32"));
        let offer = call.offer(&mut generator());
        assert_eq!(media_lines(&offer), ["m=audio 40000 RTP/SAVP 111 9 0 8 101 96"]);
        let [(_, "AES_CM_128_HMAC_SHA1_32", _)] = named(&offer)[..] else { panic!("{offer}") };
        assert_eq!(call.agreed(), Some(&before), "nothing changes before the answer");
        let answer = description(&line(5008, 1).replace("_80", "_32"));
        let agreed = call.apply_answer(answer.as_bytes()).expect("an agreement").clone();
        assert_ne!(keys(&agreed).ours, keys(&before).ours);
    }
}
