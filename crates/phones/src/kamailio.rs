//! Kamailio as a proxy in front of nodes.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program::{Program, free_port};

/// Where Debian puts it; not every user has that folder in the search path.
const PROGRAM: &str = "/usr/sbin/kamailio";

/// A proxy.
pub struct Kamailio {
    /// Where it is reached, over UDP and TCP.
    pub address: SocketAddr,
    /// The proxy itself, which writes down each request within a call.
    pub program: Program,
    _folder: TempDir,
}

impl Kamailio {
    /// Starts a proxy that reaches these nodes over a transport, and waits until it listens. `values` is what its
    /// configuration file lets the command line set, as NAME=VALUE.
    pub async fn start(ip: IpAddr, nodes: &[SocketAddr], transport: &str, values: &[&str]) -> Kamailio {
        let folder = tempfile::Builder::new().prefix("kamailio-").tempdir().expect("a temporary folder");
        let address = SocketAddr::new(ip, free_port(ip));
        let list: String = nodes.iter().map(|node| format!("1 sip:{node};transport={transport}\n")).collect();
        let file = folder.path().join("nodes");
        std::fs::write(&file, list).expect("a writable folder");
        let mut command = Command::new(PROGRAM);
        command
            .arg("-f")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kamailio.cfg"))
            // In the foreground, in this process group, with its messages on standard error.
            .args(["-DD", "-E"])
            // Megabytes of memory, shared and for each process.
            .args(["-m", "32", "-M", "4"])
            .arg("-Y")
            .arg(folder.path())
            .arg("-w")
            .arg(folder.path())
            .args(["-l", &format!("udp:{address}"), "-l", &format!("tcp:{address}")])
            .args(["-A", &format!("NODES=\"{}\"", file.display())])
            .stdin(Stdio::null());
        for value in values {
            command.args(["-A", value]);
        }
        let mut program = Program::start(&mut command, &folder.path().join("log"));
        // It binds its UDP sockets before it listens for TCP.
        program.wait_until("its port", |_| std::net::TcpStream::connect(address).is_ok()).await;
        Kamailio { address, program, _folder: folder }
    }
}
