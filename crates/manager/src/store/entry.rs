//! An entry of the journal: what was applied to the core, and the facts that followed.
//!
//! Its form is JSON of the core's own types, so a new field there needs a default.

use fleet::fact::Fact;
use fleet::platform::{Applied, Blocker, Event, Fleet};
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::time::Time;
use serde::{Deserialize, Serialize};

/// What was applied to the core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// An event.
    Event {
        /// What.
        event: Event,
    },
    /// A start of a run.
    Start {
        /// The package of the run.
        package: Package,
        /// The policy of the run.
        policy: Policy,
    },
    /// Another default policy in the settings of the machine.
    Policy {
        /// The policy.
        policy: Policy,
    },
}

impl Entry {
    /// Applies the entry to the core. The same entries in the same order give the same state.
    ///
    /// # Errors
    /// Why a run is not started; then nothing has changed.
    pub(crate) fn apply(self, fleet: &mut Fleet, now: Time) -> Result<Applied, Vec<Blocker>> {
        match self {
            Self::Event { event } => Ok(fleet.apply(now, event)),
            Self::Start { package, policy } => fleet.start(package, policy, now),
            Self::Policy { policy } => {
                fleet.platform.policy = policy;
                Ok(Applied::default())
            }
        }
    }
}

/// An entry of the journal with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// What was applied to the core.
    pub entry: Entry,
    /// The facts that followed.
    pub facts: Vec<Fact>,
}
