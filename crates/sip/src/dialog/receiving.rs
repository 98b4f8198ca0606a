//! Requests of the other side within a dialog (RFC 3261 sections 12.2.2 and 14.2).

use core::fmt;

use crate::dialog::overlap;
use crate::dialog::state::Dialog;
use crate::message::Request;
use crate::method::Method;
use crate::status::Status;

/// Why a request within a dialog is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Its CSeq is not beyond that of the request before: 500.
    OutOfOrder,
    /// An INVITE of ours is in progress: 491.
    OurInvite,
    /// An INVITE of the other side is in progress: 500.
    TheirInvite {
        /// Retry-After, in seconds.
        retry_after: u32,
    },
}

impl Rejection {
    /// The status that is owed.
    pub const fn status(self) -> Status {
        match self {
            Self::OutOfOrder | Self::TheirInvite { .. } => Status::SERVER_INTERNAL_ERROR,
            Self::OurInvite => Status::REQUEST_PENDING,
        }
    }

    /// Retry-After of the response, in seconds.
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Self::OutOfOrder | Self::OurInvite => None,
            Self::TheirInvite { retry_after } => Some(retry_after),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfOrder => "its CSeq is not beyond that of the request before",
            Self::OurInvite => "an INVITE of ours is in progress",
            Self::TheirInvite { .. } => "an INVITE of the same side is in progress",
        })
    }
}

impl core::error::Error for Rejection {}

impl Dialog {
    /// A request of the other side has come, which the transaction layer has found to be new. `random` is any number.
    ///
    /// A CSeq that is the same as the one before is refused like a lower one: each request has its own (section
    /// 12.2.1.1), but for ACK and CANCEL, which have that of their INVITE and change nothing here.
    ///
    /// # Errors
    /// It is to be refused.
    pub fn request_received(&mut self, request: &Request, random: u64) -> Result<(), Rejection> {
        let cseq = request.headers().cseq();
        if matches!(cseq.method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        if self.remote_sequence.is_some_and(|last| cseq.number <= last) {
            return Err(Rejection::OutOfOrder);
        }
        self.remote_sequence = Some(cseq.number);
        if cseq.method == Method::Invite {
            if self.their_invite.is_some() {
                return Err(Rejection::TheirInvite { retry_after: overlap::retry_after(random) });
            }
            if self.our_invite.is_some() {
                return Err(Rejection::OurInvite);
            }
            self.their_invite = Some(cseq.number);
        }
        Ok(())
    }
}
