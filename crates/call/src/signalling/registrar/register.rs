//! REGISTER: who may change which bindings, and the answer (RFC 3261 section 10.3).
//!
//! In maintenance mode a device that is not registered here is refused, and goes to another node. One that is registered is
//! kept, for the shortest time there is: phones that are refused show their users a fault, and many try again only
//! after minutes. So they stay reachable if the node goes back to service, and if it restarts they register anew
//! within that time.

use std::sync::Arc;

use sip::name::Name;

use crate::admission::{Admission, Refusal};
use crate::signalling::agent::UserAgent;
use crate::signalling::call::Received;
use crate::signalling::destination::is_translated;
use crate::signalling::headers::{self, Field};
use crate::signalling::outside::address_of;
use crate::signalling::response::Response;
use crate::time::Time;

use super::asked::{Asked, Wrong};
use super::bindings::{Binding, OutOfOrder, Register};

/// When a device may try again whose source registers too many at once, in seconds.
const RETRY_AFTER_RATE: u32 = 10;

impl UserAgent {
    /// Answers a REGISTER. The answer to an account is kept until the request comes again no more: its credentials
    /// are good once.
    pub(in crate::signalling) fn register(&mut self, received: &Received) {
        match self.registration(received) {
            Ok(response) => {
                let tag = self.layer.stateless_tag(received.request.headers());
                self.send_response(received, &Self::written(received, &response, &tag));
            }
            Err(response) => self.respond(received, &response),
        }
    }

    /// The answer to the REGISTER of an account.
    ///
    /// # Errors
    /// The answer to one that nothing is kept of.
    fn registration(&mut self, received: &Received) -> Result<Response, Response> {
        let headers = received.request.headers();
        if self.accounts.is_empty() {
            return Err(Response::of_method(received.request.method()));
        }
        if headers.others("Path").next().is_some() {
            return Err(Response::of_lacking("path".into()));
        }
        let asked = Asked::read(headers, &self.settings.registration)
            .map_err(|wrong| of_wrong(wrong, self.settings.registration.min_expires.as_secs()))?;
        let address = address_of(headers.to().uri);
        let alias = address.and_then(|(user, host)| self.accounts.alias(&user, &host));
        let asked = self.in_maintenance_mode(alias.as_deref().unwrap_or_default(), asked)?;
        let username = self.authenticate(received)?;
        let alias =
            alias.filter(|alias| self.accounts.owner(alias).is_some_and(|owner| owner.username == username));
        let Some(alias) = alias else { return Ok(Response::new(403, Vec::new())) };
        if !self.admitter.register(self.time(), received.source()) {
            let retry = (Name::RetryAfter, RETRY_AFTER_RATE.to_string());
            let why = headers::reason(503, "Too many registrations from this address");
            return Err(Response::new(503, vec![retry, why]));
        }
        Ok(self.change_bindings(&alias, received, &asked))
    }

    /// What of a REGISTER is done in maintenance mode; at other times all of it.
    ///
    /// # Errors
    /// The refusal of a new registration.
    fn in_maintenance_mode(&self, alias: &str, asked: Asked) -> Result<Asked, Response> {
        match self.admitter.admission() {
            Admission::Open => Ok(asked),
            Admission::Closed(_) if self.bindings.has_all(alias, &asked) => {
                Ok(asked.shortened(self.settings.registration.min_expires))
            }
            Admission::Closed(closed) => {
                Err(Response::new(503, headers::refusal(&Refusal::Closed(closed.clone()))))
            }
        }
    }

    fn change_bindings(&mut self, alias: &Arc<str>, received: &Received, asked: &Asked) -> Response {
        let (now, headers) = (self.time(), received.request.headers());
        let register = Register {
            call_id: headers.call_id(),
            sequence: headers.cseq().number,
            flow: received.arrival.flow,
            is_translated: is_translated(received),
        };
        match self.bindings.apply(now, alias, &register, asked) {
            Ok(()) => {
                let bindings = self.bindings.of(alias).iter();
                Response::new(200, bindings.map(|binding| contact(binding, now)).collect())
            }
            Err(OutOfOrder) => Response::new(500, Vec::new()),
        }
    }
}

/// Contact of an answer, with the time that it has left, in whole seconds.
fn contact(binding: &Binding, now: Time) -> Field {
    let left = binding.expires.since(now).as_millis().div_ceil(1000);
    (Name::Contact, format!("<{}>;expires={left}", binding.uri))
}

fn of_wrong(wrong: Wrong, shortest: u64) -> Response {
    match wrong {
        Wrong::Malformed(text) => Response::new(400, vec![headers::warning(399, text)]),
        Wrong::TooBrief => Response::new(423, vec![(Name::MinExpires, shortest.to_string())]),
    }
}
