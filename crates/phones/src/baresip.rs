//! Phones of baresip that send a tone, record what they receive, and are operated over its control port.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Program, free_port};
use crate::{BOUND, Codec, tone, wait_until};

/// baresip binds its sound to no address, so the kernel sends it from this one; a node accepts it from where the
/// session description says (decision 31).
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How much of a tone is heard at least, in windows of 100 ms.
const HEARD: usize = 10;

/// A phone of baresip.
pub struct Baresip {
    program: Program,
    sip: SocketAddr,
    control: SocketAddr,
    folder: TempDir,
    codec: Codec,
}

impl Baresip {
    /// Calls a URI over the transport that it names.
    pub fn dial(hertz: u32, uri: &str) -> Baresip {
        Baresip::dial_with(hertz, uri, None)
    }

    /// As [`Baresip::dial`], with this codec.
    pub fn dial_in(codec: Codec, hertz: u32, uri: &str) -> Baresip {
        let account = |sip| format!("<sip:tone{hertz}@{sip}>;regint=0");
        Baresip::start(HOST, hertz, codec, None, account, &["-e", &format!("/dial {uri}")])
    }

    /// As [`Baresip::dial`], from this address of the loopback interface, of either family.
    pub fn dial_from(ip: IpAddr, hertz: u32, uri: &str) -> Baresip {
        let account = |sip| format!("<sip:tone{hertz}@{sip}>;regint=0");
        Baresip::start(ip, hertz, Codec::G711, None, account, &["-e", &format!("/dial {uri}")])
    }

    /// Calls a URI with a protection of its sound: a value of `mediaenc` and the module that has it.
    pub fn dial_with(hertz: u32, uri: &str, protection: Option<(&str, &str)>) -> Baresip {
        let encryption = protection.map_or_else(String::new, |(value, _)| format!(";mediaenc={value}"));
        Baresip::start(
            HOST,
            hertz,
            Codec::G711,
            protection.map(|(_, module)| module),
            |sip| format!("<sip:tone{hertz}@{sip}>;regint=0{encryption}"),
            &["-e", &format!("/dial {uri}")],
        )
    }

    /// Starts a phone without an account that answers calls by itself. It is reached at its address.
    pub fn answering(hertz: u32) -> Baresip {
        let account = |sip| format!("<sip:tone{hertz}@{sip}>;regint=0;answermode=auto");
        Baresip::start(HOST, hertz, Codec::G711, None, account, &[])
    }

    /// Starts a phone without an account that rings until its user answers, which nobody does.
    pub fn ringing(hertz: u32) -> Baresip {
        Baresip::start(HOST, hertz, Codec::G711, None, |sip| format!("<sip:tone{hertz}@{sip}>;regint=0"), &[])
    }

    /// Starts a phone that registers at a node, with the transport as a parameter, and answers calls by itself.
    pub fn registered(hertz: u32, node: &str, user: &str, password: &str) -> Baresip {
        let account =
            format!("<sip:{user}@{node}>;auth_user={user};auth_pass={password};regint=60;answermode=auto");
        Baresip::start(HOST, hertz, Codec::G711, None, |_| account, &[])
    }

