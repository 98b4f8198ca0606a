//! Phones of Linphone without a sound card: they play a file and record what they receive. They are operated by lines
//! on their standard input.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Program, free_port};
use crate::{BOUND, Codec, tone};

/// How often it is asked whether it is registered.
const PAUSE: Duration = Duration::from_millis(100);

/// Lines of the section `sip` for a phone without an account.
const NO_ACCOUNT: &str = "auto_net_state_mon=0\n";

/// A phone of Linphone.
pub struct Linphone {
    program: Program,
    sip: SocketAddr,
    folder: TempDir,
    codec: Codec,
}

impl Linphone {
    /// Starts a phone without an account.
    pub async fn start(ip: IpAddr, hertz: u32) -> Linphone {
        Linphone::start_with(ip, hertz, Codec::G711, NO_ACCOUNT, &[]).await
    }

    /// Starts a phone that registers at a node over a transport, and waits until it is registered.
    pub async fn registered(ip: IpAddr, hertz: u32, node: &str, user: &str, password: &str) -> Linphone {
        let host = node.split(':').next().expect("a host");
        let account = format!(
            "auto_net_state_mon=1\ndefault_proxy=0\n\n[proxy_0]\nreg_proxy=<sip:{node}>\n\
             reg_identity=<sip:{user}@{host}>\n\
             reg_expires=60\nreg_sendregister=1\npublish=0\n\n\
             [auth_info_0]\nusername={user}\npasswd={password}\nrealm=pitlane\ndomain={host}\n\n"
        );
        let mut phone = Linphone::start_with(ip, hertz, Codec::G711, &account, &[]).await;
        let until = Instant::now() + BOUND;
        for asked in 1.. {
            phone.command("status register");
            phone.program.wait_for("registered", asked).await;
            if phone.program.count("registered, identity=") > 0 {
                break;
            }
            assert!(Instant::now() < until, "it is not registered: {}", phone.program.written());
            tokio::time::sleep(PAUSE).await;
        }
        phone
    }

    /// Starts a phone with more lines of the section `sip` of its configuration, and what may follow it, and with more
    /// files in its home.
    async fn start_with(
        ip: IpAddr,
        hertz: u32,
        codec: Codec,
        more: &str,
        files: &[(&str, String)],
    ) -> Linphone {
        let folder = tempfile::Builder::new().prefix("linphone-").tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        // Its core does not start without its database, and it makes no folder for that.
        fs::create_dir_all(path(".local/share/linphone")).expect("a folder");
        fs::create_dir_all(path(".config/linphone")).expect("a folder");
        for (name, text) in files {
            fs::create_dir_all(path(name).parent().expect("a folder")).expect("a folder");
            fs::write(path(name), text).expect("a file of the phone");
        }
        let (port, tls, media) = (free_port(ip), free_port(ip), free_port(ip));
        let config = format!(
            "[sip]\nsip_port={port}\nsip_tcp_port={port}\nsip_tls_port={tls}\ncontact=sip:linphone@{ip}\n\
             bind_address={ip}\nguess_hostname=0\nuse_ipv6=0\nipv6_migration_done=1\n{more}\n\
             [rtp]\naudio_rtp_port={media}\nbind_address={ip}\n\n{}",
            codecs(codec),
        );
        fs::write(path("config"), config).expect("a file of the phone");
        tone::write(&path("sent.wav"), hertz, 60);
        let mut command = Command::new("linphonec");
        // It answers by itself.
        command.env("HOME", folder.path()).args(["-a", "-c"]).arg(path("config")).stdin(Stdio::piped());
        let program = Program::start(&mut command, &path("log"));
        let sip = SocketAddr::new(ip, port);
        let mut phone = Linphone { program, sip, folder, codec };
        phone.program.wait_for("linphonec>", 1).await;
        let (sent, received) = (phone.folder.path().join("sent.wav"), phone.received());
        phone.command("soundcard use files");
        phone.command(&format!("play {}", sent.display()));
        phone.command(&format!("record {}", received.display()));
        phone
    }

