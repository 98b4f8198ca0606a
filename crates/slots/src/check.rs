//! The check before a start (preflight check): runs the program in a slot as `PROGRAM check --root DIR --slot
//! NAME …`, without standard input, to find out whether that release would start on this machine.
//!
//! The program changes nothing, prints one sentence for each fault on standard output, and exits with 0 only
//! when there is none. A program that cannot do this would not start either. What is checked is decided by the
//! program of that release, not here.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::supervised::{BOOT_VARIABLE, NOTIFY_VARIABLE, SLOT_VARIABLE};
use crate::{Machine, Slot};

/// How much of the output is read, in bytes: fifty sentences. What is longer is cut.
const OUTPUT_MAX: u64 = 16 * 1024;

/// How many faults are kept. An operator corrects the first few and checks again.
const FAULTS_MAX: usize = 20;

/// The pause before a start is tried again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How long its output may take to arrive once it has ended. It waits in a pipe already.
const OUTPUT_WITHIN: Duration = Duration::from_secs(1);

/// How often a start is tried again that comes while another thread of this process still starts a program
/// and so holds the new one open for writing.
const BUSY_TRIES: u32 = 10;

/// Variables of boot and the service manager for the running program; a check must not take them for its own.
const NOT_INHERITED: [&str; 5] =
    [SLOT_VARIABLE, NOTIFY_VARIABLE, BOOT_VARIABLE, "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Why a release would not start on this machine. The text is a sentence or a few, without a line break.
#[derive(Debug, thiserror::Error)]
pub enum CheckFailed {
    /// It has named these faults.
    #[error("{}", .0.join("; "))]
    Faults(Vec<String>),
    /// Its slot cannot be read.
    #[error(transparent)]
    Slots(#[from] crate::Error),
    /// Its program cannot be run.
    #[error("the check of the new release could not be run: {}: {source}", program.display())]
    NotRun {
        /// The program.
        program: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It did not end in time.
    #[error("the check of the new release did not end in {} s; look at the load and the disk of the machine", within.as_secs())]
    Late {
        /// The time it had.
        within: Duration,
    },
    /// It failed without a sentence.
    #[error(
        "the check of the new release ended with {exit} and named no fault; the release does not run on this machine"
    )]
    Silent {
        /// How it ended, such as `exit status 7`.
        exit: String,
    },
}

impl Machine {
    /// Runs the check of the program in `slot`, for a start after this process has released what it holds. The
    /// check is killed after `within`. This call blocks.
    ///
    /// # Errors
    /// Why the release would not start.
    pub fn check_release(&self, slot: Slot, held: &Held, within: Duration) -> Result<(), CheckFailed> {
        let identity = self.release_or_damaged(slot)?;
        let program = self.slot_dir(slot).join(&identity.program);
        let mut command = Command::new(&program);
        command
            .arg("check")
            .arg("--root")
            .arg(&self.root)
            .arg("--slot")
            .arg(slot.name())
            .args(held.arguments());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let not_run = |source: io::Error| CheckFailed::NotRun { program: program.clone(), source };
        let mut child = again_while_busy(|| command.spawn()).map_err(not_run)?;
        let output = output_of(&mut child);
        let ended = ends_within(&child, within);
        // Its children end with it. Before `wait`, its process id cannot be reused.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        match ended {
            Ok(Ended::InTime) => {
                let status = child.wait().map_err(not_run)?;
                evaluate(status, &output.recv_timeout(OUTPUT_WITHIN).unwrap_or_default())
            }
            Ok(Ended::Not) => {
                // It was killed, but may still wait for a disk.
                thread::spawn(move || child.wait());
                Err(CheckFailed::Late { within })
            }
            Err(error) => {
                thread::spawn(move || child.wait());
                Err(not_run(error))
            }
        }
    }
}

/// Whether a program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    InTime,
    Not,
}

/// Waits for the end of a program without reaping it, so that its process id stays valid.
fn ends_within(child: &Child, within: Duration) -> io::Result<Ended> {
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&handle, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !fds[0].revents().is_empty() {
            return Ok(Ended::InTime);
        }
        if left.is_zero() {
            return Ok(Ended::Not);
        }
    }
}

/// Starts a program, again as long as it is open for writing.
fn again_while_busy<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..BUSY_TRIES {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(BUSY_PAUSE),
            started => return started,
        }
    }
    start()
}

/// Reads the output in a thread, so that a program with much output does not block on the pipe.
fn output_of(child: &mut Child) -> Receiver<Vec<u8>> {
    let (said, output) = channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = Vec::new();
            // Output before an error of the pipe is used.
            let _ = stdout.take(OUTPUT_MAX).read_to_end(&mut text);
            let _ = said.send(text);
        });
    }
    output
}

