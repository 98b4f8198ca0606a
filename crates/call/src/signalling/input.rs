//! What the shell reports to the user agent, and what the user agent has it do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Flow, Peer};

use crate::audio::Participant;
use crate::dial::DialError;
use crate::handover::message::ExportedStream;
use crate::handover::{Changed, NotTakenOver};
use crate::media::handshake::NoKeys;
use crate::media::leg::{Outgoing, Plan};
use crate::participants::Voice;
use crate::rooms::RoomName;
use crate::srtp::Received;

use super::refusals::RefusedCall;

/// What has happened. A call has one leg, which is named by the call.
#[derive(Debug)]
pub(crate) enum Input {
    /// On a socket or a connection of SIP.
    Transport(TransportInput),
    /// The addresses of a name that [`Output::Resolve`] asked for; none when there are none, or it took too long.
    Resolved {
        /// The name as it was asked for.
        name: String,
        /// Its addresses, the preferred one first.
        addresses: Vec<IpAddr>,
    },
    /// A media port is open that [`Output::OpenPort`] asked for.
    PortOpened {
        /// Whose port.
        call: Participant,
        /// Its address, as the session description names it.
        address: SocketAddr,
    },
    /// It cannot be opened.
    NoPort {
        /// Whose port.
        call: Participant,
        /// Why not.
        why: NoPort,
    },
    /// Nothing was heard of the far end of a leg for the media timeout.
    Silent(Participant),
    /// The handshake of a leg has given no keys in its time: its sound has no way.
    NoKeys {
        /// Which leg.
        call: Participant,
        /// Why not.
        why: NoKeys,
    },
    /// The leg of a call was taken out of its conference for another process; its stream has come so far.
    HandedOut {
        /// Which leg.
        call: Participant,
        /// Where its stream is.
        stream: ExportedStream,
    },
    /// The media port of a call is closed, and its leg is gone.
    Released(Participant),
}

/// Why there is no media port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPort {
    /// Calls have all of them.
    #[error("calls have all of them")]
    Exhausted,
    /// The system refuses one; the text says why.
    #[error("{0}")]
    Refused(String),
}

/// What is to be done, in order.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send these bytes: as one datagram, or as the next bytes of the connection.
    Send {
        /// Over what.
        flow: Flow,
        /// A message, or the answer to a keep-alive.
        bytes: Arc<[u8]>,
    },
    /// Open a connection. Its outcome is reported, always.
    Connect {
        /// Whom to.
        peer: Peer,
        /// The address of ours that it starts from.
        local: IpAddr,
    },
    /// Close a connection when all is written that was sent before.
    Disconnect(Connection),
    /// Resolve a name. Nothing waits for the outcome.
    Resolve(String),
    /// Open a media port. Its outcome is reported, always.
    OpenPort {
        /// For which call.
        call: Participant,
        /// At which address.
        at: IpAddr,
        /// A probe never takes the last port that a caller could need.
        spare: bool,
    },
    /// Put the leg into its conference, at its open port.
    Join {
        /// Which leg.
        call: Participant,
        /// The conference.
        room: RoomName,
        /// What was agreed.
        plan: Plan,
        /// Where its outgoing stream begins.
        outgoing: Outgoing,
    },
    /// The call is confirmed: sound may leave.
    Start(Participant),
    /// Both ends agreed anew.
    Change {
        /// Which leg.
        call: Participant,
        /// What was agreed.
        plan: Plan,
    },
    /// The others hear the participant of this leg, or do not.
    SetVoice {
        /// Which leg.
        call: Participant,
        /// Whether it is heard.
        voice: Voice,
    },
    /// Take the leg out of its conference and close its port. [`Input::Released`] follows, always.
    Release(Participant),
    /// As [`Output::Release`], and [`Input::HandedOut`] comes first.
    HandOut(Participant),
    /// The streams of the far end, which are encrypted, go on from where another process has seen them.
    GoOnReceiving {
        /// Which leg.
        call: Participant,
        /// What it has seen.
        received: Box<Received>,
    },
    /// The outgoing stream of the leg goes on from where another process has left it.
    Resume {
        /// Which leg.
        call: Participant,
        /// Where its stream is.
        stream: ExportedStream,
    },
    /// Report to whoever moves this call.
    Handover {
        /// Which call.
        call: Participant,
        /// What has become of it.
        event: Handover,
    },
    /// A call that was dialled is answered, or failed. Follows once for each.
    Dialled {
        /// Which call.
        call: Participant,
        /// What has become of it.
        outcome: Result<(), DialError>,
    },
    /// A caller was refused, which an operator may want to know.
    Refused(Box<RefusedCall>),
    /// The probe is over, signalling and media.
    ProbeOver,
}

/// What becomes of a call that is being moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handover {
    /// The far end of an imported call has answered here.
    Ready {
        /// The CSeq of the request that it has answered.
        last_sequence: Option<u32>,
    },
    /// The far end has agreed, and is here from now on.
    TakenOver,
    /// The call goes on at the process that has exported it, and nothing is left of it here.
    NotTakenOver {
        /// The CSeq of the last request that was sent here.
        last_sequence: Option<u32>,
        /// Whether the far end may have been changed.
        changed: Changed,
        /// Why.
        why: NotTakenOver,
    },
    /// The leg of an exported call is gone; its stream has come so far.
    Stream(ExportedStream),
    /// The far end has hung up.
    Ended,
}
