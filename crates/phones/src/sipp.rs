//! sipp, which plays one scenario for each of its calls and fails when a message is another than the scenario says.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::program::free_port;

/// Runs it against an address. It may report failures.
pub async fn run(target: SocketAddr, caller: IpAddr, arguments: &[&str]) -> Output {
    let target = target.to_string();
    let arguments = [&[target.as_str()], arguments].concat();
    command(caller, free_port(caller), &arguments).output().await.expect("sipp is installed")
}

/// The command that starts it at an address of its own, in the folder with the scenarios. It ends when it is dropped.
#[must_use]
pub fn command(ip: IpAddr, port: u16, arguments: &[&str]) -> Command {
    let (ip, port) = (ip.to_string(), port.to_string());
    let mut sipp = Command::new("sipp");
    sipp.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp"))
        .args(arguments)
        .args(["-i", &ip, "-p", &port, "-mi", &ip, "-nostdin"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    sipp
}

/// Fails when it did, and shows what else is known.
pub fn check(output: &Output, known: &str) {
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(60)..].join("\n");
    assert!(output.status.success(), "sipp: {tail}\n{known}");
}