fn evaluate(status: ExitStatus, output: &[u8]) -> Result<(), CheckFailed> {
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(output);
    let lines = text.lines().map(printable).filter(|line| !line.is_empty());
    let faults: Vec<String> = lines.take(FAULTS_MAX).collect();
    match faults.is_empty() {
        true => Err(CheckFailed::Silent { exit: describe_exit(status) }),
        false => Err(CheckFailed::Faults(faults)),
    }
}

/// Removes control characters: the text comes from another program and goes into logs and pages.
fn printable(line: &str) -> String {
    line.chars().filter(|character| !character.is_control()).collect::<String>().trim().into()
}

/// An exit status in text for the operator.
pub fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown exit status".into(),
    }
}

/// Resources of the process that requests a check. They will be free at the next start, so the check does not
/// try to take them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The addresses that it listens on.
    pub addresses: Vec<SocketAddr>,
    /// Its calls, each with a media port.
    pub calls: u32,
}

impl Held {
    /// The address on which the check tries to listen for `address`: the same, unless a socket of the requesting
    /// process occupies it. Then port 0 of the same address, which still shows whether the machine has it.
    pub fn try_at(&self, address: SocketAddr) -> SocketAddr {
        let occupies = |held: &SocketAddr| {
            held.port() == address.port()
                && (held.ip() == address.ip() || held.ip().is_unspecified() || address.ip().is_unspecified())
        };
        match self.addresses.iter().any(occupies) {
            true => SocketAddr::new(address.ip(), 0),
            false => address,
        }
    }

    /// The command line arguments for the check.
    pub fn arguments(&self) -> Vec<OsString> {
        let option = |name: &str, value: String| [OsString::from(name), OsString::from(value)];
        let addresses = self.addresses.iter().flat_map(|held| option("--held", held.to_string()));
        let calls = (self.calls > 0).then(|| option("--held-calls", self.calls.to_string()));
        addresses.chain(calls.into_iter().flatten()).collect()
    }
}

/// A fault that the check of a program has found: one sentence, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    /// A fault from the text of an error and its causes. Line breaks, as in a parser's excerpt of a file, become
    /// spaces.
    pub fn new(sentence: &str) -> Self {
        Self(sentence.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All faults as one text for a report; none when there are none.
pub fn faults_in_one(faults: &[Fault]) -> Option<String> {
    let all: Vec<&str> = faults.iter().map(|fault| fault.0.as_str()).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_tried_unless_the_requesting_process_occupies_it() {
        let check = |held: &str, address: &str, expected: &str| {
            let held = Held { addresses: vec![held.parse().unwrap()], calls: 0 };
            assert_eq!(held.try_at(address.parse().unwrap()), expected.parse().unwrap());
        };
        check("127.0.0.1:5060", "127.0.0.1:5060", "127.0.0.1:0");
        check("0.0.0.0:5060", "127.0.0.1:5060", "127.0.0.1:0");
        check("127.0.0.1:5060", "0.0.0.0:5060", "0.0.0.0:0");
        check("127.0.0.1:5060", "127.0.0.1:5061", "127.0.0.1:5061");
        check("127.0.0.1:5060", "127.0.0.2:5060", "127.0.0.2:5060");
    }

    #[test]
    fn start_is_tried_again_while_the_program_is_open_for_writing_and_no_longer() {
        let check =
            |error: io::ErrorKind, failures: u32, starts: u32, expected: Result<(), io::ErrorKind>| {
                let mut started = 0;
                let result = again_while_busy(|| {
                    started += 1;
                    if started > failures { Ok(()) } else { Err(error.into()) }
                });
                assert_eq!((started, result.map_err(|error| error.kind())), (starts, expected));
            };
        let busy = io::ErrorKind::ExecutableFileBusy;
        check(busy, BUSY_TRIES, BUSY_TRIES + 1, Ok(()));
        check(busy, u32::MAX, BUSY_TRIES + 1, Err(busy));
        check(io::ErrorKind::NotFound, 1, 1, Err(io::ErrorKind::NotFound));
    }

    #[test]
    fn process_that_holds_nothing_passes_no_arguments_to_the_check() {
        assert!(Held::default().arguments().is_empty());
    }

    #[test]
    fn faults_are_reported_as_one_text_and_no_fault_as_none() {
        assert_eq!(faults_in_one(&[]), None);
        let faults = [Fault::new("no room"), Fault::new("port 5060 is taken")];
        assert_eq!(faults_in_one(&faults).unwrap(), "no room; port 5060 is taken");
    }

    #[test]
    fn fault_is_one_line_whatever_the_error_was() {
        let fault = Fault::new("TOML parse error at line 3, column 1\n  |\n3 | sipp = 1\n  | ^^^^");
        assert_eq!(fault.to_string(), "TOML parse error at line 3, column 1 | 3 | sipp = 1 | ^^^^");
    }
}
