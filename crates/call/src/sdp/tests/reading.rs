//! How single attributes and lines of the far end are read.

use super::*;
use crate::audio::Codec;

const AUDIO: &str = "m=audio 5004 RTP/AVP 0\r\n";

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().expect("address")
}

#[test]
fn direction_of_the_media_line_overrides_that_of_the_session() {
    let check = |offer: &str, direction: Direction| {
        assert_eq!(answer(offer).1.direction, direction, "{offer}");
    };
    check(AUDIO, Direction::SendReceive);
    check(&format!("{AUDIO}a=sendonly\r\n"), Direction::ReceiveOnly);
    check(&format!("{AUDIO}a=recvonly\r\n"), Direction::SendOnly);
    check(&format!("{AUDIO}a=inactive \r\n"), Direction::Inactive);
    check(&format!("{AUDIO}a=SendOnly\r\n"), Direction::ReceiveOnly);
    check(&format!("{HEAD}a=sendonly\r\n{AUDIO}"), Direction::ReceiveOnly);
    check(&format!("{HEAD}a=sendonly\r\n{AUDIO}a=sendrecv\r\n"), Direction::SendReceive);
    check(&format!("{AUDIO}m=video 5006 RTP/AVP 96\r\na=inactive\r\n"), Direction::SendReceive);
}

#[test]
fn far_end_at_the_unspecified_address_receives_nothing() {
    for unspecified in ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP6 ::ffff:0.0.0.0"] {
        let held = |direction: &str| {
            let agreed = answer(&format!("{AUDIO}c={unspecified}\r\n{direction}")).1;
            assert_eq!(agreed.remote, None, "{unspecified}");
            agreed.direction
        };
        assert_eq!(held(""), Direction::ReceiveOnly, "{unspecified}");
        assert_eq!(held("a=sendonly\r\n"), Direction::ReceiveOnly, "{unspecified}");
        assert_eq!(held("a=recvonly\r\n"), Direction::Inactive, "{unspecified}");
        assert_eq!(held("a=inactive\r\n"), Direction::Inactive, "{unspecified}");
    }
}

#[test]
fn audio_is_sent_to_nothing_but_a_unicast_address_of_our_family() {
    let check = |connection: &str, expected: Option<&str>| {
        let (_, agreed) = answer(&format!("{AUDIO}c={connection}\r\n"));
        assert_eq!(agreed.remote, expected.map(address), "{connection}");
        assert_eq!(agreed.direction, Direction::SendReceive, "{connection}");
    };
    check("IN IP4 192.0.2.9", Some("192.0.2.9:5004"));
    check("IN IP4 192.0.2.9  ", Some("192.0.2.9:5004"));
    check("IN IP6 ::ffff:192.0.2.9", Some("192.0.2.9:5004"));
    check("IN IP4 127.0.0.1", Some("127.0.0.1:5004"));
    for nowhere in [
        "IN IP4 phone.example.com",
        "IN IP4 192.0.2.9/127",
        "IN IP4 224.2.1.1/127",
        "IN IP4 239.255.255.250",
        "IN IP4 255.255.255.255",
        "IN IP4 240.0.0.1",
        "IN IP4 0.1.2.3",
        "IN IP4 192.0.2",
        "IN IP6 2001:db8::9",
        "ATM NSAP 47.0091.8100.0000.0060.3e64.fd01.0060.3e64.fd01.00",
    ] {
        check(nowhere, None);
    }
    let mut six = Negotiation::new(Local {
        address: address("[2001:db8::7]:40000"),
        session: 7,
        path: Path::Open,
        certificate: Fingerprint::of(b"node"),
    });
    for (connection, expected) in [
        ("IN IP6 2001:db8::9", Some("[2001:db8::9]:5004")),
        ("IN IP6 fe80::1", None),
        ("IN IP6 fe80::1%eth0", None),
        ("IN IP6 ff02::1", None),
        ("IN IP4 192.0.2.9", None),
    ] {
        let (_, agreed) = answer_in(&mut six, &format!("{AUDIO}c={connection}\r\n"));
        assert_eq!(agreed.remote, expected.map(address), "{connection}");
    }
}

