//! Arguments of `pitlane upgrade`, and the limits of a run as the API takes them. The bounds of the limits are checked
//! by the Management Node.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use serde_json::{Map, Value};

use crate::span::Seconds;

/// Commands about upgrades.
#[derive(Debug, Subcommand)]
pub(crate) enum UpgradeCommand {
    /// Uploads a package; the Management Node verifies it, and checks whether an upgrade could start.
    ///
    /// An interrupted upload is resumed when the same file is uploaded again.
    Upload(UploadArgs),
    /// Checks whether an upgrade could start now, and shows all blockers and warnings.
    Check {
        /// The package: its version or the first digits of its hash. The newest uploaded one if not given.
        package: Option<String>,
        /// The limits that it would start with.
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// Starts an upgrade, after showing what it will do.
    Start(StartArgs),
    /// Takes no further node until the upgrade is resumed. Nodes under way finish.
    Pause {
        /// Why, for the history and for whoever looks at the upgrade.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Goes on with a paused upgrade.
    Resume {
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Ends the upgrade: nodes whose calls have not cleared go back to service, and every node keeps the release it has.
    ///
    /// Nodes that restart finish. The same package, started again, takes the rest.
    Stop {
        /// Why, for the history and for whoever looks at the upgrade.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Does not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Shows the progress of every node, once.
    Status,
    /// Shows the progress of every node until the run ends.
    ///
    /// Redrawn in place every second; one line for each change if not on a terminal. Marks: + upgraded,
    /// > in progress, . waiting, ! needs attention.
    Watch(WatchArgs),
    /// Lists past runs, or shows the history of one run.
    History(HistoryArgs),
    /// The packages that the Management Node holds: list, remove.
    ///
    /// Packages that are no longer needed are removed when a new one is uploaded. Of the packages that the platform
    /// neither runs nor ran just before, the Management Node keeps three that are newer than the one it runs.
    #[command(args_conflicts_with_subcommands = true)]
    Packages {
        /// What to do; lists them if not given.
        #[command(subcommand)]
        command: Option<PackagesCommand>,
    },
    /// Uploads of packages that are under way or were interrupted: list, remove.
    #[command(args_conflicts_with_subcommands = true)]
    Uploads {
        /// What to do; lists them if not given.
        #[command(subcommand)]
        command: Option<UploadsCommand>,
    },
}

/// Commands about the packages that the Management Node holds.
#[derive(Debug, Subcommand)]
pub(crate) enum PackagesCommand {
    /// Lists them, each with what it is needed for.
    List,
    /// Removes one, unless it is needed.
    Remove {
        /// The package: its version or the first digits of its hash.
        package: String,
    },
}

/// Commands about uploads.
#[derive(Debug, Subcommand)]
pub(crate) enum UploadsCommand {
    /// Lists them, each with its progress and the time of its last byte.
    List,
    /// Removes one, with the bytes that have arrived.
    Remove {
        /// The number of the upload, or its first characters.
        upload: String,
    },
}

/// A package to upload.
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// The package file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Resumes an interrupted upload by the number that was printed then.
    #[arg(long, value_name = "UPLOAD")]
    pub(crate) resume: Option<String>,
}

/// A run to start.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The package: its version or the first digits of its hash. The newest uploaded one if not given.
    pub(crate) package: Option<String>,
    /// The limits of the run.
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Does not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Limits of a run. Limits that are not given are those of the platform's default policy.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits of the run")]
pub(crate) struct PolicyArgs {
    /// How many nodes may be out of service at the same time on behalf of the run.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) nodes_at_once: Option<u32>,
    /// How long a node waits for its calls to clear before it goes back to service, like 60s or 1h.
    #[arg(long, value_name = "TIME")]
    pub(crate) drain_limit: Option<Seconds>,
    /// How long the whole run may take, like 24h.
    #[arg(long, value_name = "TIME")]
    pub(crate) run_limit: Option<Seconds>,
    /// How long a node stays in service before it is tried again, like 10m.
    #[arg(long, value_name = "TIME")]
    pub(crate) rest: Option<Seconds>,
    /// Takes this many nodes first, and no other before as many are upgraded; with 0, as many as --nodes-at-once.
    #[arg(long, value_name = "N")]
    pub(crate) first_nodes: Option<u32>,
    /// How many nodes must have failed to take the release before the run stops by itself; with 0 it never does.
    #[arg(long, value_name = "N")]
    pub(crate) stop_at_failures: Option<u32>,
    /// Which share of the nodes that were taken must have failed, in percent, before the run stops by itself.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) stop_at_failure_percent: Option<u32>,
}

impl PolicyArgs {
    /// The given limits, as the API takes them.
    pub(crate) fn to_json(&self) -> Value {
        let Self {
            nodes_at_once,
            drain_limit,
            run_limit,
            rest,
            first_nodes,
            stop_at_failures,
            stop_at_failure_percent,
        } = self;
        let seconds = |limit: &Option<Seconds>| limit.map(|Seconds(seconds)| seconds);
        let fields = [
            ("nodes_at_once", nodes_at_once.map(u64::from)),
            ("drain_limit_seconds", seconds(drain_limit)),
            ("run_limit_seconds", seconds(run_limit)),
            ("rest_seconds", seconds(rest)),
            ("first_nodes", first_nodes.map(u64::from)),
            ("stop_at_failures", stop_at_failures.map(u64::from)),
            ("stop_at_failure_percent", stop_at_failure_percent.map(u64::from)),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?.into())));
        Value::Object(given.collect::<Map<_, _>>())
    }

    /// The same in words; empty if none is given.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self {
            nodes_at_once,
            drain_limit,
            run_limit,
            rest,
            first_nodes,
            stop_at_failures,
            stop_at_failure_percent,
        } = self;
        let limit =
            |name: &str, limit: &Option<Seconds>| limit.map(|limit| format!("{name} {}", limit.span()));
        [
            nodes_at_once.map(|nodes| format!("nodes at once {nodes}")),
            limit("drain limit", drain_limit),
            limit("run limit", run_limit),
            limit("rest", rest),
            first_nodes.map(|nodes| format!("first nodes {nodes}")),
            stop_at_failures.map(|nodes| format!("stop at failures {nodes}")),
            stop_at_failure_percent.map(|percent| format!("stop at failures of {percent} %")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// How to watch.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// How long the Management Node may be unreachable before the command gives up.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) give_up_after: Seconds,
}

/// Which run to show.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The number of a run; all runs if not given.
    pub(crate) run: Option<u64>,
}
