//! The threads that carry sound: each drains the sockets of its shard, ticks it, and sends what comes out. Which shard a
//! conference is in is decided in `placement`.
//!
//! Threads of their own and not the async pool, so that a busy pool does not make ticks late.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::audio::{Participant, TICK};
use crate::calls::Ticket;
use crate::handover::message::{ExportedReceived, ExportedStream};
use crate::participants::Voice;
use crate::rooms::RoomName;
use crate::srtp::Received;
use crate::time::{Clock, Time};

use super::handshake::Identity;
use super::leg::{Outgoing, Plan};
use super::placement::{Placement, ShardId};
use super::ports::MediaPort;
use super::random;
use super::shard::{Input, LegId, Output, Shard, Silence};
use super::sockets::{Socket, Sockets};
use super::statistics::LegStatistics;

/// Ticks that are made up for when the thread was held up; what is further behind is skipped.
const MAX_CATCH_UP: u32 = 5;

/// Called when nothing is heard of a leg's far end any more.
pub(crate) type OnSilence = Box<dyn Fn(Silence) + Send>;

/// Called when a leg is taken out for another process.
pub(crate) type OnHandOut = Box<dyn FnOnce(ExportedStream) + Send>;

/// Called with how far the encrypted streams of a conference have come.
pub(crate) type OnReceived = Box<dyn FnOnce(BTreeMap<Participant, Vec<ExportedReceived>>) + Send>;

/// What a thread has counted of the sound of its legs.
pub(crate) type Counts = Vec<(Participant, LegStatistics)>;

/// What the thread of a leg or a conference is to do.
pub(crate) enum Command {
    /// A leg joins.
    Join(Box<Join>),
    /// Its call is confirmed.
    Start(LegId),
    /// Its call agreed on something new.
    Change(LegId, Box<Plan>),
    /// The others hear its participant, or do not.
    SetVoice(LegId, Voice),
    /// Another process has received so much of its far end.
    GoOnReceiving(LegId, Box<Received>),
    /// Another process has sent its stream so far.
    Resume(LegId, ExportedStream),
    /// Its call is over: the socket is closed and the ticket given back.
    Leave(LegId),
    /// As [`Command::Leave`]; the function is called first, with where its stream has come to.
    HandOut(LegId, OnHandOut),
    /// The function is called with how far those of a conference have come whose sound is encrypted.
    Received(RoomName, OnReceived),
}

/// What a thread is to do.
enum Order {
    Command(Command),
    /// Send what was counted of the sound of all legs here.
    Count(UnboundedSender<Counts>),
    /// End the thread.
    Stop,
}

/// All that a leg brings along.
pub(crate) struct Join {
    pub(crate) leg: LegId,
    pub(crate) room: RoomName,
    pub(crate) plan: Plan,
    pub(crate) outgoing: Outgoing,
    pub(crate) port: MediaPort,
    pub(crate) ticket: Ticket,
    pub(crate) on_silence: OnSilence,
}

/// The way to talk to the threads.
#[derive(Debug)]
pub(crate) struct MediaThreads {
    clock: Clock,
    threads: BTreeMap<ShardId, Handle>,
    placement: Mutex<Placement>,
}

#[derive(Debug)]
struct Handle {
    orders: Sender<Order>,
    ticked_at: Arc<AtomicU64>,
    thread: Thread,
}

impl MediaThreads {
    /// Sends a command to the thread of its leg. When the thread is gone the registry says so already, and the command
    /// is dropped with all that it holds, as it is when the leg has left.
    pub(crate) fn send(&self, command: Command) {
        // Nothing under it panics.
        let mut placement = self.placement.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = match &command {
            Command::Join(join) => Some(placement.join(join.leg, &join.room)),
            Command::Start(leg)
            | Command::Change(leg, _)
            | Command::SetVoice(leg, _)
            | Command::GoOnReceiving(leg, _)
            | Command::Resume(leg, _) => placement.find(*leg),
            Command::Received(room, _) => placement.find_conference(room),
            Command::Leave(leg) | Command::HandOut(leg, _) => placement.leave(*leg),
        };
        if let Some(handle) = shard.and_then(|shard| self.threads.get(&shard)) {
            let _ = handle.orders.send(Order::Command(command));
        }
    }

    /// What is counted of the sound of all legs: one answer of each thread that runs.
    pub(crate) fn count(&self) -> UnboundedReceiver<Counts> {
        let (sender, counts) = unbounded_channel();
        for handle in self.threads.values() {
            let _ = handle.orders.send(Order::Count(sender.clone()));
        }
        counts
    }

    /// Ends the threads, whatever legs there are. They do not wait for their next tick.
    pub(crate) fn stop(&self) {
        for Handle { orders, thread, .. } in self.threads.values() {
            let _ = orders.send(Order::Stop);
            thread.unpark();
        }
    }

    /// How long ago the thread that is furthest behind finished its last tick.
    pub(crate) fn still_for(&self) -> Duration {
        let now = self.clock.now();
        let last = |handle: &Handle| now.since(Time(handle.ticked_at.load(Ordering::Relaxed)));
        self.threads.values().map(last).max().unwrap_or_default()
    }
}