    /// Starts a phone without an account that calls a URI.
    pub async fn dial(ip: IpAddr, hertz: u32, uri: &str) -> Linphone {
        let mut phone = Linphone::start(ip, hertz).await;
        phone.call(uri).await;
        phone
    }

    /// As [`Linphone::dial`], with this codec.
    pub async fn dial_in(codec: Codec, ip: IpAddr, hertz: u32, uri: &str) -> Linphone {
        let mut phone = Linphone::start_with(ip, hertz, codec, NO_ACCOUNT, &[]).await;
        phone.call(uri).await;
        phone
    }

    /// As [`Linphone::dial`], with more lines of the section `sip` of its configuration, and more files in its home.
    pub async fn dial_with(
        ip: IpAddr,
        hertz: u32,
        uri: &str,
        sip: &str,
        files: &[(&str, String)],
    ) -> Linphone {
        let more = format!("{NO_ACCOUNT}{sip}");
        let mut phone = Linphone::start_with(ip, hertz, Codec::G711, &more, files).await;
        phone.call(uri).await;
        phone
    }

    /// Calls a URI, and waits until sound flows.
    pub async fn call(&mut self, uri: &str) {
        self.command(&format!("call {uri}"));
        self.established().await;
    }

    /// Waits until the sound of its first call flows.
    pub async fn established(&mut self) {
        self.program.wait_for("Media streams established", 1).await;
    }

    /// Where it is called, over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    fn received(&self) -> std::path::PathBuf {
        self.folder.path().join("received.wav")
    }

    fn command(&mut self, line: &str) {
        writeln!(self.program.input(), "{line}").expect("the phone runs");
    }

    /// Waits until the phone has received a tone for a second from now on.
    pub async fn hears(&mut self, hertz: u32) {
        let (file, rate) = (self.received(), self.codec.rate());
        let before = tone::windows(&file, rate, hertz);
        let what = format!("{hertz} Hz");
        self.program.wait_until(&what, |_| tone::windows(&file, rate, hertz) >= before + 10).await;
    }

    /// The longest time for which it has not heard a tone since it has heard that first; `None` if it never has.
    #[must_use]
    pub fn longest_gap(&self, hertz: u32) -> Option<Duration> {
        tone::longest_gap(&self.received(), self.codec.rate(), hertz)
    }

    /// Puts its call on hold.
    pub async fn hold(&mut self) {
        self.command("pause");
        self.program.wait_for("is now paused", 1).await;
    }

    /// Takes its call off hold.
    pub async fn resume(&mut self) {
        self.command("resume");
        self.program.wait_for("Media streams established", 2).await;
    }

    /// Waits until the node has refreshed the session twice.
    pub async fn is_refreshed(&mut self) {
        // The first time is that of the call itself.
        self.program.wait_for("Media streams established", 3).await;
    }

    /// Waits until the node has ended the call.
    pub async fn wait_for_hang_up(mut self) {
        self.program.wait_for("ended (No error)", 1).await;
    }

    /// Hangs up, and waits until its call is over.
    pub async fn hang_up(mut self) {
        self.command("terminate");
        self.program.wait_for("ended (No error)", 1).await;
    }
}

/// Sections of its configuration that leave no other codec of those that a node has.
fn codecs(codec: Codec) -> String {
    let all = [
        (Codec::Opus, "opus", 48_000, 2),
        (Codec::G722, "G722", 8000, 1),
        (Codec::G711, "PCMU", 8000, 1),
        (Codec::G711, "PCMA", 8000, 1),
    ];
    let section = |(n, (of, name, rate, channels)): (usize, (Codec, &str, u32, u8))| {
        let enabled = u8::from(of == codec);
        format!("[audio_codec_{n}]\nmime={name}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n\n")
    };
    all.into_iter().enumerate().map(section).collect()
}
