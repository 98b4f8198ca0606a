//! Requests within the dialog of a call.

use sip::dialog::receiving::Rejection;
use sip::method::Method;
use sip::name::Name;

use super::agent::UserAgent;
use super::call::{Call, Progress, Received};
use super::ending::End;
use super::headers::{self, abilities};
use super::response::Response;

impl UserAgent {
    /// A request of the far end within the dialog of a call.
    pub(super) fn within(&mut self, call: &mut Call, received: Received) {
        let Some(id) = call.dialog.clone() else { return };
        let random = self.random.number();
        let judged = self.dialogs.change(&id, |dialog| dialog.request_received(&received.request, random));
        match judged {
            Some(Ok(())) => self.accepted(call, received),
            Some(Err(rejection)) => self.reject(call, &received, rejection),
            None => self.refuse_unknown(&received),
        }
    }

    fn reject(&mut self, call: &mut Call, received: &Received, rejection: Rejection) {
        let retry = rejection.retry_after().map(|seconds| (Name::RetryAfter, seconds.to_string()));
        let response = Response::new(rejection.status().code(), retry.into_iter().collect());
        self.send_within(call, received, &response);
    }

    fn accepted(&mut self, call: &mut Call, received: Received) {
        if let Some(lacking) = headers::lacking(&received.request) {
            self.send_within(call, &received, &Response::of_lacking(lacking));
            return;
        }
        let response = match received.request.method() {
            Method::Bye => return self.hang_up(call, &received),
            Method::Invite | Method::Update => return self.change_or_defer(call, received),
            Method::Options => Response::new(200, abilities(headers::allow())),
            // RFC 6086 section 4.2.2: this node knows no package.
            Method::Info if received.request.headers().others("Info-Package").next().is_some() => {
                Response::new(469, vec![(Name::RecvInfo, "nil".into())])
            }
            Method::Info => Response::new(200, Vec::new()),
            Method::Prack => self.prack(call, &received.request),
            // Nothing was subscribed to.
            Method::Notify => Response::new(481, Vec::new()),
            method @ (Method::Message
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe
            | Method::Ack
            | Method::Cancel
            | Method::Other(_)) => Response::of_method(method, headers::allow()),
        };
        self.send_within(call, &received, &response);
    }

    fn hang_up(&mut self, call: &mut Call, received: &Received) {
        self.send_within(call, received, &Response::new(200, Vec::new()));
        match call.progress {
            Progress::Opening { .. } | Progress::Ringing { .. } => self.end(call, End::Cancelled),
            Progress::Answered | Progress::Confirmed => {
                self.confirm(call);
                self.end(call, End::HungUp);
            }
            Progress::Exported { .. } | Progress::Moved { .. } | Progress::Importing(_) => {
                self.end_elsewhere(call);
            }
            // Both sides have hung up at the same time.
            Progress::Calling { .. } | Progress::GivenUp | Progress::Ending { .. } | Progress::Over => {}
        }
    }

    /// An INVITE that overtakes the ACK before it waits for that ACK: datagrams may change their order. A second one is
    /// too early (RFC 3261 section 14.2). An UPDATE waits for nothing (RFC 3311 section 5.2).
    fn change_or_defer(&mut self, call: &mut Call, received: Received) {
        let is_update = received.request.method() == Method::Update;
        let is_answered = matches!(call.progress, Progress::Answered | Progress::Confirmed);
        if is_answered && (call.invite.is_none() || is_update) {
            self.change(call, &received);
        } else if is_answered && call.deferred.is_none() {
            self.by_invite.insert(received.transaction, call.id);
            call.deferred = Some(received);
        } else {
            self.send_within(call, &received, &Response::new(500, vec![(Name::RetryAfter, "1".into())]));
        }
    }
}
