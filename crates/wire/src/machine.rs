//! What a node says of its machine. It is shown, and no decision depends on it.

use serde::{Deserialize, Serialize};

use crate::report::cut;

/// How much of a text about a machine is sent and kept, in characters.
const MACHINE_TEXT: usize = 120;

/// The machine of a node. Since protocol 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// How many processors the node may use. Since protocol 2.
    #[serde(default)]
    pub cpu_count: Option<u32>,
    /// What they call themselves. Since protocol 2.
    #[serde(default)]
    pub cpu_model: Option<String>,
    /// The memory of the machine, in KiB. Since protocol 2.
    #[serde(default)]
    pub total_ram: Option<u64>,
    /// What the machine runs on, if it is a virtual one. Since protocol 2.
    #[serde(default)]
    pub hypervisor: Option<String>,
    /// How many calls the node may have. Since protocol 2.
    #[serde(default)]
    pub call_limit: Option<u32>,
}

impl Machine {
    /// The texts, which the machine says of itself.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { cpu_count: _, cpu_model, total_ram: _, hypervisor, call_limit: _ } = self;
        [cpu_model, hypervisor].into_iter().flatten()
    }

    /// The same with texts that are not longer than what is kept.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.texts().for_each(|text| cut(text, MACHINE_TEXT));
        self
    }
}
