//! Acts on the difference between what the agent wants and what is in flight.

use std::time::Instant;

use fleet::agent::{AgentEvent, Refuse};
use fleet::desired::Assignment;
use tracing::info;

use super::Driver;
use super::keep::Kept;
use crate::calls;
use crate::files::chain;
use crate::link::Report;
use crate::web::Service;

/// How a turn of the loop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Everything that can be done now is done.
    Waits,
    /// The slot of another release is selected.
    Restarts,
}

/// Whether there is something to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Some,
    None,
}

/// Whether something was done that changes what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acted {
    Yes,
    No,
    Restarts,
}

impl Driver {
    /// Acts until nothing more is wanted, then reports.
    pub(super) fn settle(&mut self) -> Settled {
        self.keep_when_due();
        self.apply_deadline();
        let settled = loop {
            self.judge_fitness();
            match self.act() {
                Acted::Yes => {}
                Acted::No => break Settled::Waits,
                Acted::Restarts => break Settled::Restarts,
            }
        };
        // A node that restarts says it in its farewell.
        if self.publish() == News::Some && settled == Settled::Waits {
            self.parts.news.notify_one();
        }
        for (handled, outcome) in self.handled.drain(..) {
            // A link that has ended asks for nothing more.
            let _ = handled.send(outcome);
        }
        settled
    }

    fn act(&mut self) -> Acted {
        let wants = self.parts.agent.wanted();
        self.set_admission(wants.refuse_calls.as_ref());
        // The calls are counted after the door is closed, so a call that slipped in is among them.
        if self.count() == Kept::No {
            return Acted::No;
        }
        let wants = self.parts.agent.wanted();
        self.stage(wants.stage);
        if let Some(software) = wants.leave {
            if !self.is_checked(software) {
                return Acted::No;
            }
            return match self.apply(AgentEvent::Leaving { software }) {
                Kept::Yes => Acted::Yes,
                Kept::No => Acted::No,
            };
        }
        match wants.restart {
            Some(software) => self.restart(software),
            None => Acted::No,
        }
    }

    /// Opens or closes the node for new calls.
    fn set_admission(&mut self, refuse: Option<&Refuse>) {
        let wanted = service(refuse);
        let before = *self.parts.service.borrow();
        if before.admission() != wanted.admission() {
            self.parts.engine.set_admission(calls::admission(wanted.admission()));
            info!("{}", why(refuse));
        }
        if before != wanted {
            self.parts.service.send_replace(wanted);
        }
    }

    /// Lets the agent know what the call engine does and holds.
    fn count(&mut self) -> Kept {
        let admission = self.parts.service.borrow().admission();
        let counted = calls::counted(*self.parts.engine.calls().borrow(), Instant::now());
        let known = self.parts.agent.observed(self.parts.clock.now());
        if known.admission != admission && self.apply(AgentEvent::Admission(admission)) == Kept::No {
            return Kept::No;
        }
        if known.calls == counted { Kept::Yes } else { self.apply(AgentEvent::Calls(counted)) }
    }

    /// One staging at a time: another one begins when the one before has ended.
    fn stage(&mut self, wanted: Option<Assignment>) {
        match (&self.job, wanted) {
            (None, Some(software)) => {
                info!("staging {}, package {}", software.release, software.manifest);
                self.job = Some(self.parts.stager.begin(software));
            }
            (Some(job), wanted) if wanted != Some(job.software) => job.cancel(),
            (Some(_) | None, _) => {}
        }
    }

    /// Selects the slot. What is refused here is no way to leave, so the node goes on.
    fn restart(&mut self, software: Assignment) -> Acted {
        match self.parts.machine.select(&software.manifest.to_string()) {
            // Selected, though perhaps not durably: boot knows which it is when it starts.
            Ok(()) | Err(slots::Error::NotDurable { .. }) => Acted::Restarts,
            Err(error) => {
                let why = format!("its slot could not be selected: {}", chain(&error));
                match self.apply(AgentEvent::Rejected { software, why }) {
                    Kept::Yes => Acted::Yes,
                    Kept::No => Acted::No,
                }
            }
        }
    }

    /// Lays out how things stand for the next request, and says whether that is worth one of its own.
    fn publish(&mut self) -> News {
        let observed = self.parts.agent.observed(self.parts.clock.now());
        let before = self.reported.replace(observed.clone());
        let tally = calls::tally(self.parts.engine.stats());
        let report = Report::new(observed.clone(), tally, self.parts.revision);
        self.parts.report.send_replace(report);
        match before {
            Some(before) if observed.says_the_same_as(&before) => News::None,
            Some(_) | None => News::Some,
        }
    }
}

fn service(refuse: Option<&Refuse>) -> Service {
    match refuse {
        None => Service::Open,
        Some(Refuse::Maintenance(owners)) if owners.platform.is_some() => Service::Unfit,
        Some(Refuse::Maintenance(_) | Refuse::Unconfirmed | Refuse::Leaving) => Service::Maintenance,
    }
}

fn why(refuse: Option<&Refuse>) -> String {
    match refuse {
        None => "new calls are taken".into(),
        Some(Refuse::Maintenance(owners)) => format!("new calls are refused: maintenance mode by {owners}"),
        Some(Refuse::Unconfirmed) => "new calls are refused until the release has confirmed itself".into(),
        Some(Refuse::Leaving) => "new calls are refused: the node restarts".into(),
    }
}
