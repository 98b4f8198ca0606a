//! Several offers and answers in one call.

use super::*;
use crate::audio::Codec;

const EVERYTHING: &str = "m=audio 40000 RTP/AVP 111 9 0 8 101 96\r\na=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 useinbandfec=1\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:96 telephone-event/48000\r\na=fmtp:96 0-15\r\n\
    a=ptime:20\r\na=sendrecv\r\n";

/// Gives the answer to the offer of `call`.
fn answered(call: &mut Negotiation, media: &str) -> Agreed {
    call.apply_answer(description(media).as_bytes())
        .unwrap_or_else(|error| panic!("{error}: {media}"))
        .clone()
}

fn held(call: &mut Negotiation, direction: &str) -> (Direction, bool) {
    let (_, agreed) = answer_in(call, &format!("m=audio 5004 RTP/AVP 0\r\na={direction}\r\n"));
    (agreed.direction, agreed.held)
}

#[test]
fn our_first_offer_names_everything() {
    let text = call().offer(&mut generator());
    assert_eq!(media_part(&text), EVERYTHING);
    assert_eq!(version(&text), 1);
}

#[test]
fn offer_after_a_hold_names_everything_again_both_ways() {
    for direction in ["inactive", "sendonly", "recvonly", "sendrecv"] {
        let mut call = call();
        answer_in(&mut call, "m=audio 5004 RTP/AVP 8\r\n");
        held(&mut call, direction);
        let offer = call.offer(&mut generator());
        assert_eq!(media_part(&offer), EVERYTHING, "{direction}");
        let agreed = answered(&mut call, "m=audio 5004 RTP/AVP 8 0\r\n");
        assert_eq!((agreed.direction, agreed.held), (Direction::SendReceive, false));
    }
}

#[test]
fn of_an_answer_with_several_codecs_the_first_is_sent_and_all_are_received() {
    let mut call = call();
    call.offer(&mut generator());
    let agreed = answered(
        &mut call,
        "m=audio 5004 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:40\r\n",
    );
    assert_eq!((agreed.codec, agreed.payload_type, agreed.packet_time.milliseconds()), (Codec::Pcma, 8, 40));
    let expected = [(0, "PCMU/8000"), (8, "PCMA/8000"), (101, "telephone-event/8000")];
    assert_eq!(formats(&agreed.receives), expected.map(|(number, name)| (number, name.to_owned())));
}

#[test]
fn payload_types_may_differ_in_the_two_directions() {
    let mut call = call();
    call.offer(&mut generator());
    let agreed = answered(
        &mut call,
        "m=audio 5004 RTP/AVP 97 110 99\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:110 telephone-event/8000\r\n\
         a=rtpmap:99 CN/8000\r\n",
    );
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcma, 97), "sent with the far end's number");
    let expected = [(8, "PCMA/8000"), (101, "telephone-event/8000")];
    let expected = expected.map(|(number, name)| (number, name.to_owned()));
    assert_eq!(formats(&agreed.receives), expected, "received with ours, and only what we offered");
}

#[test]
fn answer_may_leave_out_what_our_numbers_mean() {
    let mut call = call();
    call.offer(&mut generator());
    let agreed = answered(&mut call, "m=audio 5004 RTP/AVP 0 101\r\n");
    assert_eq!(formats(&agreed.receives)[1], (101, "telephone-event/8000".into()));
}

#[test]
fn payload_types_of_the_far_end_may_change() {
    let mut call = call();
    answer_in(&mut call, "m=audio 5004 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000\r\n");
    let (text, agreed) = answer_in(&mut call, "m=audio 5004 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\n");
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/AVP 97"]);
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcma, 97));
}

#[test]
fn payload_type_of_ours_never_changes_its_meaning() {
    let mut call = call();
    answer_in(&mut call, "m=audio 5004 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000\r\n");
    let (text, agreed) = answer_in(
        &mut call,
        "m=audio 5004 RTP/AVP 97 96\r\na=rtpmap:97 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n",
    );
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/AVP 97 101"]);
    assert_eq!(formats(&agreed.receives)[1], (101, "telephone-event/8000".into()));

    // Sent with its number all the same: that is for the far end to say.
    let (text, agreed) = answer_in(&mut call, "m=audio 5004 RTP/AVP 101\r\na=rtpmap:101 PCMU/8000\r\n");
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/AVP 97"]);
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcmu, 101));
}

