//! Arguments of `pitlane node`, `room` and `location`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// Commands about Conferencing Nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Lists all nodes, with what they run and what they do.
    List,
    /// Shows everything about one node.
    Show {
        /// The node's name.
        name: String,
    },
    /// Adds a node and writes its enrolment file, which makes a machine this node.
    Add(AddNode),
    /// Makes a new enrolment file for a node that is registered: its certificate has expired, or its machine is
    /// another one. The certificate that it has is good until the file is used.
    Enrol {
        /// The node's name.
        name: String,
        /// Where to write the enrolment file; NAME.toml in this directory if not given. The Management Node sends
        /// it only once, and it must stay secret until it is used.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        enrolment_file: Option<PathBuf>,
    },
    /// Removes a node from the platform, after showing what is lost.
    Remove {
        /// The node's name.
        name: String,
        /// Does not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Puts a node into maintenance mode, or takes it out.
    #[command(subcommand)]
    Maintenance(MaintenanceCommand),
}

/// A node to add.
#[derive(Debug, Args)]
pub(crate) struct AddNode {
    /// The node's name.
    pub(crate) name: String,
    /// Its address, where it takes calls.
    #[arg(long, value_name = "IP")]
    pub(crate) address: String,
    /// The name of its system location.
    #[arg(long, value_name = "NAME")]
    pub(crate) location: String,
    /// Where to write the enrolment file. The Management Node sends it only once, and it must stay secret until it
    /// is used.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) enrolment_file: PathBuf,
    /// A cloud bursting node, powered on only when it is needed. A run reports when it needs it; you or your tools
    /// power it on.
    #[arg(long)]
    pub(crate) bursting: bool,
    /// Its host name; the node's name if not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Its DNS domain. Like mask and gateway, it is only stored: nothing configures a machine's network.
    #[arg(long, value_name = "NAME", default_value = "pitlane.internal")]
    pub(crate) domain: String,
    /// Its network mask.
    #[arg(long, value_name = "IP", default_value = "255.255.255.0")]
    pub(crate) netmask: String,
    /// Its gateway; its own address if not given.
    #[arg(long, value_name = "IP")]
    pub(crate) gateway: Option<String>,
    /// Any other information about it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}

/// The operator's maintenance mode. It does not affect that of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// The node takes no more calls; those that it has go on.
    On {
        /// The node's name.
        name: String,
        /// The reason, as it is shown.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        reason: String,
    },
    /// The node takes calls again.
    Off {
        /// The node's name.
        name: String,
    },
}

/// Commands about Virtual Meeting Rooms.
#[derive(Debug, Subcommand)]
pub(crate) enum RoomCommand {
    /// Lists all Virtual Meeting Rooms with their aliases.
    List,
    /// Adds a Virtual Meeting Room.
    Add {
        /// The room's name.
        name: String,
        /// What callers dial to reach it. May be given several times.
        #[arg(long = "alias", value_name = "ALIAS", required = true)]
        aliases: Vec<String>,
    },
    /// Removes a Virtual Meeting Room and its aliases.
    Remove {
        /// The room's name.
        name: String,
    },
}

/// Commands about system locations.
#[derive(Debug, Subcommand)]
pub(crate) enum LocationCommand {
    /// Lists all system locations.
    List,
    /// Adds a system location.
    Add {
        /// The location's name.
        name: String,
        /// Any other information about it.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        description: String,
    },
}
