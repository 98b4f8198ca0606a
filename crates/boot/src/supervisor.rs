//! The loop of `boot`: verifies and starts the selected slot, watches the program, and acts on its end.
//! Relies on [`crate::decision`] for what follows from an end and on `slots` for every change of the record.

use std::time::{Duration, Instant};

use slots::{Attempt, FellBack, Machine, Slot, SlotIdentity, Start, Stranded, UnixMillis, describe_exit};

use crate::decision::{Decision, End, decide};
use crate::events::{Event, Events, OnStop};
use crate::failed_starts::{FailedStarts, Report};
use crate::locks::Locks;
use crate::notify::Message;
use crate::program::Program;
use crate::report::{Failure, chain, log, refused};
use crate::settings::Settings;
use crate::timers::{ConfirmationTimeout, Extension, Pauses};
use crate::verify::{Sealed, Verifier};

/// One machine under supervision.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) events: Events,
    pub(crate) locks: Locks,
    pub(crate) verifier: Verifier,
}

/// How a run of a program came to its end.
enum Outcome {
    /// The program ended; `boot` goes on.
    Ended { end: End, ready: Readiness },
    /// `boot` was asked to end, and the program has ended.
    Stopped,
}

/// Whether a program has reported that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    NotYet,
}

impl Supervisor {
    /// Runs until `boot` is asked to end.
    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        let (mut pauses, mut failed) = (Pauses::default(), FailedStarts::default());
        let mut last = None;
        let mut pause = Duration::ZERO;
        while self.events.pause(pause)? != Event::Stop {
            let (start, program) = self.next_start()?;
            self.log_start(&start);
            if last.replace(start.slot) != Some(start.slot) {
                (pauses, failed) = (Pauses::default(), FailedStarts::default());
            }
            let end = match self.run_once(&start, &program, &mut failed)? {
                Outcome::Stopped => return Ok(()),
                Outcome::Ended { end, ready } => {
                    self.note_failed_start(&start, &end, ready, &mut failed)?;
                    end
                }
            };
            pause = self.act_on_end(&start, &end, &mut pauses)?;
        }
        Ok(())
    }

    /// What starts next, and its verified program.
    fn next_start(&mut self) -> Result<(Start, Sealed), Failure> {
        let Self { machine, settings, verifier, .. } = self;
        let keys = verifier.keys()?;
        let mut program = None;
        let mut inspect = |slot, identity: &SlotIdentity| {
            program = Some(verifier.verify(&machine.slot_dir(slot), identity, &keys)?);
            Ok(())
        };
        let start = machine.next_inspected_start(settings.tries, UnixMillis::now(), &mut inspect)?;
        Ok((start, program.expect("a slot that starts has passed inspection last")))
    }

    /// A release was moved into a slot while another one runs: verifies it now, so that the restart is short.
    fn prepare(&mut self, slot: Slot) {
        if let Ok(Some(identity)) = self.machine.release(slot) {
            self.verifier.prepare(&self.machine.slot_dir(slot), &identity);
        }
    }

    /// Acts on the end of a program; returns how long to pause before the next start.
    fn act_on_end(&self, start: &Start, end: &End, pauses: &mut Pauses) -> Result<Duration, Failure> {
        let record = self.machine.record()?;
        let pause = match decide(end, start.slot, &record, self.settings.tries) {
            Decision::AtOnce => Duration::ZERO,
            Decision::AfterPause { ran } => pauses.after(ran),
            Decision::FallBack(why) => {
                let fell_back = self.machine.fall_back(why, UnixMillis::now())?;
                self.log_fall_back(start.slot, &fell_back);
                Duration::ZERO
            }
        };
        if !pause.is_zero() {
            log(&format!("slot {}: next start in {:.1} s", start.slot, pause.as_secs_f32()));
        }
        Ok(pause)
    }

    /// Reports to the operator that the confirmed release does not start: there is none to fall back to.
    fn note_failed_start(
        &self,
        start: &Start,
        end: &End,
        ready: Readiness,
        failed: &mut FailedStarts,
    ) -> Result<(), Failure> {
        if start.attempt != Attempt::Confirmed || ready == Readiness::Ready {
            return Ok(());
        }
        let Report::Now { starts } = failed.ended(self.settings.tries) else { return Ok(()) };
        let exit = describe(end);
        let after = match self.machine.record()?.fell_back {
            Some(_) => format!(
                "; the release in slot {} was tried before and did not start either, so there is none to fall back to",
                start.slot.other()
            ),
            None => String::new(),
        };
        let line = format!(
            "slot {}: release {} has not become ready in {starts} starts in a row, the last one: {exit}{after}. This \
             machine runs no release. The log lines of the release give the reason: correct it, and boot starts the \
             release again by itself",
            start.slot, start.identity
        );
        log(&line);
        notify_service_manager(&format!("STATUS={line}"));
        if let Err(error) = self.machine.note_stranded(Stranded { exit }) {
            // The next start may still succeed; then only an entry of the history is missing.
            log(&format!("the failed starts could not be recorded for the history: {}", chain(&error)));
        }
        Ok(())
    }

    fn run_once(
        &mut self,
        start: &Start,
        verified: &Sealed,
        failed: &mut FailedStarts,
    ) -> Result<Outcome, Failure> {
        let notify = self.events.notify.address();
        let program = self
            .locks
            .for_program()
            .and_then(|lock| Program::start(start, verified, self.machine.root(), notify, lock));
        match program {
            Ok(program) => self.watch(start, program, failed),
            Err(error) => {
                let reason = format!("{} cannot be started: {error}", start.program.display());
                log(&format!("slot {}: {reason}", start.slot));
                Ok(Outcome::Ended { end: End::NotStarted { reason }, ready: Readiness::NotYet })
            }
        }
    }

    /// Watches a program until it has ended, for whatever reason.
    fn watch(
        &mut self,
        start: &Start,
        program: Program,
        failed: &mut FailedStarts,
    ) -> Result<Outcome, Failure> {
        notify_service_manager("READY=1");
        let mut ready = Readiness::NotYet;
        let mut confirmation = match start.attempt {
            Attempt::Confirmed => None,
            Attempt::Trying { .. } => {
                Some(ConfirmationTimeout::begin(self.settings.confirm_within, Instant::now()))
            }
        };
        loop {
            let deadline = confirmation.map(|confirmation| confirmation.deadline());
            match self.events.next(&program, deadline, OnStop::Return)? {
                Event::Stop => {
                    log(&format!("slot {}: stopping release {}", start.slot, start.identity));
                    self.stop(program)?;
                    return Ok(Outcome::Stopped);
                }
                Event::Ended => return ended(start, program).map(|end| Outcome::Ended { end, ready }),
                Event::Reported(messages) => {
                    if messages.contains(&Message::Ready) {
                        ready = Readiness::Ready;
                        log_ready(start, failed.ready());
                    }
                    self.process_messages(start, &messages, &mut confirmation)?;
                }
                Event::Filled(slot) => self.prepare(slot),
                Event::Deadline => {}
            }
            if let Some(late) = confirmation.take_if(|confirmation| Instant::now() >= confirmation.deadline())
                && !self.has_confirmed(start)?
            {
                self.stop(program)?;
                return Ok(Outcome::Ended { end: End::Overdue { granted: late.granted() }, ready });
            }
        }
    }

    fn process_messages(
        &self,
        start: &Start,
        messages: &[Message],
        confirmation: &mut Option<ConfirmationTimeout>,
    ) -> Result<(), Failure> {
        for message in messages {
            match message {
                Message::Extend(from_now) => {
                    let asked = confirmation.as_mut().map(|it| it.extend(*from_now, Instant::now()));
                    if asked == Some(Extension::First) {
                        let Start { slot, identity, .. } = start;
                        log(&format!("slot {slot}: release {identity} asks for more time to confirm itself"));
                    }
                }
                Message::Ready if confirmation.is_none() => {}
                Message::Ready => {
                    if self.has_confirmed(start)? {
                        *confirmation = None;
                    } else {
                        let slot = start.slot;
                        log(&format!(
                            "slot {slot}: the release is ready but has not confirmed itself in the record"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the record; the message of the program alone does not count.
    fn has_confirmed(&self, start: &Start) -> Result<bool, Failure> {
        let record = self.machine.record()?;
        let confirmed = record.confirmed == start.slot;
        if confirmed {
            log(&format!("slot {}: release {} has confirmed itself", start.slot, start.identity));
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
                Event::Deadline | Event::Stop | Event::Reported(_) | Event::Filled(_) => {}
            }
            if Instant::now() >= grace {
                log("the program did not end after SIGTERM; killing it");
                break;
            }
        }
        program.finish().map(drop).map_err(refused("wait for the end of the program"))
    }

    fn log_start(&self, start: &Start) {
        let Start { slot, identity, attempt, fell_back, program: _ } = start;
        if let Some(fell_back) = fell_back {
            self.log_fall_back(slot.other(), fell_back);
        }
        let tries = self.settings.tries;
        log(&match attempt {
            Attempt::Confirmed => format!("slot {slot}: starting release {identity}"),
            Attempt::Trying { attempt } => {
                format!("slot {slot}: starting release {identity}, try {attempt} of {tries}")
            }
        });
    }

    fn log_fall_back(&self, left: Slot, fell_back: &FellBack) {
        let version = |slot| match self.machine.release(slot) {
            Ok(Some(identity)) => identity.version,
            Ok(None) | Err(_) => "an unreadable release".into(),
        };
        let (from, to) = (version(left), version(left.other()));
        log(&format!("slot {left}: {from} {}; going back to slot {} ({to})", fell_back.why, left.other()));
    }
}

fn ended(start: &Start, program: Program) -> Result<End, Failure> {
    let ran = program.ran();
    let status = program.finish().map_err(refused("wait for the end of the program"))?;
    let (slot, version, exit) = (start.slot, &start.identity.version, describe_exit(status));
    log(&format!("slot {slot}: {version} ended after {:.1} s, {exit}", ran.as_secs_f32()));
    Ok(End::Exited { status, ran })
}

/// How a start ended, in text for the operator.
fn describe(end: &End) -> String {
    match end {
        End::Exited { status, ran: _ } => describe_exit(*status),
        End::Overdue { granted } => format!("not ready in {} s", granted.as_secs()),
        End::NotStarted { reason } => reason.clone(),
    }
}

/// The release is ready, after so many failed starts.
fn log_ready(start: &Start, failed: u32) {
    if failed > 0 {
        let Start { slot, identity, .. } = start;
        log(&format!("slot {slot}: release {identity} is ready, after {failed} failed starts"));
        notify_service_manager(&format!("STATUS=release {identity} runs"));
    }
}

/// Notifies systemd, when it started us, that the machine is up, or of its status. Twice does no harm.
fn notify_service_manager(message: &str) {
    let Some(address) = std::env::var_os(slots::NOTIFY_VARIABLE) else { return };
    if let Err(error) = slots::notify(&address, message) {
        log(&format!("the service manager could not be notified of {message:?}: {error}"));
    }
}
