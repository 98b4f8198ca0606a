//! What is refused, with which status and in which words.

use super::*;
use crate::sdp::description::{MAX_ATTRIBUTES, MAX_BYTES, MAX_FORMATS, MAX_LINES, MAX_MEDIA};

fn check(media: &str, status: u16, code: u16, words: &str) {
    let fault = offer(media).expect_err(media);
    assert_eq!((fault.status(), fault.warning_code()), (status, code), "{fault}: {media}");
    assert!(fault.text().contains(words), "{:?} does not say {words:?}", fault.text());
}

#[test]
fn offer_without_a_codec_of_ours_is_refused_with_both_sides_codecs() {
    check("m=audio 5004 RTP/AVP 18\r\n", 488, 305, "offered 18; supported opus, G722, PCMU, PCMA");
    check(
        "m=audio 5004 RTP/AVP 97 18\r\na=rtpmap:97 iLBC/8000\r\na=rtpmap:18 G729/8000\r\n",
        488,
        305,
        "offered iLBC/8000, G729/8000;",
    );
    check("m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 SILK/8000\r\n", 488, 305, "SILK/8000");
    check("m=audio 5004 RTP/AVP\r\n", 488, 305, "offered -;");
    check("m=audio 5004 RTP/AVP 13 101\r\na=rtpmap:101 telephone-event/8000\r\n", 488, 305, "offered");
}

#[test]
fn transport_that_is_unknown_is_refused_unless_another_line_is_usable() {
    for profile in ["TCP/TLS/RTP/SAVPF", "RTP/XYZ"] {
        let unknown = format!("m=audio 5004 {profile} 0\r\n");
        check(
            &unknown,
            488,
            302,
            &format!("audio over {profile} is not supported; offer it over UDP/TLS/RTP/SAVP"),
        );
        let (text, _) = answer(&format!("{unknown}m=audio 5006 RTP/AVP 0\r\n"));
        assert_eq!(media_lines(&text), [format!("m=audio 0 {profile} 0"), "m=audio 40000 RTP/AVP 0".into()]);
    }
}

#[test]
fn audio_over_srtp_without_a_suite_of_ours_is_refused_with_the_names_of_both_sides() {
    let known = "no SRTP suite in common: supported AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32, \
                 AEAD_AES_128_GCM, AEAD_AES_256_GCM; offered";
    for profile in ["RTP/SAVP", "RTP/SAVPF"] {
        let line = format!("m=audio 5004 {profile} 0\r\n");
        check(&line, 488, 306, &format!("{known} none"));
        let unknown = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x\r\na=crypto:2 X inline:y\r\n";
        check(&format!("{line}{unknown}"), 488, 306, &format!("{known} F8_128_HMAC_SHA1_80, X"));
        let unusable = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
        check(&format!("{line}{unusable}"), 488, 306, "offered AES_CM_128_HMAC_SHA1_80 with parameters");
        let (text, _) = answer(&format!("{line}{unknown}m=audio 5006 RTP/AVP 0\r\n"));
        assert_eq!(media_lines(&text), [format!("m=audio 0 {profile} 0"), "m=audio 40000 RTP/AVP 0".into()]);
    }
}

#[test]
fn offer_without_audio_is_refused() {
    check("", 488, 304, "no audio is offered");
    check("m=video 5004 RTP/AVP 0\r\n", 488, 304, "no audio is offered");
    check("m=audio 0 RTP/AVP 0\r\n", 488, 304, "port other than 0");
}

#[test]
fn line_that_is_nearest_to_a_usable_one_is_named() {
    let (none, unknown) = ("m=video 1 RTP/AVP 96\r\n", "m=audio 1 RTP/XYZ 0\r\n");
    let (suite, codec) = ("m=audio 1 RTP/SAVP 0\r\n", "m=audio 1 RTP/AVP 18\r\n");
    check(&format!("{none}{unknown}{none}"), 488, 302, "RTP/XYZ");
    check(&format!("{suite}{unknown}{none}"), 488, 306, "no SRTP suite");
    check(&format!("{codec}{suite}{unknown}"), 488, 305, "18");
}

