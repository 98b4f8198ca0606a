//! `pitlane-node`, the program of a Conferencing Node: reads the command line and runs the node, an enrolment or a check.
//! pitlane-boot starts it; an operator runs it once to enrol the machine.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use edge::text::visible;
use fleet::version::Release;
use node::driver::Ending;
use node::enrol::{Existing, enrol};
use node::files::chain;
use node::identity::Identity;
use slots::{Held, Machine, Slot};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// The release that this program is compiled as. A start refuses a slot whose manifest names another one.
const RELEASE: Release = Release::compiled(option_env!("PITLANE_NEXT"));

/// The longest that a check may take: longer than a node waits for it.
const CHECK_WITHIN: Duration = Duration::from_secs(30);

/// A Conferencing Node. Started by pitlane-boot.
#[derive(Parser)]
#[command(name = "pitlane-node", version = version(), subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The machine's root directory, such as /var/lib/pitlane.
    #[arg(long, value_name = "DIR", required = true)]
    root: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Makes this machine the Conferencing Node that an enrolment file is for.
    Enrol {
        /// The machine's root directory, such as /var/lib/pitlane.
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// The enrolment file that the Management Node gave when the node was added.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Replaces the identity of a machine that is enrolled already.
        #[arg(long)]
        replace: bool,
    },
    /// Checks whether this program would start on this machine, and changes nothing.
    ///
    /// Prints one line for each thing that stands in the way, and fails when there is any. A node runs this
    /// about itself once a minute, and the program of a new release runs it before the node refuses a call.
    Check {
        /// The machine's root directory, such as /var/lib/pitlane.
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// The slot that this program lies in; without it, as its path says.
        #[arg(long, value_name = "SLOT")]
        slot: Option<Slot>,
        /// An address that the running node listens on, and that would be free at its next start.
        #[arg(long, value_name = "ADDRESS:PORT")]
        held: Vec<SocketAddr>,
        /// How many calls the running node has: each holds a port for sound.
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        held_calls: u32,
    },
}

/// Lives as long as the program.
fn version() -> &'static str {
    RELEASE.to_string().leak()
}

fn main() -> ExitCode {
    log();
    // Both sides of every connection use the one provider that is compiled in; a second call is no harm.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Arguments::parse() {
        Arguments { command: Some(Command::Enrol { root, file, replace }), .. } => {
            let existing = if replace { Existing::Replace } else { Existing::Keep };
            enrol_machine(root, file, existing)
        }
        Arguments { command: Some(Command::Check { root, slot, held, held_calls }), .. } => {
            check(&root, slot, &Held { addresses: held, calls: held_calls })
        }
        Arguments { command: None, root } => serve(root.unwrap_or_default()),
    }
}

fn enrol_machine(root: PathBuf, file: PathBuf, existing: Existing) -> ExitCode {
    match run_to_end(async move { enrol(&root, &file, existing, RELEASE).await.map(|it| (it, root)) }) {
        Ok(Ok((identity, root))) => {
            println!(
                "enrolled as {:?}; the identity is in {}; a node that is running here takes it over within a minute",
                identity.node,
                Identity::path(&root).display()
            );
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => fail(&error),
        Err(error) => fail(&error),
    }
}

fn check(root: &Path, slot: Option<Slot>, held: &Held) -> ExitCode {
    // The program that asked may have ended; a disk that hangs must not keep this process for ever.
    std::thread::spawn(|| {
        std::thread::sleep(CHECK_WITHIN);
        println!("the check did not end in {} s; look at the disk of the machine", CHECK_WITHIN.as_secs());
        std::process::exit(1);
    });
    let slot = slot.or_else(|| Machine::open(root).slot_of_this_program());
    match run_to_end(node::preflight::check(root, slot, held, RELEASE)) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|fault| println!("{fault}"));
            ExitCode::FAILURE
        }
        Err(error) => fail(&error),
    }
}

fn serve(root: PathBuf) -> ExitCode {
    // First of all: from here on the program ends when boot does.
    let boot = match slots::supervised() {
        Ok(Some(boot)) => boot,
        Ok(None) => {
            eprintln!(
                "pitlane-node is started by pitlane-boot; run `pitlane-boot --root {}`",
                root.display()
            );
            return ExitCode::FAILURE;
        }
        Err(error) => return fail(&error),
    };
    match run_to_end(async move { node::start::run(&root, boot, RELEASE).await }) {
        Ok(Ok(Ending::Restart | Ending::Terminated)) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&error),
        Err(error) => fail(&error),
    }
}

/// Runs on the main thread, beside the runtime's own.
fn run_to_end<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("pitlane-node: {}", visible(&chain(error)));
    ExitCode::FAILURE
}

/// One event, one line, on stderr. Of third-party crates only what an operator must know.
fn log() {
    let targets = Targets::new()
        .with_default(Level::WARN)
        .with_target("rsipstack", Level::ERROR)
        .with_target("node", Level::INFO)
        .with_target("call", Level::INFO);
    let ansi = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .fmt_fields(edge::log::VisibleFields);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}
