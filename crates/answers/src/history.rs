//! `history/v1/upgrade/`: runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::UtcTime;

/// A run that has ended, or one under way as the history shows it: without what changes every second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PastRun {
    /// Its number.
    pub id: u32,
    /// What the platform ran.
    pub source: String,
    /// The release that it installed.
    pub target: String,
    /// The hash of the package's manifest.
    #[serde(default)]
    pub manifest: String,
    /// When it began.
    pub started_at: UtcTime,
    /// When it ended; none while it is under way.
    #[serde(default)]
    pub ended_at: Option<UtcTime>,
    /// How it ended: a token that never changes.
    #[serde(default)]
    pub outcome: Option<String>,
    /// The same in words.
    #[serde(default)]
    pub outcome_text: Option<String>,
    /// When it stops at the latest, while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<UtcTime>,
    /// Its limits and numbers, while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// How far the Management Node is, while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_step: Option<String>,
    /// Whether another run may be started, while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// What happened, when one run is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Vec<FactRow>>,
    /// How many entries of its history were removed, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts_evicted: Option<u64>,
    /// Where the facts go on, if there are more than one answer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts_next: Option<String>,
    /// Its path in the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_uri: Option<String>,
}

impl PastRun {
    /// The outcome in words, as far as it is known.
    pub fn ending(&self) -> &str {
        let words = self.outcome_text.as_deref().or(self.outcome.as_deref());
        words.unwrap_or("under way")
    }

    /// How many entries of its history were removed, at least.
    pub fn evicted(&self) -> u64 {
        self.facts_evicted.unwrap_or(0)
    }
}

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FactRow {
    /// Its place in the journal, from which the next facts are asked for.
    #[serde(default)]
    pub seq: i64,
    /// When.
    pub at: UtcTime,
    /// In words.
    pub text: String,
    /// As it is stored: the names in it never change.
    #[serde(default)]
    pub fact: Value,
}
