//! The stored form of a node's persistent state, with conversions in both directions. The file is read by the release
//! before as well, when this one falls back, so only fields with a default are added; the agent's own types
//! ([`fleet::agent`]) may change without it.

use fleet::agent::PersistentState;
use fleet::desired::{self, Desired, Generation, Intent, RunId};
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256};
use serde::{Deserialize, Serialize};

/// A node's persistent state as it is stored. All fields without another remark are since release 34.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredState {
    accepted: Accepted,
    held_until: Option<Time>,
    let_go: bool,
    selected: Option<Software>,
    rejected: Option<(Software, String)>,
    /// Since release 34.1.
    #[serde(default)]
    fell_back_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Accepted {
    generation: Generation,
    intent: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    owners: Owners,
    software: Option<(Software, Depth)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owners {
    operator: Option<String>,
    run: Option<Span>,
    platform: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Software {
    run: RunId,
    release: Release,
    manifest: Sha256,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Depth {
    Stage,
    Install,
}

impl From<PersistentState> for StoredState {
    fn from(state: PersistentState) -> Self {
        let PersistentState { accepted, held_until, let_go, selected, rejected, fell_back_at } = state;
        let Desired { generation, intent: Intent { owners, software } } = accepted;
        let desired::Owners { operator, run, platform } = owners;
        let intent = Wanted {
            owners: Owners { operator, run, platform },
            software: software.map(|(software, depth)| (software.into(), depth.into())),
        };
        Self {
            accepted: Accepted { generation, intent },
            held_until,
            let_go,
            selected: selected.map(Into::into),
            rejected: rejected.map(|(software, why)| (software.into(), why)),
            fell_back_at,
        }
    }
}

impl From<StoredState> for PersistentState {
    fn from(stored: StoredState) -> Self {
        let StoredState { accepted, held_until, let_go, selected, rejected, fell_back_at } = stored;
        let Accepted { generation, intent: Wanted { owners, software } } = accepted;
        let Owners { operator, run, platform } = owners;
        let intent = Intent {
            owners: desired::Owners { operator, run, platform },
            software: software.map(|(software, depth)| (software.into(), depth.into())),
        };
        Self {
            accepted: Desired { generation, intent },
            held_until,
            let_go,
            selected: selected.map(Into::into),
            rejected: rejected.map(|(software, why)| (software.into(), why)),
            fell_back_at,
        }
    }
}

impl From<desired::Assignment> for Software {
    fn from(software: desired::Assignment) -> Self {
        let desired::Assignment { run, release, manifest } = software;
        Self { run, release, manifest }
    }
}

impl From<Software> for desired::Assignment {
    fn from(software: Software) -> Self {
        let Software { run, release, manifest } = software;
        Self { run, release, manifest }
    }
}

impl From<desired::Depth> for Depth {
    fn from(depth: desired::Depth) -> Self {
        match depth {
            desired::Depth::Stage => Self::Stage,
            desired::Depth::Install => Self::Install,
        }
    }
}

impl From<Depth> for desired::Depth {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Stage => Self::Stage,
            Depth::Install => Self::Install,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "0707070707070707070707070707070707070707070707070707070707070707";

    /// What a node of release 34 stores that has accepted a desired state, left for its software and fallen back.
    fn of_release_34() -> String {
        let software =
            format!(r#"{{"run":9,"release":{{"version":"34.1","build":34100}},"manifest":"{MANIFEST}"}}"#);
        format!(
            r#"{{"accepted":{{"generation":{{"epoch":1795463919,"n":2}},"intent":{{"owners":{{"operator":null,"run":3600000,"platform":"no media"}},"software":[{software},"install"]}}}},"held_until":1795463936010,"let_go":true,"selected":{software},"rejected":[{software},"it is damaged"]"#
        )
    }

    #[test]
    fn state_of_release_34_is_read_and_written_as_before() {
        let text = of_release_34() + "}";
        let state = PersistentState::from(serde_json::from_str::<StoredState>(&text).unwrap());
        assert_eq!(state.fell_back_at, None);
        let (software, why) = state.rejected.clone().unwrap();
        assert_eq!((software, why.as_str()), (state.selected.unwrap(), "it is damaged"));
        assert_eq!(state.accepted.intent.software, Some((software, desired::Depth::Install)));
        let expected = of_release_34() + r#","fell_back_at":null}"#;
        assert_eq!(serde_json::to_string(&StoredState::from(state)).unwrap(), expected);
    }

    #[test]
    fn state_is_read_and_written_as_release_34_1_does() {
        let nothing = r#"{"accepted":{"generation":{"epoch":0,"n":0},"intent":{"owners":{"operator":null,"run":null,"platform":null},"software":null}},"held_until":null,"let_go":false,"selected":null,"rejected":null,"fell_back_at":null}"#;
        let stored = StoredState::from(PersistentState::default());
        assert_eq!(serde_json::to_string(&stored).unwrap(), nothing);
        let text = of_release_34() + r#","fell_back_at":7}"#;
        let state = PersistentState::from(serde_json::from_str::<StoredState>(&text).unwrap());
        assert_eq!(serde_json::to_string(&StoredState::from(state)).unwrap(), text);
    }
}
