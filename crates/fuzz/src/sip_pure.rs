//! The parts of a call that need no socket: messages, a session description, the RTP of a far end, a call that another
//! process gives away. They run many times faster than the engine.

use crate::input::{joined, parts};

pub(crate) const DICTIONARY: &[&str] = &[
    "INVITE ",
    "ACK ",
    "BYE ",
    "CANCEL ",
    "OPTIONS ",
    "UPDATE ",
    "INFO ",
    "PRACK ",
    " SIP/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "SIP/2.0 ",
    "Via: ",
    "v: ",
    "From: ",
    "f: ",
    "To: ",
    "t: ",
    "Call-ID: ",
    "i: ",
    "CSeq: ",
    "Contact: ",
    "m: ",
    "Max-Forwards: ",
    "Content-Length: ",
    "l: ",
    "Content-Type: ",
    "c: ",
    "application/sdp",
    "Session-Expires: ",
    "x: ",
    "Min-SE: ",
    "Supported: ",
    "Require: ",
    "timer",
    ";refresher=uac",
    ";refresher=uas",
    "Record-Route: ",
    "Route: ",
    ";tag=",
    ";branch=z9hG4bK",
    ";rport",
    ";received=",
    ";transport=tcp",
    ";lr",
    "<sip:",
    "sips:",
    "tel:",
    "\r\n\r\n",
    "\r\n",
    "v=0\r\n",
    "o=- 1 1 IN IP4 127.0.0.1\r\n",
    "s=-\r\n",
    "c=IN IP4 ",
    "c=IN IP6 ",
    "t=0 0\r\n",
    "m=audio 9 RTP/AVP 0\r\n",
    "m=video 0 RTP/AVP 96\r\n",
    "m=",
    "a=rtpmap:",
    "PCMU/8000",
    "PCMA/8000/1",
    "telephone-event/8000",
    "a=sendonly\r\n",
    "a=recvonly\r\n",
    "a=inactive\r\n",
    "a=sendrecv\r\n",
    "a=ptime:60\r\n",
    "a=maxptime:",
    "a=rtcp-mux\r\n",
    "a=rtcp:9 IN IP4 ",
    " RTP/SAVP ",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:",
    "AES_CM_128_HMAC_SHA1_32",
    "AEAD_AES_256_GCM",
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
    "|2^31|1:4",
    " UDP/TLS/RTP/SAVPF ",
    "a=setup:actpass\r\n",
    "a=fingerprint:sha-256 ",
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
    " UNENCRYPTED_SRTP",
    "CN/8000",
    "0.0.0.0",
    "[::1]",
    "multipart/mixed;boundary=b",
    "multipart/alternative",
    "--b\r\n",
    "--b--",
    "Content-Disposition: session;handling=required",
    "4294967295",
    "18446744073709551615",
    "4294967296",
    "\n%%\n",
    "$TAG",
    "$REQUEST",
    "$AUTH",
    "REGISTER ",
    "DIAL sip:b@127.0.0.2",
    "DIAL ann",
    "HANG UP",
    "STREAM INVITE ",
    "STREAM ",
    "CLOSE",
    "CONNECT",
    "EXHAUSTED",
    "REFUSED",
    "PORTS",
    "MAINTENANCE",
    "ADMIT",
    "SILENT",
    "WAIT",
    "Require: 100rel\r\n",
    "SIP/2.0 302 Moved\r\n",
    "SIP/2.0 401 Unauthorized\r\n",
    "Contact: *\r\n",
    "Expires: 0\r\n",
    ";expires=",
    ";q=0.5",
    "Authorization: ",
    "Proxy-Authenticate: ",
    "WWW-Authenticate: ",
    "Digest realm=\"provider\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
    ", stale=true",
    "Path: ",
];

