//! One person of a crowd: dials node after node until one answers, talks for its time, hangs up.

use std::sync::Arc;

use rand::seq::SliceRandom as _;

use crate::book::Seat;
use crate::crowd::{LOOK_EVERY, Node, Shared};
use crate::dial::DialError;
use crate::ledger::{GivenUp, Kind, Refusal, Why};
use crate::live::{LiveCall, RequestError};
use crate::plan;
use crate::random::{Random, of_caller};
use crate::time::Millis;

/// The longest time for which a caller whose time is up waits for a successor. Without a bound nobody
/// would leave a platform that takes no more calls, and no drain would end.
const WAIT_FOR_SUCCESSOR: Millis = Millis::seconds(3);

/// One attempt of a person.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) n: u64,
    pub(crate) node: Node,
    pub(crate) alias: String,
    pub(crate) kind: Kind,
}

/// The life of the `n`-th person.
pub(crate) async fn live(shared: &Arc<Shared>, n: u64) {
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
            shared.book.gave_up();
        }
    }
}

/// Dials node after node. A person dials one room; only where that has no seat does it take another.
async fn place(shared: &Arc<Shared>, n: u64, random: &mut Random, nodes: Vec<Node>) -> Option<LiveCall> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut favourite: Option<String> = None;
    for node in nodes {
        if shared.stop.is_cancelled() {
            return None;
        }
        let Some((visit, seat)) = take_seat(shared, n, random, node, favourite.as_deref()) else { continue };
        favourite.get_or_insert_with(|| visit.alias.clone());
        match dial(shared, &visit, seat, refusals.clone()).await {
            Ok(call) => return Some(call),
            Err(error) => {
                let at = shared.clock.now();
                refusals.push(Refusal { node: visit.node.name, at, why: Why::of(&error) });
            }
        }
    }
    if !refusals.is_empty() {
        shared.book.note_given_up(GivenUp { at: shared.clock.now(), refusals });
    }
    None
}

fn take_seat(
    shared: &Arc<Shared>,
    n: u64,
    random: &mut Random,
    node: Node,
    favourite: Option<&str>,
) -> Option<(Visit, Seat)> {
    let take = |alias: String| {
        let visit = Visit { n, node: node.clone(), alias, kind: Kind::Ordinary };
        shared.book.seat(&visit, shared).map(|seat| (visit, seat))
    };
    if let Some(taken) = favourite.and_then(|alias| take(alias.to_owned())) {
        return Some(taken);
    }
    let (settings, occupancy) = (&shared.settings, shared.book.occupancy());
    plan::choose_room(random, &settings.rooms, &occupancy, &node.name, settings.share_in_several)
        .and_then(take)
}

/// Dials the visit; on an answer the call is in the book, otherwise the seat is given back.
pub(crate) async fn dial(
    shared: &Arc<Shared>,
    visit: &Visit,
    seat: Seat,
    refusals: Vec<Refusal>,
) -> Result<LiveCall, DialError> {
    let settings = shared.call_settings(visit, seat.clone());
    match shared.agent.dial(settings).await {
        Ok(call) => {
            shared.book.answered(visit, &call, refusals);
            Ok(call)
        }
        Err(error) => {
            shared.book.give_back(visit, &seat, shared.clock.now());
            Err(error)
        }
    }
}

/// Talks until the time is up, the call is told to leave, or it ends by itself.
pub(crate) async fn stay(shared: &Arc<Shared>, call: LiveCall, length: Millis, kind: Kind) {
    let told = shared.book.told(call.id());
    if let Some(every) = shared.settings.refresh_every {
        shared.people.spawn(refresh(call.clone(), every));
    }
    let over = tokio::select! {
        ended = call.ended() => Some(ended),
        () = told.cancelled() => None,
        () = shared.stop.cancelled() => None,
        () = time_is_up(shared, &call, length, kind) => None,
    };
    let ended = match over {
        Some(ended) => {
            shared.book.leaves(call.id(), ended.at);
            ended
        }
        None => {
            shared.book.leaves(call.id(), shared.clock.now());
            call.hang_up().await
        }
    };
    shared.book.over(&call, ended);
}

/// Refreshes the call again and again until it is over. A task of its own: a refresh under way is
/// never broken off by hanging up.
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

async fn time_is_up(shared: &Arc<Shared>, call: &LiveCall, length: Millis, kind: Kind) {
    tokio::time::sleep(length.duration()).await;
    if kind == Kind::Pinned {
        return;
    }
    let begun = shared.clock.now();
    let minimum = shared.settings.minimum;
    while !shared.book.may_leave(call.id(), minimum) && shared.clock.now().since(begun) < WAIT_FOR_SUCCESSOR {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
