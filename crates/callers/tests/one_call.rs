//! One caller against sipp, an independent SIP implementation: what it receives, how it is refused, and every way in
//! which the far end can end or lose the call.

#[path = "support/own_address.rs"]
mod own_address;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use callers::time::Millis;
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, Cause, Codec, DialError, LiveCall, Target, Transport};
use own_address::own_address;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far longer than any wait takes on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A sipp that answers calls; killed at the end of the test.
struct Sipp {
    child: Child,
    address: SocketAddr,
    transport: Transport,
}

impl Sipp {
    fn start(scenario: &[&str], transport: Transport) -> Sipp {
        let address = own_address();
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mode = match transport {
            Transport::Udp => "u1",
            Transport::Tcp => "t1",
        };
        let child = Command::new("sipp")
            .args(scenario)
            .args(["-t", mode, "-i", &ip, "-p", &port, "-mi", &ip, "-rtp_echo", "-nostdin"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed (Debian package sip-tester)");
        Sipp { child, address, transport }
    }

    fn scenario(file: &str, transport: Transport) -> Sipp {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        Sipp::start(&["-sf", path.to_str().unwrap()], transport)
    }

    fn settings(&self, n: usize) -> CallSettings {
        let target = Target { alias: "lobby".to_owned(), node: self.address, transport: self.transport };
        let id = CallId(format!("one-call-{n}-{}", self.address.ip()));
        CallSettings {
            request_within: Millis(1000),
            answer_within: Millis(1000),
            ..CallSettings::new(id, target, Tone::nth(n))
        }
    }

    /// Dials until sipp answers.
    async fn dial(
        &self,
        agent: &Agent,
        change: impl Fn(CallSettings) -> CallSettings,
    ) -> Result<LiveCall, DialError> {
        for n in 0..15 {
            match agent.dial(change(self.settings(n))).await {
                Err(DialError::NoAnswer(_)) => {}
                Err(DialError::Unreachable(_)) => tokio::time::sleep(Duration::from_millis(200)).await,
                outcome => return outcome,
            }
        }
        panic!("sipp did not start");
    }

    fn kill(&mut self) {
        self.child.kill().expect("sipp runs");
        self.child.wait().expect("sipp was started here");
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, wait).await.unwrap_or_else(|_| panic!("timed out waiting for: {what}"));
}

async fn echo_is_detected(transport: Transport, codec: Codec) {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let sipp = match codec {
        Codec::Pcmu => Sipp::start(&["-sn", "uas"], transport),
        Codec::Pcma => Sipp::scenario("uas_pcma.xml", transport),
    };
    let call = sipp.dial(&agent, |settings| CallSettings { codec, ..settings }).await.unwrap();
    until("the own tone is received", || call.sound().own_tone >= 3).await;
    assert!(call.sound().strangers.is_empty());
    assert_eq!(call.hang_up().await.cause, Cause::HungUp);
    assert_eq!(call.sound().unusable, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_tone_is_detected_over_udp() {
    echo_is_detected(Transport::Udp, Codec::Pcmu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_tone_is_detected_over_tcp() {
    echo_is_detected(Transport::Tcp, Codec::Pcmu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_tone_is_detected_in_a_law() {
    echo_is_detected(Transport::Udp, Codec::Pcma).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expected_tone_that_is_never_received_is_a_failure() {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let sipp = Sipp::start(&["-sn", "uas"], Transport::Udp);
    let call = sipp.dial(&agent, |settings| settings).await.unwrap();
    let other = Tone::nth(20);
    call.expect(other, call.answered_at());
    until("the tone is missing", || call.judge().iter().any(|missing| missing.tone == other)).await;
    call.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn far_end_that_crashes_is_detected_by_its_silence() {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let mut sipp = Sipp::start(&["-sn", "uas"], Transport::Udp);
    let call = sipp.dial(&agent, |settings| CallSettings { silence: Millis(500), ..settings }).await.unwrap();
    until("audio arrives", || call.sound().packets > 10).await;
    sipp.kill();
    let ended = tokio::time::timeout(TIMEOUT, call.ended()).await.unwrap();
    assert!(matches!(ended.cause, Cause::Silence { .. }), "{ended:?}");
    assert!(ended.cause.is_loss());
}

#[tokio::test(flavor = "multi_thread")]
async fn call_is_lost_if_the_far_end_does_not_answer_a_bye() {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let mut sipp = Sipp::start(&["-sn", "uas"], Transport::Udp);
    let call = sipp.dial(&agent, |settings| settings).await.unwrap();
    sipp.kill();
    let ended = call.hang_up().await;
    assert_eq!(ended.cause, Cause::ByeFailed { status: None });
    assert!(ended.cause.is_loss());
}

#[tokio::test(flavor = "multi_thread")]
async fn call_is_lost_if_the_far_end_does_not_answer_a_refresh() {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let mut sipp = Sipp::start(&["-sn", "uas"], Transport::Udp);
    let call = sipp.dial(&agent, |settings| settings).await.unwrap();
    sipp.kill();
    assert!(call.refresh().await.is_err());
    assert_eq!(call.ended().await.cause, Cause::RefreshFailed { status: None });
}

async fn far_end_sends_options_reinvite_and_bye(transport: Transport) {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let sipp = Sipp::scenario("uas_options_reinvite_bye.xml", transport);
    let call = sipp.dial(&agent, |settings| settings).await.unwrap();
    let ended = tokio::time::timeout(TIMEOUT, call.ended()).await.unwrap();
    let reason = Some("Q.850;cause=41;text=\"temporary failure\"".to_owned());
    assert_eq!(ended.cause, Cause::FarEndBye { reason });
    assert!(ended.cause.is_loss());
}

#[tokio::test(flavor = "multi_thread")]
async fn bye_of_the_far_end_is_a_loss_with_its_reason_over_udp() {
    far_end_sends_options_reinvite_and_bye(Transport::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bye_of_the_far_end_is_a_loss_with_its_reason_over_tcp() {
    far_end_sends_options_reinvite_and_bye(Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_in_maintenance_mode_has_its_reason_and_retry_after() {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let sipp = Sipp::scenario("uas_503.xml", Transport::Udp);
    let Err(DialError::Refused { status, reason, retry_after, .. }) = sipp.dial(&agent, |s| s).await else {
        panic!("the call was not refused");
    };
    assert_eq!((status, retry_after), (503, Some(120)));
    assert_eq!(reason.as_deref(), Some("SIP;cause=503;text=\"maintenance mode\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn address_without_a_node_gives_no_answer() {
    let agent = Agent::open(LOOPBACK).await.unwrap();
    let node = own_address();
    for (n, transport) in [Transport::Udp, Transport::Tcp].into_iter().enumerate() {
        let target = Target { alias: "lobby".to_owned(), node, transport };
        let settings = CallSettings::new(CallId(format!("nobody-{n}")), target, Tone::nth(0));
        let outcome = agent.dial(CallSettings { answer_within: Millis(800), ..settings }).await;
        assert!(matches!(outcome, Err(DialError::NoAnswer(_))), "{transport:?}");
    }
}
