//! What a check before an upgrade finds: blockers and warnings, each with the operator's rule that it holds, the object that
//! it is about, and the URI where that is put right.
//!
//! It relies on the core for what the core can know, and adds what the store, the calendar and the machine say.

use std::collections::BTreeMap;

use answers::Finding;
use fleet::node::NodeId;
use fleet::platform::{Blocker, Fleet, StartCheck, Warning};
use fleet::time::Time;
use package::NotAdmitted;
use serde_json::{Value, json};

use super::companions::{self, Against};
use super::{obstacles, restore_point};
use crate::licences::Installed;
use crate::packages::{self, HeldPackage};
use crate::resources::configuration::licence::LICENCE;
use crate::resources::{configured, upgrade};
use crate::rest::error::Refusal;
use crate::rest::licences::with_installed;
use crate::rest::{Api, reasons};

/// The sentence for licences that an upgrade would end, word for word as R18 has it.
const NOT_VALID_AFTER_UPGRADE: &str =
    "This system includes active licenses that will not be valid after upgrade";

/// Everything that a check finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// What keeps a run from being started.
    pub(crate) blockers: Vec<Finding>,
    /// What is to be known before.
    pub(crate) warnings: Vec<Finding>,
}

/// A blocker or a warning. `reason` is an object with its token and what tools need to know of it; the rule is there if the
/// operator's rules ask for it; the place is a name, and the URI where it is put right.
pub(super) fn finding(
    reason: &Value,
    rule: Option<&str>,
    (object, uri): (String, String),
    text: String,
) -> Finding {
    let reason = reason.as_object().cloned().unwrap_or_default();
    Finding { reason, rule: rule.map(Into::into), object: Some(object), uri: Some(uri), text }
}

/// Everything that a check of this package finds now.
pub(crate) async fn findings(api: &Api, held: &HeldPackage) -> Result<Findings, Refusal> {
    let mut all = of_the_core(api, |fleet, now| fleet.check_start(&held.for_run(), now));
    let ours = of_the_shell(api, held).await?;
    all.blockers.extend(ours.blockers);
    all.warnings.extend(ours.warnings);
    // Once a run is under way, it is too late for one.
    all.warnings.extend(restore_point::warning(api).await?);
    Ok(all)
}

/// What the core cannot know.
pub(crate) async fn of_the_shell(api: &Api, held: &HeldPackage) -> Result<Findings, Refusal> {
    let mut found = obstacles::find(api, held).await?;
    found.blockers.extend(expired(api, held));
    found.blockers.extend(lost_licences(api, held));
    let target = held.verified.manifest().release().version;
    found.warnings.extend(companions::warnings(api, Against::Upgrade(target)).await?);
    Ok(found)
}

/// What the core finds, or has found.
pub(crate) fn of_the_core(api: &Api, check: impl FnOnce(&Fleet, Time) -> StartCheck) -> Findings {
    api.committer().read(|fleet, now| {
        let StartCheck { blockers, warnings } = check(fleet, now);
        let objects = Objects::of(&api.context.name, fleet);
        Findings {
            blockers: blockers.iter().map(|blocker| objects.blocker(blocker)).collect(),
            warnings: warnings.iter().map(|warning| objects.warning(warning)).collect(),
        }
    })
}

/// A package that is not accepted for a new run today.
fn expired(api: &Api, held: &HeldPackage) -> Option<Finding> {
    let installed =
        api.committer().read(|fleet, _| fleet.platform.installed.map(|installed| installed.manifest));
    let why: NotAdmitted = packages::expired(&held.verified, installed, packages::today())?;
    let object = format!("upgrade package {}", held.verified.manifest().release());
    let place = (object, upgrade::UPGRADE_PACKAGE.path());
    Some(finding(&json!({"blocker": "package_expired"}), None, place, why.to_string()))
}

/// Licences that count now and would not after the upgrade.
fn lost_licences(api: &Api, held: &HeldPackage) -> Option<Finding> {
    let target = held.verified.manifest().version;
    with_installed(api, |as_of| {
        let lost = as_of.not_valid_after_upgrade(target);
        let named = |licence: &&Installed| {
            format!("{} ({})", licence.terms.id, licence.terms.validity(as_of.now, target))
        };
        let names: Vec<String> = lost.iter().map(named).collect();
        let ids: Vec<&str> = lost.iter().map(|licence| licence.terms.id.as_str()).collect();
        if lost.is_empty() {
            return None;
        }
        let text = format!(
            "{NOT_VALID_AFTER_UPGRADE}: {}; install licences for {target}, then delete these",
            names.join(", ")
        );
        let reason = json!({"blocker": "licences_not_valid_after_upgrade", "licences": ids});
        Some(finding(&reason, Some("R18"), (ids.join(", "), LICENCE.path()), text))
    })
}

/// The names and URIs of what blockers and warnings of the core are about.
struct Objects<'a> {
    manager: &'a str,
    nodes: BTreeMap<&'a str, NodeId>,
}

impl<'a> Objects<'a> {
    fn of(manager: &'a str, fleet: &'a Fleet) -> Self {
        Self { manager, nodes: fleet.nodes().iter().map(|(id, node)| (node.name.as_str(), id)).collect() }
    }

    fn blocker(&self, blocker: &Blocker) -> Finding {
        let package = || ("upgrade package".to_string(), upgrade::UPGRADE_PACKAGE.path());
        let (rule, place) = match blocker {
            Blocker::RunUnderWay { .. } => (Some("R10"), self.run()),
            Blocker::OffPath { .. } => (Some("R15"), package()),
            Blocker::OtherPackage { .. } | Blocker::NothingToDo { .. } => (Some("R9"), package()),
            Blocker::Unreachable { node } | Blocker::StartFault { node, why: _ } => {
                (Some("R17"), self.node(node))
            }
            Blocker::NodeOffPath { node, .. } => (Some("R15"), self.node(node)),
            Blocker::ManagerStartFault { why: _ } => (None, self.manager()),
            Blocker::Duplicate { node, two: _ } => (None, self.node(node)),
        };
        finding(&reasons::blocker(blocker), rule, place, blocker.to_string())
    }

    fn warning(&self, warning: &Warning) -> Finding {
        let (rule, node) = match warning {
            Warning::Unreachable { node } => (Some("R11"), node),
            Warning::OtherVersion { node, .. } | Warning::StartFault { node, why: _ } => (Some("R17"), node),
            Warning::ClockOff { node, .. } | Warning::Duplicate { node, two: _ } => (None, node),
        };
        finding(&reasons::warning(warning), rule, self.node(node), warning.to_string())
    }

    /// A Conferencing Node by its name, as it is configured.
    fn node(&self, name: &str) -> (String, String) {
        let of = configured("worker_vm");
        let id = self.nodes.get(name);
        (name.into(), id.map_or_else(|| of.path(), |id| of.uri(id.0.into())))
    }

    fn manager(&self) -> (String, String) {
        (self.manager.into(), crate::resources::status::management_vm::MANAGEMENT_VM.uri(1))
    }

    fn run(&self) -> (String, String) {
        (format!("upgrade of {}", self.manager), "/api/admin/status/v1/upgrade/".into())
    }
}
