//! The engine over real sockets, with callers that are plain sockets.

mod common;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use call::audio::Codec;
use call::{Admission, CallEngine, Calls, Closed, SourceRate};
use common::{BOUND, Caller, address, count, engine, header, settings, wait_for_calls, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

async fn caller(engine: &CallEngine, test: u8, host: u8) -> Caller {
    Caller::new(engine, address(test, host), &format!("caller-{test}-{host}")).await
}

/// Both send until both receive the wanted level (within the loss of the codec), or the test fails.
async fn talk_until(a: &mut Caller, b: &mut Caller, levels: (i16, i16), wanted: (i16, i16)) {
    let near = |heard: i16, wanted: i16| (i32::from(heard) - i32::from(wanted)).abs() <= 40;
    for _ in 0..200 {
        a.say(Codec::Pcmu, levels.0).await;
        b.say(Codec::Pcma, levels.1).await;
        let heard = (a.hear(Codec::Pcmu).await.1, b.hear(Codec::Pcma).await.1);
        if near(heard.0, wanted.0) && near(heard.1, wanted.1) {
            return;
        }
    }
    panic!("never heard {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_hear_each_other_and_not_themselves() {
    let engine = engine(settings(31)).await;
    let (mut a, mut b) = (caller(&engine, 31, 2).await, caller(&engine, 31, 3).await);
    a.call(Codec::Pcmu).await;
    b.call(Codec::Pcma).await;
    talk_until(&mut a, &mut b, (1000, -500), (-500, 1000)).await;
    assert_eq!(count(&engine), 2);
    a.bye().await;
    wait_for_calls(&engine, 1).await;
    b.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_caller_is_sent_a_steady_stream_of_silence() {
    let engine = engine(settings(32)).await;
    let mut a = caller(&engine, 32, 2).await;
    a.call(Codec::Pcmu).await;
    let (mut last, first) = a.hear(Codec::Pcmu).await;
    assert_eq!(first, 0);
    for _ in 0..20 {
        let (header, sample) = a.hear(Codec::Pcmu).await;
        assert_eq!((header.sequence, sample), (last.sequence.wrapping_add(1), 0));
        assert_eq!(header.timestamp, last.timestamp.wrapping_add(160));
        last = header;
    }
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_mode_does_not_touch_running_calls() {
    let engine = engine(settings(33)).await;
    let mut a = caller(&engine, 33, 2).await;
    a.call(Codec::Pcmu).await;
    engine.set_admission(Admission::Closed(Closed::maintenance_mode()));
    assert_eq!(count(&engine), 1);

    assert!(a.invite("", Codec::Pcmu, "sendonly").await.contains("a=recvonly"));
    a.ack().await;
    assert!(a.invite("", Codec::Pcmu, "sendrecv").await.contains("a=sendrecv"));
    a.ack().await;
    a.hear(Codec::Pcmu).await;

    let b = caller(&engine, 33, 3).await;
    b.send(&b.request("INVITE", "x", "Content-Type: application/sdp\r\n", &b.offer(Codec::Pcmu, "sendrecv")))
        .await;
    let refusal = b.expect("SIP/2.0 503").await;
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"System in maintenance mode\"");
    assert!(header(&refusal, "Retry-After").parse::<u32>().is_ok());

    a.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_reports_the_capabilities_or_maintenance_mode() {
    let engine = engine(settings(34)).await;
    let mut a = caller(&engine, 34, 2).await;
    a.send(&a.request("OPTIONS", "1", "", "")).await;
    let answer = a.expect("SIP/2.0 200").await;
    assert!(header(&answer, "Allow").contains("INVITE"));
    assert_eq!(header(&answer, "Accept"), "application/sdp, multipart/mixed, multipart/alternative");

    engine.set_admission(Admission::Closed(Closed { reason: "Moving house".into() }));
    a.sequence += 1;
    a.send(&a.request("OPTIONS", "2", "", "")).await;
    let answer = a.expect("SIP/2.0 503").await;
    assert_eq!(header(&answer, "Reason"), "SIP;cause=503;text=\"Moving house\"");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_started_in_maintenance_mode_admits_nothing_until_it_is_opened() {
    let closed = Admission::Closed(Closed::maintenance_mode());
    let engine = CallEngine::start(settings(35), common::rooms(), closed).await.expect("engine");
    let mut a = caller(&engine, 35, 2).await;
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    a.send(&a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer)).await;
    a.expect("SIP/2.0 503").await;
    engine.set_admission(Admission::Open);
    a.sequence += 1;
    a.call(Codec::Pcmu).await;
    assert_eq!(count(&engine), 1);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vanished_caller_is_ended_by_the_media_timeout_but_one_on_hold_is_not() {
    let mut settings = settings(36);
    settings.media_timeout = Duration::from_secs(1);
    let engine = engine(settings).await;
    let mut held = caller(&engine, 36, 2).await;
    held.call(Codec::Pcmu).await;
    held.invite("", Codec::Pcmu, "sendonly").await;
    held.ack().await;
    let mut gone = caller(&engine, 36, 3).await;
    gone.call(Codec::Pcmu).await;
    let bye = gone.expect("BYE ").await;
    assert_eq!(header(&bye, "Reason"), "SIP;cause=408;text=\"media timeout\"");
    gone.send(&answer_to(&bye, "")).await;
    wait_for_calls(&engine, 1).await;
    assert_eq!(engine.stats().ended_by_media_timeout, 1);
    held.bye().await;
    engine.shut_down().await;
}

/// A 200 to a request of the node.
fn answer_to(request: &str, rest: &str) -> String {
    let copied =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(request, name)));
    let rest = if rest.is_empty() { "Content-Length: 0\r\n\r\n" } else { rest };
    format!("SIP/2.0 200 OK\r\n{}{rest}", copied.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_is_never_confirmed_is_gone_and_sends_no_sound() {
    let mut settings = settings(37);
    settings.t1_ms = 20;
    let engine = engine(settings).await;
    let mut a = caller(&engine, 37, 2).await;
    a.invite("", Codec::Pcmu, "sendrecv").await;
    assert_eq!(count(&engine), 1);
    wait_for_calls(&engine, 0).await;
    assert_eq!((engine.stats().ended_without_ack, engine.stats().carried), (1, 0));
    assert!(a.rtp.try_recv(&mut [0; 10]).is_err(), "sound was sent to an unconfirmed address");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_invite_is_one_call_and_a_second_path_is_refused() {
    let mut settings = settings(38);
    settings.ring_time = Duration::from_secs(20);
    let engine = engine(settings).await;
    let a = caller(&engine, 38, 2).await;
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    let invite = a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer);
    for _ in 0..5 {
        a.send(&invite).await;
        a.expect("SIP/2.0 180").await;
    }
    assert_eq!(count(&engine), 1);
    a.send(&a.request("INVITE", "y", "Content-Type: application/sdp\r\n", &offer)).await;
    a.expect("SIP/2.0 482").await;
    wait_for_calls(&engine, 1).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_refreshes_a_session_when_the_caller_cannot() {
    let mut settings = settings(39);
    settings.session_interval = Duration::from_secs(2);
    let engine = engine(settings).await;
    let mut a = caller(&engine, 39, 2).await;
    let answer = a.invite("", Codec::Pcmu, "sendrecv").await;
    assert_eq!(header(&answer, "Session-Expires"), "2;refresher=uas");
    a.ack().await;
    for _ in 0..2 {
        let refresh = a.expect("INVITE ").await;
        assert_eq!(header(&refresh, "Session-Expires"), "2;refresher=uac");
        let body = a.offer(Codec::Pcmu, "sendrecv");
        let contact = a.sip.local_addr().expect("local");
        let rest = format!(
            "Contact: <sip:caller@{contact}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        a.send(&answer_to(&refresh, &rest)).await;
        a.expect("ACK ").await;
    }
    assert_eq!(count(&engine), 1);
    let refresh = a.expect("INVITE ").await;
    a.send(&answer_to(&refresh, "").replace("200 OK", "481 Gone")).await;
    a.expect("BYE ").await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().ended_by_refusal, 1);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_sends_bye_and_frees_the_address() {
    let settings = settings(40);
    let engine = engine(settings.clone()).await;
    let bound = engine.sip_address();
    let mut a = caller(&engine, 40, 2).await;
    a.call(Codec::Pcmu).await;
    let media = a.media.expect("media");
    let shut_down = tokio::spawn(engine.shut_down());
    let bye = a.expect("BYE ").await;
    a.send(&answer_to(&bye, "")).await;
    shut_down.await.expect("shut down");
    std::net::UdpSocket::bind(media).expect("the media port is free");
    let mut again = None;
    for _ in 0..100 {
        let settings = call::Settings { sip: bound, ..settings.clone() };
        again = CallEngine::start(settings, common::rooms(), Admission::Open).await.ok();
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    again.expect("the SIP address is free").probe_call().await.expect("a call");
}

#[tokio::test(flavor = "multi_thread")]
async fn address_that_is_taken_is_an_error_that_names_it() {
    let first = engine(settings(41)).await;
    let taken = call::Settings { sip: first.sip_address(), ..settings(41) };
    let error = CallEngine::start(taken, common::rooms(), Admission::Open).await.err().expect("taken");
    assert!(error.to_string().contains(&first.sip_address().to_string()), "{error}");
    first.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_that_makes_no_handshake_is_ended_with_that_reason() {
    let engine = engine(settings(172)).await;
    let mut a = caller(&engine, 172, 2).await;
    let certificate = format!("a=setup:active\r\na=fingerprint:sha-256 00{}\r\n", ":11".repeat(31));
    let offer = a.offer(Codec::Pcmu, "sendrecv").replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
    a.invite_with(&(offer + &certificate)).await;
    a.ack().await;
    let bye = a.expect("BYE ").await;
    assert_eq!(header(&bye, "Reason"), "SIP;cause=488;text=\"no keys by DTLS\"");
    a.send(&answer_to(&bye, "")).await;
    wait_for_calls(&engine, 0).await;
    assert_eq!((engine.stats().ended_without_keys, engine.stats().ended_by_media_timeout), (1, 0));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_above_the_call_limit_are_refused_as_out_of_resource() {
    let mut settings = settings(42);
    settings.call_limit = 1;
    let engine = engine(settings).await;
    let mut a = caller(&engine, 42, 2).await;
    a.call(Codec::Pcmu).await;
    let b = caller(&engine, 42, 3).await;
    let offer = b.offer(Codec::Pcmu, "sendrecv");
    b.send(&b.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer)).await;
    let refusal = b.expect("SIP/2.0 503").await;
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"Out of resource\"");
    assert_eq!((count(&engine), engine.stats().refused_limit), (1, 1));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn source_above_its_rate_is_refused_and_far_above_it_is_not_answered() {
    let mut settings = settings(43);
    settings.source_rate = SourceRate { admitted: 1, burst: 2, answered: 3, ..SourceRate::default() };
    let engine = engine(settings).await;
    for n in 0..20 {
        let a = Caller::new(&engine, address(43, 2), &format!("flood-{n}")).await;
        let offer = a.offer(Codec::Pcmu, "sendrecv");
        a.send(&a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer)).await;
    }
    wait_until("all twenty seen", || {
        let stats = engine.stats();
        stats.refused_rate + stats.dropped + u64::from(count(&engine)) >= 20
    })
    .await;
    let stats = engine.stats();
    assert!(stats.refused_rate >= 3 && stats.dropped >= 5, "{stats:?}");
    let mut other = caller(&engine, 43, 3).await;
    other.call(Codec::Pcmu).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_connections_are_limited_and_idle_ones_closed() {
    let mut settings = settings(44);
    (settings.tcp_connections, settings.tcp_idle) = (8, Duration::from_secs(1));
    let engine = engine(settings).await;
    let open = || TcpStream::connect(engine.sip_address());
    let mut kept = [open().await.expect("first"), open().await.expect("second")];
    // A quarter of the connections is what one source may have.
    let mut third = open().await.expect("accepted by the system");
    assert_eq!(third.read(&mut [0; 10]).await.expect("closed at once"), 0);
    kept[0].write_all(b"OPTIONS sip:half a message").await.expect("write");
    for connection in &mut kept {
        let closed = tokio::time::timeout(common::BOUND, connection.read(&mut [0; 10])).await;
        assert_eq!(closed.expect("idle for ever").expect("closed"), 0);
    }
    engine.probe_call().await.expect("a call");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_connection_with_a_call_is_not_idle() {
    let mut settings = settings(45);
    settings.tcp_idle = Duration::from_secs(1);
    let engine = engine(settings).await;
    let mut a = caller(&engine, 45, 2).await;
    let mut tcp = TcpStream::connect(engine.sip_address()).await.expect("connect");
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    let invite = a
        .request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer)
        .replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    tcp.write_all(invite.as_bytes()).await.expect("write");
    let mut answer = vec![0; 4096];
    let length = tcp.read(&mut answer).await.expect("answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    a.to_tag = format!(";tag={}", header(&answer, "To").split("tag=").nth(1).expect("tag"));
    let within = |a: &Caller, method| a.request(method, method, "", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    tcp.write_all(within(&a, "ACK").as_bytes()).await.expect("write");
    wait_until("confirmed", || engine.stats().carried == 1).await;
    let quiet = tokio::time::timeout(Duration::from_millis(2500), tcp.read(&mut [0; 10])).await;
    assert!(quiet.is_err(), "closed or written to: {quiet:?}");
    a.sequence += 1;
    tcp.write_all(within(&a, "BYE").as_bytes()).await.expect("write");
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_over_the_limits_are_refused_and_begin_no_call() {
    let engine = engine(settings(46)).await;
    let a = caller(&engine, 46, 2).await;
    let offer = a.offer(Codec::Pcmu, "sendrecv");
    let many: String = (0..300).map(|n| format!("X-{n}: x\r\n")).collect();
    let long = format!("X: {}\r\n", "x".repeat(9000));
    for headers in [many, long] {
        a.send(&a.request("INVITE", "x", &format!("{headers}Content-Type: application/sdp\r\n"), &offer))
            .await;
        a.expect("SIP/2.0 513").await;
    }
    a.send(&a.request("OPTIONS", "last", "", "")).await;
    a.expect("SIP/2.0 200").await;
    assert_eq!(count(&engine), 0);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_invites_neither_break_the_engine_nor_leave_calls_behind() {
    let mut settings = settings(47);
    settings.t1_ms = 20;
    settings.call_limit = 200;
    let engine = engine(settings).await;
    let mut seed = 47_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let mut tcp = TcpStream::connect(engine.sip_address()).await.expect("connect");
    for n in 0..5000 {
        let a = Caller::new(&engine, address(47, 2), &format!("m{n}")).await;
        let offer = a.offer(Codec::Pcmu, "sendrecv");
        let headers = "Content-Type: application/sdp\r\nSupported: timer\r\nSession-Expires: 90;refresher=uac\r\nRecord-Route: <sip:127.0.0.1;lr>\r\n";
        let mut message = a.request("INVITE", "x", headers, &offer).into_bytes();
        mutate(&mut message, &mut random);
        if n % 4 == 0 {
            if tcp.write_all(&message).await.is_err() {
                tcp = TcpStream::connect(engine.sip_address()).await.expect("connect");
            }
        } else {
            let _ = a.sip.send(&message).await;
        }
    }
    wait_until("some got through", || engine.stats().ended_without_ack > 20).await;
    wait_for_calls(&engine, 0).await;
    assert!(matches!(*engine.calls().borrow(), Calls::Known { .. }), "a part of the engine failed");
    engine.probe_call().await.expect("a call");
    let mut a = caller(&engine, 47, 3).await;
    a.call(Codec::Pcmu).await;
    engine.shut_down().await;
}

fn mutate(message: &mut Vec<u8>, random: &mut impl FnMut() -> usize) {
    for _ in 0..=random() % 3 {
        let place = random() % message.len();
        match random() % 6 {
            0 => message[place] = random() as u8,
            // Two more changes may remove a byte each.
            1 => message.truncate(place.max(3)),
            2 => drop(message.splice(place..place, std::iter::repeat_n(b'9', random() % 40))),
            3 => drop(message.splice(place..place, *b"\r\n")),
            4 => drop(message.remove(place)),
            _ => {
                let end = (place + random() % 30).min(message.len());
                let part = message[place..end].to_vec();
                drop(message.splice(place..place, part));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_directly_after_the_ack_is_not_lost() {
    let engine = engine(settings(48)).await;
    let mut a = caller(&engine, 48, 2).await;
    a.call(Codec::Pcmu).await;
    for direction in ["sendonly", "sendrecv", "inactive"].into_iter().cycle().take(60) {
        a.invite("", Codec::Pcmu, direction).await;
        a.ack().await;
    }
    a.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_length_over_tcp_harms_only_its_own_connection() {
    let engine = engine(settings(49)).await;
    let mut bad = TcpStream::connect(engine.sip_address()).await.expect("connect");
    let absurd = "OPTIONS sip:meet@x SIP/2.0\r\nContent-Length: 18446744073709551615\r\n\r\n";
    bad.write_all(absurd.as_bytes()).await.expect("write");
    let mut a = caller(&engine, 49, 2).await;
    a.call(Codec::Pcmu).await;
    engine.probe_call().await.expect("a call");
    a.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

/// Who reads the calls holds up the thread that is to change them, and nobody else. So the caller here needs no thread of
/// the runtime.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_given_while_somebody_reads_the_calls_and_signalling_goes_on() {
    let engine = Arc::new(engine(settings(151)).await);
    let mut a = caller(&engine, 151, 2).await;
    let offer = a.offer(Codec::Pcmu, "inactive");
    let invite = a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer);
    let socket = a.sip.into_std().expect("a socket");
    let (calls, asked) = (engine.calls(), Arc::clone(&engine));
    let reader = tokio::task::spawn_blocking(move || {
        let held = calls.borrow();
        let answer = ask(&socket, &invite);
        let (sender, stats) = mpsc::channel();
        let asking = std::thread::spawn(move || sender.send(asked.stats()).is_ok());
        let given = stats.recv_timeout(BOUND);
        drop(held);
        assert!(asking.join().expect("no panic"), "the reader waits for them");
        (answer, given, socket)
    });
    let (answer, stats, socket) = reader.await.expect("no panic");
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(stats.expect("the statistics wait for the reader of the calls").carried, 0);
    socket.set_nonblocking(true).expect("a socket");
    a.sip = UdpSocket::from_std(socket).expect("a socket");
    a.sequence += 1;
    a.send(&a.request("OPTIONS", "after", "", "")).await;
    a.expect("SIP/2.0 200").await;
    wait_for_calls(&engine, 1).await;
    a.to_tag = format!(";tag={}", header(&answer, "To").split("tag=").nth(1).expect("tag"));
    a.bye().await;
    wait_for_calls(&engine, 0).await;
    Arc::into_inner(engine).expect("nobody else has it").shut_down().await;
}

/// The answer to a request, without the runtime.
fn ask(socket: &std::net::UdpSocket, request: &str) -> String {
    socket.set_nonblocking(false).expect("a socket");
    socket.set_read_timeout(Some(BOUND)).expect("a socket");
    socket.send(request.as_bytes()).expect("send");
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_far_end_that_has_said_all_still_gets_its_answers() {
    const REQUESTS: usize = 50;
    let engine = engine(settings(221)).await;
    let a = caller(&engine, 221, 2).await;
    let option = |n| a.request("OPTIONS", &format!("o{n}"), "", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let options: String = (0..REQUESTS).map(option).collect();
    for connection in 0..5 {
        let mut tcp = TcpStream::connect(engine.sip_address()).await.expect("connect");
        tcp.write_all(options.as_bytes()).await.expect("write");
        tcp.shutdown().await.expect("half closed");
        let mut answers = String::new();
        let read = tokio::time::timeout(BOUND, tcp.read_to_string(&mut answers)).await;
        read.expect("it is closed").expect("answers");
        assert_eq!(answers.matches("SIP/2.0 200").count(), REQUESTS, "{connection}");
    }
    engine.shut_down().await;
}
