//! A program of somebody else that runs beside a test. What it writes is in a file; it ends with the test.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::BOUND;

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// A running program.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program whose output goes to a new file.
    pub fn start(command: &mut Command, log: &Path) -> Program {
        let file = File::create(log).expect("a log");
        let errors = file.try_clone().expect("a second handle");
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdout(file).stderr(errors).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{name} cannot be started, is it installed? {error}"));
        Program { name, child, log: log.to_owned() }
    }

    /// The standard input, if the command has a pipe for it.
    pub fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().expect("its input is a pipe")
    }

    /// What it has written up to now.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How often it has written a text.
    pub fn count(&self, text: &str) -> usize {
        self.written().matches(text).count()
    }

    /// Waits until it has written a text this often.
    pub async fn wait_for(&mut self, text: &str, times: usize) {
        self.wait_until(&format!("{text:?} {times} times"), |program| program.count(text) >= times).await;
    }

    /// Waits for a condition while the program runs.
    pub async fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Program) -> bool) {
        let until = Instant::now() + BOUND;
        while !condition(self) {
            let ended = self.child.try_wait().expect("it was started");
            let fault = match ended {
                Some(status) => format!("{status}"),
                None if Instant::now() > until => "it did not come".into(),
                None => String::new(),
            };
            assert!(fault.is_empty(), "{}: waiting for {what}: {fault}\n{}", self.name, self.written());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks it to end, and waits for that.
    pub async fn stop(mut self) {
        self.ask_to_end();
        let until = Instant::now() + BOUND;
        while self.child.try_wait().expect("it was started").is_none() {
            assert!(Instant::now() < until, "{} does not end\n{}", self.name, self.written());
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn ask_to_end(&self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }
}

impl Drop for Program {
    /// A program with processes of its own ends those only when it is asked to end.
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.ask_to_end();
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free for TCP and UDP, for a program that cannot take any free one by itself.
pub fn free_port(ip: IpAddr) -> u16 {
    for _ in 0..100 {
        let listener = TcpListener::bind((ip, 0)).expect("an address of this machine");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
    panic!("no port of {ip} is free");
}
