//! The program of the Management Node: reads the arguments, constructs the parts, runs them, and ends with an
//! exit code that `boot` understands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Parser, Subcommand};
use edge::error_chain::chain;
use edge::text::visible;
use fleet::version::Release;
use manager::driver::Ended;
use manager::layout::Layout;
use manager::own_machine::{OwnMachine, RELEASE_WITHIN};
use manager::preflight::{self, StoreTrial};
use manager::rest;
use manager::start::{Prepared, StartError};
use slots::{Held, Machine, Slot, Supervised, supervised};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The release that this program is compiled as. A start refuses a slot whose manifest names another one.
const RELEASE: Release = Release::compiled(option_env!("PITLANE_NEXT"));

static VERSION: LazyLock<String> = LazyLock::new(|| RELEASE.to_string());

/// The Management Node of a Pitlane platform. It is started by pitlane-boot.
#[derive(Debug, Parser)]
#[command(name = "pitlane-manager", version = VERSION.as_str(), subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The root directory of the machine.
    #[arg(long, value_name = "DIR", required = true)]
    root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks whether this program would start on this machine, and changes nothing.
    ///
    /// Prints one line for each fault, and fails when there is any. The Management Node runs this about
    /// itself once a minute, and the program of a new release runs it before it is selected.
    Check {
        /// The root directory of the machine.
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// The slot of this program; the default follows from its path.
        #[arg(long, value_name = "SLOT")]
        slot: Option<Slot>,
        /// An address that the running Management Node listens on, and that would be free at its next start.
        #[arg(long, value_name = "ADDRESS:PORT")]
        held: Vec<SocketAddr>,
        /// Means nothing to a Management Node; the nodes' program knows it, too.
        #[arg(long, value_name = "COUNT", default_value_t = 0, hide = true)]
        held_calls: u32,
    },
}

/// How much longer than its caller waits a check may take before it ends itself.
const LEFT_ALONE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    log.fmt_fields(edge::log::VisibleFields).init();
    let root = match arguments {
        Arguments { command: Some(Command::Check { root, slot, held, held_calls }), .. } => {
            return check(&root, slot, &Held { addresses: held, calls: held_calls });
        }
        Arguments { command: None, root } => root.unwrap_or_default(),
    };
    match run(root) {
        // A selected release or a restored backup starts next; whoever stopped the process expects success.
        Ok(Ended::Selected(_) | Ended::Restored | Ended::Asked) => ExitCode::SUCCESS,
        Ok(Ended::StoreBroken) => ExitCode::FAILURE,
        Err(cause) => {
            eprintln!("pitlane-manager: {}", visible(&chain(&cause)));
            ExitCode::FAILURE
        }
    }
}

fn check(root: &Path, slot: Option<Slot>, held: &Held) -> ExitCode {
    // The caller may have ended; a disk that does not answer must not keep this process for ever.
    std::thread::spawn(|| {
        let within = RELEASE_WITHIN + LEFT_ALONE;
        std::thread::sleep(within);
        println!("the check did not end in {} s; look at the disk of the machine", within.as_secs());
        std::process::exit(1);
    });
    let slot = slot.or_else(|| Machine::open(root).slot_of_this_program());
    let checked = tokio::runtime::Runtime::new()
        .map(|runtime| runtime.block_on(preflight::check(root, slot, RELEASE, held, StoreTrial::OnACopy)));
    match checked {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|fault| println!("{fault}"));
            ExitCode::FAILURE
        }
        Err(cause) => {
            eprintln!("pitlane-manager: {}", visible(&chain(&cause)));
            ExitCode::FAILURE
        }
    }
}

fn run(root: PathBuf) -> Result<Ended, StartError> {
    let Some(supervised) = supervised()? else { return Err(StartError::ByHand { root }) };
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    let ended = runtime.block_on(serve(root, &supervised));
    // It does not wait for requests that do not end.
    runtime.shutdown_background();
    ended
}

async fn serve(root: PathBuf, supervised: &Supervised) -> Result<Ended, StartError> {
    let stop = stop_when_asked()?;
    let (machine, layout) = (Machine::open(&root), Layout::new(&root));
    let own = OwnMachine { machine, slot: supervised.slot(), release: RELEASE, layout };
    let prepared = Prepared::new(own, supervised).await?;
    rest::first_account(prepared.committer().store(), |password| prepared.hand_over(password)).await?;
    let people = rest::router(prepared.context());
    let ended = prepared.run(people, supervised, stop).await?;
    if let Ended::Selected(assignment) = ended {
        info!(release = %assignment.release, "restarting into the new release");
    }
    Ok(ended)
}

/// Cancelled by SIGTERM and SIGINT.
fn stop_when_asked() -> Result<CancellationToken, StartError> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut asked = signal(kind).map_err(StartError::Runtime)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            asked.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}
