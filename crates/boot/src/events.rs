//! Waits for whatever `boot` acts on: signals, reports and the end of its program, slots that were filled, and
//! deadlines. The one place where `boot` blocks; it decides nothing.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use slots::{Machine, Slot};

use crate::notify::{Message, Notify};
use crate::program::Program;
use crate::report::{Failure, log, refused};

/// The longest wait in one go; waking up now and then costs nothing.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// Bytes of the queue of filled slots that are read in one go: several events with the longest names.
const QUEUE_READ: usize = 2048;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `boot` itself is to end.
    Stop,
    /// The program has ended.
    Ended,
    /// The program reported.
    Reported(Vec<Message>),
    /// A release was moved into a slot.
    Filled(Slot),
    /// The time is over.
    Deadline,
}

/// Whether the wait ends when `boot` is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnStop {
    /// It does.
    Return,
    /// It goes on: `boot` is stopping the program already, or will look later.
    Ignore,
}

/// Where events come from.
#[derive(Debug)]
pub(crate) struct Events {
    /// Has a byte for each SIGTERM, SIGINT or SIGHUP; never read, so once asked to end is asked for good.
    stop: UnixStream,
    /// The socket of the program.
    pub(crate) notify: Notify,
    /// Reports of the kernel (inotify) on what is moved into the slots; none where it cannot watch them.
    filled: Option<OwnedFd>,
}

impl Events {
    /// Sets up signal handlers, the socket and the watch on the slots.
    pub(crate) fn listen(machine: &Machine) -> Result<Self, Failure> {
        let stop = stop_signals().map_err(refused("listen to signals"))?;
        let notify = Notify::open().map_err(refused("open the socket for the program's reports"))?;
        Ok(Self { stop, notify, filled: watch_slots(machine) })
    }

    /// Waits for the next event of a running program, until `deadline` if there is one.
    pub(crate) fn next(
        &self,
        program: &Program,
        deadline: Option<Instant>,
        on_stop: OnStop,
    ) -> Result<Event, Failure> {
        loop {
            let (stop, reports, ended, filled) = self.wait(program, deadline, on_stop)?;
            if stop {
                return Ok(Event::Stop);
            }
            // Reports before the end: a report that a program sent before it ended counts.
            let messages = if reports { self.notify.messages(program.pid()) } else { Vec::new() };
            if !messages.is_empty() {
                return Ok(Event::Reported(messages));
            }
            if ended {
                return Ok(Event::Ended);
            }
            if let Some(slot) = self.filled.as_ref().filter(|_| filled).and_then(last_filled) {
                return Ok(Event::Filled(slot));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Event::Deadline);
            }
        }
    }

    /// Waits `pause`, or until `boot` is to end; says which.
    pub(crate) fn pause(&self, pause: Duration) -> Result<Event, Failure> {
        let until = Instant::now() + pause;
        loop {
            let mut fds = [PollFd::new(&self.stop, PollFlags::IN)];
            sleep_until(&mut fds, Some(until))?;
            if !fds[0].revents().is_empty() {
                return Ok(Event::Stop);
            }
            if Instant::now() >= until {
                return Ok(Event::Deadline);
            }
        }
    }

    fn wait(
        &self,
        program: &Program,
        deadline: Option<Instant>,
        on_stop: OnStop,
    ) -> Result<(bool, bool, bool, bool), Failure> {
        let (notify, program) = (self.notify.as_fd(), program.as_fd());
        let stop_flags = match on_stop {
            OnStop::Return => PollFlags::IN,
            OnStop::Ignore => PollFlags::empty(),
        };
        let (filled, filled_flags) = match &self.filled {
            // Not while stopping: verifying a release would delay the stop.
            Some(filled) => (filled.as_fd(), stop_flags),
            None => (notify, PollFlags::empty()),
        };
        let mut fds = [
            PollFd::new(&self.stop, stop_flags),
            PollFd::new(&notify, PollFlags::IN),
            PollFd::new(&program, PollFlags::IN),
            PollFd::new(&filled, filled_flags),
        ];
        sleep_until(&mut fds, deadline)?;
        let [stop, reports, ended, filled] = fds.map(|fd| !fd.revents().is_empty());
        Ok((stop, reports, ended, filled))
    }
}

/// Sleeps until one of `fds` has something or the time is over, and sometimes for less.
fn sleep_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<(), Failure> {
    let left = deadline.map_or(WAIT_MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
    let timeout = Timespec::try_from(left.min(WAIT_MAX)).map_err(io::Error::other);
    let timeout = timeout.map_err(refused("measure a time"))?;
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(refused("wait for events")(error)),
    }
}

fn stop_signals() -> io::Result<UnixStream> {
    let (ours, handlers) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        pipe::register(signal, handlers.try_clone()?)?;
    }
    Ok(ours)
}

/// Watches for releases that are moved into the slots. Without it a release is verified when it is started:
/// the machine is away for somewhat longer.
fn watch_slots(machine: &Machine) -> Option<OwnedFd> {
    let slots = machine.slot_dir(Slot::A);
    let watch = || {
        let queue = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&queue, slots.parent().unwrap_or(&slots), inotify::WatchFlags::MOVED_TO)?;
        Ok(queue)
    };
    let refused = |error: Errno| log(&format!("the slots cannot be watched: {}", io::Error::from(error)));
    watch().map_err(refused).ok()
}

/// The slot that was filled last, of all that is in the queue.
fn last_filled(queue: &OwnedFd) -> Option<Slot> {
    let mut space = [MaybeUninit::uninit(); QUEUE_READ];
    let mut events = inotify::Reader::new(queue, &mut space);
    let mut last = None;
    while let Ok(event) = events.next() {
        let slot = event.file_name().and_then(|name| name.to_str().ok()?.parse().ok());
        last = slot.or(last);
    }
    last
}
