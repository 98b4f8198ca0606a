//! What sipsak, a tool that monitors SIP servers, reports about a node by its exit code.

mod common;

use std::net::SocketAddr;

use call::{Admission, Closed};
use common::{address, engine, settings};
use tokio::process::Command;

const TEST: u8 = 100;

/// The exit codes of OPTIONS over UDP and TCP.
async fn codes(user: &str, node: SocketAddr, arguments: &[&str]) -> [Option<i32>; 2] {
    let caller = address(TEST, 2);
    let run = async |transport: &str| {
        Command::new("sipsak")
            .args(["-s", &format!("sip:{user}{node}"), "-E", transport])
            .args([format!("--hostname={caller}"), format!("--local-ip={caller}")])
            .args(arguments)
            .kill_on_drop(true)
            .status()
            .await
            .expect("sipsak is installed")
            .code()
    };
    [run("udp").await, run("tcp").await]
}

#[tokio::test(flavor = "multi_thread")]
async fn sipsak_reports_whether_a_node_and_a_room_take_calls() {
    let engine = engine(settings(TEST)).await;
    let node = engine.sip_address();
    let both = |code: i32| [Some(code); 2];
    assert_eq!(codes("", node, &[]).await, both(0), "a node");
    assert_eq!(codes("meet@", node, &[]).await, both(0), "a room");
    assert_eq!(codes("nobody@", node, &[]).await, both(1), "a room that there is not");

    engine.set_admission(Admission::Closed(Closed::maintenance_mode()));
    assert_eq!(codes("", node, &[]).await, both(1), "a node in maintenance mode");
    assert_eq!(codes("meet@", node, &[]).await, both(1), "a room of a node in maintenance mode");
    // The exit code of a critical state of a service, for Nagios.
    assert_eq!(codes("", node, &["--nagios-code"]).await, both(2));

    engine.set_admission(Admission::Open);
    assert_eq!(codes("", node, &["--nagios-code"]).await, both(0), "a node after maintenance mode");
    engine.shut_down().await;
    assert_eq!(codes("", node, &[]).await, [Some(3), Some(2)], "no node");
}
