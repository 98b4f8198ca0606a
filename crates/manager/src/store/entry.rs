//! An entry of the journal: what was applied to the core, and the facts that followed.
//!
//! Its form is JSON of the core's own types, so a new field there needs a default.

use fleet::fact::Fact;
use fleet::platform::Event;
use fleet::policy::Policy;
use fleet::run::Package;
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

/// An entry of the journal with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// What was applied to the core.
    pub entry: Entry,
    /// The facts that followed.
    pub facts: Vec<Fact>,
}
