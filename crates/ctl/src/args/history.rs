//! Arguments of `pitlane alarm` and `history`.

use clap::{Args, Subcommand};

/// Commands about alarms.
#[derive(Debug, Subcommand)]
pub(crate) enum AlarmCommand {
    /// Lists the alarms that stand, the newest first.
    List {
        /// Lists the alarms that are over instead.
        #[arg(long)]
        past: bool,
        /// How many are shown at most.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        last: u32,
    },
}

/// Commands about what is over.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Lists conferences that are over, the newest first.
    Conference(PastArgs),
    /// Lists participants that have left, the newest first.
    Participant(PastArgs),
    /// Lists what has changed the status of Conferencing Nodes, the newest first.
    Node {
        /// Only of the node with this name.
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// How many are shown at most.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        last: u32,
    },
}

/// Which calls of the past.
#[derive(Debug, Args)]
pub(crate) struct PastArgs {
    /// Only those of this Virtual Meeting Room.
    #[arg(long, value_name = "NAME")]
    pub(crate) room: Option<String>,
    /// How many are shown at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub(crate) last: u32,
}
