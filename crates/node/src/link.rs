//! The link to the Management Node: one request that the Management Node holds until something else is wanted of this
//! node (long poll), and one that is sent at once when the report of the node has changed. Every exchange is complete in
//! itself, so no state is kept between two. It relies on the event loop to handle answers, and does not interpret them.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use fleet::desired::Desired;
use fleet::observed::Observed;
use fleet::starts::{Process, StartId};
use fleet::time::{Offset, Time, Wall};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};
use wire::live::Outcome;
use wire::machine::Machine;
use wire::{
    CertificateToShow, Configuration, ConfigurationChange, Enrolled, EnrolmentRequest, PROTOCOL, SYNC_BYTES,
    ShownCertificate, SyncAnswer, Tally, Wait,
};

use crate::backoff::{Backoff, chance};
use crate::clock::Clock;
use crate::enrol::ENROLLED_BYTES;
use crate::files::chain;
use crate::held_request::HeldRequest;
use crate::http::{self, Managers, RequestError};
use crate::identity::{self, CONNECT, FileStamp, Identity, IdentityError};
use crate::live::{Live, Part};
use crate::reason::OwnCertificate;
use crate::renewal::{Renewal, WallClock, Walls};

/// How long a held request may take: several times the ten seconds that a manager holds it at most.
const HELD: Duration = Duration::from_secs(60);

/// How long a request that is answered at once may take.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The mean time between two requests of one kind: ten reports a second show every drain as it is, and
/// a node whose calls change by the hundred is no load on the manager.
const PACE: Duration = Duration::from_millis(100);

/// The burst that a node may send after a quiet time: the handful of requests by which it leaves service, restarts and
/// comes back must not wait for one another, for nobody can call it meanwhile.
const AHEAD: Duration = Duration::from_secs(1);

/// The most time that a connection may take after others have taken too long. The handshakes of 10,000 nodes that connect at
/// once take a Management Node seconds, and those that are given up and repeated only add to them.
const CONNECT_MOST: Duration = Duration::from_secs(20);

/// How long a node that restarts tries to report that. The manager finds out by itself otherwise.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the next request reports.
#[derive(Clone, Debug)]
pub struct Report {
    observed: wire::report::Report,
    tally: Tally,
    configuration: u64,
    certificate: ShownCertificate,
}

impl Report {
    /// What the node observes and has counted, and the revision of the configuration that it has. It shows the
    /// certificate of its machine.
    pub fn new(observed: Observed, tally: Tally, configuration: u64) -> Self {
        let observed = wire::report::Report::from(observed).cut();
        Self { observed, tally, configuration, certificate: ShownCertificate::Own }
    }

    /// The same of a node that shows this certificate.
    pub fn showing(self, certificate: ShownCertificate) -> Self {
        Self { certificate, ..self }
    }
}

/// What the Management Node wants of the node.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The desired state.
    pub desired: Desired,
    /// The Virtual Meeting Rooms, when they differ from the node's.
    pub rooms: Option<NewRooms>,
    /// The certificate to show, when it is another one.
    pub certificate: Option<CertificateToShow>,
    /// How fast a package may be fetched, in bytes per second; none is without limit.
    pub fetch_rate: Option<u64>,
}

/// Other Virtual Meeting Rooms than the node has.
#[derive(Clone, Debug)]
pub enum NewRooms {
    /// All of them.
    All(Configuration),
    /// What has changed since a revision.
    Change(ConfigurationChange),
}

/// The outcome of a request.
#[derive(Debug)]
pub enum LinkEvent {
    /// The manager answered.
    Answered {
        /// The answer.
        answer: Box<Answer>,
        /// Where to report how it was handled; the link waits for that.
        handled: oneshot::Sender<Handled>,
    },
    /// It did not.
    Failed(RequestError),
}

/// What the node did with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It was accepted.
    Taken,
    /// It was refused: asking again at once would return it again.
    Refused,
}

