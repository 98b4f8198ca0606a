//! The loop: start what is selected, watch it, judge its end, start again.

use std::time::{Duration, Instant};

use slots::{Attempt, FellBack, Machine, Slot, Start, UnixMillis};

use crate::events::{Event, Events, OnStop};
use crate::locks::Locks;
use crate::notify::Message;
use crate::program::Program;
use crate::report::{Failure, refused, say};
use crate::settings::Settings;
use crate::verdict::{End, Verdict, judge, words};
use crate::watch::{Extension, Pauses, Probation};

/// One machine under supervision.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) events: Events,
    pub(crate) locks: Locks,
}

/// How a run of a program came to its end.
enum Outcome {
    /// The program ended; `boot` goes on.
    Ended(End),
    /// `boot` was asked to end, and the program has ended.
    Stopped,
}

impl Supervisor {
    /// Runs until `boot` is asked to end.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut pauses = Pauses::default();
        let mut last = None;
        let mut pause = Duration::ZERO;
        while self.events.pause(pause)? != Event::Stop {
            let start = self.machine.next_start(self.settings.tries, UnixMillis::now())?;
            self.say_start(&start);
            if last.replace(start.slot) != Some(start.slot) {
                pauses = Pauses::default();
            }
            let end = match self.run_once(&start)? {
                Outcome::Stopped => return Ok(()),
                Outcome::Ended(end) => end,
            };
            pause = self.settle(&start, &end, &mut pauses)?;
        }
        Ok(())
    }

    /// Does what follows from the end of a program; says how long to pause before the next start.
    fn settle(&self, start: &Start, end: &End, pauses: &mut Pauses) -> Result<Duration, Failure> {
        let record = self.machine.record()?;
        let pause = match judge(end, start.slot, &record, self.settings.tries) {
            Verdict::AtOnce => Duration::ZERO,
            Verdict::AfterPause { ran } => pauses.after(ran),
            Verdict::FallBack(why) => {
                let fell_back = self.machine.fall_back(why, UnixMillis::now())?;
                self.say_fall_back(start.slot, &fell_back);
                Duration::ZERO
            }
        };
        if !pause.is_zero() {
            say(&format!("slot {}: next start in {:.1} s", start.slot, pause.as_secs_f32()));
        }
        Ok(pause)
    }

    fn run_once(&self, start: &Start) -> Result<Outcome, Failure> {
        let notify = self.events.notify.address();
        let program = self
            .locks
            .for_program()
            .and_then(|lock| Program::start(start, self.machine.root(), notify, lock));
        match program {
            Ok(program) => self.watch(start, program),
            Err(error) => {
                let reason = format!("{} cannot be started: {error}", start.program.display());
                say(&format!("slot {}: {reason}", start.slot));
                Ok(Outcome::Ended(End::NotStarted { reason }))
            }
        }
    }

    /// Watches a program until it has ended, whatever the reason.
    fn watch(&self, start: &Start, program: Program) -> Result<Outcome, Failure> {
        tell_service_manager();
        let mut probation = match start.attempt {
            Attempt::Confirmed => None,
            Attempt::Trying { .. } => Some(Probation::begin(self.settings.confirm_within, Instant::now())),
        };
        loop {
            let deadline = probation.map(|probation| probation.deadline());
            match self.events.next(&program, deadline, OnStop::Return)? {
                Event::Stop => {
                    say(&format!("slot {}: stopping release {}", start.slot, start.identity));
                    self.stop(program)?;
                    return Ok(Outcome::Stopped);
                }
                Event::Ended => return ended(start, program).map(Outcome::Ended),
                Event::Reported(messages) => self.heed(start, &messages, &mut probation)?,
                Event::Deadline => {}
            }
            if let Some(late) = probation.take_if(|probation| Instant::now() >= probation.deadline())
                && !self.has_confirmed(start)?
            {
                self.stop(program)?;
                return Ok(Outcome::Ended(End::Overdue { granted: late.granted() }));
            }
        }
    }

    fn heed(
        &self,
        start: &Start,
        messages: &[Message],
        probation: &mut Option<Probation>,
    ) -> Result<(), Failure> {
        for message in messages {
            match message {
                Message::Extend(from_now) => {
                    let asked = probation.as_mut().map(|it| it.extend(*from_now, Instant::now()));
                    if asked == Some(Extension::First) {
                        let Start { slot, identity, .. } = start;
                        say(&format!("slot {slot}: release {identity} asks for more time to confirm itself"));
                    }
                }
                Message::Ready if probation.is_none() => {}
                Message::Ready => {
                    if self.has_confirmed(start)? {
                        *probation = None;
                    } else {
                        let slot = start.slot;
                        say(&format!(
                            "slot {slot}: the release is ready but has not confirmed itself in the record"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks into the record; the message alone does not count.
    fn has_confirmed(&self, start: &Start) -> Result<bool, Failure> {
        let record = self.machine.record()?;
        let confirmed = record.confirmed == start.slot;
        if confirmed {
            say(&format!("slot {}: release {} has confirmed itself", start.slot, start.identity));
        }
        Ok(confirmed)
    }

    /// Ends a program: SIGTERM, the grace, SIGKILL.
    fn stop(&self, program: Program) -> Result<(), Failure> {
        program.terminate();
        let grace = Instant::now() + self.settings.stop_grace;
        loop {
            match self.events.next(&program, Some(grace), OnStop::Ignore)? {
                Event::Ended => break,
                Event::Deadline | Event::Stop | Event::Reported(_) => {}
            }
            if Instant::now() >= grace {
                say("the program did not end when asked to; killing it");
                break;
            }
        }
        program.finish().map(drop).map_err(refused("wait for the end of the program"))
    }

    fn say_start(&self, start: &Start) {
        let Start { slot, identity, attempt, fell_back, program: _ } = start;
        if let Some(fell_back) = fell_back {
            self.say_fall_back(slot.other(), fell_back);
        }
        let tries = self.settings.tries;
        say(&match attempt {
            Attempt::Confirmed => format!("slot {slot}: starting release {identity}"),
            Attempt::Trying { attempt } => {
                format!("slot {slot}: starting release {identity}, try {attempt} of {tries}")
            }
        });
    }

    fn say_fall_back(&self, left: Slot, fell_back: &FellBack) {
        let version = |slot| match self.machine.release(slot) {
            Ok(Some(identity)) => identity.version,
            Ok(None) | Err(_) => "an unreadable release".into(),
        };
        let (from, to) = (version(left), version(left.other()));
        say(&format!("slot {left}: {from} {}; going back to slot {} ({to})", fell_back.why, left.other()));
    }
}

fn ended(start: &Start, program: Program) -> Result<End, Failure> {
    let ran = program.ran();
    let status = program.finish().map_err(refused("wait for the end of the program"))?;
    let (slot, version, words) = (start.slot, &start.identity.version, words(status));
    say(&format!("slot {slot}: {version} ended after {:.1} s, {words}", ran.as_secs_f32()));
    Ok(End::Exited { status, ran })
}

/// Tells systemd, when it started us, that the machine is up. Telling it twice does no harm.
fn tell_service_manager() {
    let Some(address) = std::env::var_os(slots::NOTIFY_VARIABLE) else { return };
    if let Err(error) = slots::notify(&address, "READY=1") {
        say(&format!("could not tell the service manager that the machine is up: {error}"));
    }
}
