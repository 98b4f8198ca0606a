//! Participants, commands and the share of the licences between the call engine and the Management Node. Responsible for
//! what the link sends of them and for carrying out what comes back, each command once; it relies on the engine for both
//! and on the link for when. The event loop, the agent and its durable state know nothing of it.
//!
//! It never holds the engine: the node ends it when nobody does.

mod convert;
mod performed;
mod statistics;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use call::CallEngine;
use fleet::starts::StartId;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::info;
use uuid::Uuid;
use wire::live::{
    Action, Command, MediaStatistics, Outcome, PARTICIPANTS_AT_ONCE, ParticipantChanges, STATISTICS_AT_ONCE,
};
use wire::share::{CallShare, HeldShare};

use self::performed::Performed;
pub use self::statistics::sample;

/// What the next request to the Management Node carries of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// What has changed of the participants.
    pub participants: Option<ParticipantChanges>,
    /// What was counted of some.
    pub statistics: Vec<MediaStatistics>,
    /// What has become of commands.
    pub outcomes: Vec<Outcome>,
}

/// What is between the engine and the link.
#[derive(Debug)]
pub struct Live {
    state: Mutex<State>,
    /// Wakes the link when there is something to be sent.
    news: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    engine: Weak<CallEngine>,
    /// The revision that the Management Node has; none when it wants no participants.
    known: Option<u64>,
    /// Statistics that were sampled and not sent. What is lost with a request is sampled again.
    statistics: Vec<MediaStatistics>,
    /// Outcomes that no request has carried there.
    outcomes: BTreeMap<Uuid, Outcome>,
    performed: Performed,
    /// The share of the licences that the engine goes by. A process begins without a limit, and one that does not hear of
    /// another share keeps the one that it has: a Management Node that is away ends no service.
    share: CallShare,
}

impl Live {
    /// What is between this engine and a link that `news` wakes.
    pub fn new(engine: Weak<CallEngine>, news: Arc<Notify>) -> Self {
        let state = State {
            engine,
            known: None,
            statistics: Vec::new(),
            outcomes: BTreeMap::new(),
            performed: Performed::default(),
            share: CallShare::default(),
        };
        Self { state: Mutex::new(state), news }
    }

    /// What a request of this moment carries.
    pub fn part(&self) -> Part {
        let mut state = self.state.lock();
        let rest = state.statistics.len().min(STATISTICS_AT_ONCE);
        Part {
            participants: state.changes(),
            statistics: state.statistics.drain(..rest).collect(),
            outcomes: state.outcomes.values().cloned().collect(),
        }
    }

    /// Whether there is something to be sent.
    pub(crate) fn has_news(&self) -> bool {
        self.state.lock().has_news()
    }

    /// A request with these outcomes has been answered: the revision that the Management Node has, and its commands for
    /// the process `start`.
    pub fn answered(
        &self,
        outcomes: &[Outcome],
        participants: Option<u64>,
        commands: Vec<Command>,
        start: StartId,
    ) {
        let mut state = self.state.lock();
        outcomes.iter().for_each(|outcome| drop(state.outcomes.remove(&outcome.command)));
        state.known = participants;
        commands
            .into_iter()
            .filter(|command| command.start == start)
            .for_each(|command| state.carry_out(command));
        if state.has_news() {
            self.news.notify_one();
        }
    }

    /// What the next request says of the share of the licences; nothing when there is no engine any more.
    pub fn share(&self) -> Option<HeldShare> {
        let state = self.state.lock();
        let refused = *state.engine.upgrade()?.refused_for_licences().borrow();
        Some(HeldShare { share: state.share, refused })
    }

    /// The Management Node has given this share of the licences.
    pub fn set_share(&self, share: CallShare) {
        let mut state = self.state.lock();
        if state.share == share {
            return;
        }
        if let Some(engine) = state.engine.upgrade() {
            engine.set_licensed_calls(share.most);
            state.share = share;
        }
    }

    /// Calls were refused because of the share: the Management Node may have more.
    fn ask_for_more(&self) {
        self.news.notify_one();
    }

    /// The participants have changed, or were sampled: the link is woken if the Management Node wants to know.
    fn offer(&self, statistics: Vec<MediaStatistics>) {
        let mut state = self.state.lock();
        if state.known.is_some() {
            state.statistics.extend(statistics);
        }
        if state.has_news() {
            self.news.notify_one();
        }
    }

    /// The engine, for as long as `ask` takes.
    fn with_engine<T>(&self, ask: impl FnOnce(&CallEngine) -> T) -> Option<T> {
        let state = self.state.lock();
        state.engine.upgrade().map(|engine| ask(&engine))
    }

    /// Lets the engine go for good: when this returns, nobody here holds it.
    pub fn close(&self) {
        self.state.lock().engine = Weak::new();
    }
}

impl State {
    fn changes(&self) -> Option<ParticipantChanges> {
        let (known, engine) = (self.known?, self.engine.upgrade()?);
        let is_news = *engine.participant_revision().borrow() != known;
        is_news.then(|| convert::changes(engine.participants(known, PARTICIPANTS_AT_ONCE)))
    }

    fn has_news(&self) -> bool {
        let revision = self.engine.upgrade().map(|engine| *engine.participant_revision().borrow());
        let is_behind = self.known.is_some_and(|known| revision.is_some_and(|revision| revision != known));
        is_behind || !self.outcomes.is_empty() || !self.statistics.is_empty()
    }

    /// Carries a command out, unless it was: then its outcome is said again.
    fn carry_out(&mut self, command: Command) {
        let Command { id, start: _, action } = command;
        let now = Instant::now();
        let outcome = self.performed.find(now, id).or_else(|| {
            let engine = self.engine.upgrade()?;
            let outcome = perform(&engine, id, action);
            self.performed.remember(now, &outcome);
            Some(outcome)
        });
        self.outcomes.extend(outcome.map(|outcome| (id, outcome)));
    }
}

/// Carries a command out. Nothing here waits: a call that is dialled rings on by itself.
fn perform(engine: &CallEngine, id: Uuid, action: Action) -> Outcome {
    let what = convert::text(&action);
    let done = convert::perform(engine, action);
    let failure = done.as_ref().err().map(|failure| failure.why.as_str());
    info!(command = %id, failure, "command of the Management Node: {what}");
    let (participant, failure) = match done {
        Ok(participant) => (participant, None),
        Err(failure) => (None, Some(failure)),
    };
    Outcome { command: id, participant, failure }
}

/// Wakes the link whenever calls were refused for want of licences, until the engine is gone.
pub async fn follow_refusals(live: Arc<Live>) {
    let Some(mut refused) = live.with_engine(CallEngine::refused_for_licences) else { return };
    while refused.changed().await.is_ok() {
        live.ask_for_more();
    }
}

/// Wakes the link whenever the participants change, until the engine is gone.
pub async fn follow(live: Arc<Live>) {
    let Some(mut revision) = live.with_engine(CallEngine::participant_revision) else { return };
    while revision.changed().await.is_ok() {
        live.offer(Vec::new());
    }
}