/// The valid identity, and what is built of it.
#[derive(Clone, Debug)]
struct Held {
    identity: Identity,
    client: reqwest::Client,
    managers: Arc<Managers>,
    /// The file that it was read from or written to, to notice another one in its place.
    file: Option<FileStamp>,
    /// How long a connection may take.
    connect: Duration,
}

impl Held {
    fn new(identity: Identity, file: Option<FileStamp>) -> Result<Self, IdentityError> {
        let client = identity.client()?;
        let managers = Arc::new(Managers::new(identity.manager.clone()));
        Ok(Self { identity, client, managers, file, connect: CONNECT })
    }

    /// The same with more time to connect, after a connection has taken too long; none when it has the most already.
    fn with_more_time(&self) -> Option<Self> {
        let connect = (self.connect * 2).min(CONNECT_MOST);
        if connect == self.connect {
            return None;
        }
        let client = self.identity.client_that_connects_within(connect).ok()?;
        Some(Self { client, connect, ..self.clone() })
    }
}

/// An authenticated session with the Management Node, shared by all that send requests to it.
#[derive(Debug)]
pub struct Session {
    root: std::path::PathBuf,
    held: RwLock<Held>,
    clock: Clock,
    last_at: Mutex<Time>,
    /// How far the Management Node's wall clock is ahead of the node's time, by its last answer.
    manager_ahead: Mutex<Option<Offset>>,
    /// This process: its number, and the other that the manager has named last.
    process: Mutex<Process>,
    report: watch::Receiver<Report>,
    live: Arc<Live>,
    machine: Machine,
    held_request: HeldRequest,
}

