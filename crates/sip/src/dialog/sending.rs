//! Requests of this side within a dialog (RFC 3261 section 12.2.1.1), and the ACK for a 2xx (section 13.2.2.4).

use core::fmt;

use crate::dialog::routing::Path;
use crate::dialog::state::{Dialog, Phase, Role, SentAck};
use crate::draft::Draft;
use crate::method::Method;
use crate::name::Name;
use crate::sequence::CSeq;
use crate::uri::Uri;

/// The hops of a new request (section 8.1.1.6).
const MAX_FORWARDS: u8 = 70;

/// CSeq must stay below it (section 8.1.1.5).
pub(crate) const SEQUENCE_END: u32 = 1 << 31;

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// It is ACK, which [`Dialog::ack`] writes, or CANCEL, which belongs to a transaction.
    Method,
    /// It is INVITE, and another one is in progress (section 14.1).
    InviteInProgress,
    /// It is BYE, and the other side may not know yet that its INVITE was answered (section 15).
    ByeTooEarly,
    /// There is no CSeq left.
    NoSequence,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "an ACK is written by Dialog::ack, and a CANCEL by the transaction layer",
            Self::InviteInProgress => "an INVITE of this dialog is in progress; send it when that is over",
            Self::ByeTooEarly => {
                "the called side sends no BYE before the ACK; refuse the INVITE, or wait for it"
            }
            Self::NoSequence => "CSeq has reached 2^31; end the dialog",
        })
    }
}

impl core::error::Error for Unsendable {}

impl Dialog {
    /// The next request of this side, but for Via, Contact, and what else the user adds. Its CSeq is spent, whether
    /// it is sent or not.
    ///
    /// # Errors
    /// It may not be sent now.
    pub fn request(&mut self, method: Method<'_>) -> Result<Draft, Unsendable> {
        self.may_send(method)?;
        let number = self.local_sequence.unwrap_or(0).saturating_add(1);
        if number >= SEQUENCE_END {
            return Err(Unsendable::NoSequence);
        }
        self.local_sequence = Some(number);
        if method == Method::Invite {
            self.our_invite = Some(number);
            self.retry = None;
        }
        Ok(self.draft(CSeq { number, method }))
    }

    fn may_send(&self, method: Method<'_>) -> Result<(), Unsendable> {
        let awaits_ack = self.phase == Phase::Early || self.unacknowledged.is_some();
        if matches!(method, Method::Ack | Method::Cancel) {
            Err(Unsendable::Method)
        } else if method == Method::Invite && !self.may_invite() {
            Err(Unsendable::InviteInProgress)
        } else if method == Method::Bye && self.role == Role::Uas && awaits_ack {
            Err(Unsendable::ByeTooEarly)
        } else {
            Ok(())
        }
    }

    /// The ACK for the 2xx to an INVITE of ours with this CSeq; `None` when none is owed. The user adds credentials
    /// if the INVITE had any, and keeps the ACK with [`Self::ack_sent`].
    pub fn ack(&self, sequence: u32) -> Option<Draft> {
        let is_owed = self.acks.iter().any(|ack| ack.sequence == sequence && ack.sent.is_none());
        is_owed.then(|| self.draft(CSeq { number: sequence, method: Method::Ack }))
    }

    /// Keeps an ACK, to send it again byte for byte when its 2xx comes again. The first one stays.
    pub fn ack_sent(&mut self, sequence: u32, sent: SentAck) {
        if let Some(ack) = self.acks.iter_mut().find(|ack| ack.sequence == sequence) {
            ack.sent.get_or_insert(sent);
        }
    }

    fn draft(&self, cseq: CSeq<'_>) -> Draft {
        let path = Path::of(self);
        let uri = Uri::new(path.uri.as_bytes()).expect("the URI was checked when it was read");
        let mut draft = Draft::request(cseq.method, uri);
        for route in &path.routes {
            draft.copied(Name::Route, &[route]);
        }
        draft.copied(Name::From, &[&self.local]);
        draft.copied(Name::To, &[&self.remote]);
        draft.copied(Name::CallId, &[self.id.call_id().as_bytes()]);
        let draft =
            draft.field(Name::CSeq, cseq).and_then(|draft| draft.field(Name::MaxForwards, MAX_FORWARDS));
        draft.expect("a number and a token have no control character")
    }
}
