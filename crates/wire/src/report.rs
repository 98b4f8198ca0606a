//! The report of a node: its observed state as it is sent. Responsible for the form of the message and for how long
//! its sentences may be. What a report means is decided in the core, which has types of its own
//! ([`fleet::observed`]); the conversions in both directions are here and nowhere else. Never decides anything.

use std::net::IpAddr;

use fleet::desired::{Generation, RunId};
use fleet::observed;
use fleet::starts::{self, StartId};
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256};
use serde::{Deserialize, Serialize};

/// The largest report that a Management Node reads, in bytes. Ours have some eight hundred, and those with participants
/// some 60,000: 100 of 600 bytes. If all their texts are as long as they may be, in letters of four bytes, they are
/// three times as much with the statistics and outcomes beside them. Release 34 reads 64 KiB, and is sent no participants.
pub const REPORT_BYTES: usize = 512 << 10;

/// How much of a sentence a node sends, in characters. Errors quote files and answers of others; a report is sent up
/// to ten times a second, and an operator reads the beginning.
pub const REPORTED_TEXT: usize = 400;

/// How much of a sentence a Management Node keeps, in characters: it is written to the journal, the log and the
/// pages, and an operator needs its beginning.
pub const SENTENCE_CHARACTERS: usize = 500;

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it was made, by the node's own clock, which never goes backwards; it identifies late reports. Since
    /// protocol 1.
    pub at: Time,
    /// The highest generation that the node has accepted. Since protocol 1.
    pub generation: Generation,
    /// The release that runs. Since protocol 1.
    pub release: Release,
    /// The state of that release. Since protocol 1.
    #[serde(rename = "footing")]
    pub release_state: ReleaseState,
    /// Whether it takes calls. Since protocol 1.
    pub admission: Admission,
    /// Its calls. Since protocol 1.
    pub calls: Calls,
    /// The state of the assigned software. Since protocol 1.
    pub staging: Staging,
    /// Why the node is not fit to take calls; none if it is fit. Since protocol 1.
    pub unfit: Option<String>,
    /// Why a restart of the node's machine would fail; none if it would succeed. Since protocol 2.
    #[serde(default)]
    pub start_fault: Option<String>,
    /// Which process of the node reports. Since protocol 2.
    #[serde(default)]
    pub process: Option<Process>,
}

/// The state of the release that a node runs. Since protocol 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It has confirmed itself.
    Confirmed,
    /// It has not confirmed itself yet.
    Trying,
    /// The node is about to restart into another slot.
    Leaving,
}

/// Whether new calls are taken. Since protocol 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// They are.
    Admitting,
    /// They are refused.
    Refusing,
}

/// The calls of a node. Since protocol 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// The call engine has not reported, or cannot know.
    Unknown,
    /// As counted by the call engine.
    Known {
        /// How many there are.
        count: u32,
        /// How long the oldest has lasted.
        oldest: Option<Span>,
    },
}

/// The state of the software that a node was assigned. Since protocol 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Staging {
    /// Nothing is staged.
    Nothing,
    /// The package is being fetched.
    Fetching {
        /// The package.
        manifest: Sha256,
        /// How much has arrived, in percent.
        percent: u8,
    },
    /// A complete, verified release is in the inactive slot.
    Staged {
        /// The package.
        manifest: Sha256,
    },
    /// The node could not take the release for this run.
    Rejected {
        /// The run that brought it.
        run: RunId,
        /// The package.
        manifest: Sha256,
        /// What happened, in a sentence.
        why: String,
    },
}

/// Which process of a node has made a report. Since protocol 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its start. Since protocol 2.
    pub start: StartId,
    /// The other start that its last answer named. Since protocol 2.
    #[serde(default)]
    pub beside: Option<StartId>,
    /// Sent as null, and ignored: a Management Node takes the address from the connection. Since protocol 2.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

impl Report {
    /// The sentences of the report, each of which may quote foreign text.
    pub fn sentences(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            at: _,
            generation: _,
            release: _,
            release_state: _,
            admission: _,
            calls: _,
            staging,
            unfit,
            start_fault,
            process: _,
        } = self;
        let why = match staging {
            Staging::Rejected { run: _, manifest: _, why } => Some(why),
            Staging::Nothing | Staging::Fetching { .. } | Staging::Staged { .. } => None,
        };
        [unfit.as_mut(), start_fault.as_mut(), why].into_iter().flatten()
    }

    /// The same report with the beginning of each sentence, as a node sends it.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.sentences().for_each(|sentence| cut(sentence, REPORTED_TEXT));
        self
    }
}