impl Session {
    /// A session of this identity; `report` always has the present report, `live` what is said of participants, and
    /// `machine` is said of the machine.
    ///
    /// # Errors
    /// The identity cannot be used.
    pub fn new(
        root: &std::path::Path,
        identity: Identity,
        clock: Clock,
        report: watch::Receiver<Report>,
        live: Arc<Live>,
        machine: Machine,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            root: root.into(),
            // Without a stamp the file is read once more, in case it was replaced since it was read.
            held: RwLock::new(Held::new(identity, None)?),
            clock,
            last_at: Mutex::new(Time::default()),
            manager_ahead: Mutex::new(None),
            process: Mutex::new(Process { start: start_id(), beside: None, address: None }),
            report,
            live,
            machine,
            held_request: HeldRequest::new(),
        })
    }

    /// The client with the node's present identity.
    pub fn client(&self) -> reqwest::Client {
        self.held().client
    }

    /// Where the Management Node listens.
    pub fn managers(&self) -> Arc<Managers> {
        self.held().managers
    }

    /// Whether the node's certificate is valid by this machine's clock.
    pub fn own_certificate(&self) -> OwnCertificate {
        if self.clock.wall() >= self.renew_at() { OwnCertificate::Due } else { OwnCertificate::Valid }
    }

    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Loads the identity by which an enrolment has replaced this one, without a restart: the old one may not be
    /// accepted any more.
    fn take_over_replaced(&self) {
        let file = FileStamp::of(&Identity::path(&self.root));
        let mut held = self.held();
        if file.is_none() || file == held.file {
            return;
        }
        match Identity::load(&self.root).and_then(|identity| Held::new(identity, file)) {
            Ok(new) if new.identity == held.identity => self.hold(Held { file, ..held }),
            Ok(new) => {
                info!("the identity was replaced: from now on this is {:?}", new.identity.node);
                self.hold(new);
            }
            Err(error) => {
                warn!("the identity was replaced, and the new one cannot be used: {}", chain(&error));
                held.file = file;
                self.hold(held);
            }
        }
    }

    /// One sync. The report is made at the moment it is sent.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn sync(&self, wait: Wait) -> Result<Answer, RequestError> {
        let timeout = match wait {
            Wait::No => AT_ONCE,
            Wait::ForNews => HELD,
        };
        let Held { client, managers, .. } = self.held();
        let answer = managers
            .in_turn(|address| {
                let (client, sync) = (&client, self.message(wait));
                async move {
                    let limits = (timeout, SYNC_BYTES);
                    let answer: SyncAnswer =
                        http::post(client, &address, "/node/v1/sync", &sync, limits).await?;
                    Ok(self.received(&sync.outcomes, understood(&address, answer)?))
                }
            })
            .await;
        answer.inspect_err(|error| self.give_more_time(error))
    }

    /// Lets later connections take longer when one has taken too long.
    fn give_more_time(&self, error: &RequestError) {
        if !error.took_too_long_to_connect() {
            return;
        }
        // Under the lock, so that an identity that was renewed meanwhile stays.
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(patient) = held.with_more_time() {
            *held = patient;
        }
    }

    /// Takes what concerns the session out of an answer, and the rest into the core's types.
    fn received(&self, said: &[Outcome], answer: SyncAnswer) -> Answer {
        let SyncAnswer {
            protocol: _,
            desired,
            configuration,
            configuration_change,
            fetch_rate,
            heard_at,
            wall,
            beside,
            participants,
            commands,
            call_share,
            certificate,
        } = answer;
        self.go_on_from(heard_at);
        self.compare(wall);
        let start = {
            let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
            process.beside = beside;
            process.start
        };
        self.live.answered(said, participants, commands, start);
        self.live.set_share(call_share.unwrap_or_default());
        let change = configuration_change.map(NewRooms::Change);
        let rooms = configuration.map(NewRooms::All).or(change);
        Answer { desired: desired.into(), rooms, certificate, fetch_rate }
    }

    /// Sends a last report before the restart. It is tried once.
    pub async fn report_restart(&self) {
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, self.sync(Wait::No)).await {
            info!("the restart could not be reported to the Management Node: {}", chain(&error));
        }
    }

    /// A machine that was restored has a clock that has gone back (R20); the times of its reports continue from the
    /// last that the manager has heard.
    fn go_on_from(&self, heard_at: Option<Time>) {
        let mut last_at = self.last_at.lock().unwrap_or_else(PoisonError::into_inner);
        *last_at = heard_at.map_or(*last_at, |heard_at| heard_at.max(*last_at));
    }

    /// Records how far the Management Node's wall clock is ahead of the node's time.
    fn compare(&self, wall: Option<Wall>) {
        let Some(wall) = wall else { return };
        let ahead = Some(wall.ahead_of_time(self.clock.now()));
        *self.manager_ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }

    /// The wall clocks by which certificates are valid, as far as they are known.
    fn walls(&self) -> Walls {
        let ahead = *self.manager_ahead.lock().unwrap_or_else(PoisonError::into_inner);
        Walls { manager: ahead.map(|ahead| self.clock.now().on_wall(ahead)), own: self.clock.wall() }
    }

    /// What the message says of participants. A held request says nothing: what there is would be sent twice.
    fn live_part(&self, wait: Wait) -> Part {
        match wait {
            Wait::No => self.live.part(),
            Wait::ForNews => Part::default(),
        }
    }

    /// The message of this moment. No two messages have the same time, and a later one has the later report.
    fn message(&self, wait: Wait) -> wire::Sync {
        if wait == Wait::ForNews {
            // Before the report is read: what is new after this may not be in it.
            self.held_request.sent();
        }
        let Part { participants, statistics, outcomes } = self.live_part(wait);
        let mut last_at = self.last_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Report { mut observed, tally, configuration, certificate } = self.report.borrow().clone();
        *last_at = self.clock.now().max(Time(last_at.0.saturating_add(1)));
        observed.at = *last_at;
        observed.process = Some((*self.process.lock().unwrap_or_else(PoisonError::into_inner)).into());
        wire::Sync {
            protocols: PROTOCOL,
            observed,
            tally,
            configuration,
            takes_changes: true,
            wait,
            started_at: Some(self.clock.started_at().0),
            wall: Some(self.clock.wall()),
            participants,
            statistics,
            outcomes,
            call_share: self.live.share(),
            certificate: Some(certificate),
            machine: match wait {
                Wait::ForNews => Some(self.machine.clone()),
                Wait::No => None,
            },
        }
    }

    /// Renews the certificate when its time has come.
    async fn renew(&self) -> Result<(), RenewalError> {
        let Held { identity, client, managers, file, connect: _ } = self.held();
        let (key, request) = identity::new_key()?;
        let request = EnrolmentRequest { token: None, request, release: None };
        let limits = (AT_ONCE, ENROLLED_BYTES);
        let answer = managers.in_turn(|address| {
            let (client, request) = (&client, &request);
            async move { http::post(client, &address, "/node/v1/renew", request, limits).await }
        });
        let enrolled: Enrolled = answer.await?;
        let renewed = identity.renewed(key, enrolled);
        renewed.client()?;
        let _lock = Identity::lock(&self.root).map_err(IdentityError::File)?;
        if FileStamp::of(&Identity::path(&self.root)) != file {
            // An enrolment has written an identity meanwhile, which is not overwritten.
            return Ok(());
        }
        renewed.store(&self.root).map_err(IdentityError::File)?;
        self.hold(Held::new(renewed, FileStamp::of(&Identity::path(&self.root)))?);
        Ok(())
    }

    fn renew_at(&self) -> Wall {
        Wall(self.held.read().unwrap_or_else(PoisonError::into_inner).identity.renew_at)
    }

    /// Renews the certificate when that is due.
    async fn renew_when_due(&self, renewal: &mut Renewal) {
        if !renewal.is_due(self.clock.now(), self.walls(), self.renew_at()) {
            return;
        }
        match self.renew().await {
            Ok(()) => {
                info!("the node's certificate is renewed");
                if let WallClock::Ahead(by) =
                    renewal.succeeded(self.clock.now(), self.walls(), self.renew_at())
                {
                    warn!(
                        "the new certificate looks as if it were to be renewed already: the clock of this machine is \
                         ahead of the Management Node's by at least 60 days and {} hours; set the one that is wrong",
                        by.0 / 3_600_000
                    );
                }
            }
            Err(error) => {
                renewal.failed(self.clock.now());
                warn!("the node's certificate could not be renewed, trying again: {}", chain(&error));
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum RenewalError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// The random number of this start: 64 bits, for either half of the identifier has fixed bits where the other
/// has random ones.
fn start_id() -> StartId {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    StartId(high ^ low)
}

/// Refuses an answer in a protocol version that this release does not support.
fn understood(address: &str, answer: SyncAnswer) -> Result<SyncAnswer, RequestError> {
    if (PROTOCOL.min..=PROTOCOL.max).contains(&answer.protocol) {
        return Ok(answer);
    }
    let why = format!(
        "it is in version {} of the messages, and this release speaks {} to {}",
        answer.protocol, PROTOCOL.min, PROTOCOL.max
    );
    Err(RequestError::Malformed { address: address.into(), why })
}

/// Limits the rate of requests.
struct Pacer {
    due: Instant,
}

impl Pacer {
    /// A node that has just started was quiet before.
    fn new(now: Instant) -> Self {
        Self { due: now.checked_sub(AHEAD).unwrap_or(now) }
    }

    /// When another request may follow the one that began at `began`.
    fn next(&mut self, began: Instant) -> Instant {
        let earliest = began.checked_sub(AHEAD).unwrap_or(began);
        self.due = self.due.max(earliest) + PACE;
        self.due
    }
}

/// Keeps one request open at the manager, until the event loop ends.
pub async fn poll(session: Arc<Session>, answers: mpsc::Sender<LinkEvent>) {
    let (mut backoff, mut pacer) = (Backoff::default(), Pacer::new(Instant::now()));
    let mut renewal = Renewal::default();
    loop {
        session.take_over_replaced();
        session.renew_when_due(&mut renewal).await;
        let began = Instant::now();
        match exchange(&session, Wait::ForNews, &answers).await {
            Exchange::Done => backoff.succeeded(),
            Exchange::Failed => {
                session.held_request.failed();
                sleep(backoff.failed(chance())).await;
            }
            Exchange::LoopEnded => return,
        }
        sleep_until(pacer.next(began)).await;
    }
}

/// Reports at once whenever it is notified, unless the next held request has begun and says the same, until the event loop
/// ends.
pub async fn report(session: Arc<Session>, news: Arc<Notify>, answers: mpsc::Sender<LinkEvent>) {
    let (mut backoff, mut pacer) = (Backoff::default(), Pacer::new(Instant::now()));
    loop {
        news.notified().await;
        // A held request says nothing of participants.
        if session.held_request.has_begun().await && !session.live.has_news() {
            continue;
        }
        let began = Instant::now();
        loop {
            match exchange(&session, Wait::No, &answers).await {
                Exchange::Done => break backoff.succeeded(),
                Exchange::Failed => sleep(backoff.failed(chance())).await,
                Exchange::LoopEnded => return,
            }
        }
        sleep_until(pacer.next(began)).await;
    }
}

enum Exchange {
    Done,
    Failed,
    LoopEnded,
}

async fn exchange(session: &Session, wait: Wait, answers: &mpsc::Sender<LinkEvent>) -> Exchange {
    let (handled, outcome) = oneshot::channel();
    let event = match session.sync(wait).await {
        Ok(answer) => {
            if wait == Wait::ForNews {
                session.held_request.answered();
            }
            LinkEvent::Answered { answer: Box::new(answer), handled }
        }
        Err(error) => {
            drop(handled);
            LinkEvent::Failed(error)
        }
    };
    if answers.send(event).await.is_err() {
        return Exchange::LoopEnded;
    }
    match outcome.await {
        Ok(Handled::Taken) => Exchange::Done,
        Ok(Handled::Refused) | Err(_) => Exchange::Failed,
    }
}

#[cfg(test)]
mod tests {
    use fleet::agent::{Agent, AgentEvent, PersistentState, Start};
    use fleet::observed::Staging;
    use fleet::version::Release;
    use wire::report::{self, REPORTED_TEXT};

    use super::*;

    #[test]
    fn long_sentences_are_cut_before_they_are_reported() {
        let start = Start { release: Release::PRESENT, confirmed: true, staged: None, fell_back: None };
        let mut agent = Agent::new(PersistentState::default(), start);
        let check = |agent: &Agent, expected: usize| {
            let report = Report::new(agent.observed(Time(0)), Tally::default(), 0);
            assert_eq!(report.observed.unfit.map(|why| why.chars().count()), Some(expected));
        };
        for (length, expected) in [(3, 3), (REPORTED_TEXT, REPORTED_TEXT), (9_000, REPORTED_TEXT)] {
            agent.apply(Time(0), AgentEvent::Fitness { unfit: Some("ü".repeat(length)) });
            check(&agent, expected);
        }
        let mut observed = agent.observed(Time(0));
        let (run, manifest) = (fleet::desired::RunId::default(), fleet::version::Sha256([0; 32]));
        observed.staging = Staging::Rejected { run, manifest, why: "x".repeat(9_000) };
        match Report::new(observed, Tally::default(), 0).observed.staging {
            report::Staging::Rejected { why, .. } => assert_eq!(why.len(), REPORTED_TEXT),
            other @ (report::Staging::Nothing
            | report::Staging::Fetching { .. }
            | report::Staging::Staged { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn quiet_node_reports_at_once_and_a_busy_one_is_rate_limited() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start);
        for quiet_until in [start, start + AHEAD * 3] {
            for _ in 0..5 {
                assert!(pacer.next(quiet_until) <= quiet_until, "the first few wait for one another");
            }
        }
        let quiet_until = start + AHEAD * 3;
        let mut now = quiet_until;
        let sent = (0..).find(|_| {
            now = now.max(pacer.next(now));
            now >= quiet_until + PACE * 100
        });
        assert!(sent.is_some_and(|sent| (100..=110).contains(&sent)), "{sent:?} requests in ten seconds");
    }
}
