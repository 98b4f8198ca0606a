//! Messages out of streams: keep-alives, portions, wrong messages between good ones, limits.

#[allow(dead_code)] // The other tests need more of it.
mod support;

use sip::error::Fault;
use sip::framer::{Frame, Framer};
use sip::limits::{self, Limit};
use sip::reply::Reply;

use support::{described, frames};

fn options(call_id: &str, headers: &str, body: &str) -> String {
    format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=f\r\nTo: \
         <sip:a@b>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n{headers}\r\n{body}"
    )
}

/// The frames of a stream in words: Call-IDs of messages, faults of others.
fn check(stream: &str, expected: &[&str]) {
    let words = |frame: &Frame| match frame {
        Frame::Message(message) => message.headers().call_id().to_owned(),
        Frame::Refused(_) | Frame::Lost(_) | Frame::Ping | Frame::Pong => described(frame),
    };
    let found: Vec<_> = frames(stream.as_bytes(), usize::MAX).iter().map(words).collect();
    assert_eq!(found, expected);
    for portion in [1, 2, 3, 5, 64] {
        let kept = |described: &String| described != "ping" && described != "pong";
        let found: Vec<_> = frames(stream.as_bytes(), portion).iter().map(words).filter(kept).collect();
        let expected: Vec<_> = expected.iter().map(ToString::to_string).filter(kept).collect();
        assert_eq!(found, expected, "in portions of {portion}");
    }
}

#[test]
fn keep_alives_are_reported_between_messages() {
    let message = options("one", "l: 4\r\n", "\r\n\r\n");
    check(
        &format!("\r\n\r\n{message}\r\n{message}\r\n\r\n\r\n\r\n"),
        &["ping", "one", "pong", "one", "ping"],
    );
    let described: Vec<_> = frames(b"\r\n\r\n", 1).iter().map(described).collect();
    assert_eq!(described, ["pong", "ping"]);
    let odd: Vec<_> = frames(b"\r\n\r\n\r\n", 3).iter().map(support::described).collect();
    assert_eq!(odd, ["pong", "ping"]);
}

#[test]
fn message_without_length_and_type_ends_with_its_head() {
    check(&(options("one", "", "") + &options("two", "", "")), &["one", "two"]);
    let typed = options("one", "Content-Type: text/plain\r\n", "OPTIONS");
    check(&typed, &["lost: Content-Length is missing, and the message has a body"]);
}

#[test]
fn wrong_message_of_known_end_does_not_end_the_stream() {
    let good = options("good", "l: 0\r\n", "");
    let wrong = [
        options("wrong", "l: 3\r\n", "abc").replace("tag=f", "tag=\"f"),
        options("wrong", "l: 3\r\nno header\r\n", "abc"),
        options("wrong", "l: 3\r\n", "abc").replacen("SIP/2.0\r\n", "SIP/3.0\r\n", 1),
        options("wrong", "l: 3\r\n", "abc").replacen("sip:a@b", "sip:a@b:99999", 1),
        options("wrong", "", "").replacen("sip:a@b", "<sip:a@b>", 1),
        options("wrong", &format!("l: 3\r\nX: {}\r\n", "x".repeat(limits::FIELD)), "abc"),
        options("wrong", &format!("l: 70000\r\nX: {}\r\n", "x".repeat(100)), &"x".repeat(70_000)),
        "SIP/2.0 999 x\r\nl: 3\r\n\r\nabc".to_owned(),
    ];
    for wrong in wrong {
        let stream = format!("{good}{wrong}{good}");
        let found = frames(stream.as_bytes(), usize::MAX);
        let Frame::Refused(refused) = &found[1] else { panic!("{}", described(&found[1])) };
        check(&stream, &["good", &format!("refused: {}", refused.fault()), "good"]);
    }
}

#[test]
fn message_of_unknown_end_ends_the_stream_and_is_answered() {
    let good = options("good", "l: 0\r\n", "");
    for length in ["l: -1\r\n", "l: 1\r\nl: 2\r\n", "l: 4294967296\r\n", "l: 1 2\r\n", "l:\r\n"] {
        let stream = format!("{good}{}{good}", options("wrong", length, "abc"));
        let found = frames(stream.as_bytes(), 10);
        let [Frame::Message(_), Frame::Lost(lost)] = &found[..] else { panic!("{found:?}") };
        let answer = Reply::refusing(lost).expect("an answer is owed").draft().finish();
        assert!(answer.starts_with(b"SIP/2.0 400 Bad Request\r\nVia: "));
    }
    let noise = frames(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 10);
    let [Frame::Lost(lost)] = &noise[..] else { panic!("{noise:?}") };
    assert_eq!((lost.fault(), lost.status()), (Fault::NotSip, None));
}

#[test]
fn length_that_may_stand_in_a_line_that_was_not_read_is_unknown() {
    for hidden in
        [format!("{}Content-Type: a/b\r\n", "X: y\r\n".repeat(limits::FIELDS)), "X: y\nl: 3\r\n".to_owned()]
    {
        let found = frames(options("one", &hidden, "abc").as_bytes(), 50);
        assert!(matches!(&found[..], [Frame::Lost(lost)] if lost.status().is_some()), "{found:?}");
    }
}

#[test]
fn limits_hold_before_a_message_is_complete() {
    let endless_line = "x".repeat(limits::HEAD + 1);
    let found = frames(endless_line.as_bytes(), 100);
    assert!(matches!(&found[..], [Frame::Lost(lost)] if lost.fault() == Fault::NotSip));
    let long_line =
        options("one", "l: 0\r\n", "").replacen("sip:a@b", &format!("sip:{}", "a".repeat(5000)), 1);
    let found = frames(long_line.as_bytes(), 100);
    assert!(matches!(&found[..], [Frame::Refused(refused)] if refused.status().unwrap().code() == 414));
    let endless_head = options("one", &"X: y\r\n".repeat(limits::HEAD / 6), "");
    for portion in [100, usize::MAX] {
        let found = frames(&endless_head.as_bytes()[..limits::HEAD + 1], portion);
        let [Frame::Lost(lost)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(lost.fault(), Fault::TooLarge(Limit::Fields));
        assert_eq!(lost.fields().vias().count(), 1);
    }
    let long_head = options("one", &format!("X: {}\r\n", "y".repeat(8000)).repeat(5), "");
    let found = frames(long_head.as_bytes(), 1000);
    assert!(matches!(&found[0], Frame::Lost(lost) if lost.fault() == Fault::TooLarge(Limit::Head)));
}

#[test]
fn body_that_is_too_large_is_answered_before_it_comes_and_dropped() {
    let head = options("one", "l: 4000000000\r\n", "");
    let mut framer = Framer::new();
    framer.push(head.as_bytes());
    let Some(Frame::Refused(refused)) = framer.next_frame() else { panic!("it was not refused") };
    assert_eq!((refused.fault(), refused.status().unwrap().code()), (Fault::TooLarge(Limit::Message), 413));
    for _ in 0..100 {
        framer.push(&[b'x'; 1000]);
        assert!(framer.next_frame().is_none() && !framer.is_between());
    }
}

#[test]
fn stream_that_ends_half_way_is_known_to() {
    let message = options("one", "l: 3\r\n", "abc");
    for end in 0..message.len() {
        let mut framer = Framer::new();
        framer.push(&message.as_bytes()[..end]);
        assert!(framer.next_frame().is_none());
        assert_eq!(framer.is_between(), end == 0, "{end}");
    }
}
