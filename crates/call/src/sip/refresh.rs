//! The refresh of a session by us: a re-INVITE with what is agreed already (RFC 4028 section 7.4).

use std::ops::ControlFlow;
use std::time::Duration;

use rsipstack::sip::{Method, Response};

use crate::time::Time;

use super::answer::random;
use super::call::{Call, End, Event};
use super::exchange;
use super::message::{self, ALLOW, SDP};

/// When a refresh that was refused for now is tried again.
const RETRY: Duration = Duration::from_secs(10);

impl Call {
    /// When the session is to be refreshed by us; `None` while it is being refreshed, or the far end does it.
    pub(super) fn refresh_at(&self) -> Option<Time> {
        if self.refreshing || self.unacked.is_some() {
            return None;
        }
        self.retry_refresh_at.or_else(|| self.timer.refresh_at())
    }

    /// Sends the refresh; its answer comes back as an event.
    pub(super) fn send_refresh(&mut self) {
        self.refreshing = true;
        self.retry_refresh_at = None;
        let headers = vec![
            message::header("Allow", ALLOW),
            message::header("Supported", "timer"),
            message::header("Session-Expires", self.timer.request_header()),
            message::header("Min-SE", self.uas.settings.min_session_interval.as_secs().to_string()),
            message::header("Content-Type", SDP),
        ];
        let request = self.dialog.request(Method::Invite, headers, self.negotiation.repeat_offer());
        let (endpoint, route) = (self.uas.endpoint.clone(), self.dialog.route());
        let (limit, events) = (self.uas.settings.ack_timeout() * 2, self.sender.clone());
        tokio::spawn(async move {
            let answer = exchange::ask(endpoint, request, route, limit).await;
            let _ = events.send(Event::Refreshed(answer.map(Box::new))).await;
        });
    }

    /// The answer to our refresh.
    pub(super) fn on_refreshed(&mut self, answer: Option<Box<Response>>) -> ControlFlow<End> {
        self.refreshing = false;
        let now = self.uas.clock.now();
        let Some(answer) = answer else { return ControlFlow::Break(End::SessionLapsed) };
        match answer.status_code.code() {
            200..=299 => {
                self.timer = self.timer.confirmed(now, message::session_timer(&*answer));
                self.dialog.refresh_target_from(&answer);
                let before = self.negotiation.agreed().cloned();
                let description = message::description(&*answer, &answer.body).ok().flatten();
                let agreed = description.and_then(|answer| self.negotiation.apply_answer(answer).ok());
                if agreed.is_some() && agreed != before.as_ref() {
                    self.change_media();
                }
            }
            // The far end is gone, or does not know the call.
            408 | 481 => return ControlFlow::Break(End::Refused),
            422 => {
                let min_se = message::session_timer(&*answer).min_se.unwrap_or_default();
                self.timer = self.timer.lengthened(min_se);
                self.retry_refresh_at = Some(now + Duration::from_secs(1));
            }
            // RFC 3261 section 14.1: the side that does not own the Call-ID waits up to two seconds.
            491 => self.retry_refresh_at = Some(now + Duration::from_millis(random() % 2000)),
            _ => self.retry_refresh_at = Some(now + RETRY),
        }
        ControlFlow::Continue(())
    }
}
