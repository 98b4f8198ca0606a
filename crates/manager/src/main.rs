//! The program of the Management Node: puts the parts together, runs, and ends with what `boot`
//! understands.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::Parser;
use fleet::version::Release;
use manager::driver::{Ended, Own};
use manager::layout::Layout;
use manager::report::chain;
use manager::rest;
use manager::start::{Prepared, StartError};
use slots::{Machine, Supervised, supervised};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// What the program was compiled as.
static VERSION: LazyLock<String> = LazyLock::new(|| Release::COMPILED.to_string());

/// The Management Node of a Pitlane platform. It is started by pitlane-boot.
#[derive(Debug, Parser)]
#[command(name = "pitlane-manager", version = VERSION.as_str())]
struct Arguments {
    /// The root directory of the machine.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    match run(arguments.root) {
        // A selected release starts next; whoever asked for the end wants no other.
        Ok(Ended::Selected(_) | Ended::Asked) => ExitCode::SUCCESS,
        Ok(Ended::StoreBroken) => ExitCode::FAILURE,
        Err(cause) => {
            eprintln!("pitlane-manager: {}", chain(&cause));
            ExitCode::FAILURE
        }
    }
}

fn run(root: PathBuf) -> Result<Ended, StartError> {
    let Some(supervised) = supervised()? else { return Err(StartError::ByHand { root }) };
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    let ended = runtime.block_on(serve(root, &supervised));
    // Requests that do not end are not waited for.
    runtime.shutdown_background();
    ended
}

async fn serve(root: PathBuf, supervised: &Supervised) -> Result<Ended, StartError> {
    let stop = stop_when_asked()?;
    let (machine, layout) = (Machine::open(&root), Layout::new(&root));
    let own = Own { machine, slot: supervised.slot(), layout };
    let prepared = Prepared::new(own, supervised).await?;
    rest::first_account(prepared.desk().store(), |password| prepared.hand_over(password)).await?;
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