#[test]
fn address_of_the_media_line_overrides_that_of_the_session_and_the_first_usable_one_counts() {
    let check = |offer: &str, expected: Option<&str>| {
        assert_eq!(answer(offer).1.remote, expected.map(address), "{offer}");
    };
    check(AUDIO, Some("192.0.2.1:5004"));
    check(&format!("{AUDIO}c=IN IP4 192.0.2.9\r\n"), Some("192.0.2.9:5004"));
    check(&format!("{AUDIO}c=IN IP4 host.example\r\n"), None);
    check(&format!("{AUDIO}c=IN IP6 2001:db8::9\r\nc=IN IP4 192.0.2.9\r\n"), Some("192.0.2.9:5004"));
    check(
        "v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 5004 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n",
        Some("192.0.2.9:5004"),
    );
    check("v=0\r\nm=audio 5004 RTP/AVP 0\r\n", None);
}

#[test]
fn packet_time_is_what_the_far_end_wants_to_receive_within_bounds() {
    let check = |attributes: &str, milliseconds: usize| {
        let (_, agreed) = answer(&format!("{AUDIO}{attributes}"));
        assert_eq!(agreed.packet_time.milliseconds(), milliseconds, "{attributes}");
    };
    check("", 20);
    check("a=ptime:10\r\n", 10);
    check("a=ptime:30\r\n", 30);
    check("a=ptime:60\r\n", 60);
    check("a=ptime: 40 \r\n", 40);
    check("a=ptime:25\r\n", 20);
    check("a=ptime:5\r\n", 10);
    check("a=ptime:200\r\n", 60);
    check("a=ptime:99999999999999999999\r\n", 60);
    check("a=ptime:30.5\r\n", 30);
    check("a=ptime:0\r\n", 20);
    check("a=ptime:fast\r\n", 20);
    check("a=ptime:-20\r\n", 20);
    check("a=ptime\r\n", 20);
    check("a=maxptime:10\r\n", 10);
    check("a=maxptime:150\r\n", 20);
    check("a=ptime:60\r\na=maxptime:40\r\n", 40);
    check("a=maxptime:3\r\n", 10);
}

#[test]
fn packet_time_is_one_that_the_codec_has() {
    let media = format!("{HEAD}{AUDIO}a=ptime:50\r\n");
    let description = super::super::description::read(media.as_bytes()).expect("description");
    let medium = description.medium(0).expect("a medium");
    let check = |possible: &[u8], milliseconds: usize| {
        assert_eq!(packet_time::of(medium, possible).milliseconds(), milliseconds, "{possible:?}");
    };
    check(&[10, 20, 30, 40, 50, 60], 50);
    check(&[10, 20, 40, 60], 40);
    check(&[60], 60);
}

#[test]
fn codec_whose_packets_are_too_long_is_taken_if_there_is_no_other_and_moves_with_its_call() {
    let check = |formats: &str, attributes: &str, expected: (Codec, usize)| {
        let media =
            format!("m=audio 5004 RTP/AVP {formats}\r\na=rtpmap:111 opus/48000/2\r\n{attributes}\r\n");
        let mut call = call();
        let (_, agreed) = answer_in(&mut call, &media);
        assert_eq!((agreed.codec, agreed.packet_time.milliseconds()), expected, "{media}");
        let exported = call.export().expect("an agreement");
        assert!(Negotiation::import(&exported, Path::Open, Fingerprint::of(b"node")).is_ok(), "{media}");
    };
    // How long packets should be is a wish, how long they may be is a limit (RFC 8866 section 6.4).
    check("111 9", "a=ptime:10", (Codec::Opus, 20));
    check("111 9", "a=ptime:40", (Codec::Opus, 20));
    check("111 9", "a=maxptime:19", (Codec::G722, 10));
    check("111 9", "a=maxptime:20", (Codec::Opus, 20));
    check("111 0 9", "a=ptime:20\r\na=maxptime:10", (Codec::Pcmu, 10));
    check("111", "a=maxptime:10", (Codec::Opus, 20));
    check("111 18", "a=maxptime:3", (Codec::Opus, 20));
}

#[test]
fn rtcp_goes_to_the_next_port_or_where_the_far_end_says() {
    let check = |attributes: &str, expected: Option<&str>| {
        let (_, agreed) = answer(&format!("{AUDIO}{attributes}"));
        assert_eq!(agreed.rtcp, expected.map(|to| Rtcp::Address(address(to))), "{attributes}");
    };
    check("", Some("192.0.2.1:5005"));
    check("a=rtcp:53020\r\n", Some("192.0.2.1:53020"));
    check("a=rtcp:53020 IN IP4 192.0.2.9\r\n", Some("192.0.2.9:53020"));
    check("a=rtcp:53020 IN IP4 224.0.0.1\r\n", None);
    check("a=rtcp:0\r\n", None);
    check("a=rtcp:x\r\n", None);
    check("c=IN IP4 0.0.0.0\r\n", None);
    assert_eq!(answer("m=audio 65535 RTP/AVP 0\r\n").1.rtcp, None);
}

