//! Calls of independent clients last through a run: baresip over UDP, TCP and TLS, Linphone and sipp, at the nodes and
//! through Kamailio.

use std::fs;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use demo::{AddressBlock, Built};
use phones::baresip::Baresip;
use phones::kamailio::Kamailio;
use phones::linphone::Linphone;
use phones::sipp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::fixture::{Fixture, LONG_LIMITS, ROOM, node, status_text, version};

const WAITING: &str = "Waiting for calls to clear";

/// How long the calls go on after their nodes have begun to drain.
const THROUGH_THE_DRAIN: Duration = Duration::from_secs(6);

/// How long sipp's call lasts: past the beginning of the drain on a busy machine, but less than the time after which a
/// node ends a call without media.
const SIPP_MILLISECONDS: &str = "40000";

/// How long a phone may hear nothing of another.
const LONGEST_GAP: Duration = Duration::from_secs(2);

/// The addresses of the clients; baresip has 127.0.0.1.
const SIPP: u8 = 203;
const LINPHONE: u8 = 204;
const SIPSAK: u8 = 205;
const PROXY: u8 = 206;

fn host(number: u8) -> IpAddr {
    AddressBlock::of_this_process().host(number)
}

/// The room at a node, or behind a proxy.
fn room(at: impl std::fmt::Display, transport: &str) -> String {
    format!("sip:{ROOM}@{at};transport={transport}")
}

#[test]
fn calls_of_all_clients_last_through_a_run() {
    let mut fixture = Fixture::new(2);
    let secure = listen_for_tls(&mut fixture);
    let fixture = fixture;
    let (first, second) = (fixture.platform.sip(1), fixture.platform.sip(2));
    let protection = Some(("srtp-mand", "srtp"));
    fixture.runtime.block_on(async {
        // Two in each conference, so that each hears one tone.
        let mut encrypted = Baresip::dial_with(400, &room(&secure, "tls"), protection);
        let mut datagrams = Baresip::dial(1000, &room(first, "udp"));
        let mut stream = Baresip::dial(1000, &room(second, "tcp"));
        let mut linphone = Linphone::dial(host(LINPHONE), 400, &room(second, "udp")).await;
        let sipp = long_call_of_sipp(&second.to_string());
        fixture.wait_for("the calls of all clients", |status| {
            let calls = |number: u8| node(status, number)["calls"].as_u64();
            calls(1) == Some(2) && calls(2) == Some(3)
        });
        assert_eq!(sipsak(&fixture, 1).await, Some(0), "it is in service");
        fixture.start(&LONG_LIMITS);
        fixture.wait_for("both nodes wait for their calls", |status| {
            (1..=2).all(|number| status_text(status, number) == WAITING)
        });
        assert_eq!(sipsak(&fixture, 1).await, Some(1), "it is in maintenance mode");
        tokio::time::sleep(THROUGH_THE_DRAIN).await;
        for (phone, other) in [(&mut encrypted, 1000), (&mut datagrams, 400), (&mut stream, 400)] {
            phone.hears(other).await;
            assert!(phone.longest_gap(other) < Some(LONGEST_GAP), "{:?}", phone.longest_gap(other));
        }
        linphone.hears(1000).await;
        assert!(linphone.longest_gap(1000) < Some(LONGEST_GAP), "{:?}", linphone.longest_gap(1000));
        for phone in [encrypted, datagrams, stream] {
            phone.hang_up().await;
        }
        linphone.hang_up().await;

        let status = fixture.wait_until_ended_with("complete");
        assert_eq!((version(&status, 1), version(&status, 2)), (Built::NEXT.version, Built::NEXT.version));
        sipp::check(&sipp.wait_with_output().await.expect("sipp was started"), "its call was not ended");
        let mut encrypted = Baresip::dial_with(400, &room(&secure, "tls"), protection);
        encrypted.established().await;
        encrypted.hang_up().await;
    });
}

