//! Handshakes in offers and answers: who begins, with which certificates, and what is refused.

use super::*;

/// A digest of 32 bytes, as a fingerprint has it, with this pair first.
fn digest(first: &str) -> String {
    format!("{first}{}", ":AB".repeat(31))
}

fn fingerprint(first: &str) -> String {
    format!("a=fingerprint:sha-256 {}\r\n", digest(first))
}

/// A media line of DTLS with these attributes.
fn line(attributes: &str) -> String {
    format!("m=audio 5004 UDP/TLS/RTP/SAVP 0\r\n{attributes}")
}

fn handshake(agreed: &Agreed) -> &Handshake {
    match &agreed.security {
        Security::Handshake(handshake) => handshake,
        Security::Plain | Security::Keys(_) => panic!("no handshake: {agreed:?}"),
    }
}

/// The attributes of a description that concern the handshake.
fn attributes(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("a=setup") || line.starts_with("a=fingerprint")).collect()
}

/// What our descriptions say of our certificate.
fn ours() -> String {
    let mut text = String::new();
    local().certificate.write(&mut text);
    text.trim_end().to_owned()
}

#[test]
fn answer_takes_the_other_part_and_names_our_certificate() {
    for (setup, role, expected) in [
        ("a=setup:actpass\r\n", Role::Server, "a=setup:passive"),
        ("a=setup:ACTIVE\r\n", Role::Server, "a=setup:passive"),
        ("a=setup:passive\r\n", Role::Client, "a=setup:active"),
        ("", Role::Server, "a=setup:passive"),
    ] {
        for profile in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/SAVPF"] {
            let media = format!("m=audio 5004 {profile} 0\r\n{setup}{}", fingerprint("01"));
            let (text, agreed) = answer(&media);
            assert_eq!((handshake(&agreed).role, handshake(&agreed).theirs.len()), (role, 1));
            assert_eq!(media_lines(&text), [format!("m=audio 40000 {profile} 0")]);
            assert_eq!(attributes(&text), [expected, &ours()]);
        }
    }
    let (text, _) = answer(&line(&fingerprint("01")));
    let (_, read) = answer(media_part(&text));
    assert_eq!(*handshake(&read), Handshake { role: Role::Client, theirs: vec![local().certificate] });
}

#[test]
fn fingerprints_are_those_of_the_line_or_else_of_the_session_and_of_hashes_that_hold() {
    let count = |media: &str| handshake(&answer(media).1).theirs.clone();
    let session = format!("{HEAD}a=setup:passive\r\n{}", fingerprint("01"));
    let of_session = count(&format!("{session}{}", line("")));
    assert_eq!(handshake(&answer(&format!("{session}{}", line(""))).1).role, Role::Client);
    let of_line = count(&format!("{session}{}", line(&fingerprint("02"))));
    assert!(of_session.len() == 1 && of_line.len() == 1 && of_session != of_line);
    let others = format!(
        "a=fingerprint:sha-1 {}\r\na=fingerprint:SHA-512 01{}\r\na=fingerprint:sha-384 01{}\r\n",
        &digest("01")[..59],
        ":cd".repeat(63),
        ":cd".repeat(47),
    );
    assert_eq!(count(&line(&format!("{others}{}", fingerprint("03")))).len(), 3, "all but SHA-1");
}

#[test]
fn line_without_a_certificate_that_can_be_checked_is_refused() {
    for attributes in [
        String::new(),
        "a=fingerprint:sha-256\r\n".into(),
        format!("a=fingerprint:sha-1 {}\r\n", &digest("01")[..59]),
        format!("a=fingerprint:sha-256 {}\r\n", &digest("01")[3..]),
        format!("a=fingerprint:sha-256 {}:00\r\n", digest("01")),
        format!("a=fingerprint:sha-256 {}\r\n", digest("+1")),
        format!("a=fingerprint:sha-256 {}\r\n", digest("1")),
        format!("a=fingerprint:sha-256 {}\r\n", digest("001")),
        format!("a=fingerprint:sha-256 {}\r\n", digest("\u{e9}")),
        format!("a=setup:holdconn\r\n{}", fingerprint("01")),
    ] {
        let fault = offer(&line(&attributes)).expect_err(&attributes);
        assert_eq!((fault.status(), fault.warning_code()), (488, 306), "{attributes}");
        assert!(fault.text().starts_with("no usable certificate for DTLS; name one by SHA-256"), "{fault}");
    }
}

#[test]
fn keys_of_the_description_come_before_a_handshake_where_the_transport_allows_both() {
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\r\n";
    let both = format!("{key}{}", fingerprint("01"));
    let security = |profile: &str| answer(&format!("m=audio 5004 {profile} 0\r\n{both}")).1.security;
    assert!(matches!(security("RTP/SAVP"), Security::Keys(_)));
    assert!(matches!(security("UDP/TLS/RTP/SAVP"), Security::Handshake(_)));
    let (text, _) = answer(&format!("m=audio 5006 RTP/AVP 0\r\n{}", line(&fingerprint("01"))));
    assert_eq!(media_lines(&text), ["m=audio 0 RTP/AVP 0", "m=audio 40000 UDP/TLS/RTP/SAVP 0"]);
}

#[test]
fn rtcp_has_keys_over_the_port_of_the_audio_alone() {
    let media = line(&fingerprint("01"));
    assert_eq!(answer(&media).1.rtcp, None);
    assert_eq!(answer(&format!("{media}a=rtcp-mux\r\n")).1.rtcp, Some(Rtcp::Muxed));
}

#[test]
fn far_end_that_takes_either_part_keeps_its_own() {
    let mut call = call();
    let mut role = |setup: &str| {
        let (_, agreed) = answer_in(&mut call, &line(&format!("a=setup:{setup}\r\n{}", fingerprint("01"))));
        handshake(&agreed).role
    };
    assert_eq!(role("passive"), Role::Client);
    assert_eq!(role("actpass"), Role::Client);
    assert_eq!(role("active"), Role::Server);
    assert_eq!(role("actpass"), Role::Server);
}

#[test]
fn our_offers_within_a_call_name_the_same_part_and_certificate_and_the_answer_must_take_the_other() {
    let mut call = call();
    let (text, before) = answer_in(&mut call, &line(&format!("a=setup:actpass\r\n{}", fingerprint("01"))));
    assert_eq!(call.repeat_offer(&mut generator()), text);
    let offer = call.offer(&mut generator());
    assert_eq!(attributes(&offer), ["a=setup:passive", &ours()]);
    assert_eq!(media_lines(&offer), ["m=audio 40000 UDP/TLS/RTP/SAVP 111 9 0 8 101 96"]);
    let answer = |call: &mut Negotiation, attributes: &str| {
        call.offer(&mut generator());
        let agreed = call.apply_answer(description(&line(attributes)).as_bytes());
        agreed.map(|agreed| handshake(agreed).clone())
    };
    for refused in [String::new(), format!("a=setup:passive\r\n{}", fingerprint("01"))] {
        assert_eq!(answer(&mut call, &refused), Err(Unacceptable::NoFingerprint), "{refused}");
        assert_eq!(call.agreed(), Some(&before));
    }
    assert_eq!(
        answer(&mut call, &format!("a=setup:active\r\n{}", fingerprint("01"))),
        Ok(handshake(&before).clone())
    );
    let other = answer(&mut call, &fingerprint("02")).expect("an agreement");
    assert!(other.role == Role::Server && other.theirs != handshake(&before).theirs);
}
