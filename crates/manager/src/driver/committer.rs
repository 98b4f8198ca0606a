//! Applies every event to the core and commits event, facts and new state in one transaction.
//!
//! It relies on the writer thread of the store for the order of events, and on `fleet` for every decision.
//! Nobody sees a state before it is committed. After the commit it logs the facts and notifies whoever waits
//! for a change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::store::Transaction;
use clock::{Clock, Stamp};
use fleet::desired::RunId;
use fleet::fact::Fact;
use fleet::node::NodeId;
use fleet::platform::{Applied, Blocker, Event, Fleet, Warning};
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::time::{Offset, Time, Wall};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use wire::machine::Machine;
use wire::{Configuration, Tally};

use super::log;
use super::notifier::Notifier;
use super::rooms::{Rooms, RoomsToSend};
use crate::calls::LiveCalls;
use crate::licences::Licences;
use crate::node_certificates::NodeCertificates;
use crate::store::{Batch, Entry, Recorded, Store, StoreError, mark_time, node_boot, read_rooms, record};

/// What is known of a node only while the Management Node runs. It is shown, and no decision depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeRuntime {
    /// The node's counters since it started.
    pub tally: Tally,
    /// When it last reported.
    pub heard_at: Time,
    /// How far its wall clock was ahead of the Management Node's then, if it reports its clock.
    pub clock_ahead: Option<Offset>,
    /// When its release started, by its own clock in milliseconds, once that is stored.
    pub started_at: Option<u64>,
}

/// A run was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its number.
    pub run: RunId,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// Applies events to the core. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Committer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    fleet: Arc<RwLock<Fleet>>,
    clock: Clock,
    rooms: Rooms,
    live: Mutex<BTreeMap<NodeId, NodeRuntime>>,
    machines: Mutex<BTreeMap<NodeId, Arc<Machine>>>,
    calls: LiveCalls,
    licences: Licences,
    certificates: NodeCertificates,
    notifier: Notifier,
}

/// The effects of an entry, which are published after the commit.
#[derive(Default)]
struct Effects {
    facts: Vec<Fact>,
    changed: BTreeSet<NodeId>,
}

impl Effects {
    fn join(&mut self, other: Self) {
        let Self { facts, changed } = other;
        self.facts.extend(facts);
        self.changed.extend(changed);
    }
}

impl Committer {
    /// A committer for a store and the state that was loaded from it.
    pub fn new(store: Store, fleet: Arc<RwLock<Fleet>>, clock: Clock, rooms: Configuration) -> Self {
        let rooms = Rooms::new(rooms);
        let (live, calls, notifier) = (Mutex::default(), LiveCalls::default(), Notifier::default());
        let (licences, certificates) = (Licences::default(), NodeCertificates::default());
        let machines = Mutex::default();
        let inner =
            Inner { store, fleet, clock, rooms, live, machines, calls, licences, certificates, notifier };
        Self { inner: Arc::new(inner) }
    }

    /// The store, for what the core does not know.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The platform's time.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// The time of the wall clock.
    pub fn wall(&self) -> Wall {
        self.inner.clock.wall()
    }