/// A run that has one node out of service at a time, behind a proxy that goes on to the next node when one refuses a
/// call: whoever calls through it notices nothing.
#[test]
fn every_call_through_a_proxy_is_carried_during_a_run() {
    let fixture = Fixture::new(2);
    let nodes = [fixture.platform.sip(1), fixture.platform.sip(2)];
    fixture.runtime.block_on(async {
        let proxy = Kamailio::start(host(PROXY), &nodes, "udp", &[]).await;
        let mut phone = Baresip::dial(400, &room(proxy.address, "tcp"));
        phone.established().await;
        let has_call = |status: &Value, number: u8| node(status, number)["calls"].as_u64() == Some(1);
        let status = fixture.wait_for("the call of the phone", |status| (1..=2).any(|n| has_call(status, n)));
        let draining = (1..=2).find(|number| has_call(&status, *number)).expect("one has it");
        let callers = calls_of_sipp(&proxy.address.to_string());
        fixture.start(&[&LONG_LIMITS[..], &["--nodes-at-once", "1"]].concat());
        fixture.wait_for_status(draining, WAITING);
        tokio::time::sleep(THROUGH_THE_DRAIN).await;
        phone.hang_up().await;
        let status = fixture.wait_until_ended_with("complete");
        assert_eq!((version(&status, 1), version(&status, 2)), (Built::NEXT.version, Built::NEXT.version));
        let pid = callers.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("sipp runs");
        kill_process(pid, Signal::USR1).expect("sipp ends when its calls have");
        let output = callers.wait_with_output().await.expect("sipp was started");
        sipp::check(&output, &proxy.program.written());
    });
}

/// Has the first node listen for SIP over TLS as well; returns where.
fn listen_for_tls(fixture: &mut Fixture) -> String {
    let address = format!("{}:5061", fixture.platform.sip(1).ip());
    let machine = &mut fixture.platform.nodes[0];
    let issued =
        rcgen::generate_simple_self_signed(vec!["node1.example.com".to_owned()]).expect("a certificate");
    let (certificate, key) = (machine.root.join("sip.pem"), machine.root.join("sip.key"));
    fs::write(&certificate, issued.cert.pem()).expect("a writable folder");
    fs::write(&key, issued.signing_key.serialize_pem()).expect("a writable folder");
    let file = machine.root.join("machine.toml");
    let settings = fs::read_to_string(&file).expect("settings");
    let table = format!(
        "[node.sip_tls]\naddress = \"{address}\"\ncertificate = \"{}\"\nkey = \"{}\"\n",
        certificate.display(),
        key.display()
    );
    machine.stop();
    fs::write(&file, format!("{settings}\n{table}")).expect("a writable folder");
    machine.power_on().unwrap_or_else(|error| panic!("{error}"));
    fixture.wait_until_calls_are_accepted(1);
    address
}

/// A call of sipp's built-in caller, which hangs up by itself.
fn long_call_of_sipp(target: &str) -> Child {
    sipp(&["-sn", "uac", "-m", "1", "-l", "1", "-d", SIPP_MILLISECONDS], target)
}

/// Short calls of a caller that keeps to the routes of its dialogs, until it is asked to end.
fn calls_of_sipp(target: &str) -> Child {
    sipp(&["-sf", "call.xml", "-r", "2", "-d", "300"], target)
}

fn sipp(arguments: &[&str], target: &str) -> Child {
    let arguments = [&["-s", ROOM], arguments, &[target]].concat();
    let mut sipp = sipp::command(host(SIPP), 5080, &arguments);
    sipp.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("sipp is installed")
}

/// What sipsak's exit code says of a node.
async fn sipsak(fixture: &Fixture, number: u8) -> Option<i32> {
    let caller = host(SIPSAK);
    let asked = Command::new("sipsak")
        .args(["-s", &format!("sip:{ROOM}@{}", fixture.platform.sip(number))])
        .args([format!("--hostname={caller}"), format!("--local-ip={caller}")])
        .stdout(Stdio::null())
        .status();
    asked.await.expect("sipsak is installed").code()
}
