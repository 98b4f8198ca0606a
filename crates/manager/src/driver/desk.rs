//! The desk: where every event is put to the core. Event, facts and new state are committed in one
//! transaction, and nobody sees them before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use clock::{Clock, Stamp};
use fleet::desired::RunId;
use fleet::fact::Fact;
use fleet::node::NodeId;
use fleet::platform::{Applied, Blocker, Event, Fleet, Warning};
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::time::{Offset, Time, Wall};
use rusqlite::Transaction;
use tokio::sync::watch;
use wire::{Configuration, Tally};

use super::log;
use super::news::News;
use super::rooms::{Rooms, RoomsChanged};
use crate::store::{Batch, Entry, Recorded, Store, StoreError, mark_time, record};

/// What is known of a node only while the Management Node runs. It is shown and never decided upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// What the node has counted since it started.
    pub tally: Tally,
    /// When it was heard last.
    pub heard_at: Time,
    /// How far its wall clock was ahead of the Management Node's then, as far as it has said so.
    pub clock_ahead: Option<Offset>,
}

/// A run was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its number.
    pub run: RunId,
    /// What should be known.
    pub warnings: Vec<Warning>,
}

/// The way to the core. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    fleet: Arc<RwLock<Fleet>>,
    clock: Clock,
    rooms: Rooms,
    live: Mutex<BTreeMap<NodeId, Live>>,
    news: News,
}

/// What an entry has done, for those who are told after the commit.
#[derive(Default)]
struct Done {
    facts: Vec<Fact>,
    changed: BTreeSet<NodeId>,
}

impl Done {
    fn join(&mut self, other: Self) {
        let Self { facts, changed } = other;
        self.facts.extend(facts);
        self.changed.extend(changed);
    }
}

