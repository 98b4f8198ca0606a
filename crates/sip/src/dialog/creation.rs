//! How a dialog begins (RFC 3261 section 12.1): by a response to an INVITE that is provisional with a tag, or 2xx.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::dialog::id::DialogId;
use crate::dialog::state::{Dialog, Phase, Role};
use crate::error::{FieldError, Malformed};
use crate::fields::{Contacts, Fields};
use crate::headers::Headers;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::name::Name;
use crate::status::Status;
use crate::transport::flow::Protocol;
use crate::uri::{Scheme, Uri};

/// Why a request and its response begin no dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDialog {
    /// The request is not INVITE.
    Method,
    /// The response is 100, 3xx or beyond.
    Status,
    /// A tag is missing: ours, or that of a provisional response of the other side.
    Tag,
    /// The INVITE has no Contact and is none of RFC 2543, or a Contact or a Record-Route is wrong: it is owed 400.
    Field(FieldError),
}

impl fmt::Display for NoDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("only an INVITE begins a dialog"),
            Self::Status => f.write_str("only 101 to 299 begins a dialog"),
            Self::Tag => {
                f.write_str("a dialog needs a tag in From of a request of ours and in To of its response")
            }
            Self::Field(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for NoDialog {}

impl Dialog {
    /// The dialog of an INVITE of the other side and our response to it, which came over this transport (section
    /// 12.1.1). [`Self::response_sent`] is owed for the same response.
    ///
    /// # Errors
    /// It begins no dialog.
    pub fn as_uas(invite: &Request, response: &Response, protocol: Protocol) -> Result<Self, NoDialog> {
        let phase = phase(invite, response.status())?;
        let (request, answer) = (invite.headers(), response.headers());
        let local_tag = answer.to_tag().ok_or(NoDialog::Tag)?;
        let sequence = request.cseq().number;
        Ok(Self {
            id: DialogId::new(request.call_id(), local_tag, request.from_tag()),
            role: Role::Uas,
            phase,
            secure: is_secure(invite, protocol),
            local: value(answer, Name::To),
            remote: value(request, Name::From),
            target: caller(request).map_err(NoDialog::Field)?,
            routes: routes(request).map_err(NoDialog::Field)?,
            local_sequence: None,
            remote_sequence: Some(sequence),
            our_invite: None,
            their_invite: Some(sequence),
            unacknowledged: None,
            reliable: None,
            acks: Vec::new(),
            retry: None,
        })
    }

    /// The dialog of an INVITE of ours, which went over this transport, and a response to it (section 12.1.2).
    /// [`Self::response_received`] is owed for the same response.
    ///
    /// A 2xx without a tag begins one as well, for peers of RFC 2543. Without Contact, which they may leave out, the
    /// target is the Request-URI.
    ///
    /// # Errors
    /// It begins no dialog.
    pub fn as_uac(invite: &Request, response: &Response, protocol: Protocol) -> Result<Self, NoDialog> {
        let phase = phase(invite, response.status())?;
        let (request, answer) = (invite.headers(), response.headers());
        let local_tag = request.from_tag().ok_or(NoDialog::Tag)?;
        let remote_tag = answer.to_tag();
        if phase == Phase::Early && remote_tag.is_none() {
            return Err(NoDialog::Tag);
        }
        let named = target(answer).map_err(NoDialog::Field)?;
        let sequence = request.cseq().number;
        Ok(Self {
            id: DialogId::new(request.call_id(), local_tag, remote_tag),
            role: Role::Uac,
            phase,
            secure: is_secure(invite, protocol),
            local: value(request, Name::From),
            remote: value(answer, Name::To),
            target: named.unwrap_or_else(|| invite.uri().as_str().to_string()),
            routes: reversed_routes(answer).map_err(NoDialog::Field)?,
            local_sequence: Some(sequence),
            remote_sequence: None,
            our_invite: Some(sequence),
            their_invite: None,
            unacknowledged: None,
            reliable: None,
            acks: Vec::new(),
            retry: None,
        })
    }
}

fn phase(invite: &Request, status: Status) -> Result<Phase, NoDialog> {
    match (invite.method() == Method::Invite, status.code()) {
        (false, _) => Err(NoDialog::Method),
        (true, 101..=199) => Ok(Phase::Early),
        (true, 200..=299) => Ok(Phase::Confirmed),
        (true, _) => Err(NoDialog::Status),
    }
}

fn is_secure(invite: &Request, protocol: Protocol) -> bool {
    let is_sips = invite.uri().sip().is_some_and(|uri| uri.scheme == Scheme::Sips);
    is_sips && protocol == Protocol::TLS
}

fn value(fields: &Fields, name: Name) -> Vec<u8> {
    fields.value(name).unwrap_or_default().to_vec()
}

/// The target of an INVITE of the other side. A peer of RFC 2543, whose From has no tag, may leave Contact out; it is
/// called where its From says.
fn caller(invite: &Headers) -> Result<String, FieldError> {
    match target(invite)? {
        Some(target) => Ok(target),
        None if invite.from_tag().is_none() => callable(invite.from().uri, Name::From),
        None => Err(FieldError { name: Name::Contact, why: Malformed::MISSING }),
    }
}

/// The URI of the Contact, which is a remote target. What stands in a Contact beyond the first address has no meaning
/// within a dialog (section 8.1.1.8).
pub(crate) fn target(fields: &Fields) -> Result<Option<String>, FieldError> {
    let Contacts::Listed(mut contacts) = fields.contacts() else {
        return Err(FieldError { name: Name::Contact, why: Malformed("it is no address") });
    };
    let Some(contact) = contacts.next().transpose()? else { return Ok(None) };
    callable(contact.uri, Name::Contact).map(Some)
}

fn callable(uri: Uri<'_>, name: Name) -> Result<String, FieldError> {
    match uri {
        Uri::Sip(_) => Ok(uri.without_headers().to_string()),
        Uri::Tel(_) | Uri::Other(_) => {
            Err(FieldError { name, why: Malformed("it is neither a sip: nor a sips: URI") })
        }
    }
}

/// The addresses of Record-Route in their order: the route set of a UAS.
fn routes(fields: &Fields) -> Result<Vec<Vec<u8>>, FieldError> {
    let routes = fields.record_routes().all()?;
    if routes.iter().any(|route| route.uri.sip().is_none()) {
        let why = Malformed("it is neither a sip: nor a sips: URI");
        return Err(FieldError { name: Name::RecordRoute, why });
    }
    Ok(routes.iter().map(|route| route.text().to_vec()).collect())
}

/// The addresses of Record-Route from the last to the first: the route set of a UAC.
pub(crate) fn reversed_routes(fields: &Fields) -> Result<Vec<Vec<u8>>, FieldError> {
    let mut routes = routes(fields)?;
    routes.reverse();
    Ok(routes)
}
