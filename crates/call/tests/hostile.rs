//! Far ends that misbehave or vanish: no other call may be affected.

mod common;

use std::time::Duration;

use call::audio::Codec;
use call::{Admission, CallEngine, Closed, Probed};
use common::{BOUND, Caller, address, count, engine, header, settings, wait_for_calls, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// More answers of four kilobytes than the buffers of a connection hold.
const FLOOD: usize = 6000;

/// A connection whose far end reads next to nothing.
async fn unread(engine: &CallEngine) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(2048).expect("buffer");
    socket.connect(engine.sip_address()).await.expect("connect")
}

/// A request over TCP whose answer is long, because it repeats the name of the caller.
fn long(caller: &Caller, method: &str, branch: &str, headers: &str, body: &str) -> String {
    let name = "x".repeat(3800);
    caller
        .request(method, branch, headers, body)
        .replace("SIP/2.0/UDP", "SIP/2.0/TCP")
        .replace("From: ", &format!("From: \"{name}\" "))
}

/// A call over a connection that is not read any more once the call is confirmed.
async fn unread_call(engine: &CallEngine, test: u8) -> (Caller, TcpStream) {
    let mut a = Caller::new(engine, address(test, 2), &format!("unread-{test}")).await;
    let mut tcp = unread(engine).await;
    let offer = a.offer(Codec::Pcmu, "inactive");
    let invite = a.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer);
    tcp.write_all(invite.replace("SIP/2.0/UDP", "SIP/2.0/TCP").as_bytes()).await.expect("write");
    let mut answer = vec![0; 4096];
    let length = tcp.read(&mut answer).await.expect("answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    a.to_tag = format!(";tag={}", header(&answer, "To").split("tag=").nth(1).expect("tag"));
    let ack = a.request("ACK", "ack", "", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    tcp.write_all(ack.as_bytes()).await.expect("write");
    wait_until("confirmed", || engine.stats().carried == 1).await;
    a.sequence += 1;
    (a, tcp)
}

#[tokio::test(flavor = "multi_thread")]
async fn far_end_that_does_not_read_blocks_no_other_call() {
    let mut settings = settings(60);
    settings.tcp_idle = Duration::from_secs(1);
    let engine = engine(settings).await;
    let mut a = Caller::new(&engine, address(60, 2), "a").await;
    a.call(Codec::Pcmu).await;
    let hostile = Caller::new(&engine, address(60, 3), "hostile").await;
    let mut tcp = unread(&engine).await;
    let mut idle = TcpStream::connect(engine.sip_address()).await.expect("connect");
    for n in 0..FLOOD {
        // The node may end the connection meanwhile.
        if tcp.write_all(long(&hostile, "CANCEL", &n.to_string(), "", "").as_bytes()).await.is_err() {
            break;
        }
    }
    // The limit is below the time after which the system itself ends the connection.
    let answered = tokio::time::timeout(Duration::from_secs(4), async {
        assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
        a.bye().await;
    });
    answered.await.expect("the node waits for the far end that does not read");
    wait_for_calls(&engine, 0).await;
    let closed = tokio::time::timeout(BOUND, idle.read(&mut [0; 10])).await;
    assert_eq!(closed.expect("the reaper waits").expect("closed"), 0);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_over_tcp_without_its_invite_is_answered() {
    let engine = engine(settings(61)).await;
    let a = Caller::new(&engine, address(61, 2), "a").await;
    let mut tcp = TcpStream::connect(engine.sip_address()).await.expect("connect");
    tcp.write_all(long(&a, "CANCEL", "x", "", "").as_bytes()).await.expect("write");
    let mut answer = [0; 11];
    tcp.read_exact(&mut answer).await.expect("answer");
    assert_eq!(&answer, b"SIP/2.0 481");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_ends_with_its_bye_though_the_far_end_does_not_read() {
    let engine = engine(settings(62)).await;
    let (a, mut tcp) = unread_call(&engine, 62).await;
    let other = Caller::new(&engine, address(62, 3), "other").await;
    for n in 0..FLOOD {
        if tcp.write_all(long(&other, "OPTIONS", &n.to_string(), "", "").as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = tcp.write_all(long(&a, "BYE", "bye", "", "").as_bytes()).await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().ended_by_far_end, 1);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_whose_far_end_never_reads_the_answer_to_its_update_ends_with_its_session() {
    let engine = engine(settings(63)).await;
    let (mut a, mut tcp) = unread_call(&engine, 63).await;
    let flood = async {
        while count(&engine) == 1 {
            let timer = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n";
            let update = long(&a, "UPDATE", &a.sequence.to_string(), timer, "");
            a.sequence += 1;
            if tcp.write_all(update.as_bytes()).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let _ = tokio::time::timeout(BOUND, flood).await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_are_never_confirmed_do_not_keep_the_node_from_answering() {
    let engine = engine(settings(64)).await;
    engine.set_admission(Admission::Closed(Closed::maintenance_mode()));
    for n in 0..2200 {
        let a = Caller::new(&engine, address(64, 2), &format!("unconfirmed-{n}")).await;
        a.send(&a.request("INVITE", "x", "", "")).await;
        a.expect("SIP/2.0 503").await;
    }
    // Without a transaction the same request still gets the same answer.
    let a = Caller::new(&engine, address(64, 2), "stateless").await;
    let invite = a.request("INVITE", "x", "", "");
    a.send(&invite).await;
    let first = a.expect("SIP/2.0 503").await;
    assert!(header(&first, "To").contains(";tag="), "{first}");
    a.send(&invite).await;
    assert_eq!(header(&a.expect("SIP/2.0 503").await, "To"), header(&first, "To"));
    assert_eq!(engine.probe_call().await.expect("a call"), Probed::Carried);
    assert_eq!(engine.stats().dropped, 0);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_that_vanishes_on_hold_is_ended_by_the_session_timer() {
    let engine = engine(settings(65)).await;
    let mut a = Caller::new(&engine, address(65, 2), "on-hold").await;
    let timer = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n";
    a.invite(timer, Codec::Pcmu, "sendrecv").await;
    a.ack().await;
    let held = a.invite(timer, Codec::Pcmu, "inactive").await;
    assert_eq!(header(&held, "Session-Expires"), "2;refresher=uac");
    a.ack().await;
    assert_eq!(count(&engine), 1);
    let bye = a.expect("BYE ").await;
    assert_eq!(header(&bye, "Reason"), "SIP;cause=408;text=\"session timer lapsed\"");
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().ended_by_session_timer, 1);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_that_nobody_answers_ends_the_call() {
    // Once the session lapses before the stack gives the refresh up, once the other way round.
    for (test, t1_ms) in [(66, 500), (67, 5)] {
        let mut settings = settings(test);
        settings.session_interval = Duration::from_secs(2);
        settings.t1_ms = t1_ms;
        let engine = engine(settings).await;
        let mut a = Caller::new(&engine, address(test, 2), &format!("silent-{test}")).await;
        a.invite("", Codec::Pcmu, "inactive").await;
        a.ack().await;
        a.expect("INVITE ").await;
        a.expect("BYE ").await;
        wait_for_calls(&engine, 0).await;
        let stats = engine.stats();
        assert_eq!(stats.ended_by_session_timer + stats.ended_by_refusal, 1, "{stats:?}");
        assert_eq!(stats.ended_by_media_timeout, 0);
        engine.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_that_is_dropped_still_sends_bye_to_its_calls() {
    let engine = engine(settings(68)).await;
    let mut a = Caller::new(&engine, address(68, 2), "dropped").await;
    a.call(Codec::Pcmu).await;
    let mut calls = engine.calls();
    drop(engine);
    let bye = a.expect("BYE ").await;
    assert_eq!(header(&bye, "Reason"), "SIP;cause=503;text=\"shutting down\"");
    let gone = calls.wait_for(|calls| matches!(calls, call::Calls::Known { count: 0, .. }));
    assert!(tokio::time::timeout(BOUND, gone).await.expect("the call stays").is_ok());
}

/// The clock is moved on whenever everything waits.
#[tokio::test(start_paused = true)]
async fn connection_over_which_a_message_does_not_end_is_closed_after_the_limit() {
    let mut settings = settings(150);
    settings.tcp_idle = Duration::from_secs(3600);
    let engine = engine(settings).await;
    let a = Caller::new(&engine, address(150, 2), "endless").await;
    let mut tcp = TcpStream::connect(engine.sip_address()).await.expect("connect");
    // By the clock of this test the system would keep single bytes back for ever.
    tcp.set_nodelay(true).expect("a socket");
    let options = a.request("OPTIONS", "x", "", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    // When the first message is answered the beginning of the second one has been read.
    tcp.write_all(format!("{options}OPTIONS sip:meet").as_bytes()).await.expect("write");
    let mut answer = vec![0; 4096];
    let length = tcp.read(&mut answer).await.expect("answer");
    assert!(answer[..length].starts_with(b"SIP/2.0 200"));
    let mut closed = false;
    for _ in 0..4 {
        // What comes meanwhile gives it no more time.
        closed = closed || tcp.write_all(b"t").await.is_err();
        let read = tokio::time::timeout(Duration::from_secs(10), tcp.read(&mut [0; 10])).await;
        closed = closed || matches!(read, Ok(Ok(0) | Err(_)));
    }
    assert!(closed, "a message without an end holds its connection");
    engine.shut_down().await;
}
