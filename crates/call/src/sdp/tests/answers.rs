//! What a new call answers to one offer.

use super::*;
use crate::audio::Codec;

const ENDING: &str = "a=ptime:20\r\na=sendrecv\r\n";

fn check(offer: &str, expected: &str) {
    assert_eq!(media_part(&answer(offer).0), format!("{expected}{ENDING}"), "{offer}");
}

#[test]
fn answer_takes_the_callers_first_codec_and_mirrors_the_profile() {
    check("m=audio 5004 RTP/AVP 8 0\r\n", "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n");
    check("m=audio 5004 RTP/AVP 18 0 8\r\n", "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n");
    check(
        "m=audio 5004 RTP/AVPF 111 96 0 97\r\na=rtpmap:111 SILK/24000\r\na=rtpmap:96 pcmu/8000/1\r\n\
         a=rtpmap:97 Telephone-Event/8000\r\n",
        "m=audio 40000 RTP/AVPF 96 97\r\na=rtpmap:96 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n\
         a=fmtp:97 0-15\r\n",
    );
}

#[test]
fn comfort_noise_is_answered_beside_a_codec_of_its_clock_rate() {
    check(
        "m=audio 5004 RTP/AVP 0 13\r\n",
        "m=audio 40000 RTP/AVP 0 13\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n",
    );
    check(
        "m=audio 5004 RTP/AVP 0 98 99\r\na=rtpmap:98 CN/16000\r\na=rtpmap:99 CN/8000\r\n",
        "m=audio 40000 RTP/AVP 0 99\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:99 CN/8000\r\n",
    );
    check("m=audio 5004 RTP/AVP 0\r\n", "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n");
}

#[test]
fn telephone_events_of_another_clock_rate_are_not_answered() {
    check(
        "m=audio 5004 RTP/AVP 0 110 101\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n",
        "m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\n",
    );
    check(
        "m=audio 5004 RTP/AVP 0 110\r\na=rtpmap:110 telephone-event/48000\r\n",
        "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
    );
}

#[test]
fn exactly_what_is_answered_is_accepted() {
    let (_, agreed) = answer("m=audio 5004 RTP/AVP 8 0 13 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcma, 8));
    let expected = [(8, "PCMA/8000"), (13, "CN/8000"), (101, "telephone-event/8000")];
    assert_eq!(formats(&agreed.receives), expected.map(|(number, name)| (number, name.to_owned())));
}

#[test]
fn other_media_lines_are_refused_in_their_place_with_their_own_words() {
    let offer = "m=video 5006 RTP/AVPF 97 98\r\na=rtpmap:97 H264/90000\r\nm=audio 5008 RTP/SAVP 0\r\n\
                 m=audio 5004/2 RTP/AVP 0\r\nm=audio 6000 RTP/AVP 8\r\nm=application 5070 UDP/BFCP *\r\n\
                 m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nm=image 0 UDPTL t38\r\nm=text 0 RTP/AVP\r\n";
    let expected = [
        "m=video 0 RTP/AVPF 97 98",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 40000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=application 0 UDP/BFCP *",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        "m=image 0 UDPTL t38",
        "m=text 0 RTP/AVP -",
    ];
    let (answer, agreed) = answer(offer);
    assert_eq!(media_lines(&answer), expected);
    assert_eq!(agreed.remote, Some("192.0.2.1:5004".parse().expect("address")));
}

#[test]
fn answer_names_our_address_in_its_family() {
    let (text, _) = answer("m=audio 5004 RTP/AVP 0\r\n");
    let head = "v=0\r\no=- 7 1 IN IP4 198.51.100.7\r\ns=Conference\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=";
    assert!(text.starts_with(head), "{text}");

    let mut six = Negotiation::new(Local {
        address: "[2001:db8::7]:40000".parse().expect("address"),
        session: 7,
        path: Path::Open,
        certificate: Fingerprint::of(b"node"),
    });
    let (text, _) = answer_in(&mut six, "m=audio 5004 RTP/AVP 0\r\n");
    let head = "v=0\r\no=- 7 1 IN IP6 2001:db8::7\r\ns=Conference\r\nc=IN IP6 2001:db8::7\r\nt=0 0\r\nm=";
    assert!(text.starts_with(head), "{text}");
}

#[test]
fn mux_is_answered_only_if_offered_and_bundles_are_not_echoed() {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\na=group:BUNDLE 0 1\r\n";
    let (text, agreed) = answer(&format!(
        "{head}m=audio 9000 RTP/AVP 0\r\na=mid:0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\n"
    ));
    assert!(text.ends_with("a=rtcp-mux\r\n"), "{text}");
    assert!(!text.contains("BUNDLE") && !text.contains("a=mid"), "{text}");
    assert_eq!(agreed.rtcp, Some(Rtcp::Muxed));
    assert!(!answer("m=audio 9000 RTP/AVP 0\r\n").0.contains("rtcp"));
}

#[test]
fn answer_to_each_direction_is_its_mirror() {
    for (offered, answered) in [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ] {
        let (text, _) = answer(&format!("m=audio 5004 RTP/AVP 0\r\na={offered}\r\n"));
        assert!(text.ends_with(&format!("a={answered}\r\n")), "{offered}: {text}");
    }
}