#[test]
fn our_offer_keeps_the_numbers_that_the_call_has() {
    let mut call = call();
    answer_in(
        &mut call,
        "m=audio 5004 RTP/AVP 101 96\r\na=rtpmap:101 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n",
    );
    assert_eq!(media_lines(&call.offer(&mut generator())), ["m=audio 40000 RTP/AVP 111 9 0 101 96 97"]);
}

#[test]
fn numbers_begin_anew_when_none_is_left() {
    let mut numbers = numbers::Numbers::default();
    let (pcmu, pcma) = (Content::Sound(Codec::Pcmu), Content::Sound(Codec::Pcma));
    for number in 0..=127 {
        numbers.give(number, pcmu);
    }
    let events = Content::Events { clock_rate: 8000 };
    assert_eq!(numbers.offer(events).payload_type, 101);
    assert_eq!(numbers.offer(pcma).payload_type, 8);
    assert_eq!(numbers.give(96, pcma).payload_type, 96);
}

#[test]
fn version_rises_exactly_when_our_description_changes() {
    let mut call = call();
    let mut next = |media: &str| version(&answer_in(&mut call, media).0);
    assert_eq!(next("m=audio 5004 RTP/AVP 0\r\n"), 1);
    assert_eq!(next("m=audio 6004 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n"), 1, "only the far end's changed");
    assert_eq!(next("m=audio 5004 RTP/AVP 0\r\na=sendonly\r\n"), 2);
    assert_eq!(next("m=audio 5004 RTP/AVP 0\r\na=sendonly\r\n"), 2);
    assert_eq!(next("m=audio 5004 RTP/AVP 0\r\n"), 3);
    assert_eq!(next("m=audio 5004 RTP/AVP 8\r\n"), 4);
    assert_eq!(next("m=audio 5004 RTP/AVP 8\r\nm=video 0 RTP/AVP 96\r\n"), 5);
    assert_eq!(version(&call.repeat_offer(&mut generator())), 5);
    assert_eq!(version(&call.offer(&mut generator())), 6);
    assert_eq!(version(&call.offer(&mut generator())), 6);
    answered(&mut call, "m=audio 5004 RTP/AVP 8\r\n");
    assert!(call.description().starts_with("v=0\r\no=- 7 6 IN IP4 198.51.100.7\r\n"));
}

#[test]
fn repeated_offer_is_our_last_description_and_changes_nothing() {
    let mut call = call();
    let (text, before) = answer_in(&mut call, "m=audio 5004 RTP/AVP 8\r\na=sendonly\r\n");
    assert_eq!(call.repeat_offer(&mut generator()), text);
    assert_eq!(answered(&mut call, "m=audio 5004 RTP/AVP 8\r\na=sendonly\r\n"), before);
    assert_eq!(
        self::call().repeat_offer(&mut generator()),
        self::call().offer(&mut generator()),
        "there is nothing to repeat yet"
    );
}

#[test]
fn lines_keep_their_order_and_new_ones_are_appended() {
    let mut call = call();
    let (video, audio) = ("m=video 5006 RTP/AVP 96\r\n", "m=audio 5004 RTP/AVP 0\r\n");
    answer_in(&mut call, &format!("{video}{audio}"));
    let refused = "m=video 0 RTP/AVP 96";
    assert_eq!(
        media_lines(&call.offer(&mut generator())),
        [refused, "m=audio 40000 RTP/AVP 111 9 0 8 101 96"]
    );
    answered(&mut call, "m=video 0 RTP/AVP 96\r\nm=audio 5004 RTP/AVP 8\r\n");
    let (text, _) = answer_in(&mut call, &format!("{video}{audio}m=application 5070 UDP/BFCP *\r\n"));
    let bfcp = "m=application 0 UDP/BFCP *";
    assert_eq!(media_lines(&text), [refused, "m=audio 40000 RTP/AVP 0", bfcp]);
    assert_eq!(
        media_lines(&call.offer(&mut generator())),
        [refused, "m=audio 40000 RTP/AVP 111 9 0 8 101 96", bfcp]
    );
}

#[test]
fn audio_stays_on_its_line_while_that_is_usable() {
    let mut call = call();
    let port =
        |call: &mut Negotiation, offer: &str| answer_in(call, offer).1.remote.expect("an address").port();
    let second = "m=audio 5006 RTP/AVP 0\r\n";
    assert_eq!(port(&mut call, &format!("m=audio 0 RTP/AVP 0\r\n{second}")), 5006);
    assert_eq!(port(&mut call, &format!("m=audio 5004 RTP/AVP 0\r\n{second}")), 5006);
    assert_eq!(port(&mut call, "m=audio 5004 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n"), 5004);
    // Fewer lines than before is against RFC 3264 section 8, but an answer has as many as its offer.
    assert_eq!(port(&mut call, second), 5006);
    assert_eq!(media_lines(&call.offer(&mut generator())).len(), 1);
}

