//! Calls of independent clients, baresip and sipp, last through a run.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use callers::tone::{Tone, WINDOW, detect};
use demo::{AddressBlock, Built};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::fixture::{Fixture, LONG_LIMITS, ROOM, TIMEOUT, version};

/// baresip binds its sound to no address, so the kernel sends it from this one; a node accepts it from where the session
/// description says (decision 31).
const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

const WAITING: &str = "Waiting for calls to clear";

/// How long the calls go on after their nodes have begun to drain.
const THROUGH_THE_DRAIN: Duration = Duration::from_secs(6);

/// How long sipp's call lasts: past the beginning of the drain on a busy machine, but less than the time after which a
/// node ends a call without media.
const SIPP_MILLISECONDS: &str = "40000";

/// The longest gap of a tone in what a baresip receives, in windows of 100 ms.
const LONGEST_GAP: usize = 20;

#[test]
fn calls_of_baresip_and_sipp_last_through_a_run() {
    let fixture = Fixture::new(2);
    let low = Baresip::dial(&fixture, 400);
    let high = Baresip::dial(&fixture, 1000);
    let sipp = sipp(&fixture);
    fixture.wait_for("baresip's and sipp's calls", |status| {
        let calls = |number: u8| crate::fixture::node(status, number)["calls"].as_u64();
        calls(1) == Some(2) && calls(2) == Some(1)
    });
    fixture.start(&LONG_LIMITS);
    fixture.wait_for("both nodes wait for their calls", |status| {
        (1..=2).all(|number| crate::fixture::status_text(status, number) == WAITING)
    });
    std::thread::sleep(THROUGH_THE_DRAIN);

    for (phone, other) in [(low, 1000), (high, 400)] {
        let received = phone.hang_up();
        let gap = longest_gap(&received, other);
        assert!(gap < LONGEST_GAP, "a phone did not receive the tone of the other for {} ms", gap * 100);
    }
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!((version(&status, 1), version(&status, 2)), (Built::NEXT.version, Built::NEXT.version));
    let output = sipp.wait_with_output().expect("sipp was started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A phone in a call that sends a tone and records what it receives.
struct Baresip {
    folder: TempDir,
    process: Child,
}

impl Baresip {
    fn dial(fixture: &Fixture, hertz: u16) -> Self {
        let folder = tempfile::Builder::new().prefix("baresip-").tempdir().expect("a temporary folder");
        let free = UdpSocket::bind((HOST, 0)).and_then(|socket| socket.local_addr());
        let address = free.expect("a free port");
        configure(folder.path(), address, hertz);
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let process = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .args(["-e", &format!("/dial sip:{ROOM}@{}", fixture.platform.sip(1))])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip is installed");
        Self { folder, process }
    }

    /// Hangs up and returns the received samples. Fails if the node has ended the call before.
    fn hang_up(mut self) -> Vec<i16> {
        let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(log().contains("Call established"), "{}", log());
        assert!(!log().contains("session closed"), "the call was ended by the node: {}", log());
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).expect("baresip runs");
        let until = Instant::now() + TIMEOUT;
        while self.process.try_wait().expect("baresip was started").is_none() {
            assert!(Instant::now() < until, "baresip does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        samples(&decoded(self.folder.path()))
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configure(folder: &Path, address: SocketAddr, hertz: u16) {
    let path = folder.display();
    let config = format!(
        "sip_listen {address}\n\
         net_interface {HOST}\n\
         audio_source ausine,{hertz}\n\
         audio_player aufile,{path}/heard.wav\n\
         audio_alert aufile,{path}/alert.wav\n\
         ausrc_srate 48000\nauplay_srate 48000\nausrc_channels 2\nauplay_channels 2\n\
         snd_path {path}\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\nmodule aufile.so\nmodule ausine.so\nmodule sndfile.so\n\
         module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n"
    );
    let codec = if hertz < 700 { "PCMU" } else { "PCMA" };
    let account = format!("<sip:tone{hertz}@{address}>;regint=0;audio_codecs={codec}\n");
    for (name, text) in [("config", config), ("accounts", account), ("contacts", String::new())] {
        fs::write(folder.join(name), text).expect("a file of the phone");
    }
}

/// The file with what baresip has received and decoded.
fn decoded(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("the phone's folder").flatten().map(|entry| entry.path());
    let mut dumps = entries.filter(|path| path.to_string_lossy().ends_with("-dec.wav"));
    dumps.next().expect("baresip has recorded what it received")
}

/// The samples of a mono WAV file of 16 bits at 8 kHz, as baresip writes it.
fn samples(file: &Path) -> Vec<i16> {
    const HEADER: usize = 44;
    let bytes = fs::read(file).expect("a readable file");
    assert_eq!(&bytes[24..28], 8_000_u32.to_le_bytes(), "the file is not at 8 kHz");
    bytes[HEADER..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The longest gap of a tone between the first and the last window that contain it, in windows.
fn longest_gap(received: &[i16], hertz: u16) -> usize {
    let tone = Tone::all().find(|tone| tone.hz() == hertz).expect("the frequency is on the grid");
    let present: Vec<bool> =
        received.chunks_exact(WINDOW).map(|window| detect(window).contains(tone)).collect();
    let first = present.iter().position(|present| *present).expect("the tone was received at some time");
    // The other phone may hang up first.
    let last = present.iter().rposition(|present| *present).unwrap_or(first);
    assert!((last - first) * 100 > 5_000, "the tone was received for {} ms only", (last - first) * 100);
    present[first..=last].split(|present| *present).map(<[bool]>::len).max().unwrap_or(0)
}

/// A call of sipp's built-in caller to the second node, which hangs up by itself.
fn sipp(fixture: &Fixture) -> Child {
    let folder = std::env::temp_dir();
    Command::new("sipp")
        .current_dir(folder)
        .args(["-sn", "uac", "-m", "1", "-l", "1", "-d", SIPP_MILLISECONDS, "-s", ROOM, "-nostdin"])
        .args(["-i", &AddressBlock::of_this_process().host(203).to_string(), "-p", "5080"])
        .arg(fixture.platform.sip(2).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sipp is installed")
}