#[test]
fn text_that_is_no_description_is_a_bad_request() {
    for text in
        ["v=1", "v=0\r\nc=IN IP4\r\n", "v=0\r\nm=audio x RTP/AVP 0\r\n", "v=0\r\nm=audio 70000 RTP/AVP 0\r\n"]
    {
        check(text, 400, 399, "cannot be read");
    }
    for text in ["hello", "", "\r\n", "m=audio 5004 RTP/AVP 0\r\n", "v=0\0\r\n"] {
        let fault = Offer::read(text.as_bytes()).expect_err(text);
        assert_eq!(fault.status(), 400, "{text}");
    }
    check("v=0\r\ns=-\r\nt=0 0\r\nc=IN IP4\r\n", 400, 399, "line 4");
}

#[test]
fn limits_hold_and_what_is_at_them_is_accepted() {
    let media = "m=audio 5004 RTP/AVP 0\r\n";
    let lines = MAX_LINES - HEAD.lines().count() - 1;
    let refused = |media: &str, words: &str| check(media, 488, 399, words);
    let accepted = |media: &str| assert!(offer(media).is_ok(), "{media}");

    accepted(&media.repeat(MAX_MEDIA));
    refused(&media.repeat(MAX_MEDIA + 1), "17 media lines; at most 16");

    let filler = "a=x\r\n".repeat(lines / 2);
    accepted(&format!("{filler}{media}{}", "a=x\r\n".repeat(lines - lines / 2)));
    refused(&format!("{filler}{media}{}", "a=x\r\n".repeat(lines - lines / 2 + 1)), "401 lines");

    accepted(&format!("{media}{}", "a=x\r\n".repeat(MAX_ATTRIBUTES)));
    refused(&format!("{media}{}", "a=x\r\n".repeat(MAX_ATTRIBUTES + 1)), "257 attributes");

    accepted(&format!("m=audio 5004 RTP/AVP{}\r\n", " 0".repeat(MAX_FORMATS)));
    refused(&format!("m=audio 5004 RTP/AVP{}\r\n", " 0".repeat(MAX_FORMATS + 1)), "129 formats");

    let used = HEAD.len() + media.len() + "a=\r\n".len();
    accepted(&format!("{media}a={}\r\n", "x".repeat(MAX_BYTES - used)));
    refused(&format!("{media}a={}\r\n", "x".repeat(MAX_BYTES - used + 1)), "16385 bytes");
}

#[test]
fn words_of_the_far_end_cannot_break_out_of_the_header() {
    let fault = Unacceptable::NoCodec { offered: "a\"b\\c\r\nX: y\u{e9}".into() };
    assert!(fault.text().starts_with("no audio codec in common: offered a b c  X: y ;"), "{}", fault.text());
    let fault = Unacceptable::Transport("x".repeat(1000));
    assert_eq!(fault.text().len(), 200);
}

#[test]
fn answer_without_our_audio_is_refused_and_what_was_agreed_stays() {
    let mut call = call();
    let (_, before) = answer_in(&mut call, "m=audio 5004 RTP/AVP 0\r\n");
    for (media, words) in [
        ("m=audio 0 RTP/AVP 0\r\n", "no audio"),
        ("m=audio 5004 RTP/AVP 18\r\n", "no audio codec in common"),
        ("m=audio 5004 RTP/SAVP 0\r\n", "no SRTP suite"),
        ("m=audio 5004 RTP/XYZ 0\r\n", "RTP/XYZ"),
        ("", "no audio"),
        ("v=x", "cannot be read"),
    ] {
        call.offer(&mut generator());
        let fault = call.apply_answer(description(media).as_bytes()).expect_err(media);
        assert!(fault.text().contains(words), "{fault}");
        assert_eq!(call.agreed(), Some(&before), "{media}");
    }
}

#[test]
fn answer_without_an_offer_is_refused() {
    let text = description("m=audio 5004 RTP/AVP 0\r\n");
    let mut call = call();
    assert_eq!(call.apply_answer(text.as_bytes()), Err(Unacceptable::NotOffered));
    call.offer(&mut generator());
    assert!(call.apply_answer(text.as_bytes()).is_ok());
    assert_eq!(call.apply_answer(text.as_bytes()), Err(Unacceptable::NotOffered));
    call.offer(&mut generator());
    call.answer_to(&Offer::read(text.as_bytes()).expect("offer"), &mut generator());
    assert_eq!(call.apply_answer(text.as_bytes()), Err(Unacceptable::NotOffered));
}
