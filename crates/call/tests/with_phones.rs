//! Calls of phones, baresip and Linphone, that hear each other.

mod common;

use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use call::CallEngine;
use common::baresip::Baresip;
use common::program::{Program, free_port};
use common::{address, engine, settings, tone, wait_for_calls};
use tempfile::TempDir;

fn room(engine: &CallEngine, transport: &str) -> String {
    format!("sip:meet@{};transport={transport}", engine.sip_address())
}

async fn two_of_baresip(test: u8, transport: &str) {
    let engine = engine(settings(test)).await;
    let mut low = Baresip::dial(400, &room(&engine, transport));
    let mut high = Baresip::dial(1000, &room(&engine, transport));
    low.established().await;
    high.established().await;
    low.hears(1000).await;
    high.hears(400).await;

    // What this version of baresip receives after a hold is not in its recording.
    low.hold().await;
    low.resume().await;
    high.hears(400).await;

    low.hang_up().await;
    wait_for_calls(&engine, 1).await;
    engine.shut_down().await;
    high.wait_for_hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_hear_each_other_over_udp() {
    two_of_baresip(120, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_hear_each_other_over_tcp() {
    two_of_baresip(121, "tcp").await;
}

/// A phone of Linphone without a sound card: it plays a file and records what it receives. It is operated by lines on
/// its standard input.
struct Linphone {
    program: Program,
    folder: TempDir,
}

impl Linphone {
    async fn dial(ip: IpAddr, hertz: u32, uri: &str) -> Linphone {
        let folder = tempfile::Builder::new().prefix("linphone-").tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        // Its core does not start without its database, and it makes no folder for that.
        fs::create_dir_all(path(".local/share/linphone")).expect("a folder");
        fs::create_dir_all(path(".config/linphone")).expect("a folder");
        let (sip, media) = (SocketAddr::new(ip, free_port(ip)), free_port(ip));
        let port = sip.port();
        let config = format!(
            "[sip]\nsip_port={port}\nsip_tcp_port={port}\nsip_tls_port=0\ncontact=sip:linphone@{ip}\n\
             bind_address={ip}\nguess_hostname=0\nuse_ipv6=0\nipv6_migration_done=1\nauto_net_state_mon=0\n\n\
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

    fn received(&self) -> std::path::PathBuf {
        self.folder.path().join("received.wav")
    }

    fn command(&mut self, line: &str) {
        writeln!(self.program.input(), "{line}").expect("the phone runs");
    }

    async fn hears(&mut self, hertz: u32) {
        let file = self.received();
        let before = tone::windows(&file, hertz);
        let what = format!("{hertz} Hz");
        self.program.wait_until(&what, |_| tone::windows(&file, hertz) >= before + 10).await;
    }

    async fn hold(&mut self) {
        self.command("pause");
        self.program.wait_for("is now paused", 1).await;
    }

    async fn resume(&mut self) {
        self.command("resume");
        self.program.wait_for("Media streams established", 2).await;
    }

    /// Waits until the node has refreshed the session twice.
    async fn is_refreshed(&mut self) {
        // The first time is that of the call itself.
        self.program.wait_for("Media streams established", 3).await;
    }

    async fn hang_up(mut self) {
        self.command("terminate");
        self.program.wait_for("ended (No error)", 1).await;
    }
}

async fn linphone_and_baresip(test: u8, transport: &str) {
    let engine = engine(settings(test)).await;
    let mut other = Baresip::dial(1000, &room(&engine, transport));
    other.established().await;
    let mut phone = Linphone::dial(address(test, 3), 400, &room(&engine, transport)).await;
    phone.hears(1000).await;
    other.hears(400).await;

    phone.hold().await;
    phone.resume().await;
    phone.hears(1000).await;
    other.hears(400).await;

    phone.hang_up().await;
    wait_for_calls(&engine, 1).await;
    assert_eq!(engine.stats().ended_by_far_end, 1);
    other.hang_up().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_and_baresip_hear_each_other_over_udp() {
    linphone_and_baresip(122, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_and_baresip_hear_each_other_over_tcp() {
    linphone_and_baresip(123, "tcp").await;
}

/// Neither phone asks for a session timer, so the node refreshes the sessions.
#[tokio::test(flavor = "multi_thread")]
async fn phones_accept_the_refreshes_of_a_node() {
    let mut settings = settings(124);
    settings.session_interval = Duration::from_secs(4);
    let engine = engine(settings).await;
    let mut first = Baresip::dial(1000, &room(&engine, "udp"));
    first.established().await;
    let mut second = Linphone::dial(address(124, 3), 400, &room(&engine, "tcp")).await;
    first.is_refreshed().await;
    second.is_refreshed().await;
    second.hears(1000).await;
    first.hears(400).await;
    assert_eq!(common::count(&engine), 2);
    second.hang_up().await;
    first.hang_up().await;
    wait_for_calls(&engine, 0).await;
    assert_eq!(engine.stats().ended_by_far_end, 2);
    engine.shut_down().await;
}
