//! One caller of a crowd: dials the nodes until one answers, stays for the length of its call, and hangs up.
//!
//! Relies on `plan` for its choices and on `crowd_state` for seats and the call log. Decides nothing about failures.

use std::sync::Arc;

use rand::seq::SliceRandom as _;

use crate::call_log::{GivenUp, Kind, Refusal, Why};
use crate::crowd::{Node, POLL_INTERVAL, Shared};
use crate::crowd_state::Seat;
use crate::dial::DialError;
use crate::live::{LiveCall, RequestError};
use crate::plan;
use crate::random::{Random, of_caller};
use crate::time::Millis;

/// How long a caller waits for a successor at the end of its call. Without a limit no caller would leave a platform
/// that accepts no more calls, and no drain would end.
const WAIT_FOR_SUCCESSOR: Millis = Millis::seconds(3);

/// One attempt of a caller to place a call.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) n: u64,
    pub(crate) node: Node,
    pub(crate) alias: String,
    pub(crate) kind: Kind,
}

/// Runs the `n`-th caller until its call has ended or all nodes have refused it.
pub(crate) async fn run(shared: &Arc<Shared>, n: u64) {
    let mut random = of_caller(shared.settings.seed, n);
    let length = shared.settings.lengths.draw(&mut random);
    let mut nodes = shared.settings.nodes.clone();
    nodes.shuffle(&mut random);
    let call = place(shared, n, &mut random, nodes).await;
    match call {
        Some(call) => stay(shared, call, length, Kind::Ordinary).await,
        None => {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = tokio::time::sleep(shared.settings.redial_pause.duration()) => {}
            }
            shared.state.stopped_dialling();
        }
    }
}

/// Dials the nodes one after the other, the same room on each of them, or another one where that room has no seat.
async fn place(shared: &Arc<Shared>, n: u64, random: &mut Random, nodes: Vec<Node>) -> Option<LiveCall> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut preferred: Option<String> = None;
    for node in nodes {
        if shared.stop.is_cancelled() {
            return None;
        }
        let Some((attempt, seat)) = take_seat(shared, n, random, node, preferred.as_deref()) else {
            continue;
        };
        preferred.get_or_insert_with(|| attempt.alias.clone());
        match dial(shared, &attempt, seat, refusals.clone()).await {
            Ok(call) => return Some(call),
            Err(error) => {
                let at = shared.clock.now();
                refusals.push(Refusal { node: attempt.node.name, at, why: Why::of(&error) });
            }
        }
    }
    if !refusals.is_empty() {
        shared.state.note_given_up(GivenUp { at: shared.clock.now(), refusals });
    }
    None
}

fn take_seat(
    shared: &Arc<Shared>,
    n: u64,
    random: &mut Random,
    node: Node,
    preferred: Option<&str>,
) -> Option<(Attempt, Seat)> {
    let take = |alias: String| {
        let attempt = Attempt { n, node: node.clone(), alias, kind: Kind::Ordinary };
        shared.state.seat(&attempt, shared).map(|seat| (attempt, seat))
    };
    if let Some(taken) = preferred.and_then(|alias| take(alias.to_owned())) {
        return Some(taken);
    }
    let (settings, occupancy) = (&shared.settings, shared.state.occupancy());
    plan::choose_room(random, &settings.rooms, &occupancy, &node.name, settings.share_in_several)
        .and_then(take)
}

/// Dials. Records the call if it is answered, and releases the seat otherwise.
pub(crate) async fn dial(
    shared: &Arc<Shared>,
    attempt: &Attempt,
    seat: Seat,
    refusals: Vec<Refusal>,
) -> Result<LiveCall, DialError> {
    let settings = shared.call_settings(attempt, seat.clone());
    match shared.agent.dial(settings).await {
        Ok(call) => {
            shared.state.answered(attempt, &call, refusals);
            Ok(call)
        }
        Err(error) => {
            shared.state.release_seat(attempt, &seat, shared.clock.now());
            Err(error)
        }
    }
}

/// Waits until the length of the call is over, a hang-up is requested, or the call ends by itself; hangs up if needed.
pub(crate) async fn stay(shared: &Arc<Shared>, call: LiveCall, length: Millis, kind: Kind) {
    let hang_up = shared.state.hang_up_request(call.id());
    if let Some(every) = shared.settings.refresh_every {
        shared.tasks.spawn(refresh(call.clone(), every));
    }
    let ended = tokio::select! {
        ended = call.ended() => Some(ended),
        () = hang_up.cancelled() => None,
        () = shared.stop.cancelled() => None,
        () = length_is_over(shared, &call, length, kind) => None,
    };
    let ended = match ended {
        Some(ended) => {
            shared.state.leaves(call.id(), ended.at);
            ended
        }
        None => {
            shared.state.leaves(call.id(), shared.clock.now());
            call.hang_up().await
        }
    };
    shared.state.over(&call, ended);
}

/// Refreshes the call at an interval until it ends. Runs as a task of its own, so that hanging up never cancels a
/// refresh in progress.
async fn refresh(call: LiveCall, every: Millis) {
    loop {
        tokio::select! {
            _ = call.ended() => return,
            () = tokio::time::sleep(every.duration()) => {}
        }
        match call.refresh().await {
            Ok(()) => {}
            Err(RequestError::Over) => return,
            Err(RequestError::Refused(status)) => {
                tracing::warn!(call = %call.id(), status, "the node refused to refresh a call; it goes on");
            }
        }
    }
}

async fn length_is_over(shared: &Arc<Shared>, call: &LiveCall, length: Millis, kind: Kind) {
    tokio::time::sleep(length.duration()).await;
    if kind == Kind::Pinned {
        return;
    }
    let begin = shared.clock.now();
    let minimum = shared.settings.minimum;
    while !shared.state.may_leave(call.id(), minimum) && shared.clock.now().since(begin) < WAIT_FOR_SUCCESSOR
    {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
