//! Serves the requests that a node sends within a call, and runs the session timer.
//!
//! Relies on the dialog layer of `rsipstack` for transactions. Handles no audio.

use std::sync::{Arc, PoisonError};

use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TerminatedReason, TransactionHandle};
use rsipstack::sip::{Request, StatusCode};
use tokio::time::Instant;

use crate::dial::sdp_headers;
use crate::live::{Cause, LiveCall, Shared};
use crate::session::{Due, SessionTimer};
use crate::time::Millis;

/// The longest sleep if no session timer runs.
const NO_TIMER: Millis = Millis::seconds(3600);

/// Serves the call until it ends.
pub(crate) async fn run(shared: Arc<Shared>, mut changes: DialogStateReceiver) {
    loop {
        let due = shared.state().timer.map(SessionTimer::due);
        let now = shared.agent.clock.now();
        let wait = due.map_or(NO_TIMER, |(at, _)| at.since(now));
        tokio::select! {
            () = shared.stop.cancelled() => break,
            change = changes.recv() => match change {
                Some(change) => serve(&shared, change).await,
                None => break,
            },
            () = tokio::time::sleep_until(Instant::now() + wait.duration()) => {
                if let Some((_, due)) = due {
                    timer(&shared, due);
                }
            }
        }
    }
}

/// The refresh is a task of its own, so that requests of the node are served meanwhile.
fn timer(shared: &Arc<Shared>, due: Due) {
    match due {
        Due::Lapsed => shared.lose(Cause::SessionLapsed),
        Due::Refresh => {
            let now = shared.agent.clock.now();
            let mut state = shared.state();
            state.timer = state.timer.map(|timer| timer.refreshed(now));
            drop(state);
            let call = LiveCall { shared: shared.clone() };
            tokio::spawn(async move {
                if let Err(error) = call.refresh().await {
                    tracing::warn!(call = %call.id(), %error, "the session was not refreshed");
                }
            });
        }
    }
}

async fn serve(shared: &Arc<Shared>, change: DialogState) {
    match change {
        DialogState::Updated(_, request, handle) => renegotiate(shared, &request, handle).await,
        DialogState::Options(_, _, handle)
        | DialogState::Info(_, _, handle)
        | DialogState::Notify(_, _, handle)
        | DialogState::Message(_, _, handle) => respond(&handle, StatusCode::OK).await,
        DialogState::Refer(_, _, handle) | DialogState::Publish(_, _, handle) => {
            respond(&handle, StatusCode::Decline).await;
        }
        DialogState::Terminated(_, reason) => shared.lose(cause(shared, &reason)),
        DialogState::Calling(_)
        | DialogState::Trying(_)
        | DialogState::Early(..)
        | DialogState::WaitAck(..)
        | DialogState::Confirmed(..) => {}
    }
}

/// Answers a re-INVITE or UPDATE of the node: a refresh, or a new address for media.
async fn renegotiate(shared: &Arc<Shared>, request: &Request, handle: TransactionHandle) {
    let Some(answer) = shared.answer(&request.body) else {
        return respond(&handle, StatusCode::NotAcceptableHere).await;
    };
    let mut headers = sdp_headers();
    if let Some((timer, more)) = SessionTimer::refreshed_by(request, shared.agent.clock.now()) {
        shared.state().timer = Some(timer);
        headers.extend(more);
    }
    if handle.respond(StatusCode::OK, Some(headers), Some(answer)).await.is_err() {
        tracing::debug!(call = %shared.settings.id, "a re-INVITE ended before it was answered");
    }
}

async fn respond(handle: &TransactionHandle, status: StatusCode) {
    if handle.reply(status).await.is_err() {
        tracing::debug!("a request within a call ended before it was answered");
    }
}

fn cause(shared: &Shared, reason: &TerminatedReason) -> Cause {
    match reason {
        TerminatedReason::Timeout => Cause::NoAck,
        TerminatedReason::UasBye
        | TerminatedReason::UacCancel
        | TerminatedReason::UacBye
        | TerminatedReason::UacBusy
        | TerminatedReason::UasBusy
        | TerminatedReason::UasDecline
        | TerminatedReason::ProxyError(_)
        | TerminatedReason::ProxyAuthRequired
        | TerminatedReason::UacOther(_)
        | TerminatedReason::UasOther(_) => {
            let mut bye_reasons = shared.agent.bye_reasons.lock().unwrap_or_else(PoisonError::into_inner);
            Cause::FarEndBye { reason: bye_reasons.remove(&shared.settings.id.0) }
        }
    }
}
