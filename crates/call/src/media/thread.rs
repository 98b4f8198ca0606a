//! The thread that carries sound: it drains the sockets, ticks the shard, and sends what comes out.
//!
//! A thread of its own and not the async pool, so that a busy pool does not make ticks late.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::audio::TICK;
use crate::calls::Ticket;
use crate::handover::message::ExportedStream;
use crate::rooms::RoomName;
use crate::time::{Clock, Time};

use super::budget::Budget;
use super::control::Channel;
use super::handshake::Identity;
use super::leg::{Outgoing, Plan};
use super::ports::MediaPort;
use super::random;
use super::shard::{Input, LegId, Output, Shard, Silence};

/// The largest datagram that is read; G.711 packets have some hundred bytes.
const MAX_DATAGRAM: usize = 2048;

/// Ticks that are made up for when the thread was held up; what is further behind is skipped.
const MAX_CATCH_UP: u32 = 5;

/// Called when nothing is heard of a leg's far end any more.
pub(crate) type OnSilence = Box<dyn Fn(Silence) + Send>;

/// Called when a leg is taken out for another process.
pub(crate) type OnHandOut = Box<dyn FnOnce(ExportedStream) + Send>;

/// What the thread is to do.
pub(crate) enum Command {
    /// A leg joins.
    Join(Box<Join>),
    /// Its call is confirmed.
    Start(LegId),
    /// Its call agreed on something new.
    Change(LegId, Box<Plan>),
    /// Another process has sent its stream so far.
    Resume(LegId, ExportedStream),
    /// Its call is over: the socket is closed and the ticket given back.
    Leave(LegId),
    /// As [`Command::Leave`]; the function is called first, with where its stream has come to.
    HandOut(LegId, OnHandOut),
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

/// The way to talk to the thread.
#[derive(Clone, Debug)]
pub(crate) struct MediaHandle {
    commands: Sender<Command>,
    clock: Clock,
    ticked_at: Arc<AtomicU64>,
}

impl MediaHandle {
    /// Sends a command. When the thread is gone the registry says so already, and the command is dropped
    /// with all that it holds.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// How long ago the thread finished its last tick.
    pub(crate) fn still_for(&self) -> Duration {
        self.clock.now().since(Time(self.ticked_at.load(Ordering::Relaxed)))
    }
}

/// Starts the thread. `failed` is called when it ends otherwise than by [`Command::Stop`].
///
/// # Errors
/// The system refuses another thread.
pub(crate) fn start(
    clock: Clock,
    media_timeout: Duration,
    identity: Identity,
    failed: impl FnOnce() + Send + 'static,
) -> io::Result<(MediaHandle, JoinHandle<()>)> {
    let (commands, receiver) = mpsc::channel();
    let ticked_at = Arc::new(AtomicU64::new(clock.now().0));
    let handle = MediaHandle { commands, clock, ticked_at: Arc::clone(&ticked_at) };
    let thread = std::thread::Builder::new().name("call-media".into()).spawn(move || {
        let mut alarm = Alarm(Some(Box::new(failed)));
        let shard = Shard::new(media_timeout, cname()).with_identity(identity);
        Worker { clock, shard, sockets: BTreeMap::new(), ticked_at }.run(&receiver);
        alarm.0 = None;
    })?;
    Ok((handle, thread))
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
            tracing::error!("the media thread has failed; calls are unknown until the node restarts");
            failed();
        }
    }
}

struct Socket {
    port: MediaPort,
    on_silence: OnSilence,
    _ticket: Ticket,
}

struct Worker {
    clock: Clock,
    shard: Shard,
    sockets: BTreeMap<LegId, Socket>,
    ticked_at: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<Command>) {
        let mut next = Instant::now() + TICK;
        loop {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            // Right before the tick, so that who joins while the thread sleeps is in the very next one.
            if !self.obey(commands) {
                return;
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
    fn obey(&mut self, commands: &Receiver<Command>) -> bool {
        loop {
            match commands.try_recv() {
                Ok(Command::Join(join)) => self.join(*join),
                Ok(Command::Start(leg)) => self.shard.handle(self.clock.now(), Input::Start { leg }),
                Ok(Command::Change(leg, plan)) => {
                    self.shard.handle(self.clock.now(), Input::Change { leg, plan: *plan });
                }
                Ok(Command::Resume(leg, stream)) => {
                    self.shard.handle(self.clock.now(), Input::Resume { leg, stream });
                }
                Ok(Command::HandOut(leg, report)) => {
                    if let Some(stream) = self.shard.hand_out(leg) {
                        report(stream);
                    }
                    self.sockets.remove(&leg);
                }
                Ok(Command::Leave(leg)) => {
                    self.shard.handle(self.clock.now(), Input::Leave { leg });
                    self.sockets.remove(&leg);
                }
                Err(TryRecvError::Empty) => return true,
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
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
        let now = self.clock.now();
        let mut buffer = [0; MAX_DATAGRAM];
        let mut budget = Budget::new();
        for (leg, Socket { port, .. }) in &self.sockets {
            for (channel, socket) in [(Channel::Media, &port.socket), (Channel::Control, &port.rtcp)] {
                let mut count = 0;
                while budget.allows(count)
                    && let Some((length, from)) = read(socket, &mut buffer)
                {
                    count += 1;
                    let datagram = &buffer[..length];
                    self.shard.handle(now, Input::Datagram { leg: *leg, channel, from, datagram });
                }
            }
        }
    }

    fn tick(&mut self) {
        let sockets = &self.sockets;
        self.shard.tick(self.clock.now(), |output| match output {
            Output::Send { leg, channel, to, datagram } => {
                if let Some(Socket { port, .. }) = sockets.get(&leg) {
                    let socket = match channel {
                        Channel::Media => &port.socket,
                        Channel::Control => &port.rtcp,
                    };
                    // A packet that cannot be sent is a lost packet.
                    let _ = socket.send_to(datagram, to);
                }
            }
            Output::Silent { leg, why } => {
                sockets.get(&leg).into_iter().for_each(|socket| (socket.on_silence)(why));
            }
        });
    }
}

/// The next datagram of a socket. Errors of single datagrams (a refused port of the far end) are
/// nothing to act on: silence is noticed by its timeout.
fn read(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => return None,
        }
    }
}