    fn start(
        ip: IpAddr,
        hertz: u32,
        codec: Codec,
        module: Option<&str>,
        account: impl FnOnce(SocketAddr) -> String,
        arguments: &[&str],
    ) -> Baresip {
        let module = module.map_or_else(String::new, |module| format!("module {module}.so\n"));
        let (codecs, name) = match codec {
            Codec::G711 => ("g711", "PCMA"),
            Codec::G722 => ("g722", "G722/16000"),
            Codec::Opus => ("opus", "opus/48000/2"),
        };
        let folder = tempfile::Builder::new().prefix("baresip-").tempdir().expect("a temporary folder");
        let (sip, control) = (SocketAddr::new(ip, free_port(ip)), SocketAddr::new(ip, free_port(ip)));
        let path = folder.path().display();
        let config = format!(
            "sip_listen {sip}\nnet_interface {ip}\nctrl_tcp_listen {control}\n\
             audio_source ausine,{hertz}\naudio_player aufile,{path}/played.wav\n\
             audio_alert aufile,{path}/alert.wav\n\
             ausrc_srate 48000\nauplay_srate 48000\nausrc_channels 2\nauplay_channels 2\n\
             snd_path {path}\nmodule_path /usr/lib/baresip/modules\n\
             module {codecs}.so\nmodule aufile.so\nmodule ausine.so\nmodule sndfile.so\n\
             {module}module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
        );
        let account = account(sip) + &format!(";audio_codecs={name}\n");
        for (name, text) in [("config", config), ("accounts", account), ("contacts", String::new())] {
            fs::write(folder.path().join(name), text).expect("a file of the phone");
        }
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).args(arguments).stdin(Stdio::null());
        let program = Program::start(&mut command, &folder.path().join("log"));
        Baresip { program, sip, control, folder, codec }
    }

    /// Where it is called.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Waits until it can be called.
    pub async fn is_ready(&mut self) {
        self.program.wait_for("baresip is ready", 1).await;
    }

    /// Waits until it rings.
    pub async fn rings(&mut self) {
        self.program.wait_for("Incoming call from", 1).await;
    }

    /// Waits until it is registered.
    pub async fn is_registered(&mut self) {
        self.program.wait_for("200 OK", 1).await;
    }

    /// Calls a URI.
    pub async fn call(&mut self, uri: &str) {
        self.command("dial", uri, "CALL_ESTABLISHED").await;
    }

    /// Waits until its call is answered.
    pub async fn established(&mut self) {
        self.program.wait_for("Call established", 1).await;
    }

    /// Waits until the phone has received a tone for a second from now on.
    pub async fn hears(&mut self, hertz: u32) {
        let rate = self.codec.rate();
        let heard = |folder: &TempDir| -> usize {
            received(folder).iter().map(|file| tone::windows(file, rate, hertz)).sum()
        };
        let before = heard(&self.folder);
        let what = format!("{hertz} Hz");
        self.program.wait_until(&what, |_| heard(&self.folder) >= before + HEARD).await;
    }

    /// The longest time for which it has not heard a tone since it has heard that first; `None` if it never has.
    #[must_use]
    pub fn longest_gap(&self, hertz: u32) -> Option<Duration> {
        let gap = |file: &PathBuf| tone::longest_gap(file, self.codec.rate(), hertz);
        received(&self.folder).iter().filter_map(gap).max()
    }

    /// Waits until the node has refreshed the session twice.
    pub async fn is_refreshed(&mut self) {
        // The first time is that of the call itself.
        self.program.wait_for("stream: update 'audio'", 3).await;
    }

    /// Puts its call on hold.
    pub async fn hold(&mut self) {
        self.change("hold").await;
    }

    /// Takes its call off hold.
    pub async fn resume(&mut self) {
        self.change("resume").await;
    }

    /// A change of the session by a re-INVITE: it is over when the phone reports the answer.
    async fn change(&mut self, command: &str) {
        self.command(command, "", "CALL_REMOTE_SDP").await;
        assert!(!self.is_over(), "{}", self.program.written());
    }

    /// Gives it a command, and waits for an event.
    async fn command(&mut self, command: &str, parameters: &str, event: &'static str) {
        let control = self.control;
        let message = format!("{{\"command\":\"{command}\",\"params\":\"{parameters}\"}}");
        let netstring = format!("{}:{message},", message.len());
        let changed = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(control).expect("the phone has a control port");
            stream.set_read_timeout(Some(BOUND)).expect("a timeout");
            stream.write_all(netstring.as_bytes()).expect("the phone reads commands");
            let (mut events, mut buffer) = (String::new(), [0; 4096]);
            let until = Instant::now() + BOUND;
            while !events.contains(event) {
                assert!(Instant::now() < until, "no {event}: {events}");
                let length = stream.read(&mut buffer).unwrap_or_else(|error| panic!("{error}: {events}"));
                assert!(length > 0, "the phone closed its control port: {events}");
                events.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        changed.await.expect("the phone carries out the command");
    }

    /// Whether its call has ended, by whichever side.
    pub fn is_over(&self) -> bool {
        self.program.written().contains("session closed") || self.program.written().contains("terminated (")
    }

    /// Waits until the node has ended the call.
    pub async fn wait_for_hang_up(self) {
        wait_until("the phone's call ends", || self.is_over()).await;
    }

    /// Hangs up and ends.
    pub async fn hang_up(self) {
        assert!(!self.is_over(), "the call has ended already: {}", self.program.written());
        self.program.stop().await;
    }
}

/// The files with what a phone has received and decoded.
fn received(folder: &TempDir) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.path()).expect("the phone's folder").flatten().map(|file| file.path());
    files.filter(|file| file.to_string_lossy().ends_with("-dec.wav")).collect()
}
