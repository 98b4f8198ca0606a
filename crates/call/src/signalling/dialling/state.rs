//! The state of a call that is dialled, beside what every call has.

use std::net::SocketAddr;
use std::time::Duration;

use sip::transaction::TransactionId;

use crate::dial::DialError;

use super::target::{Target, Targets};

/// A call that is dialled and has no answer.
#[derive(Clone, Debug)]
pub(in crate::signalling) struct Dialling {
    pub(super) call_id: String,
    /// The values of From, without our tag, and of To.
    pub(super) from: String,
    pub(super) to: String,
    /// The CSeq of the last INVITE.
    pub(super) sequence: u32,
    pub(super) answer_within: Duration,
    /// Our media address, when the port is open.
    pub(super) media: Option<SocketAddr>,
    pub(super) targets: Targets,
    pub(super) step: Step,
    /// Why the target before was not reached.
    pub(super) failure: DialError,
}

/// What is waited for.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The media port.
    Port,
    /// The address of a target.
    Name(Target),
    /// A response to the INVITE.
    Response { transaction: TransactionId, target: Target },
}