impl Desk {
    /// A desk over a store and the state that was loaded from it.
    pub fn new(store: Store, fleet: Arc<RwLock<Fleet>>, clock: Clock, rooms: Configuration) -> Self {
        let rooms = Rooms::new(rooms);
        let inner = Inner { store, fleet, clock, rooms, live: Mutex::default(), news: News::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The store, for what is none of the core's business.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Now, by the platform's time.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// What the wall clock says.
    pub fn wall(&self) -> Wall {
        self.inner.clock.wall()
    }

    /// Puts it to the core when the wall clock is not where what is shown leads.
    ///
    /// # Errors
    /// The store could not commit.
    pub(crate) async fn look_at_wall(&self) -> Result<(), StoreError> {
        if self.read(|fleet, now| fleet.platform.wall.step(now, self.wall())).is_none() {
            return Ok(());
        }
        let desk = self.clone();
        let look = move |_: &Transaction<'_>, fleet: &Fleet, now: Time| {
            // Read once more: the commit may have waited for its turn.
            let wall = desk.wall();
            let stepped = fleet.platform.wall.step(now, wall).is_some();
            Ok((stepped.then_some(Event::WallClock { wall }).into_iter().collect(), ()))
        };
        self.change(look).await
    }

    /// Stores the time while a run is under way, though nothing else has happened: what is not stored of it
    /// when the machine loses power is added to the run's limit.
    ///
    /// # Errors
    /// The store could not commit.
    pub(crate) async fn keep_time(&self) -> Result<(), StoreError> {
        if self.read(|fleet, _| fleet.platform.run.is_none()) {
            return Ok(());
        }
        let stamp = self.inner.clock.stamp();
        self.inner.store.write(move |tx| mark_time(tx, &stamp)).await
    }

    /// Looks at the committed state. The closure must be quick: it keeps a commit waiting.
    pub fn read<T>(&self, read: impl FnOnce(&Fleet, Time) -> T) -> T {
        let fleet = self.inner.fleet.read().unwrap_or_else(PoisonError::into_inner);
        read(&fleet, self.now())
    }

    /// Puts an event to the core, and returns when what came of it is committed.
    ///
    /// # Errors
    /// The store could not commit; then nothing has happened, and the Management Node stops.
    pub async fn apply(&self, event: Event) -> Result<(), StoreError> {
        self.change(|_, _, _| Ok((vec![event], ()))).await
    }

    /// Puts an event to the core, with more to be written in the same transaction. When `write`
    /// refuses, nothing has happened.
    ///
    /// # Errors
    /// What `write` returns, or that the store could not commit.
    pub async fn apply_with<T, E>(
        &self,
        event: Event,
        write: impl FnOnce(&Transaction<'_>, Time) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.change(|tx, _, now| Ok((vec![event], write(tx, now)?))).await
    }

    /// Writes, and then puts the events that follow from it to the core, all in one transaction: for a
    /// registration whose id the database gives, or for what depends on the state of the platform at
    /// that moment. When `write` refuses, nothing has happened.
    ///
    /// # Errors
    /// What `write` returns, or that the store could not commit.
    pub async fn change<T, E>(
        &self,
        write: impl FnOnce(&Transaction<'_>, &Fleet, Time) -> Result<(Vec<Event>, T), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let desk = self.clone();
        let job = move |batch: &mut Batch<'_, '_>| {
            let now = desk.now();
            let (events, answer) = match batch.beside_fleet(|tx, fleet| write(tx, fleet, now))? {
                Ok(written) => written,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut all = None;
            for event in events {
                let done = put_event(batch, &desk.inner.clock, now, event)?;
                all.get_or_insert_with(Done::default).join(done);
            }
            Ok(Ok((all, answer)))
        };
        let desk = self.clone();
        let then = move |(done, answer)| {
            desk.tell(done);
            answer
        };
        self.inner.store.job(job, then).await
    }

    /// Puts an event to the core if it still holds what `holds` asks, at the moment of the event.
    ///
    /// # Errors
    /// The store could not commit.
    pub(crate) async fn apply_if(
        &self,
        event: Event,
        holds: impl FnOnce(&Fleet) -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        let desk = self.clone();
        let job = move |batch: &mut Batch<'_, '_>| {
            if !holds(batch.fleet()) {
                return Ok(Ok(None));
            }
            let done = put_event(batch, &desk.inner.clock, desk.now(), event)?;
            Ok::<_, StoreError>(Ok::<_, StoreError>(Some(done)))
        };
        let desk = self.clone();
        self.inner.store.job(job, move |done| desk.tell(done)).await
    }

    /// Starts a run, unless something stands in its way.
    ///
    /// # Errors
    /// The store could not commit. What stands in the way is the inner error.
    pub async fn start(
        &self,
        package: Package,
        policy: Policy,
    ) -> Result<Result<Started, Vec<Blocker>>, StoreError> {
        let desk = self.clone();
        let job = move |batch: &mut Batch<'_, '_>| {
            let now = desk.now();
            let warnings = batch.fleet().check_start(&package, now).warnings;
            let entry = Entry::Start { package: package.clone(), policy: policy.clone() };
            let put = |fleet: &mut Fleet| fleet.start(package, policy, now);
            let outcome = put_to_core(batch, &desk.inner.clock, now, entry, put)?;
            let run = batch.fleet().platform.runs;
            Ok::<_, StoreError>(Ok::<_, StoreError>(outcome.map(|done| (done, Started { run, warnings }))))
        };
        let desk = self.clone();
        let then = move |outcome: Result<(Done, Started), Vec<Blocker>>| {
            outcome.map(|(done, started)| {
                desk.tell(Some(done));
                started
            })
        };
        self.inner.store.job(job, then).await
    }

    /// Makes `policy` the standing one: the settings of the machine say so.
    ///
    /// # Errors
    /// The store could not commit.
    pub async fn set_policy(&self, policy: Policy) -> Result<(), StoreError> {
        let desk = self.clone();
        let job = move |batch: &mut Batch<'_, '_>| {
            let entry = Entry::Policy { policy: policy.clone() };
            let put = |fleet: &mut Fleet| {
                fleet.platform.policy = policy;
                Ok::<_, std::convert::Infallible>(Applied::default())
            };
            let Ok(done) = put_to_core(batch, &desk.inner.clock, desk.now(), entry, put)?;
            Ok::<_, StoreError>(Ok::<_, StoreError>(done))
        };
        let desk = self.clone();
        self.inner.store.job(job, move |done| desk.tell(Some(done))).await
    }

    /// Changes Virtual Meeting Rooms or aliases: the revision rises in the same transaction, and every
    /// node is sent the new configuration.
    ///
    /// # Errors
    /// What `write` returns, or that the store could not commit.
    pub async fn change_rooms<T, E>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let write = move |tx: &Transaction<'_>| {
            let answer = write(tx)?;
            Ok::<_, E>((RoomsChanged::mark(tx)?, answer))
        };
        let desk = self.clone();
        let then = move |(RoomsChanged { configuration }, answer)| {
            desk.inner.rooms.replace(configuration);
            desk.inner.news.for_all();
            answer
        };
        self.inner.store.job(move |batch: &mut Batch<'_, '_>| batch.apart(write), then).await
    }

    /// The Virtual Meeting Rooms as the nodes are sent them.
    pub fn rooms(&self) -> Arc<Configuration> {
        self.inner.rooms.current()
    }

    /// What is known of a node since this start of the Management Node.
    pub fn live(&self, id: NodeId) -> Option<Live> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// What a node has counted since it started, as far as it has said so.
    pub fn tally(&self, id: NodeId) -> Option<Tally> {
        self.live(id).map(|live| live.tally)
    }

    /// Remembers that a node was heard.
    pub(crate) fn heard(&self, id: NodeId, tally: Tally, clock_ahead: Option<Offset>) {
        let live = Live { tally, heard_at: self.now(), clock_ahead };
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).insert(id, live);
    }

    /// Wakes whoever waits for news of one node.
    pub(crate) fn news_of(&self, id: NodeId) -> Arc<tokio::sync::Notify> {
        self.inner.news.of(id)
    }

    /// Changes with every commit of the core's state.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.inner.news.commits()
    }

