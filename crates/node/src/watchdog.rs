//! Notices when the node's loop does not come round: a write that hangs, or a runtime that does not turn. A
//! node that cannot decide anything takes no more calls; those it has are not touched.
//!
//! It has a thread of its own, so that it depends on nothing that it watches.

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

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// By when the loop has said that it comes round, in milliseconds since the start. Shared by the loop, which
/// says so, and the watchdog.
#[derive(Clone, Debug)]
pub struct Promise {
    start: Instant,
    by: Arc<AtomicU64>,
}

impl Promise {
    /// The first turn begins now.
    pub fn begin() -> Self {
        let promise = Self { start: Instant::now(), by: Arc::default() };
        promise.renew(Duration::ZERO);
        promise
    }

    /// The loop comes round again after `wait`, and a turn's time at most.
    pub fn renew(&self, wait: Duration) {
        self.by.store(self.now() + millis(wait) + millis(TURN), Ordering::Relaxed);
    }

    fn is_broken(&self, now: u64) -> bool {
        now > self.by.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the watchdog has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sight {
    /// The loop comes round.
    #[default]
    Turns,
    /// It was late once: after the whole process stood still, the watchdog may simply be the first to run.
    Late,
    /// It was late again.
    Stuck,
}

impl Sight {
    fn next(self, is_late: bool) -> Self {
        match (is_late, self) {
            (false, _) => Self::Turns,
            (true, Self::Turns) => Self::Late,
            (true, Self::Late | Self::Stuck) => Self::Stuck,
        }
    }
}

/// What is closed when the loop is stuck. The loop opens it again when it comes round.
#[derive(Debug)]
pub struct Door {
    /// The call engine; the loop alone owns it.
    pub engine: Weak<CallEngine>,
    /// What callers' clients are told.
    pub service: watch::Sender<Service>,
}

impl Door {
    fn close(&self) {
        error!(
            "the node's loop is stuck: a disk that hangs, most likely; no more calls are taken until it moves"
        );
        if let Some(engine) = self.engine.upgrade() {
            engine.set_admission(calls::admission(Admission::Refusing));
        }
        // Last: by this the loop sees that it has to open again.
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
    pub fn start(promise: Promise, door: Door) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            let mut sight = Sight::default();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let before = sight;
                sight = before.next(promise.is_broken(promise.now()));
                match (before, sight) {
                    (Sight::Late, Sight::Stuck) => door.close(),
                    (Sight::Stuck, Sight::Turns) => info!("the node's loop moves again"),
                    (Sight::Turns | Sight::Late | Sight::Stuck, _) => {}
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    /// Afterwards nobody but the loop holds the engine.
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
    fn a_loop_that_waits_as_long_as_it_said_is_well_and_one_that_does_not_come_round_is_not() {
        let promise = Promise::begin();
        promise.renew(Duration::from_secs(60));
        let (wait, turn) = (60_000, millis(TURN));
        assert!(!promise.is_broken(wait + turn / 2), "it waits, and then has a turn's time");
        assert!(promise.is_broken(wait + turn + 60_000));
    }

    #[test]
    fn a_process_that_stood_still_is_not_stuck_when_it_goes_on() {
        let sight = Sight::Turns.next(true);
        assert_eq!((sight, sight.next(false)), (Sight::Late, Sight::Turns));
        assert_eq!(sight.next(true), Sight::Stuck);
        assert_eq!(sight.next(true).next(false), Sight::Turns);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stuck_loop_closes_the_node_for_new_calls() {
        let host: std::net::IpAddr = [127, 0, 0, 1].into();
        let settings = call::Settings::new((host, 0).into(), host);
        let engine =
            CallEngine::start(settings, call::Rooms::default(), call::Admission::Open).await.unwrap();
        let (engine, (service, shown)) = (Arc::new(engine), watch::channel(Service::Open));
        let promise = Promise::begin();
        promise.by.store(0, Ordering::Relaxed);
        let watchdog = Watchdog::start(promise, Door { engine: Arc::downgrade(&engine), service }).unwrap();
        let mut changes = shown.clone();
        let closed =
            tokio::time::timeout(Duration::from_secs(30), changes.wait_for(|it| *it == Service::Unfit));
        closed.await.expect("it is noticed").expect("the watchdog");
        drop(watchdog);
        Arc::into_inner(engine).expect("nobody else holds it").shut_down().await;
    }
}
