//! Phones of Linphone that play a tone, record what they receive, and are operated by lines on their standard input.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::program::{Program, free_port};
use super::tone;

/// A phone of Linphone without a sound card: it plays a file and records what it receives. It is operated by lines on
/// its standard input.
pub struct Linphone {
    program: Program,
    folder: TempDir,
}

impl Linphone {
    pub async fn dial(ip: IpAddr, hertz: u32, uri: &str) -> Linphone {
        Linphone::dial_with(ip, hertz, uri, "", &[]).await
    }

    /// As [`Linphone::dial`], with more lines of the section `sip` of its configuration, and more files in its home.
    pub async fn dial_with(
        ip: IpAddr,
        hertz: u32,
        uri: &str,
        sip: &str,
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
             bind_address={ip}\nguess_hostname=0\nuse_ipv6=0\nipv6_migration_done=1\nauto_net_state_mon=0\n{sip}\n\
             [rtp]\naudio_rtp_port={media}\nbind_address={ip}\n\n\
             [audio_codec_0]\nmime=opus\nrate=48000\nchannels=2\nenabled=0\n"
        );
        fs::write(path("config"), config).expect("a file of the phone");
        tone::write(&path("sent.wav"), hertz, 60);
        let mut command = Command::new("linphonec");
        command.env("HOME", folder.path()).arg("-c").arg(path("config")).stdin(Stdio::piped());
        let program = Program::start(&mut command, &path("log"));
        let mut phone = Linphone { program, folder };
        phone.program.wait_for("linphonec>", 1).await;
        let (sent, received) = (phone.folder.path().join("sent.wav"), phone.received());
        phone.command("soundcard use files");
        phone.command(&format!("play {}", sent.display()));
        phone.command(&format!("record {}", received.display()));
        phone.command(&format!("call {uri}"));
        phone.program.wait_for("Media streams established", 1).await;
        phone
    }

    fn received(&self) -> PathBuf {
        self.folder.path().join("received.wav")
    }

    fn command(&mut self, line: &str) {
        writeln!(self.program.input(), "{line}").expect("the phone runs");
    }

    pub async fn hears(&mut self, hertz: u32) {
        let file = self.received();
        let before = tone::windows(&file, hertz);
        let what = format!("{hertz} Hz");
        self.program.wait_until(&what, |_| tone::windows(&file, hertz) >= before + 10).await;
    }

    pub async fn hold(&mut self) {
        self.command("pause");
        self.program.wait_for("is now paused", 1).await;
    }

    pub async fn resume(&mut self) {
        self.command("resume");
        self.program.wait_for("Media streams established", 2).await;
    }

    /// Waits until the node has refreshed the session twice.
    pub async fn is_refreshed(&mut self) {
        // The first time is that of the call itself.
        self.program.wait_for("Media streams established", 3).await;
    }

    pub async fn hang_up(mut self) {
        self.command("terminate");
        self.program.wait_for("ended (No error)", 1).await;
    }
}
