//! Responses: what is decided about a request, and how it is written and sent.

use sip::draft::Draft;
use sip::message::{self, Message, Response as SentResponse};
use sip::method::Method;
use sip::name::Name;
use sip::status::Status;
use sip::value::Token;

use crate::calls::Stats;
use crate::sdp::Unacceptable;

use super::agent::UserAgent;
use super::call::Received;
use super::headers::{self, Field, SDP};

/// A response as it is decided.
#[derive(Clone, Debug)]
pub(super) struct Response {
    status: u16,
    fields: Vec<Field>,
    description: Option<String>,
}

impl Response {
    pub(super) fn new(status: u16, fields: Vec<Field>) -> Response {
        Response { status, fields, description: None }
    }

    /// The refusal of a request that requires extensions that this node lacks.
    pub(super) fn of_lacking(extensions: String) -> Response {
        Response::new(420, vec![(Name::Unsupported, extensions)])
    }

    /// The refusal of a method: one that is known and not offered here, or one that is unknown. `allow` has those that
    /// are offered.
    pub(super) fn of_method(method: Method<'_>, allow: Field) -> Response {
        let status = match method {
            Method::Message | Method::Publish | Method::Refer | Method::Register | Method::Subscribe => 405,
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Notify
            | Method::Other(_) => 501,
        };
        Response::new(status, vec![allow])
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn with_description(self, description: String) -> Response {
        Response { description: Some(description), ..self }
    }
}

/// A refusal of a call that was admitted: the response, and what it counts as.
pub(super) struct Refused {
    pub(super) response: Response,
    pub(super) count: fn(&mut Stats),
}

/// The refusal of a session description, or of a body that should hold one.
pub(super) fn of_unacceptable(fault: &Unacceptable) -> Response {
    let accept = (fault.status() == 415).then(headers::accept);
    let fields = std::iter::once(headers::warning(fault.warning_code(), fault.text().as_ref())).chain(accept);
    Response::new(fault.status(), fields.collect())
}

/// Adds headers and the body.
pub(super) fn finish(mut draft: Draft, fields: &[Field], description: Option<&str>) -> Vec<u8> {
    for (name, value) in fields {
        draft = draft.field(*name, value).expect("control characters were taken out when it was made");
    }
    match description {
        None => draft.finish(),
        Some(description) => {
            draft.finish_with(SDP, description.as_bytes()).expect("the type has no control character")
        }
    }
}

impl UserAgent {
    /// Writes a response. `tag` is ours; a request within a dialog has it already.
    pub(super) fn written(received: &Received, response: &Response, tag: &str) -> SentResponse {
        let status = Status::new(response.status).expect("it is one of ours");
        let reply = received.arrival.reply(&received.request, status);
        let reply = Token::new(tag).map_or(reply, |tag| reply.tagged(tag));
        let draft = reply.draft().field(Name::Server, "Pitlane").expect("it has no control character");
        let bytes = finish(draft, &response.fields, response.description.as_deref());
        match message::datagram(&bytes) {
            Ok(Message::Response(response)) => response,
            Ok(Message::Request(_)) | Err(_) => unreachable!("a response of ours can be read"),
        }
    }

    /// Gives a response to its transaction. One that is over has nobody who waits.
    pub(super) fn send_response(&mut self, received: &Received, response: &SentResponse) {
        if let Ok(effects) = self.layer.respond_with(self.now(), received.transaction, response) {
            self.effects.extend(effects);
        }
    }

    /// Responds to a request that belongs to no dialog, and keeps nothing of it (RFC 3261 section 8.2.7): when the
    /// request comes again it gets the same response. So a stream of them takes no room from the calls.
    pub(super) fn respond(&mut self, received: &Received, response: &Response) {
        let tag = self.layer.stateless_tag(received.request.headers());
        self.send_response(received, &Self::written(received, response, &tag));
        self.layer.abandon(received.transaction);
    }
}
