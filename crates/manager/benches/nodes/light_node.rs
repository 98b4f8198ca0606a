//! A Conferencing Node without calls: the state machine of the product and its link. It stages and restarts by waiting.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fleet::agent::{Agent, AgentEvent, PersistentState, Start};
use fleet::observed::{Admission, Calls};
use fleet::starts::{Process, StartId};
use fleet::time::{Time, Wall};
use fleet::version::{Release, Sha256};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wire::{PROTOCOL, Sync, SyncAnswer, Tally, Wait};

use crate::Failure;
use crate::connection::{Access, Connection};

const SYNC: &str = "/node/v1/sync";

/// How long a node stages at most.
const STAGE_MOST: Duration = Duration::from_secs(2);

/// How long a node takes to restart.
pub(crate) const RESTART: Duration = Duration::from_millis(500);

/// How long a request may take that is answered at once, and a connection, as in a node.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The first pause after a failure and the longest, as in a node.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What the nodes have seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// How often the Management Node was started.
    pub(crate) start: AtomicU32,
    /// The start of the Management Node that has answered each node last.
    answered: Vec<AtomicU32>,
    /// How long reports with news took.
    pub(crate) news: Mutex<Vec<Duration>>,
    /// Requests and connections that failed.
    pub(crate) failures: AtomicU32,
    /// Why the last of them failed.
    pub(crate) last_failure: Mutex<Option<String>>,
}

impl Seen {
    /// For so many nodes.
    pub(crate) fn new(nodes: u32) -> Arc<Self> {
        let answered = (0..nodes).map(|_| AtomicU32::new(0)).collect();
        let (failures, last_failure) = (AtomicU32::new(0), Mutex::default());
        Arc::new(Self { start: AtomicU32::new(1), answered, news: Mutex::default(), failures, last_failure })
    }

    /// How many nodes were answered by the present start of the Management Node.
    pub(crate) fn answered(&self) -> usize {
        let start = self.start.load(Ordering::Relaxed);
        self.answered.iter().filter(|seen| seen.load(Ordering::Relaxed) == start).count()
    }
}

/// A node.
pub(crate) struct LightNode {
    access: Access,
    /// Its position in what was seen.
    index: usize,
    seen: Arc<Seen>,
    began: Instant,
    agent: Agent,
    process: Process,
    last_at: Time,
    configuration: u64,
    staging: Option<(Instant, Sha256)>,
    reports: Option<Connection>,
}

/// The node left for its release.
struct Restarting;

impl LightNode {
    /// A node that has just started this release.
    pub(crate) fn new(access: Access, index: usize, seen: Arc<Seen>) -> Self {
        Self {
            access,
            index,
            seen,
            began: Instant::now(),
            agent: started(PersistentState::default(), Release::PRESENT),
            process: new_process(),
            last_at: Time(0),
            configuration: 0,
            staging: None,
            reports: None,
        }
    }

    /// Lives for ever.
    pub(crate) async fn run(mut self) {
        let (first, longest) = PAUSES;
        let mut pause = first;
        loop {
            match self.converse(&mut pause).await {
                Ok(Restarting) => {
                    sleep(RESTART).await;
                    self.restart();
                    pause = first;
                }
                Err(cause) => {
                    *self.seen.last_failure.lock() = Some(cause.to_string());
                    self.seen.failures.fetch_add(1, Ordering::Relaxed);
                    sleep(pause / 2 + random_part(pause / 2)).await;
                    pause = (pause * 2).min(longest);
                }
            }
        }
    }

    fn restart(&mut self) {
        let state = self.agent.persistent_state().clone();
        let release = state.selected.map_or(Release::PRESENT, |software| software.release);
        (self.agent, self.process) = (started(state, release), new_process());
        (self.configuration, self.staging, self.reports) = (0, None, None);
    }