#[test]
fn far_end_that_took_part_and_no_longer_receives_is_on_hold() {
    for (direction, expected) in [
        ("sendonly", (Direction::ReceiveOnly, true)),
        ("inactive", (Direction::Inactive, true)),
        ("recvonly", (Direction::SendOnly, false)),
    ] {
        let mut call = call();
        assert_eq!(held(&mut call, "sendrecv"), (Direction::SendReceive, false));
        assert_eq!(held(&mut call, direction), expected);
        assert_eq!(held(&mut call, "sendonly"), (Direction::ReceiveOnly, true), "music after {direction}");
        assert_eq!(held(&mut call, "sendrecv"), (Direction::SendReceive, false), "resume");
    }
}

#[test]
fn far_end_that_only_ever_talks_is_not_on_hold() {
    let mut call = call();
    for direction in ["sendonly", "inactive", "sendonly"] {
        assert!(!held(&mut call, direction).1, "{direction}");
    }
    assert!(!held(&mut call, "sendrecv").1);
    assert!(held(&mut call, "sendonly").1, "now it took part");
}

#[test]
fn hold_by_the_unspecified_address_is_a_hold() {
    let mut call = call();
    held(&mut call, "sendrecv");
    let (text, agreed) = answer_in(&mut call, "m=audio 5004 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
    assert_eq!((agreed.direction, agreed.held, agreed.remote), (Direction::ReceiveOnly, true, None));
    assert!(text.ends_with("a=recvonly\r\n"), "{text}");
}

#[test]
fn far_end_on_hold_stays_so_when_it_answers_our_offer_with_hold() {
    let mut call = call();
    held(&mut call, "sendrecv");
    held(&mut call, "sendonly");
    call.offer(&mut generator());
    let agreed = answered(&mut call, "m=audio 5004 RTP/AVP 0\r\na=sendonly\r\n");
    assert_eq!((agreed.direction, agreed.held), (Direction::ReceiveOnly, true));
    call.repeat_offer(&mut generator());
    let agreed = answered(&mut call, "m=audio 5004 RTP/AVP 0\r\na=recvonly\r\n");
    assert_eq!(agreed.direction, Direction::SendOnly, "limited by both");
}

#[test]
fn answer_allows_no_more_than_our_offer() {
    let mut call = call();
    held(&mut call, "sendonly");
    call.repeat_offer(&mut generator());
    let agreed = answered(&mut call, "m=audio 5004 RTP/AVP 0\r\na=sendrecv\r\n");
    assert_eq!(agreed.direction, Direction::ReceiveOnly);
}

#[test]
fn mux_that_was_agreed_is_offered_again_and_no_other() {
    let mut call = call();
    assert!(!call.offer(&mut generator()).contains("rtcp-mux"));
    let agreed = answered(&mut call, "m=audio 5004 RTP/AVP 0\r\na=rtcp-mux\r\n");
    assert_eq!(agreed.rtcp, Some(Rtcp::Address("192.0.2.1:5005".parse().expect("address"))));

    answer_in(&mut call, "m=audio 5004 RTP/AVP 0\r\na=rtcp-mux\r\n");
    assert!(call.offer(&mut generator()).contains("a=rtcp-mux\r\n"));
    assert_eq!(answered(&mut call, "m=audio 5004 RTP/AVP 0\r\na=rtcp-mux\r\n").rtcp, Some(Rtcp::Muxed));
    call.offer(&mut generator());
    assert_ne!(answered(&mut call, "m=audio 5004 RTP/AVP 0\r\n").rtcp, Some(Rtcp::Muxed));
}

#[test]
fn copy_of_a_negotiation_goes_on_as_the_original() {
    let mut call = call();
    answer_in(&mut call, "m=audio 5004 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000\r\n");
    let mut copy = call.clone();
    assert_eq!(copy.offer(&mut generator()), call.offer(&mut generator()));
    let answer = "m=audio 5004 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";
    assert_eq!(answered(&mut copy, answer), answered(&mut call, answer));
    assert_eq!(copy, call);
}