#[test]
fn descriptions_as_phones_write_them_are_read() {
    let check = |offer: &str| {
        let (_, agreed) = answer(offer);
        assert_eq!(agreed.codec, Codec::Pcma, "{offer}");
        assert_eq!(agreed.remote, Some(address("192.0.2.1:5004")), "{offer}");
    };
    // Line ends.
    check("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 5004 RTP/AVP 8\n");
    check("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 8");
    check("v=0\r\nc=IN IP4 192.0.2.1\r\n\r\nm=audio 5004 RTP/AVP 8\r\n\r\n");
    // Lines that are missing, or that no SDP reader takes.
    check("v=0\r\no=John Doe 1 1 IN IP4 192.0.2.1\r\ns=\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 8\r\n");
    check("v=0\r\nc=IN IP4 192.0.2.1\r\nb=AS:\r\nt=now\r\nk=\r\nfoo\r\nm=audio 5004 RTP/AVP 8\r\n");
    // Blanks.
    check("v=0 \r\nc=IN IP4 192.0.2.1 \r\nm=audio  5004 RTP/AVP\t8 0 \r\na=rtpmap:8  PCMA/8000 \r\n");
    // Case, channels, static types with and without their names, and attributes nobody knows.
    check("v=0\r\nc=IN IP4 192.0.2.1\r\nm=AUDIO 5004 rtp/avp 8\r\na=RTPMAP:8 pcma/8000/1\r\n");
    check(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 96\r\na=rtpmap:96 PcmA/8000\r\na=x-vendor:\u{e9}\r\n",
    );
    check(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004/2 RTP/AVP 8 8 8\r\na=\r\na=:\r\na=rtpmap:\r\na=rtpmap:8\r\n",
    );
}

#[test]
fn text_that_is_not_utf_8_is_read() {
    let mut offer =
        b"v=0\r\ns=caf\xe9\r\nc=IN IP4 192.0.2.1\r\nm=audio 5004 RTP/AVP 0\r\na=label:\xe9\r\n".to_vec();
    assert!(Offer::read(&offer).is_ok());
    offer.extend(b"m=video 0 RTP/AVP \xe9\r\n");
    let answer = call().answer_to(&Offer::read(&offer).expect("offer"), &mut generator());
    assert_eq!(media_lines(&answer), ["m=audio 40000 RTP/AVP 0", "m=video 0 RTP/AVP _"]);
}

#[test]
fn payload_types_mean_what_their_map_says_but_static_ones_themselves() {
    let check = |media: &str, expected: &[(u8, &str)]| {
        let media = format!("{HEAD}{media}");
        let description = super::super::description::read(media.as_bytes()).expect("description");
        let known = super::super::formats::known(description.medium(0).expect("a medium"));
        let expected: Vec<_> = expected.iter().map(|(number, name)| (*number, (*name).to_owned())).collect();
        assert_eq!(formats(&known), expected, "{media}");
    };
    check("m=audio 1 RTP/AVP 8 0 13\r\n", &[(8, "PCMA/8000"), (0, "PCMU/8000"), (13, "CN/8000")]);
    check(
        "m=audio 1 RTP/AVP 35 127\r\na=rtpmap:35 PCMU/8000\r\na=rtpmap:127 PCMA/8000\r\n",
        &[(35, "PCMU/8000"), (127, "PCMA/8000")],
    );
    check("m=audio 1 RTP/AVP 0 96\r\na=rtpmap:0 PCMA/8000\r\na=rtpmap:96 PCMU/16000\r\n", &[]);
    check("m=audio 1 RTP/AVP 96 97 98\r\na=rtpmap:96 PCMU/8000/2\r\na=rtpmap:97 PCMU\r\n", &[]);
    // These would be taken for RTCP (RFC 5761), and there are none above 127.
    check("m=audio 1 RTP/AVP 72 200 128 -1\r\na=rtpmap:72 PCMU/8000\r\na=rtpmap:200 PCMU/8000\r\n", &[]);
    check("m=audio 1 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\na=rtpmap:96 PCMA/8000\r\n", &[(96, "PCMU/8000")]);
}

#[test]
fn every_codec_is_offered_once() {
    let mut offered = codecs::ORDER;
    offered.sort();
    assert_eq!(offered, Codec::ALL);
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
