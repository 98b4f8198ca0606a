//! Tests of offers and answers.

use super::*;

const HEAD: &str = "v=0\r\no=caller 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn local() -> Local {
    Local { address: "198.51.100.7:40000".parse().expect("address"), session: 7, version: 1 }
}

fn answer(media: &str) -> Result<String, SdpError> {
    read_offer(format!("{HEAD}{media}").as_bytes()).map(|agreed| write_agreed(&agreed, &local()))
}

fn media_part(text: &str) -> &str {
    &text[text.find("m=").expect("media")..]
}

#[test]
fn answer_takes_the_callers_first_codec_and_mirrors_the_profile() {
    let check = |offer: &str, expected: &str| {
        assert_eq!(media_part(&answer(offer).expect(offer)), expected);
    };
    check(
        "m=audio 5004 RTP/AVP 8 0\r\n",
        "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n",
    );
    check(
        "m=audio 5004 RTP/AVPF 111 96 0 97\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:96 pcmu/8000/1\r\na=rtpmap:97 telephone-event/8000\r\n",
        "m=audio 40000 RTP/AVPF 96 97\r\na=rtpmap:96 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
    );
}

#[test]
fn other_media_lines_are_refused_in_their_place() {
    let offer = "m=video 5006 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=audio 5004 RTP/AVP 0\r\nm=audio 6000 RTP/AVP 0\r\n";
    let answer = answer(offer).expect("answer");
    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 97", "m=audio 40000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"]);
}

#[test]
fn answer_names_our_address() {
    let answer = answer("m=audio 5004 RTP/AVP 0\r\n").expect("answer");
    assert!(answer.starts_with(
        "v=0\r\no=- 7 1 IN IP4 198.51.100.7\r\ns=Conference\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    ));
}

#[test]
fn offer_without_a_codec_of_ours_is_refused() {
    let check = |offer: &str| assert_eq!(answer(offer), Err(SdpError::NoCodec), "{offer}");
    check("m=audio 5004 RTP/AVP 9 18\r\n");
    check("m=audio 5004 RTP/SAVP 0\r\n");
    check("m=audio 0 RTP/AVP 0\r\n");
    check("m=video 5004 RTP/AVP 0\r\n");
    check("m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 G722/8000\r\n");
    check("");
}

#[test]
fn hold_and_resume_are_understood_in_all_their_forms() {
    let check = |offer: &str, direction: Direction, remote: Option<&str>| {
        let agreed = read_offer(offer.as_bytes()).expect(offer);
        assert_eq!(agreed.direction, direction, "{offer}");
        assert_eq!(agreed.remote, remote.map(|r| r.parse().expect("address")), "{offer}");
    };
    let audio = "m=audio 5004 RTP/AVP 0\r\n";
    let there = Some("192.0.2.1:5004");
    check(&format!("{HEAD}{audio}"), Direction::SendReceive, there);
    check(&format!("{HEAD}{audio}a=sendonly\r\n"), Direction::ReceiveOnly, there);
    check(&format!("{HEAD}{audio}a=recvonly\r\n"), Direction::SendOnly, there);
    check(&format!("{HEAD}{audio}a=inactive\r\n"), Direction::Inactive, there);
    check(&format!("{HEAD}a=sendonly\r\n{audio}"), Direction::ReceiveOnly, there);
    check(&format!("{HEAD}a=sendonly\r\n{audio}a=sendrecv\r\n"), Direction::SendReceive, there);
    check(&format!("{HEAD}{audio}c=IN IP4 0.0.0.0\r\n"), Direction::ReceiveOnly, None);
    check(&format!("{HEAD}{audio}c=IN IP4 192.0.2.9\r\n"), Direction::SendReceive, Some("192.0.2.9:5004"));
    check(&format!("{HEAD}{audio}c=IN IP4 phone.example.com\r\n"), Direction::SendReceive, None);
}

#[test]
fn our_own_offer_can_be_answered() {
    let offer = write_offer(&local());
    assert_eq!(media_part(&offer).lines().next(), Some("m=audio 40000 RTP/AVP 0 8 101"));
    let agreed = read_answer(offer.as_bytes()).expect("agreed");
    assert_eq!((agreed.codec, agreed.events), (Codec::Pcmu, Some(101)));
}

#[test]
fn descriptions_that_are_malformed_or_over_the_limits_are_refused() {
    let many = "m=audio 5004 RTP/AVP 0\r\n".repeat(MAX_MEDIA + 1);
    assert_eq!(answer(&many), Err(SdpError::TooLong));
    assert_eq!(answer(&"a=x\r\n".repeat(MAX_LINES)), Err(SdpError::TooLong));
    assert_eq!(answer(&format!("a={}\r\n", "x".repeat(MAX_BYTES))), Err(SdpError::TooLong));
    assert!(matches!(read_offer(b"hello"), Err(SdpError::Unreadable(_))));
}

#[test]
fn descriptions_at_the_limits_are_accepted() {
    let media = "m=audio 5004 RTP/AVP 0\r\n";
    assert!(answer(&media.repeat(MAX_MEDIA)).is_ok());
    let lines = |text: &str| text.matches('\n').count();
    let filler = "a=x\r\n".repeat(MAX_LINES - lines(HEAD) - 1);
    assert!(answer(&format!("{media}{filler}")).is_ok());
    let used = HEAD.len() + media.len() + "a=\r\n".len();
    assert!(answer(&format!("{media}a={}\r\n", "x".repeat(MAX_BYTES - used))).is_ok());
    assert_eq!(answer(&format!("{media}a={}\r\n", "x".repeat(MAX_BYTES - used + 1))), Err(SdpError::TooLong));
}

#[test]
fn direction_says_who_sends_and_who_receives() {
    for (direction, sends, receives) in [
        (Direction::SendReceive, true, true),
        (Direction::SendOnly, true, false),
        (Direction::ReceiveOnly, false, true),
        (Direction::Inactive, false, false),
    ] {
        assert_eq!((direction.sends(), direction.receives()), (sends, receives), "{direction:?}");
    }
}

#[test]
fn mutated_descriptions_neither_panic_nor_inject_lines() {
    let offer =
        format!("{HEAD}m=audio 5004 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n");
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for _ in 0..20_000 {
        let mut bytes = offer.clone().into_bytes();
        for _ in 0..=random() % 4 {
            let place = random() % bytes.len();
            bytes[place] = random() as u8;
        }
        if let Ok(agreed) = read_offer(&bytes) {
            let answer = write_agreed(&agreed, &local());
            assert!(answer.lines().all(|line| line.as_bytes().get(1) == Some(&b'=')), "{answer}");
        }
    }
}
