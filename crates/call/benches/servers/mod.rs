//! The servers that are called, each in a process of its own, and what the system says of their CPU and memory.

mod bare;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::iter::Sum;
use std::net::{IpAddr, SocketAddr};
use std::ops::Sub;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use call::{Admission, CallEngine, Callers, Room, Rooms, Settings, SourceRate};

/// The unit of CPU time in `/proc`: Linux has it at 100 a second on all machines.
const CLOCK_TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy)]
enum Kind {
    Engine,
    Bare,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Engine => "engine",
            Kind::Bare => "bare",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Engine => "this engine",
            Kind::Bare => "a bare server on rsipstack",
        }
    }

    fn named(name: &str) -> Option<Kind> {
        [Kind::Engine, Kind::Bare].into_iter().find(|kind| kind.name() == name)
    }
}

/// What belongs to each of the two that are compared.
pub(crate) struct Pair<T> {
    pub(crate) engine: T,
    pub(crate) baseline: T,
}

/// Serves calls if this process was started for that; false if it is to measure.
pub(crate) fn serve_if_asked() -> bool {
    let kind = argument().and_then(|argument| Kind::named(&argument));
    kind.map(serve).is_some()
}

/// The engine, and the bare server or the program that is named.
pub(crate) fn pair() -> Pair<Server> {
    let baseline = match argument() {
        Some(path) => Server::of_program(Path::new(&path)),
        None => Server::start(Kind::Bare),
    };
    Pair { engine: Server::start(Kind::Engine), baseline }
}

fn argument() -> Option<String> {
    // Cargo adds `--bench`.
    std::env::args().skip(1).find(|argument| !argument.starts_with("--"))
}

/// Serves calls and prints where, until standard input ends.
fn serve(kind: Kind) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        match kind {
            Kind::Engine => {
                let engine = engine([127, 160, 0, 1].into()).await;
                println!("{}", engine.sip_address());
                input_ends().await;
                engine.shut_down().await;
            }
            Kind::Bare => {
                println!("{}", bare::start([127, 160, 0, 2].into()).await);
                input_ends().await;
            }
        }
    });
}

async fn input_ends() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = read.await;
}

/// The engine without limits that one source would reach.
async fn engine(address: IpAddr) -> CallEngine {
    let mut settings = Settings::new(SocketAddr::new(address, 0), address);
    settings.call_limit = 5000;
    settings.source_rate =
        SourceRate { admitted: 10_000, burst: 10_000, answered: 10_000, ..SourceRate::default() };
    let rooms =
        Rooms::new([Room { name: "Meeting".into(), aliases: vec!["meet".into()], callers: Callers::Anyone }]);
    CallEngine::start(settings, rooms, Admission::Open).await.expect("the engine starts")
}

/// A server in a process of its own. It ends with this value.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    process: Child,
    input: Option<ChildStdin>,
}

impl Server {
    fn start(kind: Kind) -> Server {
        let program = std::env::current_exe().expect("this program");
        Server::running(kind.title(), Command::new(program).arg(kind.name()))
    }

    /// That of the example `answer`.
    fn of_program(path: &Path) -> Server {
        Server::running(&path.display().to_string(), Command::new(path).arg("127.160.0.2:5060"))
    }

    /// The first line that it prints ends in its address.
    fn running(name: &str, command: &mut Command) -> Server {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("another process");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("its address");
        let input = process.stdin.take();
        let address = line.split_whitespace().last().and_then(|word| word.parse().ok()).expect("an address");
        Server { name: name.to_owned(), address, process, input }
    }

    /// The CPU time so far (`proc_pid_stat(5)`: fields 14 and 15, of which the first 2 end with the last parenthesis).
    pub(crate) fn cpu(&self) -> Cpu {
        let stat = self.read("stat");
        let (_, fields) = stat.rsplit_once(") ").expect("the name stands in parentheses");
        let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<u32>().expect("ticks"));
        let mut next = || CLOCK_TICK * ticks.next().expect("a field");
        Cpu { user: next(), system: next(), sum: self.exact_cpu() }
    }

    /// The CPU time of all threads, to the nanosecond, without the difference between user and system. No thread of a
    /// server ends before the server.
    fn exact_cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("it runs");
        let of_thread = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).expect("it runs");
            text.split(' ').next().and_then(|spent| spent.parse().ok()).expect("nanoseconds")
        };
        threads.map(|thread| Duration::from_nanos(of_thread(thread.expect("a thread")))).sum()
    }

    /// The resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).expect("a size")
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("it runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

/// CPU time of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// To a [`CLOCK_TICK`].
    pub(crate) user: Duration,
    /// To a [`CLOCK_TICK`].
    pub(crate) system: Duration,
    /// Of both, exactly.
    pub(crate) sum: Duration,
}

impl Sub for Cpu {
    type Output = Cpu;

    fn sub(self, before: Cpu) -> Cpu {
        Cpu { user: self.user - before.user, system: self.system - before.system, sum: self.sum - before.sum }
    }
}

impl Sum for Cpu {
    fn sum<I: Iterator<Item = Cpu>>(all: I) -> Cpu {
        all.fold(Cpu::default(), |a, b| Cpu {
            user: a.user + b.user,
            system: a.system + b.system,
            sum: a.sum + b.sum,
        })
    }
}
