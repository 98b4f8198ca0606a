//! The process of the Management Node: what its program does, with the release as an argument, and the supervisor's side of
//! it.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fleet::version::Release;
use manager::layout::Layout;
use manager::own_machine::OwnMachine;
use manager::rest;
use manager::start::{Prepared, Supervision};
use rustix::process::{Pid, Signal, kill_process};
use slots::{Machine, Slot};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Failure, machine};

/// How long a start may take.
const START: Duration = Duration::from_secs(120);

/// Clock ticks of `/proc` in a second, which are the same on every Linux (`USER_HZ`).
const TICKS: f64 = 100.0;

/// The supervisor is the parent, and reads the standard output.
struct Parent;

impl Supervision for Parent {
    fn extend(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn ready(&self) -> io::Result<()> {
        println!("ready");
        Ok(())
    }
}

/// Serves until the next release is selected or the process is asked to end.
pub(crate) fn serve(root: &Path) -> Result<(), Failure> {
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false);
    log.fmt_fields(edge::log::VisibleFields).init();
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(serve_until_the_end(root));
    runtime.shutdown_background();
    served
}

async fn serve_until_the_end(root: &Path) -> Result<(), Failure> {
    let (stop, asked) = (CancellationToken::new(), signal(SignalKind::terminate())?);
    tokio::spawn(cancel_when(asked, stop.clone()));
    let machine = Machine::open(root);
    let slot = machine.record()?.selected();
    let release = match slot {
        Slot::A => Release::PRESENT,
        Slot::B => machine::next(),
    };
    let own = OwnMachine { machine, slot, release, layout: Layout::new(root) };
    let prepared = Prepared::new(own, &Parent).await?;
    rest::first_account(prepared.committer().store(), |password| prepared.hand_over(password)).await?;
    let people = rest::router(prepared.context());
    prepared.run(people, &Parent, stop).await?;
    Ok(())
}

async fn cancel_when(mut asked: tokio::signal::unix::Signal, stop: CancellationToken) {
    asked.recv().await;
    stop.cancel();
}

/// The process, as its supervisor has it.
pub(crate) struct Process {
    child: Child,
    id: Pid,
}

impl Process {
    /// Starts the release in the selected slot, and returns when it serves.
    pub(crate) async fn start(root: &Path) -> Result<Self, Failure> {
        let log = File::options().create(true).append(true).open(root.join("manager.log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").arg(root).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn()?;
        let raw = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = raw.ok_or("the Management Node has ended")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        match timeout(START, lines.next_line()).await?? {
            Some(_) => Ok(Self { child, id }),
            None => Err(fs::read_to_string(root.join("manager.log"))?.into()),
        }
    }

    /// Returns when it has ended by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        self.child.wait().await?;
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        kill_process(self.id, Signal::TERM)?;
        self.ended().await
    }

    /// The time of processors that it has used.
    pub(crate) fn processor_time(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id.as_raw_nonzero()))?;
        // The name in parentheses may have spaces; `utime` and `stime` are the 12th and the 13th field behind it.
        let (_, fields) = stat.rsplit_once(')').ok_or("no fields")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        Ok(Duration::from_secs_f64(ticks.sum::<Result<u64, _>>()? as f64 / TICKS))
    }

    /// Its memory, now and at most, in KiB.
    pub(crate) fn memory(&self) -> Result<(u64, u64), Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id.as_raw_nonzero()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        };
        Ok((field("VmRSS:").ok_or("no memory")?, field("VmHWM:").ok_or("no memory")?))
    }
}