/// Starts so many threads. `failed` is called by each one that ends otherwise than by [`MediaThreads::stop`].
///
/// # Errors
/// The system refuses another thread; none is left.
pub(crate) fn start(
    clock: Clock,
    media_timeout: Duration,
    identity: &Identity,
    count: NonZeroU32,
    failed: impl Fn() + Clone + Send + 'static,
) -> io::Result<(MediaThreads, Vec<JoinHandle<()>>)> {
    let cname = cname();
    let started = (0..count.get()).map(|shard| {
        let legs = Shard::new(media_timeout, cname.clone()).with_identity(identity.clone());
        let (handle, thread) = start_one(shard, clock, legs, failed.clone())?;
        Ok(((ShardId(shard), handle), thread))
    });
    let (threads, joins) = started.collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
    Ok((MediaThreads { clock, threads, placement: Mutex::new(Placement::new(count)) }, joins))
}

fn start_one(
    number: u32,
    clock: Clock,
    shard: Shard,
    failed: impl FnOnce() + Send + 'static,
) -> io::Result<(Handle, JoinHandle<()>)> {
    let (orders, receiver) = mpsc::channel();
    let ticked_at = Arc::new(AtomicU64::new(clock.now().0));
    let worker = Worker { clock, shard, sockets: Sockets::new()?, ticked_at: Arc::clone(&ticked_at) };
    let join = thread::Builder::new().name(format!("call-media-{number}")).spawn(move || {
        let mut alarm = Alarm(Some(Box::new(failed)));
        worker.run(&receiver);
        alarm.0 = None;
    })?;
    Ok((Handle { orders, ticked_at, thread: join.thread().clone() }, join))
}

/// A name for this engine that nobody else has (RFC 7022 section 4.2: at least 96 random bits).
fn cname() -> String {
    format!("{:016x}{:016x}", random::kernel(), random::kernel())
}

/// Calls its function when the thread ends by a panic.
struct Alarm(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(failed) = self.0.take() {
            tracing::error!("a media thread has failed; calls are unknown until the node restarts");
            failed();
        }
    }
}

struct Worker {
    clock: Clock,
    shard: Shard,
    sockets: Sockets,
    ticked_at: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut next = Instant::now() + TICK;
        loop {
            thread::park_timeout(next.saturating_duration_since(Instant::now()));
            // Right before the tick, so that who joins while the thread sleeps is in the very next one.
            if !self.obey(orders) {
                return;
            }
            // Woken early, by nothing that ends the thread.
            if Instant::now() < next {
                continue;
            }
            self.receive();
            let behind = Instant::now().saturating_duration_since(next).as_millis() / TICK.as_millis();
            let behind = u32::try_from(behind).unwrap_or(u32::MAX);
            if behind > MAX_CATCH_UP {
                self.shard.skip(behind);
                next += TICK * behind;
            }
            self.tick();
            self.ticked_at.store(self.clock.now().0, Ordering::Relaxed);
            // From tick to tick, not from now: the ticks do not drift.
            next += TICK;
        }
    }

    /// Carries out what has been asked for; false when the thread is to end.
    fn obey(&mut self, orders: &Receiver<Order>) -> bool {
        loop {
            match orders.try_recv() {
                Ok(Order::Command(command)) => self.carry_out(command),
                // Who has asked may not wait any more.
                Ok(Order::Count(counts)) => drop(counts.send(self.shard.statistics())),
                Err(TryRecvError::Empty) => return true,
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Join(join) => self.join(*join),
            Command::Start(leg) => self.shard.handle(now, Input::Start { leg }),
            Command::Change(leg, plan) => self.shard.handle(now, Input::Change { leg, plan: *plan }),
            Command::SetVoice(leg, voice) => self.shard.handle(now, Input::SetVoice { leg, voice }),
            Command::GoOnReceiving(leg, received) => {
                self.shard.handle(now, Input::GoOnReceiving { leg, received: *received });
            }
            Command::Received(room, report) => report(self.shard.received(&room)),
            Command::Resume(leg, stream) => self.shard.handle(now, Input::Resume { leg, stream }),
            Command::HandOut(leg, report) => {
                if let Some(stream) = self.shard.hand_out(leg) {
                    report(stream);
                }
                self.sockets.remove(leg);
            }
            Command::Leave(leg) => {
                self.shard.handle(now, Input::Leave { leg });
                self.sockets.remove(leg);
            }
        }
    }

    fn join(&mut self, join: Join) {
        let Join { leg, room, plan, outgoing, port, ticket, on_silence } = join;
        let input = Input::Join { leg, room, participant: ticket.call, plan, outgoing };
        self.shard.handle(self.clock.now(), input);
        self.sockets.insert(leg, Socket { port, on_silence, _ticket: ticket });
    }

    fn receive(&mut self) {
        let (now, shard) = (self.clock.now(), &mut self.shard);
        self.sockets.receive(|leg, channel, from, datagram| {
            shard.handle(now, Input::Datagram { leg, channel, from, datagram });
        });
    }

    fn tick(&mut self) {
        let sockets = &self.sockets;
        self.shard.tick(self.clock.now(), |output| match output {
            Output::Send { leg, channel, to, datagram } => sockets.send(leg, channel, to, datagram),
            Output::Silent { leg, why } => sockets.silent(leg, why),
        });
    }
}
