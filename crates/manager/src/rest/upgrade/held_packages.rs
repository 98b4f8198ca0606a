//! `configuration/v1/upgrade_package/`: the verified packages that the Management Node holds.
//!
//! It relies on `packages` for the files; the store adds when each was uploaded.

use std::collections::BTreeMap;

use answers::{Package, UtcTime};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use edge::error_chain::chain;
use fleet::time::Wall;
use fleet::version::Sha256;
use serde_json::{Value, json};

use crate::packages::{self, Held, HeldPackage, Needs};
use crate::resources::upgrade::UPGRADE_PACKAGE;
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::rest::json::Json;
use crate::rest::list::page;
use crate::rest::request::{PathId, QueryPairs};
use crate::rest::route::both;
use crate::store::packages as stored;

const LIST: &str = "/api/admin/configuration/v1/upgrade_package/";

const WHAT: &str = "upgrade package";

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list)).merge(both(&format!("{LIST}{{id}}/"), get(detail).delete(remove)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let (uploaded, needs) = (uploaded(&api).await?, needs(&api));
    let objects = api.blocking(move |layout| {
        let mut manifests = packages::list(layout)?;
        manifests.sort_by_key(|manifest| (uploaded.get(manifest).copied(), *manifest));
        // A package that can no longer be verified is not listed; a start of it would be refused.
        let held = manifests.iter().rev().filter_map(|manifest| packages::held(layout, *manifest).ok());
        Ok::<_, Refusal>(
            held.map(|held| json!(shown(&held, uploaded.get(&held.verified.hash()).copied(), &needs)))
                .collect(),
        )
    });
    page(&UPGRADE_PACKAGE, &query, objects.await??).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Package>, Refusal> {
    let held = find(&api, id.id(WHAT)?).await?;
    object(&api, &held).await.map(Json)
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let manifest: Sha256 = id.id(WHAT)?;
    let _one_at_a_time = api.packages.lock().await;
    let found = api.blocking(move |layout| packages::held(layout, manifest)).await?;
    let release = found.ok().map(|held| held.verified.manifest().release());
    if let Some(need) = needs(&api).need(Held { manifest, release }) {
        let package = release.map_or(manifest.to_string(), |release| release.to_string());
        let error = format!("the package of {package} is needed: {need}");
        return Err(Refusal::new(Kind::Conflict, error, need.until()));
    }
    api.blocking(move |layout| packages::remove(layout, manifest)).await??;
    forget(&api, vec![manifest]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the packages that nothing needs now that this one is kept, and shows which. The caller holds
/// `api.packages`. A failure is logged and does not refuse the new package.
pub(crate) async fn prune(api: &Api, kept: Sha256) -> Result<Value, Refusal> {
    let (uploaded, needs) = (uploaded(api).await?, needs(api));
    let gone = match api.blocking(move |layout| packages::prune(layout, &needs, kept, &uploaded)).await? {
        Ok(gone) => gone,
        Err(cause) => {
            tracing::warn!(error = %chain(&cause), "packages that are not needed could not be removed");
            return Ok(json!([]));
        }
    };
    for Held { manifest, release } in &gone {
        let release = release.map(|release| release.to_string());
        tracing::info!(%manifest, release, "a package that is not needed any more was removed");
    }
    forget(api, gone.iter().map(|package| package.manifest).collect()).await?;
    let shown = |package: &Held| json!({"manifest": package.manifest, "release_text": package.release.map(|release| release.to_string())});
    Ok(gone.iter().map(shown).collect())
}

/// Deletes the times of upload of packages.
async fn forget(api: &Api, manifests: Vec<Sha256>) -> Result<(), Refusal> {
    Ok(api.committer().store().write(move |tx| stored::forget(tx, &manifests)).await?)
}

fn needs(api: &Api) -> Needs {
    api.committer().read(|fleet, _| Needs::of(fleet))
}

/// A package that is held.
pub(crate) async fn find(api: &Api, manifest: Sha256) -> Result<HeldPackage, Refusal> {
    Ok(api.blocking(move |layout| packages::held(layout, manifest)).await??)
}

/// The package that was uploaded last, of those that are held.
pub(crate) async fn newest(api: &Api) -> Result<Sha256, Refusal> {
    let uploaded = uploaded(api).await?;
    let held = api.blocking(packages::list).await??;
    let newest = held.into_iter().max_by_key(|manifest| (uploaded.get(manifest).copied(), *manifest));
    newest.ok_or_else(|| {
        Refusal::new(
            Kind::Conflict,
            "no upgrade package has been uploaded",
            "upload one first: pitlane upgrade upload FILE",
        )
    })
}

async fn uploaded(api: &Api) -> Result<BTreeMap<Sha256, Wall>, Refusal> {
    let wall = api.committer().read(|fleet, _| fleet.platform.wall.clone());
    let uploaded = api.committer().store().read(stored::uploaded).await?;
    Ok(uploaded.into_iter().map(|(manifest, at)| (manifest, wall.shown(at))).collect())
}

/// The object in an answer.
pub(crate) async fn object(api: &Api, held: &HeldPackage) -> Result<Package, Refusal> {
    let uploaded = uploaded(api).await?;
    Ok(shown(held, uploaded.get(&held.verified.hash()).copied(), &needs(api)))
}

fn shown(held: &HeldPackage, uploaded_at: Option<Wall>, needs: &Needs) -> Package {
    let manifest = held.verified.manifest();
    let hash = held.verified.hash();
    let need = needs.need(Held { manifest: hash, release: Some(manifest.release()) });
    Package {
        manifest: hash.to_string(),
        version: manifest.version.to_string(),
        build: manifest.build.0,
        release_text: manifest.release().to_string(),
        released: Some(manifest.released.to_string()),
        notes: manifest.notes.clone(),
        size: Some(held.verified.package_size()),
        uploaded_at: uploaded_at.map(UtcTime::of),
        needed_for: need.map(|need| need.to_string()),
        resource_uri: format!("{LIST}{hash}/"),
    }
}
