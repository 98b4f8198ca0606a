//! Real clients: calls of baresip and sipp that live through a run.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use callers::tone::{Tone, WINDOW, detect};
use demo::{Block, Built};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::world::{PATIENCE, ROOM, UNHURRIED, World, version};

const WAITING: &str = "Waiting for calls to clear";

/// How long the calls go on after their nodes began to wait for them.
const THROUGH_THE_DRAIN: Duration = Duration::from_secs(6);

/// How long sipp's call lasts: past the beginning of the drain, whatever the machine is busy with, and
/// not so long that a call without sound counts as vanished.
const SIPP_MILLISECONDS: &str = "40000";

/// The longest time one tone may be away from what a baresip has heard: windows of 100 ms.
const WINDOWS_AWAY: usize = 20;

#[test]
fn calls_of_baresip_and_sipp_live_through_a_run() {
    let world = World::new(2);
    let low = Baresip::dial(&world, 201, 400);
    let high = Baresip::dial(&world, 202, 1000);
    let sipp = sipp(&world);
    world.wait_for("baresip's and sipp's calls", |status| {
        let calls = |number: u8| crate::world::node(status, number)["calls"].as_u64();
        calls(1) == Some(2) && calls(2) == Some(1)
    });
    world.start(&UNHURRIED);
    world.wait_for("both nodes wait for their calls", |status| {
        (1..=2).all(|number| crate::world::words(status, number) == WAITING)
    });
    std::thread::sleep(THROUGH_THE_DRAIN);

    for (phone, other) in [(low, 1000), (high, 400)] {
        let heard = phone.hang_up();
        let away = longest_away(&heard, other);
        assert!(away < WINDOWS_AWAY, "a phone did not hear the other for {} ms", away * 100);
    }
    let status = world.wait_until_ended_with("complete");
    assert_eq!((version(&status, 1), version(&status, 2)), (Built::NEXT.version, Built::NEXT.version));
    let output = sipp.wait_with_output().expect("sipp was started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A phone in a call, sending a tone and writing down what it hears.
struct Baresip {
    folder: TempDir,
    process: Child,
}

impl Baresip {
    fn dial(world: &World, host: u8, hertz: u16) -> Self {
        let folder = tempfile::Builder::new().prefix("baresip-").tempdir().expect("a temporary folder");
        let address = Block::of_this_process().host(host);
        configure(folder.path(), address, hertz);
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let process = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .args(["-e", &format!("/dial sip:{ROOM}@{}", world.platform.sip(1))])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip is installed");
        Self { folder, process }
    }

    /// Hangs up and returns the samples that were heard. The phone must have been in its call: one
    /// that the node had hung up says so.
    fn hang_up(mut self) -> Vec<i16> {
        let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(log().contains("Call established"), "{}", log());
        assert!(!log().contains("session closed"), "the call was ended by the node: {}", log());
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).expect("baresip runs");
        let until = Instant::now() + PATIENCE;
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

fn configure(folder: &Path, address: IpAddr, hertz: u16) {
    let path = folder.display();
    let config = format!(
        "sip_listen {address}:5080\n\
         net_interface {address}\n\
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
    let account = format!("<sip:tone{hertz}@{address}:5080>;regint=0;audio_codecs={codec}\n");
    for (name, text) in [("config", config), ("accounts", account), ("contacts", String::new())] {
        fs::write(folder.join(name), text).expect("a file of the phone");
    }
}

/// The file into which baresip has decoded what it heard.
fn decoded(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("the phone's folder").flatten().map(|entry| entry.path());
    let mut dumps = entries.filter(|path| path.to_string_lossy().ends_with("-dec.wav"));
    dumps.next().expect("baresip has written down what it heard")
}

/// The samples of a mono WAV file of 16 bits at 8 kHz, as baresip writes it.
fn samples(file: &Path) -> Vec<i16> {
    const HEADER: usize = 44;
    let bytes = fs::read(file).expect("what baresip has heard");
    assert_eq!(&bytes[24..28], 8_000_u32.to_le_bytes(), "the file is not at 8 kHz");
    bytes[HEADER..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The longest stretch of windows without a tone near a frequency, from its first until the last.
fn longest_away(heard: &[i16], hertz: u16) -> usize {
    let tone = Tone::all().find(|tone| tone.hz() == hertz).expect("the frequency is on the grid");
    let present: Vec<bool> = heard.chunks_exact(WINDOW).map(|window| detect(window).contains(tone)).collect();
    let first = present.iter().position(|present| *present).expect("the other was heard at some time");
    // The other phone may hang up first.
    let last = present.iter().rposition(|present| *present).unwrap_or(first);
    assert!((last - first) * 100 > 5_000, "the other was heard for {} ms only", (last - first) * 100);
    present[first..=last].split(|present| *present).map(<[bool]>::len).max().unwrap_or(0)
}

/// A call of sipp's own caller to the second node, which hangs up by itself.
fn sipp(world: &World) -> Child {
    let folder = std::env::temp_dir();
    Command::new("sipp")
        .current_dir(folder)
        .args(["-sn", "uac", "-m", "1", "-l", "1", "-d", SIPP_MILLISECONDS, "-s", ROOM, "-nostdin"])
        .args(["-i", &Block::of_this_process().host(203).to_string(), "-p", "5080"])
        .arg(world.platform.sip(2).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sipp is installed")
}