    /// Applies an event when the wall clock is not where the shown times expect it.
    ///
    /// # Errors
    /// The store could not commit.
    pub(crate) async fn check_wall_clock(&self) -> Result<(), StoreError> {
        if self.read(|fleet, now| fleet.platform.wall.step(now, self.wall())).is_none() {
            return Ok(());
        }
        let committer = self.clone();
        let look = move |_: &Transaction<'_>, fleet: &Fleet, now: Time| {
            // Read once more: the commit may have waited for others.
            let wall = committer.wall();
            let stepped = fleet.platform.wall.step(now, wall).is_some();
            Ok((stepped.then_some(Event::WallClock { wall }).into_iter().collect(), ()))
        };
        self.change(look).await
    }

    /// Stores the time while a run is in progress, even when nothing else has happened: time that is not
    /// stored when the machine loses power prolongs the run.
    ///
    /// # Errors
    /// The store could not commit.
    pub(crate) async fn store_time(&self) -> Result<(), StoreError> {
        if self.read(|fleet, _| fleet.platform.run.is_none()) {
            return Ok(());
        }
        let stamp = self.inner.clock.stamp();
        self.inner.store.write(move |tx| mark_time(tx, &stamp)).await
    }

    /// The committed state as it is now, for what takes longer than a moment. It shares the records of the nodes.
    pub fn snapshot(&self) -> (Fleet, Time) {
        self.read(|fleet, now| (fleet.clone(), now))
    }

    /// Reads the committed state. The closure must be quick: a commit waits for it before it is seen.
    pub fn read<T>(&self, read: impl FnOnce(&Fleet, Time) -> T) -> T {
        let fleet = self.inner.fleet.read();
        read(&fleet, self.now())
    }

    /// Applies an event to the core, and returns when the result is committed.
    ///
    /// # Errors
    /// The store could not commit; then nothing has happened, and the Management Node stops.
    pub async fn apply(&self, event: Event) -> Result<(), StoreError> {
        self.change(|_, _, _| Ok((vec![event], ()))).await
    }

    /// Applies an event to the core, with more to be written in the same transaction. When `write` fails,
    /// nothing has happened.
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

    /// Writes, and then applies the events that follow from it, all in one transaction: for a registration
    /// whose id the database assigns, or for a change that depends on the state of the platform at that
    /// moment. When `write` fails, nothing has happened.
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
        let committer = self.clone();
        let job = move |batch: &mut Batch<'_>| {
            let now = committer.now();
            let (events, answer) = match batch.in_savepoint_with_fleet(|tx, fleet| write(tx, fleet, now))? {
                Ok(written) => written,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut all = None;
            for event in events {
                let done = apply_event(batch, &committer.inner.clock, now, event)?;
                all.get_or_insert_with(Effects::default).join(done);
            }
            Ok(Ok((all, answer)))
        };
        let committer = self.clone();
        let then = move |(done, answer)| {
            committer.publish(done);
            answer
        };
        self.inner.store.job(job, then).await
    }

    /// Applies the event that still follows from the state at the commit, if any does.
    ///
    /// # Errors
    /// The store could not commit.
    pub(crate) async fn apply_if(
        &self,
        follows: impl FnOnce(&Fleet) -> Option<Event> + Send + 'static,
    ) -> Result<(), StoreError> {
        let committer = self.clone();
        let job = move |batch: &mut Batch<'_>| {
            let Some(event) = follows(batch.fleet()) else { return Ok(Ok(None)) };
            let done = apply_event(batch, &committer.inner.clock, committer.now(), event)?;
            Ok::<_, StoreError>(Ok::<_, StoreError>(Some(done)))
        };
        let committer = self.clone();
        self.inner.store.job(job, move |done| committer.publish(done)).await
    }

    /// Starts a run, unless something blocks it.
    ///
    /// # Errors
    /// The store could not commit. The blockers are the inner error.
    pub async fn start(
        &self,
        package: Package,
        policy: Policy,
    ) -> Result<Result<Started, Vec<Blocker>>, StoreError> {
        let committer = self.clone();
        let job = move |batch: &mut Batch<'_>| {
            let now = committer.now();
            let warnings = batch.fleet().check_start(&package, now).warnings;
            let outcome = apply_entry(batch, &committer.inner.clock, now, Entry::Start { package, policy })?;
            let run = batch.fleet().platform.runs;
            Ok::<_, StoreError>(Ok::<_, StoreError>(outcome.map(|done| (done, Started { run, warnings }))))
        };
        let committer = self.clone();
        let then = move |outcome: Result<(Effects, Started), Vec<Blocker>>| {
            outcome.map(|(done, started)| {
                committer.publish(Some(done));
                started
            })
        };
        self.inner.store.job(job, then).await
    }

    /// Makes `policy` the default one, as the settings of the machine say.
    ///
    /// # Errors
    /// The store could not commit.
    pub async fn set_policy(&self, policy: Policy) -> Result<(), StoreError> {
        let committer = self.clone();
        let job = move |batch: &mut Batch<'_>| {
            let entry = Entry::Policy { policy };
            let done = apply_entry(batch, &committer.inner.clock, committer.now(), entry)?;
            Ok::<_, StoreError>(Ok::<_, StoreError>(done.ok()))
        };
        let committer = self.clone();
        self.inner.store.job(job, move |done| committer.publish(done)).await
    }

    /// Changes Virtual Meeting Rooms or aliases, of which every node learns.
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
        self.change_rooms_if(move |tx| Ok((true, write(tx)?))).await
    }

    /// The same; nodes learn of it only if the first half of the answer says so.
    ///
    /// # Errors
    /// What `write` returns, or that the store could not commit.
    pub(crate) async fn change_rooms_if<T, E>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<(bool, T), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let write = move |tx: &Transaction<'_>| {
            let (concerns_nodes, answer) = write(tx)?;
            let changed = if concerns_nodes { Some(read_rooms(tx)?) } else { None };
            Ok::<_, E>((changed, answer))
        };
        let committer = self.clone();
        let then = move |(changed, answer)| {
            if let Some(configuration) = changed {
                committer.inner.rooms.replace(configuration);
                committer.inner.notifier.notify_all();
            }
            answer
        };
        self.inner.store.job(move |batch: &mut Batch<'_>| batch.in_savepoint(write), then).await
    }

    /// The Virtual Meeting Rooms as the nodes are sent them.
    pub fn rooms(&self) -> Arc<Configuration> {
        self.inner.rooms.current()
    }

    /// What a node is sent of them that has this revision, and that can be sent changes or not.
    pub(crate) fn rooms_since(&self, revision: u64, takes_changes: bool) -> RoomsToSend {
        self.inner.rooms.since(revision, takes_changes)
    }

    /// Sends the nodes the certificates that are stored for them now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn reload_certificates(&self) -> Result<(), StoreError> {
        let changed = self.inner.certificates.reload(&self.inner.store).await?;
        if !changed.is_empty() {
            self.inner.notifier.notify_nodes(&changed);
        }
        Ok(())
    }

    /// The certificates that nodes are to show.
    pub(crate) fn certificates(&self) -> &NodeCertificates {
        &self.inner.certificates
    }

    /// The live participants, and the commands to nodes.
    pub(crate) fn calls(&self) -> &LiveCalls {
        &self.inner.calls
    }

    /// The licences, which are read from the store first.
    pub(crate) fn licences(&self) -> &Licences {
        &self.inner.licences
    }

    /// What is known of a node since this process started.
    pub fn node_runtime(&self, id: NodeId) -> Option<NodeRuntime> {
        self.inner.live.lock().get(&id).copied()
    }

    /// The counters of a node since it started, if it has reported them.
    pub fn tally(&self, id: NodeId) -> Option<Tally> {
        self.node_runtime(id).map(|live| live.tally)
    }

    /// Notes that a node has reported.
    pub(crate) fn heard(&self, id: NodeId, tally: Tally, clock_ahead: Option<Offset>) {
        let heard_at = self.now();
        let mut live = self.inner.live.lock();
        let known = live.entry(id).or_default();
        *known = NodeRuntime { tally, heard_at, clock_ahead, ..*known };
    }

    /// Stores when a node's release started, unless that is stored already.
    ///
    /// # Errors
    /// The store could not be read or written.
    pub(crate) async fn remember_start(&self, id: NodeId, started_at: u64) -> Result<(), StoreError> {
        if self.node_runtime(id).is_some_and(|known| known.started_at == Some(started_at)) {
            return Ok(());
        }
        node_boot::remember(self.store(), id, started_at).await?;
        if let Some(known) = self.inner.live.lock().get_mut(&id) {
            known.started_at = Some(started_at);
        }
        Ok(())
    }

    /// What is known of every node since this process started.
    pub(crate) fn nodes_runtime(&self) -> BTreeMap<NodeId, NodeRuntime> {
        self.inner.live.lock().clone()
    }

    /// Notes what a node says of its machine.
    pub(crate) fn note_machine(&self, id: NodeId, machine: Machine) {
        self.inner.machines.lock().insert(id, Arc::new(machine));
    }

    /// What a node has said of its machine since this process started.
    pub(crate) fn machine(&self, id: NodeId) -> Option<Arc<Machine>> {
        self.inner.machines.lock().get(&id).cloned()
    }

    /// What the nodes have said of their machines since this process started.
    pub(crate) fn machines(&self) -> BTreeMap<NodeId, Arc<Machine>> {
        self.inner.machines.lock().clone()
    }

    /// Wakes the tasks that wait for a change of one node.
    pub(crate) fn changes_of(&self, id: NodeId) -> Arc<tokio::sync::Notify> {
        self.inner.notifier.for_node(id)
    }

    /// The number of commits, which changes with every commit of the core's state.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.inner.notifier.commits()
    }

    /// Logs the facts and notifies the waiting tasks, after the commit.
    fn publish(&self, done: Option<Effects>) {
        let Some(Effects { facts, changed }) = done else { return };
        facts.iter().for_each(log::fact);
        self.inner.notifier.notify_nodes(&changed);
        if facts.iter().any(|fact| matches!(fact, Fact::ClockStepped { .. })) {
            self.inner.notifier.notify_all();
        }
        let mut live = self.inner.live.lock();
        let fleet = self.inner.fleet.read();
        for id in changed {
            if fleet.nodes().get(id).is_none() {
                live.remove(&id);
                self.inner.machines.lock().remove(&id);
                self.inner.calls.forget(id, self.now());
                self.inner.notifier.forget(id);
            }
        }
    }
}

/// Applies an event to the core and writes the result. An error breaks the store.
fn apply_event(batch: &mut Batch<'_>, clock: &Clock, now: Time, event: Event) -> Result<Effects, StoreError> {
    // Only a start of a run is refused.
    Ok(apply_entry(batch, clock, now, Entry::Event { event })?.unwrap_or_default())
}

/// Applies an entry to the core and writes the result. An error breaks the store.
fn apply_entry(
    batch: &mut Batch<'_>,
    clock: &Clock,
    now: Time,
    entry: Entry,
) -> Result<Result<Effects, Vec<Blocker>>, StoreError> {
    let before = batch.fleet().platform.clone();
    let Applied { facts, changed } = match batch.apply(now, &entry) {
        Ok(applied) => applied,
        Err(blockers) => return Ok(Err(blockers)),
    };
    let recorded = Recorded { entry, facts };
    record(batch.tx, now, &recorded, &before, (batch.fleet(), &changed))?;
    mark_time(batch.tx, &Stamp { now, ..clock.stamp() })?;
    Ok(Ok(Effects { facts: recorded.facts, changed }))
}
