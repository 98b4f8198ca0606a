//! What is reported of a caller that was refused: who called whom, and why not. Whoever logs it limits how often.

use std::net::SocketAddr;

use sip::address::Address;
use sip::name::Name;
use sip::status::Status;
use sip::value::Value as _;

use super::agent::UserAgent;
use super::call::Received;
use super::input::Output;
use super::member::alias_of;
use super::response::Response;

/// The status of an INVITE that its caller has given up.
const GIVEN_UP: u16 = 487;

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedCall {
    /// Where its INVITE came from.
    pub(crate) remote: SocketAddr,
    /// Who called, as `user@host`.
    pub(crate) source_alias: String,
    /// Who was called, as `user@host`.
    pub(crate) destination_alias: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// Why, as the answer says it.
    pub(crate) reason: String,
}

impl UserAgent {
    /// Reports that a caller is refused with this response.
    pub(super) fn report_refusal(&mut self, received: &Received, response: &Response) {
        if response.status() == GIVEN_UP {
            return;
        }
        let from = received.request.headers().value(Name::From);
        let caller = from.and_then(|from| Address::whole(from).ok());
        self.outputs.push(Output::Refused(Box::new(RefusedCall {
            remote: received.arrival.flow.remote,
            source_alias: caller.map(|caller| alias_of(caller.uri)).unwrap_or_default(),
            destination_alias: alias_of(received.request.uri()),
            status: response.status(),
            reason: reason_of(response),
        })));
    }
}

/// The text of the Reason or the Warning of a response, or else the phrase of its status.
fn reason_of(response: &Response) -> String {
    let says_why = response.fields().iter().find(|(name, _)| matches!(name, Name::Reason | Name::Warning));
    let quoted = says_why.and_then(|(_, value)| value.split('"').nth(1));
    let phrase = || Status::new(response.status()).map(Status::reason).unwrap_or_default();
    quoted.unwrap_or_else(phrase).to_owned()
}
