//! Closes the node for new calls when its event loop is stuck: on a write that hangs, or a runtime that does not run.
//! Calls in progress are not touched, and the loop opens the node again. It has a thread of its own, so that it depends
//! on nothing that it watches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use call::CallEngine;
use fleet::observed::Admission;
use tokio::sync::watch;
use tracing::{error, info};

use crate::calls;
use crate::web::Service;

/// How long a turn of the loop may take: a disk that answers at all answers within the 30 seconds after
/// which Linux gives a request up.
const TURN: Duration = Duration::from_secs(30);

/// How often the watchdog checks.
const EVERY: Duration = Duration::from_secs(1);

/// The deadline of the loop's next turn, in milliseconds since the start. The loop renews it, and the watchdog reads it.
#[derive(Clone, Debug)]
pub struct LoopDeadline {
    start: Instant,
    by: Arc<AtomicU64>,
}

impl LoopDeadline {
    /// The first turn begins now.
    pub fn begin() -> Self {
        let deadline = Self { start: Instant::now(), by: Arc::default() };
        deadline.renew(Duration::ZERO);
        deadline
    }

    /// The next turn begins after `wait`, and a turn's time at most.
    pub fn renew(&self, wait: Duration) {
        self.by.store(self.now() + millis(wait) + millis(TURN), Ordering::Relaxed);
    }

    fn has_passed(&self, now: u64) -> bool {
        now > self.by.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The state of the loop, as the watchdog has seen it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LoopState {
    /// Its turns begin in time.
    #[default]
    Turns,
    /// It was late once: after the whole process stood still, the watchdog may simply be the first to run.
    Late,
    /// It was late again.
    Stuck,
}

impl LoopState {
    fn next(self, is_late: bool) -> Self {
        match (is_late, self) {
            (false, _) => Self::Turns,
            (true, Self::Turns) => Self::Late,
            (true, Self::Late | Self::Stuck) => Self::Stuck,
        }
    }
}

/// What the watchdog closes when the loop is stuck. The loop opens it again in its next turn.
#[derive(Debug)]
pub struct AdmissionSwitch {
    /// The call engine; the loop alone owns it.
    pub engine: Weak<CallEngine>,
    /// What clients of callers are answered.
    pub service: watch::Sender<Service>,
}

impl AdmissionSwitch {
    fn close(&self) {
        error!(
            "the node's loop is stuck: a disk that hangs, most likely; no more calls are taken until it moves"
        );
        if let Some(engine) = self.engine.upgrade() {
            engine.set_admission(calls::admission(Admission::Refusing));
        }
        // Last: this wakes the loop, which opens the node again.
        self.service.send_replace(Service::Unfit);
    }
}

/// The watchdog; it ends when it is dropped.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Begins to watch.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(deadline: LoopDeadline, switch: AdmissionSwitch) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            let mut state = LoopState::default();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let before = state;
                state = before.next(deadline.has_passed(deadline.now()));
                match (before, state) {
                    (LoopState::Late, LoopState::Stuck) => switch.close(),
                    (LoopState::Stuck, LoopState::Turns) => info!("the node's loop moves again"),
                    (LoopState::Turns | LoopState::Late | LoopState::Stuck, _) => {}
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    /// Afterwards only the loop has the engine.
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_that_waits_as_long_as_it_announced_is_not_stuck_and_one_that_stops_is() {
        let deadline = LoopDeadline::begin();
        deadline.renew(Duration::from_secs(60));
        let (wait, turn) = (60_000, millis(TURN));
        assert!(!deadline.has_passed(wait + turn / 2), "it waits, and then has a turn's time");
        assert!(deadline.has_passed(wait + turn + 60_000));
    }

    #[test]
    fn process_that_was_suspended_is_not_stuck_when_it_resumes() {
        let state = LoopState::Turns.next(true);
        assert_eq!((state, state.next(false)), (LoopState::Late, LoopState::Turns));
        assert_eq!(state.next(true), LoopState::Stuck);
        assert_eq!(state.next(true).next(false), LoopState::Turns);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stuck_loop_closes_the_node_for_new_calls() {
        let host: std::net::IpAddr = [127, 0, 0, 1].into();
        let settings = call::Settings::new((host, 0).into(), host);
        let engine =
            CallEngine::start(settings, call::Rooms::default(), call::Admission::Open).await.unwrap();
        let (engine, (service, shown)) = (Arc::new(engine), watch::channel(Service::Open));
        let deadline = LoopDeadline::begin();
        deadline.by.store(0, Ordering::Relaxed);
        let watchdog =
            Watchdog::start(deadline, AdmissionSwitch { engine: Arc::downgrade(&engine), service }).unwrap();
        let mut changes = shown.clone();
        let closed =
            tokio::time::timeout(Duration::from_secs(30), changes.wait_for(|it| *it == Service::Unfit));
        closed.await.expect("it is noticed").expect("the watchdog");
        drop(watchdog);
        Arc::into_inner(engine).expect("nobody else holds it").shut_down().await;
    }
}
