//! Check and start of a run: `command/v1/platform/upgrade_check/` and `command/v1/platform/upgrade_start/`.
//!
//! It relies on `precheck` for what stands in the way.

use answers::{Check, Finding, ReleaseRow};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use fleet::platform::StartCheck;
use fleet::policy::Policy;
use fleet::version::Release;
use serde_json::{Map, Value, json};

use super::precheck::{Findings, findings, of_the_core, of_the_shell};
use super::{held_packages, policy};
use crate::driver::Started;
use crate::packages::HeldPackage;
use crate::rest::Api;
use crate::rest::error::{FieldErrors, Kind, Refusal};
use crate::rest::json::Json;
use crate::rest::request::Fields;
use crate::rest::route::both;

const CHECK: &str = "/api/admin/command/v1/platform/upgrade_check/";
const START: &str = "/api/admin/command/v1/platform/upgrade_start/";

const HINT: &str = "do what each line says, then start the upgrade again; nothing was changed";

pub(super) fn routes() -> Router<Api> {
    both(CHECK, post(check)).merge(both(START, post(start)))
}

async fn check(State(api): State<Api>, Fields(body): Fields) -> Result<Json<Check>, Refusal> {
    only_known(&body, "upgrade_check")?;
    let policy = policy_of(&api, &body, "upgrade_check")?;
    let held = package_of(&api, &body, "upgrade_check").await?;
    Ok(Json(Check { policy: Some(policy::shown(&policy)), ..checked(&api, &held).await? }))
}

async fn start(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    only_known(&body, "upgrade_start")?;
    let policy = policy_of(&api, &body, "upgrade_start")?;
    let _not_removed_meanwhile = api.packages.lock().await;
    let held = package_of(&api, &body, "upgrade_start").await?;
    let data = begin(&api, &held, policy).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"status": "success", "data": data}))).into_response())
}

/// Refuses fields that a start does not have. Elsewhere they are ignored; here, whoever misspells one would start the
/// newest package with the default policy.
fn only_known(body: &Map<String, Value>, resource: &'static str) -> Result<(), Refusal> {
    let mut errors = FieldErrors::default();
    let unknown = body.keys().filter(|name| !matches!(name.as_str(), "package" | "policy"));
    unknown
        .for_each(|name| errors.add(name.clone(), "A start has no such field; it has package and policy."));
    if errors.0.is_empty() { Ok(()) } else { Err(errors.refusal(resource, Kind::Invalid)) }
}

/// The blockers and warnings of a start of this package now, with the releases.
pub(crate) async fn checked(api: &Api, held: &HeldPackage) -> Result<Check, Refusal> {
    let Findings { blockers, warnings } = findings(api, held).await?;
    let current = api.committer().read(|fleet, _| fleet.platform.release);
    Ok(Check {
        package: held_packages::object(api, held).await?,
        current: Some(release(current)),
        blockers,
        warnings,
        policy: None,
    })
}

/// Starts a run, or refuses with all blockers. The caller holds `api.packages`.
pub(crate) async fn begin(api: &Api, held: &HeldPackage, policy: Policy) -> Result<Value, Refusal> {
    let ours = of_the_shell(api, held).await?;
    if !ours.blockers.is_empty() {
        return Err(blocked(&findings(api, held).await?.blockers));
    }
    match api.committer().start(held.for_run(), policy).await? {
        Ok(Started { run, warnings }) => {
            let known = of_the_core(api, |_, _| StartCheck { warnings, ..StartCheck::default() });
            let warnings = [known.warnings, ours.warnings].concat();
            Ok(json!({"run": run, "warnings": warnings}))
        }
        Err(blockers) => {
            let found = of_the_core(api, |_, _| StartCheck { blockers, ..StartCheck::default() });
            Err(blocked(&found.blockers))
        }
    }
}

fn blocked(blockers: &[Finding]) -> Refusal {
    let sentences: Vec<&str> = blockers.iter().map(|blocker| blocker.text.as_str()).collect();
    Refusal::new(Kind::Blocked, format!("the upgrade cannot start: {}", sentences.join("; ")), HINT)
        .with("blockers", json!(blockers))
}

/// A release in an answer.
pub(crate) fn release(release: Release) -> ReleaseRow {
    ReleaseRow {
        version: release.version.to_string(),
        build: release.build.0,
        release_text: release.to_string(),
    }
}

/// The default policy with what the request overrides.
pub(crate) fn policy_of(
    api: &Api,
    body: &Map<String, Value>,
    resource: &'static str,
) -> Result<Policy, Refusal> {
    let standing = api.committer().read(|fleet, _| fleet.platform.policy.clone());
    match body.get("policy") {
        None | Some(Value::Null) => Ok(standing),
        Some(Value::Object(given)) => {
            policy::overridden(&standing, given).map_err(|errors| errors.refusal(resource, Kind::Invalid))
        }
        Some(_) => {
            let errors = FieldErrors::one("policy", "Enter the overrides as an object.");
            Err(errors.refusal(resource, Kind::Invalid))
        }
    }
}

async fn package_of(
    api: &Api,
    body: &Map<String, Value>,
    resource: &'static str,
) -> Result<HeldPackage, Refusal> {
    let manifest = match body.get("package") {
        None | Some(Value::Null) => held_packages::newest(api).await?,
        Some(given) => given.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
            let message = "Enter the manifest of an upgrade package: 64 hexadecimal digits.";
            FieldErrors::one("package", message).refusal(resource, Kind::Invalid)
        })?,
    };
    held_packages::find(api, manifest).await
}
