//! The fixed identifiers that the API uses for the enums of the fleet. They never change.

use fleet::desired::Owners;
use fleet::node::Contact;
use fleet::run::{Lock, ManagerStep, Outcome};

/// How a run ended.
pub(super) fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Incomplete => "incomplete",
        Outcome::LimitReached => "limit_reached",
        Outcome::TooManyFailures { .. } => "too_many_failures",
        Outcome::Stopped { .. } => "stopped",
        Outcome::ManagerRejected { .. } => "manager_rejected",
        Outcome::ManagerFellBack { .. } => "manager_fell_back",
        Outcome::Replaced => "replaced",
        Outcome::Halted { .. } => "halted",
    }
}

/// The step of the Management Node's own upgrade.
pub(super) fn manager_step(step: ManagerStep) -> &'static str {
    match step {
        ManagerStep::Staging { .. } => "staging",
        ManagerStep::Installing { .. } => "installing",
        ManagerStep::Confirmed { .. } => "confirmed",
    }
}

/// Whether another run may be started.
pub(super) fn lock(lock: Lock) -> &'static str {
    match lock {
        Lock::Held => "held",
        Lock::Lifted => "lifted",
    }
}

/// The state of a node's link.
pub(super) fn contact(contact: Contact) -> &'static str {
    match contact {
        Contact::Never => "never",
        Contact::Heard => "heard",
        Contact::Silent { .. } => "silent",
        Contact::Lost { .. } => "lost",
    }
}

/// Who keeps a node in maintenance mode.
pub(super) fn owner_names(owners: &Owners) -> Vec<&'static str> {
    let Owners { operator, run, platform } = owners;
    let names = [
        operator.as_ref().map(|_| "operator"),
        run.as_ref().map(|_| "run"),
        platform.as_ref().map(|_| "platform"),
    ];
    names.into_iter().flatten().collect()
}