    /// Holds a request at the Management Node, and reports at once what happens meanwhile, as a node does.
    async fn converse(&mut self, pause: &mut Duration) -> Result<Restarting, Failure> {
        self.reports = None;
        let mut held = timeout(AT_ONCE, Connection::open(&self.access)).await??;
        let start = self.seen.start.load(Ordering::Relaxed);
        // A node waits for news at once. This one wants to know when it was heard.
        let first = held.post::<SyncAnswer>(SYNC, &self.message(Wait::No)).await?;
        self.seen.answered[self.index].store(start, Ordering::Relaxed);
        self.take(first);
        loop {
            let message = self.message(Wait::ForNews);
            let mut answer = pin!(held.post::<SyncAnswer>(SYNC, &message));
            let answer = loop {
                let staged = self.staging;
                let staged = async {
                    match staged {
                        Some((at, manifest)) => {
                            sleep_until(at).await;
                            manifest
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    answer = &mut answer => break answer?,
                    manifest = staged => {
                        self.staging = None;
                        self.apply(AgentEvent::Staged { manifest });
                        self.settle();
                        self.report().await?;
                    }
                }
            };
            *pause = PAUSES.0;
            // What is new by it goes with the next held request, as in a node.
            self.take(answer);
            if self.agent.wanted().restart.is_some() {
                return Ok(Restarting);
            }
        }
    }

    /// Reports news on a connection of its own.
    async fn report(&mut self) -> Result<(), Failure> {
        let mut connection = match self.reports.take() {
            Some(open) => open,
            None => timeout(AT_ONCE, Connection::open(&self.access)).await??,
        };
        let (message, began) = (self.message(Wait::No), Instant::now());
        let answer = timeout(AT_ONCE, connection.post::<SyncAnswer>(SYNC, &message)).await??;
        self.seen.news.lock().push(began.elapsed());
        self.reports = Some(connection);
        self.take(answer);
        Ok(())
    }

    /// Takes an answer, and does what can be done at once.
    fn take(&mut self, answer: SyncAnswer) {
        let desired = fleet::desired::Desired::from(answer.desired);
        let changed = answer.configuration_change.map(|change| change.revision);
        let new = answer.configuration.map(|all| all.revision).or(changed);
        self.configuration = new.unwrap_or(self.configuration);
        self.process.beside = answer.beside;
        self.last_at = answer.heard_at.map_or(self.last_at, |heard| heard.max(self.last_at));
        // A stale state is not taken: another answer follows.
        _ = self.agent.accept(self.now(), desired);
        self.apply(AgentEvent::Confirmed);
        self.settle();
    }

    /// What a node's shell does in a turn.
    fn settle(&mut self) {
        let wanted = self.agent.wanted();
        let refuses = wanted.refuse_calls.is_some();
        self.apply(AgentEvent::Admission(if refuses { Admission::Refusing } else { Admission::Admitting }));
        self.apply(AgentEvent::Calls(Calls::NONE));
        match wanted.stage {
            Some(software) if self.staging.is_none() => {
                self.staging = Some((Instant::now() + random_part(STAGE_MOST), software.manifest));
            }
            Some(_) | None => {}
        }
        if let Some(software) = self.agent.wanted().leave {
            self.apply(AgentEvent::Leaving { software });
        }
    }

    fn apply(&mut self, event: AgentEvent) {
        self.agent.apply(self.now(), event);
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn message(&mut self, wait: Wait) -> Sync {
        self.last_at = self.now().max(Time(self.last_at.0 + 1));
        let mut observed = self.agent.observed(self.last_at);
        observed.process = Some(self.process);
        Sync {
            protocols: PROTOCOL,
            observed: observed.into(),
            tally: Tally::default(),
            configuration: self.configuration,
            wait,
            started_at: Some(self.process.start.0 >> 24),
            wall: Some(Wall(jiff::Timestamp::now().as_millisecond().unsigned_abs())),
            participants: None,
            statistics: Vec::new(),
            outcomes: Vec::new(),
            call_share: None,
            certificate: None,
            takes_changes: true,
            machine: None,
        }
    }
}

fn started(state: PersistentState, release: Release) -> Agent {
    Agent::new(state, Start { release, confirmed: false, staged: None, fell_back: None })
}

fn new_process() -> Process {
    Process { start: StartId(random()), beside: None, address: None }
}

fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}

fn random_part(of: Duration) -> Duration {
    of.mul_f64((random() % 1_000) as f64 / 1_000.0)
}
