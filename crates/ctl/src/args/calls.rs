//! Arguments of `pitlane participant` and `conference`.

use clap::{Args, Subcommand};

/// Commands about who is in a call now.
#[derive(Debug, Subcommand)]
pub(crate) enum ParticipantCommand {
    /// Lists all participants, with their ids.
    List {
        /// Only those of this Virtual Meeting Room.
        #[arg(long, value_name = "NAME")]
        room: Option<String>,
    },
    /// Ends the call of a participant.
    Disconnect {
        /// The participant's id.
        id: String,
    },
    /// Has the others hear a participant no longer. It stays in the call and hears them.
    Mute {
        /// The participant's id.
        id: String,
    },
    /// Has the others hear a participant again.
    Unmute {
        /// The participant's id.
        id: String,
    },
    /// Calls somebody into a Virtual Meeting Room, and prints the id of the new participant.
    Dial(DialArgs),
}

/// Whom to call, and from where.
#[derive(Debug, Args)]
pub(crate) struct DialArgs {
    /// The room: one of its aliases, or its name.
    pub(crate) room: String,
    /// A SIP URI, or the alias of a registered device.
    pub(crate) destination: String,
    /// What the participant is shown as.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// The Conferencing Node that dials; without it one is chosen that holds the conference.
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// The system location of the node that dials.
    #[arg(long, value_name = "NAME", conflicts_with = "node")]
    pub(crate) location: Option<String>,
}

/// Commands about the conferences that last now.
#[derive(Debug, Subcommand)]
pub(crate) enum ConferenceCommand {
    /// Lists all conferences that somebody is in.
    List,
    /// Refuses new callers of a conference, until it is unlocked or its last participant has left.
    Lock {
        /// The room's name.
        room: String,
    },
    /// Admits new callers of a conference again.
    Unlock {
        /// The room's name.
        room: String,
    },
    /// Ends the calls of all participants of a conference.
    Disconnect {
        /// The room's name.
        room: String,
    },
}
