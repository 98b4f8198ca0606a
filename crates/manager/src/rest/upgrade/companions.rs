//! Companion systems whose version is not that of the platform, or will not be after an upgrade (R28).
//!
//! It relies on the version that the operator has noted for each; it asks none of them.

use answers::Finding;
use fleet::version::Version;
use serde_json::json;

use super::precheck::finding;
use crate::resources::configuration::companion_system::{COMPANION_SYSTEM, NAME, VERSION};
use crate::resources::{CoreFacts, Object, query};
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::store::{Connection, StoreError, objects};

/// What the versions are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// What an upgrade would install.
    Upgrade(Version),
    /// What the platform runs, or is being upgraded to.
    Platform(Version),
}

/// A warning for each companion system with another version.
pub(super) async fn warnings(api: &Api, against: Against) -> Result<Vec<Finding>, Refusal> {
    let all = query::read(&COMPANION_SYSTEM, &[("limit".into(), "0".into())])?;
    let read = move |connection: &Connection| {
        objects::select(connection, &COMPANION_SYSTEM, &all, &CoreFacts::default())
    };
    let (_, companions) = api.committer().store().read::<_, StoreError>(read).await?;
    Ok(companions.iter().filter_map(|companion| warning(companion, against)).collect())
}

/// The same as the status shows it: compared with the release of the run, or with that of the platform.
pub(crate) async fn of_the_platform(api: &Api) -> Result<Vec<Finding>, Refusal> {
    let version = api.committer().read(|fleet, _| {
        let run = fleet.platform.run.as_ref();
        run.map_or(fleet.platform.release, |run| run.package.release).version
    });
    warnings(api, Against::Platform(version)).await
}

fn warning(companion: &Object, against: Against) -> Option<Finding> {
    let (name, runs) = (companion.text(&NAME), companion.text(&VERSION));
    let (expected, compared) = match against {
        Against::Upgrade(version) => (version, format!("the upgrade is to {version}")),
        Against::Platform(version) => (version, format!("the platform has {version}")),
    };
    if runs.parse() == Ok(expected) {
        return None;
    }
    let uri = COMPANION_SYSTEM.uri(companion.id);
    let text = format!(
        "the companion system {name} runs {runs} as it is noted, and {compared}; upgrade it to {expected} as well, then \
         note its version at {uri}"
    );
    let reason = json!({
        "warning": "companion_version", "companion": name, "runs": runs, "expected": expected.to_string(),
    });
    Some(finding(&reason, Some("R28"), (name.into(), uri), text))
}
