//! Who sends a request: what is challenged, and what its credentials are worth.
//!
//! Calls are challenged with 401 and not with 407: this node is what they are sent to, and no proxy (RFC 3261 sections
//! 22.2 and 22.3), so that a proxy in between can ask for credentials of its own beside it.

use sip::name::Name;

use crate::rooms::Callers;

use super::agent::UserAgent;
use super::authentication::{Credentials, Judgement, Reason};
use super::call::Received;
use super::headers::reason;
use super::outside::dialled;
use super::response::Response;

/// When a sender may try again of whom too many credentials were wrong, in seconds. By then one more is looked at,
/// with usual settings a whole minute's.
const RETRY_AFTER_FAILURES: u32 = 60;

impl UserAgent {
    /// Whether a new call may go to the room that it is for.
    ///
    /// # Errors
    /// The response to a caller who has to show who it is.
    pub(super) fn authorise(&mut self, received: &Received) -> Result<(), Response> {
        let room = dialled(&received.request).and_then(|(user, host)| self.room(&user, &host));
        match room.map(|room| self.rooms.callers(room)) {
            Some(Callers::Accounts) => self.authenticate(received).map(drop),
            Some(Callers::Anyone) | None => Ok(()),
        }
    }

    /// The username of the account whose credentials a request has. Nothing is kept of a sender without any.
    ///
    /// # Errors
    /// The response to a sender who has to show who it is.
    pub(super) fn authenticate(&mut self, received: &Received) -> Result<String, Response> {
        let (now, source, settings) = (self.time(), received.source(), &self.settings.authentication);
        let Some(credentials) = Credentials::of(&received.request, settings) else {
            return Err(self.challenge(Reason::NoCredentials));
        };
        let is_known = self.authenticator.knows(&credentials) || self.has_device(&credentials, received);
        if !is_known && !self.admitter.may_fail(now, source) {
            self.stats.unchecked_credentials += 1;
            return Err(unchecked());
        }
        let (method, account) = (received.request.method(), self.accounts.get(credentials.username()));
        match self.authenticator.judge(now, &credentials, method, account, &settings.realm) {
            Judgement::Right => Ok(credentials.username().to_owned()),
            Judgement::Stale => Err(self.challenge(Reason::StaleNonce)),
            Judgement::Wrong => {
                self.admitter.failed(now, source);
                self.stats.wrong_credentials += 1;
                Err(self.challenge(Reason::NoCredentials))
            }
        }
    }

    /// Whether a device of the account that the credentials name is registered from where they come from.
    fn has_device(&self, credentials: &Credentials<'_>, received: &Received) -> bool {
        let account = self.accounts.get(credentials.username());
        let aliases = account.into_iter().flat_map(|account| &account.aliases);
        let mut bindings = aliases.flat_map(|alias| self.bindings.of(&alias.to_lowercase()));
        bindings.any(|binding| binding.flow == received.arrival.flow)
    }

    fn challenge(&mut self, reason: Reason) -> Response {
        let (now, random) = (self.time(), self.random.number());
        let settings = &self.settings.authentication;
        Response::new(401, self.authenticator.challenges(now, random, settings, reason))
    }
}

/// The response to credentials that are not looked at.
fn unchecked() -> Response {
    let retry = (Name::RetryAfter, RETRY_AFTER_FAILURES.to_string());
    Response::new(503, vec![retry, reason(503, "Too many wrong credentials from this address")])
}