/// Keeps the first characters of a text.
pub fn cut(text: &mut String, characters: usize) {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
}

impl From<observed::Observed> for Report {
    fn from(observed: observed::Observed) -> Self {
        let observed::Observed {
            at,
            generation,
            release,
            release_state,
            admission,
            calls,
            staging,
            unfit,
            start_fault,
            process,
        } = observed;
        Self {
            at,
            generation,
            release,
            release_state: release_state.into(),
            admission: admission.into(),
            calls: calls.into(),
            staging: staging.into(),
            unfit,
            start_fault,
            process: process.map(Into::into),
        }
    }
}

impl From<Report> for observed::Observed {
    fn from(report: Report) -> Self {
        let Report {
            at,
            generation,
            release,
            release_state,
            admission,
            calls,
            staging,
            unfit,
            start_fault,
            process,
        } = report;
        Self {
            at,
            generation,
            release,
            release_state: release_state.into(),
            admission: admission.into(),
            calls: calls.into(),
            staging: staging.into(),
            unfit,
            start_fault,
            process: process.map(Into::into),
        }
    }
}

impl From<observed::ReleaseState> for ReleaseState {
    fn from(state: observed::ReleaseState) -> Self {
        match state {
            observed::ReleaseState::Confirmed => Self::Confirmed,
            observed::ReleaseState::Trying => Self::Trying,
            observed::ReleaseState::Leaving => Self::Leaving,
        }
    }
}

impl From<ReleaseState> for observed::ReleaseState {
    fn from(state: ReleaseState) -> Self {
        match state {
            ReleaseState::Confirmed => Self::Confirmed,
            ReleaseState::Trying => Self::Trying,
            ReleaseState::Leaving => Self::Leaving,
        }
    }
}

impl From<observed::Admission> for Admission {
    fn from(admission: observed::Admission) -> Self {
        match admission {
            observed::Admission::Admitting => Self::Admitting,
            observed::Admission::Refusing => Self::Refusing,
        }
    }
}

impl From<Admission> for observed::Admission {
    fn from(admission: Admission) -> Self {
        match admission {
            Admission::Admitting => Self::Admitting,
            Admission::Refusing => Self::Refusing,
        }
    }
}

impl From<observed::Calls> for Calls {
    fn from(calls: observed::Calls) -> Self {
        match calls {
            observed::Calls::Unknown => Self::Unknown,
            observed::Calls::Known { count, oldest } => Self::Known { count, oldest },
        }
    }
}

impl From<Calls> for observed::Calls {
    fn from(calls: Calls) -> Self {
        match calls {
            Calls::Unknown => Self::Unknown,
            Calls::Known { count, oldest } => Self::Known { count, oldest },
        }
    }
}

impl From<observed::Staging> for Staging {
    fn from(staging: observed::Staging) -> Self {
        match staging {
            observed::Staging::Nothing => Self::Nothing,
            observed::Staging::Fetching { manifest, percent } => Self::Fetching { manifest, percent },
            observed::Staging::Staged { manifest } => Self::Staged { manifest },
            observed::Staging::Rejected { run, manifest, why } => Self::Rejected { run, manifest, why },
        }
    }
}

impl From<Staging> for observed::Staging {
    fn from(staging: Staging) -> Self {
        match staging {
            Staging::Nothing => Self::Nothing,
            Staging::Fetching { manifest, percent } => Self::Fetching { manifest, percent },
            Staging::Staged { manifest } => Self::Staged { manifest },
            Staging::Rejected { run, manifest, why } => Self::Rejected { run, manifest, why },
        }
    }
}

impl From<starts::Process> for Process {
    fn from(process: starts::Process) -> Self {
        let starts::Process { start, beside, address: _ } = process;
        Self { start, beside, address: None }
    }
}

impl From<Process> for starts::Process {
    fn from(process: Process) -> Self {
        let Process { start, beside, address: _ } = process;
        Self { start, beside, address: None }
    }
}