    /// Says what has happened, after its commit.
    fn tell(&self, done: Option<Done>) {
        let Some(Done { facts, changed }) = done else { return };
        facts.iter().for_each(log::fact);
        self.inner.news.for_nodes(&changed);
        if facts.iter().any(|fact| matches!(fact, Fact::ClockStepped { .. })) {
            self.inner.news.for_all();
        }
        let mut live = self.inner.live.lock().unwrap_or_else(PoisonError::into_inner);
        let fleet = self.inner.fleet.read().unwrap_or_else(PoisonError::into_inner);
        for id in changed {
            if fleet.nodes().get(id).is_none() {
                live.remove(&id);
                self.inner.news.forget(id);
            }
        }
    }
}

/// Puts an event to the core and writes what comes of it. An error breaks the store.
fn put_event(batch: &mut Batch<'_, '_>, clock: &Clock, now: Time, event: Event) -> Result<Done, StoreError> {
    let entry = Entry::Event { event: event.clone() };
    let put = |fleet: &mut Fleet| Ok::<_, std::convert::Infallible>(fleet.apply(now, event));
    let Ok(done) = put_to_core(batch, clock, now, entry, put)?;
    Ok(done)
}

/// Puts an entry to the core and writes what comes of it. An error breaks the store.
fn put_to_core<R>(
    batch: &mut Batch<'_, '_>,
    clock: &Clock,
    now: Time,
    entry: Entry,
    put: impl FnOnce(&mut Fleet) -> Result<Applied, R>,
) -> Result<Result<Done, R>, StoreError> {
    let tx = batch.tx;
    let fleet = batch.fleet();
    let before = fleet.platform.clone();
    let Applied { facts, changed } = match put(fleet) {
        Ok(applied) => applied,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let recorded = Recorded { entry, facts };
    record(tx, now, &recorded, &before, (fleet, &changed))?;
    mark_time(tx, &Stamp { now, ..clock.stamp() })?;
    Ok(Ok(Done { facts: recorded.facts, changed }))
}
