//! Everything that `boot` waits for, in one place.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::notify::{Message, Notify};
use crate::program::Program;
use crate::report::{Failure, refused};

/// The longest wait in one go; waking up now and then costs nothing.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `boot` itself is to end.
    Stop,
    /// The program has ended.
    Ended,
    /// The program reported.
    Reported(Vec<Message>),
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
}

impl Events {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let stop = stop_signals().map_err(refused("listen to signals"))?;
        let notify = Notify::open().map_err(refused("open the socket for the program's reports"))?;
        Ok(Self { stop, notify })
    }

    /// Waits for the next event of a running program, until `deadline` if there is one.
    pub(crate) fn next(
        &self,
        program: &Program,
        deadline: Option<Instant>,
        on_stop: OnStop,
    ) -> Result<Event, Failure> {
        loop {
            let (stop, reports, ended) = self.wait(program, deadline, on_stop)?;
            if stop {
                return Ok(Event::Stop);
            }
            // Reports before the end: what a program said before it ended counts.
            let messages = if reports { self.notify.messages(program.pid()) } else { Vec::new() };
            if !messages.is_empty() {
                return Ok(Event::Reported(messages));
            }
            if ended {
                return Ok(Event::Ended);
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
    ) -> Result<(bool, bool, bool), Failure> {
        let (notify, program) = (self.notify.as_fd(), program.as_fd());
        let stop_flags = match on_stop {
            OnStop::Return => PollFlags::IN,
            OnStop::Ignore => PollFlags::empty(),
        };
        let mut fds = [
            PollFd::new(&self.stop, stop_flags),
            PollFd::new(&notify, PollFlags::IN),
            PollFd::new(&program, PollFlags::IN),
        ];
        sleep_until(&mut fds, deadline)?;
        let [stop, reports, ended] = fds.map(|fd| !fd.revents().is_empty());
        Ok((stop, reports, ended))
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
