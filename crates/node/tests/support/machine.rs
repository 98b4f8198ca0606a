//! A machine with a node: its root directory and its processes. The test takes the part of boot.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use fleet::version::{Build, Release, Version};
use package::{Installed, Role, unpack_release};
use slots::{Machine, Slot, SlotIdentity, Staging};
use tempfile::TempDir;

use super::package::{Publisher, Served};
use super::{Manager, until};

/// A machine.
pub struct TestMachine {
    pub root: TempDir,
    pub machine: Machine,
    pub web: SocketAddr,
    pub sip: SocketAddr,
    /// Who signed what is installed; the machine trusts its key.
    installed_by: Publisher,
    boot: UnixDatagram,
    boot_name: String,
}

/// A running node; killed when the test ends before it.
pub struct Node(Child);

/// The name of the key that signed what a machine was installed with, in its `trust/`.
pub const INSTALLED_KEY: &str = "trust/installed.pub";

/// Bytes of the program in a slot. It stands for the program under test, which the tests start.
const PROGRAM: usize = 1000;

/// Puts a signed release into a slot, and says its manifest.
fn fill(staging: Staging, served: &Served) -> String {
    let payload = served.dir.join("payload");
    unpack_release(&payload, &served.verified, Role::Node, &staging.dir()).unwrap();
    let Installed { manifest, version, build, program } = served.verified.installed(Role::Node);
    staging.finish(&SlotIdentity::new(manifest.clone(), version, build, program)).unwrap();
    manifest
}

impl TestMachine {
    /// A machine whose slot a holds the release under test, confirmed.
    pub fn installed() -> Self {
        let machine = Self::bare(30);
        fill(machine.machine.install_first().unwrap(), &machine.published(Release::PRESENT));
        machine
    }

    /// A machine whose slot b holds the release under test, being tried.
    pub fn trying(confirm_within_seconds: u64) -> Self {
        let machine = Self::bare(confirm_within_seconds);
        let older = Release { version: Version::new(33, 0), build: Build(33_000) };
        fill(machine.machine.install_first().unwrap(), &machine.published(older));
        let staging = machine.machine.begin_staging(Slot::A).unwrap();
        let manifest = fill(staging, &machine.published(Release::PRESENT));
        machine.machine.select(&manifest).unwrap();
        machine
    }

    /// A release that this machine trusts, signed as a real one is.
    fn published(&self, release: Release) -> Served {
        self.installed_by.publish(release, Version::new(32, 0), PROGRAM)
    }

    fn bare(confirm_within_seconds: u64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let host = own_address();
        let (sip, web) = (SocketAddr::new(host, 5060), SocketAddr::new(host, 8080));
        let settings = format!(
            "[boot]\nconfirm_within_seconds = {confirm_within_seconds}\n[node]\nsip = \"{sip}\"\n\
             media = \"{host}\"\nmedia_ports = [40000, 40999]\nweb = \"{web}\"\n"
        );
        fs::write(root.path().join("machine.toml"), settings).unwrap();
        let boot_name = format!("pitlane-test-{}", root.path().display());
        let boot = UnixDatagram::bind_addr(&UnixAddress::from_abstract_name(&boot_name).unwrap()).unwrap();
        boot.set_nonblocking(true).unwrap();
        let installed_by = Publisher::new();
        installed_by.install_key_as(root.path(), INSTALLED_KEY);
        Self { machine: Machine::open(root.path()), root, web, sip, installed_by, boot, boot_name }
    }

    /// Changes a setting, as an operator does while no node runs.
    pub fn set(&self, was: &str, is: &str) {
        let path = self.path().join("machine.toml");
        let settings = fs::read_to_string(&path).unwrap();
        assert!(settings.contains(was), "{settings}");
        fs::write(path, settings.replace(was, is)).unwrap();
    }

    /// Gives the node few media ports.
    pub fn with_few_ports(self) -> Self {
        self.set("[40000, 40999]", "[40000, 40007]");
        self
    }

    /// Takes the few media ports away, as another program would.
    pub fn take_ports(&self) -> Vec<std::net::UdpSocket> {
        let ports = (40_000..40_008_u16).step_by(2);
        ports.filter_map(|port| std::net::UdpSocket::bind((self.sip.ip(), port)).ok()).collect()
    }

    /// Starts the node as boot does, with its log in a file.
    pub fn start_logged(&self, slot: Slot) -> Node {
        let log = fs::File::create(self.log()).unwrap();
        let mut command = self.command(slot);
        Node(command.stderr(log).spawn().unwrap())
    }

    fn log(&self) -> std::path::PathBuf {
        self.path().join("node.log")
    }

    /// The lines of the log that hold a text.
    pub fn logged(&self, text: &str) -> Vec<String> {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains(text)).map(str::to_string).collect()
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Runs `pitlane-node enrol` to its end.
    pub async fn enrol(&self, manager: &Manager) -> Output {
        let file = self.path().join("enrolment.toml");
        fs::write(&file, manager.enrolment_file().to_text()).unwrap();
        let root = self.path().to_path_buf();
        let run = move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane-node"));
            command.arg("enrol").arg("--root").arg(root).arg("--file").arg(file).output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Starts the node as boot does.
    pub fn start(&self, slot: Slot) -> Node {
        Node(self.command(slot).spawn().unwrap())
    }

    fn command(&self, slot: Slot) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane-node"));
        command.arg("--root").arg(self.path());
        command.env("PITLANE_SLOT", slot.name()).env("PITLANE_BOOT", std::process::id().to_string());
        command.env("NOTIFY_SOCKET", format!("@{}", self.boot_name)).stdin(Stdio::null());
        command
    }

    /// What the node has reported to boot since the last look.
    pub fn told_boot(&self) -> Vec<String> {
        let mut buffer = [0; 512];
        let receive = || self.boot.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec());
        std::iter::from_fn(receive).map(|text| String::from_utf8(text).unwrap()).collect()
    }

    /// The answer of the node's web listener: status and body.
    pub async fn web_status(&self) -> Option<(u16, String)> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.web).await.ok()?;
        let request = "GET /api/client/v2/status HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split("\r\n\r\n").nth(1)?.to_string()))
    }

    /// Waits until the web listener answers with this status.
    pub async fn until_web_says(&self, status: u16) {
        let began = std::time::Instant::now();
        while self.web_status().await.is_none_or(|(says, _)| says != status) {
            assert!(began.elapsed() < super::PATIENCE, "the web listener never said {status}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Node {
    /// Waits for the end of the process.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the node ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Ends it without a warning, as a power cut does.
    pub async fn kill(mut self) {
        self.0.kill().unwrap();
        self.ended().await;
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that nothing else uses. Ports that the system gives to outgoing connections would not do:
/// one of those could hold them when the node starts again.
fn own_address() -> IpAddr {
    static TAKEN: AtomicU8 = AtomicU8::new(1);
    let [low, high, ..] = std::process::id().to_le_bytes();
    let host = TAKEN.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, 224 | (high & 0x1f), low, host).into()
}
