//! `configuration/v1/licence/`: installs, shows and removes licences.
//!
//! A licence is verified against the keys of the machine when it is installed. It relies on `licences` for what is
//! installed, and limits nothing itself: that a licence is gone ends no call.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use edge::error_chain::chain;
use licence::{Amount, Licence, Terms, Validity};
use package::TrustedKeys;
use serde_json::{Map, Value, json};

use super::Api;
use super::error::{FieldErrors, Kind, Refusal};
use super::list::page;
use super::request::{Fields, PathId, QueryPairs};
use super::route::{both, location};
use crate::licences::{AsOf, Installed, calls};
use crate::resources::configuration::licence::{LICENCE, TEXT, UNLIMITED};
use crate::resources::status::licensing::LICENSING;
use crate::resources::time;
use crate::rest::json::Json;
use crate::store::{Transaction, licences as stored};

const LIST: &str = "/api/admin/configuration/v1/licence/";

/// How many licences may be installed: a platform has a handful, and each of them is looked at with every new limit.
const MOST: i64 = 200;

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list).post(install)).merge(both(&format!("{LIST}{{id}}/"), get(detail).delete(remove)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let rows = with_installed(&api, |as_of| as_of.all.iter().map(|licence| shown(licence, as_of)).collect());
    page(&LICENCE, &query, rows).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let number: i64 = id.id(LICENCE.name)?;
    let found = with_installed(&api, |as_of| {
        let found = as_of.all.iter().find(|licence| licence.id == number);
        found.map(|licence| shown(licence, as_of))
    });
    found.map(Json).ok_or_else(|| Refusal::no_such(LICENCE.name, number))
}

async fn install(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let licence = read(&api, text_of(&body)?).await?;
    with_installed(&api, |as_of| check_use(&licence.terms, as_of))?;
    // A start of an upgrade that is checked now has the licences of now.
    let _no_start_meanwhile = api.packages.lock().await;
    let wall = api.committer().wall();
    let write = move |tx: &Transaction<'_>| {
        if stored::is_installed(tx, &licence.terms.id)? {
            return Err(doubled(&licence.terms.id));
        }
        if stored::count(tx)? >= MOST {
            return Err(full());
        }
        Ok::<_, Refusal>(stored::insert(tx, &licence, wall)?)
    };
    let id = api.committer().store().write(write).await?;
    api.committer().licences().reload(api.committer().store()).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location(&LICENCE.uri(id)))]).into_response())
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let number: i64 = id.id(LICENCE.name)?;
    let _no_start_meanwhile = api.packages.lock().await;
    let write = move |tx: &Transaction<'_>| match stored::delete(tx, number)? {
        true => Ok(()),
        false => Err(Refusal::no_such(LICENCE.name, number)),
    };
    api.committer().store().write(write).await?;
    api.committer().licences().reload(api.committer().store()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the licences that are installed, as they are now.
pub(super) fn with_installed<T>(api: &Api, read: impl FnOnce(AsOf<'_>) -> T) -> T {
    let (all, now) = (api.committer().licences().installed(), api.committer().wall());
    let version = api.committer().read(|fleet, _| fleet.platform.release.version);
    read(AsOf { all: &all, now, version })
}

fn text_of(body: &Map<String, Value>) -> Result<String, Refusal> {
    match body.get(TEXT.name) {
        None | Some(Value::Null) => Err(wrong("This field is required.")),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong("Enter a text.")),
    }
}

/// Reads and verifies a licence, with the keys as they lie on the machine now.
async fn read(api: &Api, text: String) -> Result<Licence, Refusal> {
    let keys = api.blocking(|layout| TrustedKeys::load(&layout.licence_trust())).await?;
    let keys = keys.map_err(|cause| {
        Refusal::new(
            Kind::Conflict,
            format!("no licence can be verified: {}", chain(&cause)),
            format!(
                "put the .pub file of your publisher's licence key into {} on the Management Node",
                licence::TRUST_DIR
            ),
        )
    })?;
    Licence::read(&text, &keys).map_err(|cause| wrong(&chain(&cause)))
}

/// Refuses a licence that would never count again.
fn check_use(terms: &Terms, as_of: AsOf<'_>) -> Result<(), Refusal> {
    let validity = terms.validity(as_of.now, as_of.version);
    if validity == Validity::Valid || as_of.is_to_come(terms) {
        return Ok(());
    }
    let (id, version) = (&terms.id, as_of.version);
    Err(wrong(&match validity {
        Validity::OtherVersions { versions } => {
            format!(
                "the licence {id} is for version {versions}, and this platform runs {version}; ask for another"
            )
        }
        Validity::Expired { .. } | Validity::Valid | Validity::NotYet { .. } => {
            format!(
                "the licence {id} has {validity}; ask for another, or set the Management Node's clock right"
            )
        }
    }))
}

fn wrong(message: &str) -> Refusal {
    FieldErrors::one(TEXT.name, message).refusal(LICENCE.name, Kind::Invalid)
}

fn doubled(id: &str) -> Refusal {
    Refusal::new(
        Kind::Conflict,
        format!("the licence {id} is installed already; nothing was changed"),
        "install one with another id, or delete the one that is there first",
    )
}

fn full() -> Refusal {
    Refusal::new(
        Kind::Conflict,
        format!("{MOST} licences are installed, and more are not kept; nothing was changed"),
        "delete those that are not valid any more",
    )
}

/// What is used of the licences: the one object of `status/v1/licensing/`.
pub(super) fn used(api: &Api) -> Value {
    let calls: u64 = api.committer().read(|fleet, _| {
        let nodes = fleet.nodes().iter().filter(|(_, node)| !node.contact.is_lost());
        nodes.map(|(_, node)| u64::from(calls(node))).sum()
    });
    let (ports, rooms) = with_installed(api, |as_of| {
        let rooms = |_| as_of.entitlements().counts.vmr;
        let limit = as_of.call_limit();
        (limit.unwrap_or(Amount::Unlimited), limit.map_or(Amount::Unlimited, rooms))
    });
    let mut used = json!({
        "id": 1,
        "resource_uri": LICENSING.uri(1),
        "port_count": calls.min(u64::from(UNLIMITED)),
        "port_total": number(ports),
        "vmr_count": api.committer().rooms().rooms.len(),
        "vmr_total": number(rooms),
    });
    for field in LICENSING.fields {
        used.as_object_mut().map(|used| used.entry(field.name).or_insert(json!(0)));
    }
    used
}

/// The number that an amount is shown as.
fn number(amount: Amount) -> u32 {
    match amount {
        Amount::Of(count) => count.min(UNLIMITED),
        Amount::Unlimited => UNLIMITED,
    }
}

fn shown(licence: &Installed, as_of: AsOf<'_>) -> Value {
    let Installed { id, terms, text, signed_with, installed_at } = licence;
    let day = |day: Option<licence::Day>| day.map_or(String::new(), |day| day.to_string());
    let features: Vec<&str> = terms.features.iter().map(String::as_str).collect();
    let validity = terms.validity(as_of.now, as_of.version);
    json!({
        "id": id,
        "resource_uri": LICENCE.uri(*id),
        "text": text,
        "entitlement_id": terms.id,
        "customer": terms.customer,
        "concurrent": number(terms.counts.port),
        "vmr": number(terms.counts.vmr),
        "features": features.join(","),
        "start_date": day(terms.not_before),
        "expiration_date": day(terms.expires),
        "versions": terms.versions.to_string(),
        "status": validity.to_string(),
        "active": validity == Validity::Valid,
        "signed_with": signed_with,
        "installed_at": time::text(*installed_at),
    })
}
