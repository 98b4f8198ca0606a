//! Carries the messages of a handover between two engines over a connection of bytes, and has each engine do what
//! follows. Decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LinesCodec};

use crate::audio::Participant;
use crate::driver::Driver;
use crate::rooms::RoomName;
use crate::signalling::Handover;

use super::giver::{self, Given, Giver};
use super::protocol::MAX_LINE;
use super::taker::{self, Taker};

/// How long nothing may be heard of the other process, and of the signalling here: longer than the re-INVITE of the
/// slowest far end takes (64 × T1).
const SILENCE: Duration = Duration::from_secs(60);
/// How long the other process may take to read a message.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// What an engine reports of a call that is moved.
type Report = (Participant, Handover);

/// Gives the calls of a conference to the process at the other end; returns what has become of each. When the
/// connection fails, the calls that are not known to be there go on here.
pub(crate) async fn give(
    driver: &Arc<Driver>,
    room: &RoomName,
    connection: impl AsyncRead + AsyncWrite + Unpin,
) -> BTreeMap<Participant, Given> {
    let (sender, mut reports) = mpsc::unbounded_channel();
    let mut peer = Peer::new(connection);
    let (mut giver, steps) = Giver::begin(driver.export(room, &sender));
    let mut steps = VecDeque::from(steps);
    loop {
        while let Some(step) = steps.pop_front() {
            match step {
                giver::Step::Say(message) => peer.say(&message).await,
                giver::Step::HandOut(call) if !driver.hand_out(call) => {
                    steps.extend(giver.not_handed_out(call))
                }
                giver::Step::HandOut(_) => {}
                giver::Step::TakeBack { call, last_sequence, changed } => {
                    driver.act(|agent, now| agent.take_back(now, call, last_sequence, changed));
                }
                giver::Step::TakeBackFromLost(call) => {
                    driver.act(|agent, now| agent.take_back_from_lost(now, call));
                }
                giver::Step::End(call) => driver.act(|agent, now| agent.end_moved(now, call)),
            }
        }
        if let Some(outcome) = giver.outcome() {
            return outcome;
        }
        steps.extend(match next(&mut peer, &mut reports).await {
            Next::Said(said) => giver.hear(said),
            Next::Reported((call, event)) => giver.report(call, &event),
            Next::Lost => giver.lose(),
        });
    }
}

/// Takes the calls over that the process at the other end gives away; returns how many are here. When the connection
/// fails, those go on here whose far ends were asked to come here and agree.
pub(crate) async fn take(driver: &Arc<Driver>, connection: impl AsyncRead + AsyncWrite + Unpin) -> usize {
    let (sender, mut reports) = mpsc::unbounded_channel();
    let mut peer = Peer::new(connection);
    let mut taker = Taker::default();
    let mut steps = VecDeque::new();
    loop {
        while let Some(step) = steps.pop_front() {
            match step {
                taker::Step::Say(message) => peer.say(&message).await,
                taker::Step::Import { number, call } => {
                    let imported = driver.import(*call, &sender);
                    steps.extend(taker.imported(number, imported));
                }
                taker::Step::TakeOver(call) => driver.act(|agent, now| agent.take_over(now, call)),
                taker::Step::GoOn { call, stream } => driver.act(|agent, now| agent.go_on(now, call, stream)),
                taker::Step::GiveUp(call) => driver.act(|agent, now| agent.give_up_import(now, call)),
                taker::Step::End(call) => driver.act(|agent, now| agent.end_moved(now, call)),
            }
        }
        if let Some(here) = taker.outcome() {
            return here;
        }
        steps.extend(match next(&mut peer, &mut reports).await {
            Next::Said(said) => taker.hear(said),
            Next::Reported((call, event)) => taker.report(call, &event),
            Next::Lost => taker.lose(),
        });
    }
}

/// What comes next.
enum Next<T> {
    /// The other process says something.
    Said(T),
    /// The engine here reports something.
    Reported(Report),
    /// The other process is lost. Said once, and again each time that nothing at all has come.
    Lost,
}

async fn next<T: DeserializeOwned>(
    peer: &mut Peer<impl AsyncRead + AsyncWrite + Unpin>,
    reports: &mut mpsc::UnboundedReceiver<Report>,
) -> Next<T> {
    let next = async {
        tokio::select! {
            Some(report) = reports.recv() => Next::Reported(report),
            said = peer.hear() => said.map_or(Next::Lost, Next::Said),
        }
    };
    timeout(SILENCE, next).await.unwrap_or(Next::Lost)
}

/// The other process, behind a connection of bytes.
struct Peer<C> {
    lines: Framed<C, LinesCodec>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The connection has failed, which is not reported yet.
    Failed,
    Lost,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Peer<C> {
    fn new(connection: C) -> Peer<C> {
        let lines = Framed::new(connection, LinesCodec::new_with_max_length(MAX_LINE));
        Peer { lines, state: State::Open }
    }

    async fn say(&mut self, message: &impl Serialize) {
        if self.state != State::Open {
            return;
        }
        let line = serde_json::to_string(message).expect("it has neither maps nor values that can fail");
        if !matches!(timeout(WRITE_LIMIT, self.lines.send(line)).await, Ok(Ok(()))) {
            self.state = State::Failed;
        }
    }

    /// The next message; `None`, once, when there is none any more, or one that is none.
    async fn hear<T: DeserializeOwned>(&mut self) -> Option<T> {
        let line = match self.state {
            State::Open => self.lines.next().await,
            State::Failed => None,
            State::Lost => std::future::pending().await,
        };
        let message = line.and_then(Result::ok).and_then(|line| serde_json::from_str(&line).ok());
        if message.is_none() {
            self.state = State::Lost;
        }
        message
    }
}
