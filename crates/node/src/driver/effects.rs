//! Performs the effects of a turn and reports their outcomes. It relies on [`fleet::agent::Reconciler`] for which
//! effects there are and in which order; it never decides that itself.

use std::time::Instant;

use fleet::agent::{AgentFact, Effect, Outcome, Refuse, Selection};
use fleet::desired::Assignment;
use fleet::observed::Observed;
use tracing::info;

use super::Driver;
use crate::calls;
use crate::files::chain;
use crate::link::Report;
use crate::web::Service;

impl Driver {
    /// One turn: performs effects until there are no more, then lets the link report and acknowledge.
    pub(super) fn settle(&mut self) {
        self.rewrite_when_due();
        while let Some(effect) = self.parts.node.next(self.parts.clock.now()) {
            self.perform(effect);
        }
        // What is no news goes with the next request all the same; so does the restart, as its last report.
        self.prepare_report(self.parts.node.agent().observed(self.parts.clock.now()));
        for (handled, outcome) in self.handled.drain(..) {
            // A link that has ended asks for nothing more.
            let _ = handled.send(outcome);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(state) => {
                self.persist(&state);
            }
            Effect::CheckFitness => {
                let unfit = self.check_fitness();
                self.complete(Outcome::Fitness { unfit });
            }
            Effect::SetAdmission(refuse) => self.set_admission(refuse.as_ref()),
            Effect::CountCalls => {
                let admission = self.parts.service.borrow().admission();
                let calls = calls::counted(*self.parts.engine.calls().borrow(), Instant::now());
                self.complete(Outcome::Counted { admission, calls });
            }
            Effect::BeginStaging(software) => {
                info!("staging {}, package {}", software.release, software.manifest);
                self.job = Some(self.parts.stager.begin(software));
            }
            Effect::CancelStaging(_) => {
                if let Some(job) = &self.job {
                    job.cancel();
                }
            }
            Effect::CheckRelease(software) => {
                let check = self.check_before_leaving(software);
                self.complete(Outcome::Checked(check));
            }
            Effect::Select(software) => {
                let selection = self.select(software);
                self.complete(Outcome::Selected(selection));
            }
            Effect::Report(observed) => {
                self.prepare_report(observed);
                self.parts.news.notify_one();
            }
        }
    }

    pub(super) fn complete(&mut self, outcome: Outcome) {
        log(&self.parts.node.complete(self.parts.clock.now(), outcome));
    }

    /// Opens or closes the node for new calls.
    fn set_admission(&mut self, refuse: Option<&Refuse>) {
        let wanted = service(refuse);
        // The watchdog may have closed the node since.
        let before = *self.parts.service.borrow();
        if before.admission() != wanted.admission() {
            self.parts.engine.set_admission(calls::admission(wanted.admission()));
            info!("{}", why(refuse));
        }
        if before != wanted {
            self.parts.service.send_replace(wanted);
        }
    }

    fn select(&mut self, software: Assignment) -> Selection {
        match self.parts.machine.select(&software.manifest.to_string()) {
            // Selected, though perhaps not durably: boot knows which it is when it starts.
            Ok(()) | Err(slots::Error::NotDurable { .. }) => Selection::Selected,
            Err(error) => Selection::Refused(format!("its slot could not be selected: {}", chain(&error))),
        }
    }

    /// Sets what the next request to the Management Node reports.
    fn prepare_report(&self, observed: Observed) {
        let tally = calls::tally(self.parts.engine.stats());
        let report = Report::new(observed, tally, self.parts.rooms.revision).showing(self.parts.shown);
        self.parts.report.send_replace(report);
    }
}

/// One line for each fact.
pub(super) fn log(facts: &[AgentFact]) {
    for fact in facts {
        info!("{fact}");
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
