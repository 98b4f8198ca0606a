//! A dialog as values that another process can go on with, and the way back. Whoever carries them chooses their form.
//!
//! Only a dialog at rest is exported: confirmed, without an INVITE in progress, and without an ACK or a PRACK
//! that is missing. So nothing of a
//! transaction goes along.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::address::Address;
use crate::dialog::id::DialogId;
use crate::dialog::sending::SEQUENCE_END;
use crate::dialog::state::{Dialog, Phase, Role};
use crate::error::{FieldError, Malformed};
use crate::lex::is_space;
use crate::name::Name;
use crate::uri::Uri;
use crate::value::{CallId, Value};

/// A dialog at rest. Header values have no line breaks: they are unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The Call-ID.
    pub call_id: String,
    /// The side that this engine has.
    pub role: Role,
    /// Whether the dialog is secure (RFC 3261 section 12.1).
    pub secure: bool,
    /// From of our requests, with our tag. It may be no UTF-8.
    pub local: Vec<u8>,
    /// To of our requests, with the tag of the other side if it has one. It may be no UTF-8.
    pub remote: Vec<u8>,
    /// The remote target: a SIP or SIPS URI.
    pub target: String,
    /// The route set, in the order of our requests: addresses, which may be no UTF-8.
    pub routes: Vec<Vec<u8>>,
    /// The CSeq of our last request.
    pub local_sequence: Option<u32>,
    /// The CSeq of the last request of the other side.
    pub remote_sequence: Option<u32>,
}

impl Dialog {
    /// The dialog for another process; `None` when it is not at rest.
    pub fn export(&self) -> Option<Exported> {
        let awaits_nothing = self.retry.is_none() && self.reliable.is_none();
        if self.phase != Phase::Confirmed || !self.may_invite() || !awaits_nothing {
            return None;
        }
        Some(Exported {
            call_id: self.id.call_id().to_string(),
            role: self.role,
            secure: self.secure,
            local: unfolded(&self.local),
            remote: unfolded(&self.remote),
            target: self.target.clone(),
            routes: self.routes.iter().map(|route| unfolded(route)).collect(),
            local_sequence: self.local_sequence,
            remote_sequence: self.remote_sequence,
        })
    }

    /// A dialog that another process has exported.
    ///
    /// # Errors
    /// The value of a header could not have been exported.
    pub fn import(exported: Exported) -> Result<Self, FieldError> {
        let Exported {
            call_id,
            role,
            secure,
            local,
            remote,
            target,
            routes,
            local_sequence,
            remote_sequence,
        } = exported;
        CallId::whole(call_id.as_bytes()).map_err(of(Name::CallId))?;
        let local_tag = address(&local).map_err(of(Name::From))?.tag();
        let local_tag = local_tag.ok_or(of(Name::From)(Malformed("it has no tag")))?;
        let remote_tag = address(&remote).map_err(of(Name::To))?.tag();
        let id = DialogId::new(&call_id, local_tag, remote_tag);
        check_target(&target).map_err(of(Name::Contact))?;
        routes.iter().try_for_each(|route| check_route(route)).map_err(of(Name::RecordRoute))?;
        if local_sequence.max(remote_sequence).is_some_and(|sequence| sequence >= SEQUENCE_END) {
            return Err(of(Name::CSeq)(Malformed("it is beyond 2^31")));
        }
        Ok(Self {
            id,
            role,
            phase: Phase::Confirmed,
            secure,
            local,
            remote,
            target,
            routes,
            local_sequence,
            remote_sequence,
            our_invite: None,
            their_invite: None,
            reliable: None,
            unacknowledged: None,
            acks: Vec::new(),
            retry: None,
        })
    }

    /// Another process has sent requests within this dialog: the last had this CSeq.
    pub fn skip_sequence(&mut self, last: u32) {
        self.local_sequence = self.local_sequence.max(Some(last));
    }
}

fn of(name: Name) -> impl Fn(Malformed) -> FieldError {
    move |why| FieldError { name, why }
}

/// A folded line goes on behind white space (RFC 3261 section 7.3.1).
fn unfolded(value: &[u8]) -> Vec<u8> {
    value.iter().map(|byte| if is_space(*byte) { b' ' } else { *byte }).collect()
}

fn check_characters(value: &[u8]) -> Result<(), Malformed> {
    if value.iter().any(u8::is_ascii_control) { Err(Malformed("it has a control character")) } else { Ok(()) }
}

fn address(value: &[u8]) -> Result<Address<'_>, Malformed> {
    check_characters(value)?;
    Address::whole(value)
}

fn check_target(target: &str) -> Result<(), Malformed> {
    let uri = Uri::new(target.as_bytes())?;
    if uri.sip().is_none() || uri.without_headers() != target {
        return Err(Malformed("it is no SIP or SIPS URI without headers"));
    }
    Ok(())
}

fn check_route(route: &[u8]) -> Result<(), Malformed> {
    if address(route)?.uri.sip().is_none() {
        return Err(Malformed("it is neither a sip: nor a sips: URI"));
    }
    Ok(())
}