/// The first byte selects the parser.
pub(crate) fn run(data: &[u8]) {
    match data.split_first() {
        Some((b'o', offers)) => call::fuzz::session_descriptions(parts(offers).into_iter()),
        Some((b'b', body)) => call::fuzz::body(body),
        Some((b'r', sound)) => call::fuzz::media(parts(sound).into_iter()),
        Some((b'h', moved)) => call::fuzz::handover(parts(moved).into_iter()),
        Some((b's', sound)) => call::fuzz::protected_media(parts(sound).into_iter()),
        Some((b'd', datagrams)) => call::fuzz::handshake(parts(datagrams).into_iter()),
        Some((_, messages)) => call::fuzz::messages(parts(messages).into_iter()),
        None => {}
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let packet = |sequence: u8| {
        let mut packet = vec![0x80, 0, 0, sequence, 0, 0, 0, 160, 1, 2, 3, 4];
        packet.resize(172, 0x55);
        packet
    };
    let event = [0x80, 0xe5, 0, 9, 0, 0, 1, 64, 1, 2, 3, 4, 1, 10, 0, 160];
    let report = [0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 203, 0, 1, 1, 2, 3, 4];
    let control = report.to_vec();
    let sound =
        joined(&[packet(1), packet(2), event.to_vec(), packet(3), control, vec![0x80, 13, 0, 4], packet(4)]);
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let mut seeds = vec![tagged(b'r', &sound)];
    let sealed = [&packet(1)[..], &packet(2), &report, &event].map(|packet| tagged(1, packet));
    seeds.push(tagged(b's', &joined(&[&sealed[..], &[packet(3), report.to_vec()]].concat())));
    seeds.push(tagged(b'd', &joined(&[vec![0], CLIENT_HELLO.to_vec(), CLIENT_HELLO[..40].to_vec()])));
    seeds.extend(OFFERS.iter().map(|offer| tagged(b'o', offer.as_bytes())));
    seeds.push(tagged(b'o', &joined(&OFFERS.map(|offer| offer.as_bytes().to_vec()))));
    seeds.push(tagged(b'b', BODY.as_bytes()));
    let call: Vec<_> = crate::sip::call().into_iter().map(String::into_bytes).collect();
    seeds.push(tagged(b'm', &joined(&call)));
    seeds.push(tagged(b'm', &joined(&registered())));
    seeds.push(tagged(b'm', &joined(&admitted())));
    seeds.extend(refused_and_broken().iter().map(|parts| tagged(b'm', &joined(parts))));
    seeds.extend([DIALLED, REDIRECTED, GIVEN_UP].map(|dialled| tagged(b'm', &joined(dialled))));
    let recorded = [PLAIN_CALL, PROXIED_CALL].map(|call| {
        let moved = [call, PROBED, TAKEN_OVER, HUNG_UP].map(|part| part.as_bytes().to_vec());
        tagged(b'h', &joined(&moved))
    });
    seeds.extend(recorded);
    seeds
}

/// A device that registers, is called, is shown, and goes.
fn registered() -> Vec<String> {
    let register = |sequence: u32, headers: &str| {
        format!(
            "REGISTER sip:$THERE SIP/2.0\r\nVia: SIP/2.0/UDP $HERE;branch=z9hG4bKr{sequence}\r\n\
             From: <sip:ann@$THERE>;tag=r\r\nTo: <sip:ann@$THERE>\r\nCall-ID: r\r\nCSeq: {sequence} REGISTER\r\n\
             Max-Forwards: 70\r\n{headers}$AUTHContent-Length: 0\r\n\r\n"
        )
    };
    let contacts = "Contact: <sip:ann@$HERE>;expires=60, <sip:ann@127.0.0.3>\r\n";
    vec![
        register(1, contacts),
        register(2, contacts),
        "DIAL ann".into(),
        PROBED.replace("200 OK", "480 Away"),
        TAKEN_OVER.into(),
        "HANG UP".into(),
        PROBED.into(),
        register(3, ""),
        register(4, "Contact: *\r\nExpires: 0\r\n"),
    ]
}

/// A call to a room that takes accounts alone.
fn admitted() -> Vec<String> {
    let invite = |sequence: u32| {
        format!(
            "INVITE sip:board@$THERE SIP/2.0\r\nVia: SIP/2.0/UDP $HERE;branch=z9hG4bKb{sequence}\r\n\
             From: <sip:ann@$THERE>;tag=b\r\nTo: <sip:board@$THERE>\r\nCall-ID: b\r\nCSeq: {sequence} INVITE\r\n\
             Max-Forwards: 70\r\nContact: <sip:ann@$HERE>\r\n$AUTHContent-Length: 0\r\n\r\n"
        )
    };
    vec![invite(1), invite(2)]
}

/// A call over a connection that comes in portions and breaks, one that the node has to connect to for its answer, calls
/// without a media port and in maintenance mode, and one that falls silent.
fn refused_and_broken() -> [Vec<String>; 3] {
    let call = crate::sip::call();
    let over_tcp: Vec<String> = call.iter().map(|text| text.replace("/UDP $HERE", "/TCP $HERE")).collect();
    let (begin, end) = over_tcp[0].split_at(200);
    let stream = |text: &str| format!("STREAM {text}");
    let word = |word: &str| word.to_owned();
    [
        vec![
            stream(begin),
            stream(end),
            stream(&over_tcp[1]),
            word("CLOSE"),
            stream(&over_tcp[2]),
            word("WAIT"),
        ],
        vec![word("CONNECT"), stream(&over_tcp[0]), word("CLOSE"), word("SILENT"), word("WAIT")],
        vec![
            word("EXHAUSTED"),
            call[0].clone(),
            word("PORTS"),
            word("MAINTENANCE"),
            call[0].replace("c1", "c2"),
            word("ADMIT"),
            call[0].replace("c1", "c3"),
            call[1].replace("c1", "c3"),
            word("MAINTENANCE"),
            call[2].replace("c1", "c3"),
            word("SILENT"),
        ],
    ]
}

/// Calls that are dialled: challenged and answered, with a fork; redirected; and hung up before their answer.
const DIALLED: &[&str] = &[
    "DIAL sip:b@127.0.0.2;transport=udp",
    "SIP/2.0 407 Who\r\n$REQUESTProxy-Authenticate: Digest realm=\"provider\", nonce=\"n\", qop=\"auth\"\r\n\
     Content-Length: 0\r\n\r\n",
    TAKEN_OVER,
];
const REDIRECTED: &[&str] = &[
    "DIAL sip:b@127.0.0.2",
    "SIP/2.0 302 Moved\r\n$REQUESTContact: <sip:c@127.0.0.3>;q=0.2, <sip:d@127.0.0.4>\r\nContent-Length: 0\r\n\r\n",
    "SIP/2.0 422 Too small\r\n$REQUESTMin-SE: 2000\r\nContent-Length: 0\r\n\r\n",
];
const GIVEN_UP: &[&str] = &[
    "DIAL sip:b@127.0.0.2",
    "SIP/2.0 180 Ringing\r\n$REQUESTContent-Length: 0\r\n\r\n",
    "HANG UP",
    TAKEN_OVER,
];

/// Calls as they move from one process to another, and what their far ends say then.
const PLAIN_CALL: &str = include_str!("../../call/tests/recorded/34.1/call-plain.json");
const PROXIED_CALL: &str = include_str!("../../call/tests/recorded/34.1/call-proxied.json");
const PROBED: &str = "SIP/2.0 200 OK\r\n$REQUESTContent-Length: 0\r\n\r\n";
const TAKEN_OVER: &str = "SIP/2.0 200 OK\r\n$REQUESTContact: <sip:a@127.0.0.2>\r\nContent-Type: application/sdp\r\n\
    Content-Length: 101\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\n";
const HUNG_UP: &str = "BYE sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKbye\r\n\
    From: <sip:phone@example.com>;tag=plain\r\nTo: <sip:meet@192.0.2.1>;tag=3c253fa74c0a7bf5\r\nCall-ID: plain\r\n\
    CSeq: 9 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
/// The beginning of a handshake of DTLS 1.2 without extensions: record, message, version, random number, suites.
const CLIENT_HELLO: &[u8] = b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x37\x01\0\0\x2b\0\0\0\0\0\0\0\x2b\xfe\xfd\
    0123456789abcdef0123456789abcdef\0\0\0\x02\xc0\x2b\x01\0";

/// A body in parts, as [`call::fuzz::body`] reads it.
const BODY: &str = "multipart/mixed;boundary=b\nsession\n--b\r\nContent-Type: application/isup\r\n\
    Content-Disposition: signal;handling=optional\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n";

/// The offer of a phone, one on hold with video, one as browsers write it, and one of a phone whose sound is protected.
pub(crate) const OFFERS: [&str; 4] = [
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=call\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
     a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
     a=ptime:20\r\na=sendrecv\r\n",
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=sendonly\r\nm=video 5000 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\n\
     a=rtpmap:96 H264/90000\r\nm=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n",
    "v=0\r\no=- 9 2 IN IP6 ::1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 RTP/AVPF 111 9 100\r\nc=IN IP6 ::1\r\n\
     a=rtcp:9 IN IP6 ::1\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:100 PCMA/8000/1\r\na=recvonly\r\n",
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 8\r\n\
     a=crypto:1 AEAD_AES_128_GCM inline:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==\r\n\
     a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB|2^20|1:4 WSH=64\r\n\
     m=audio 4002 RTP/AVP 8\r\n",
];
