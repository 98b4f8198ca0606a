//! Benchmark: a Management Node with many Conferencing Nodes. It prints what one more node, an idle platform, the lists of
//! the management API, a run and a restart cost, each as a ratio to a reference that is measured in the same run.
//!
//! The Management Node is a process of its own that does what its program does. The nodes are tasks of this process: each
//! has a certificate, an address in 127.0.0.0/8 and the product's own state machine (`fleet::agent`), and neither calls
//! nor a disk.
//!
//! `cargo bench -p manager --bench nodes -- --nodes 1000`

mod baseline;
mod connection;
mod figures;
mod light_node;
mod machine;
mod operator;
mod platform;
mod process;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::platform::Plan;

/// The largest platform.
const NODES_MOST: u32 = 10_000;

/// A step of the benchmark failed; the benchmark ends.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Parser)]
struct Arguments {
    /// How many Conferencing Nodes there are.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(10..=i64::from(NODES_MOST)))]
    nodes: u32,
    /// How many of them a run takes at once; a tenth by default.
    #[arg(long)]
    at_once: Option<u32>,
    /// For how long the idle platform is measured, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    idle_seconds: u64,
    /// Serve as the Management Node of the machine with this root directory; the benchmark starts itself so.
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.serve {
        Some(root) => process::serve(root),
        None => raise_the_limit_of_files().and_then(|()| measure(&arguments)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { nodes, at_once, idle_seconds, serve: _, bench: _ } = *arguments;
    let plan = Plan { nodes, at_once: at_once.unwrap_or(nodes / 10).max(1), idle_seconds };
    // It fails when it was done before.
    _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(platform::measure(plan))
}

/// Every node has one or two connections, and the Management Node as many.
fn raise_the_limit_of_files() -> Result<(), Failure> {
    let Rlimit { current: _, maximum } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(())
}
