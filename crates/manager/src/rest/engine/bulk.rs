//! Changes of many objects in one request, which are all made or none.

use std::collections::BTreeSet;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::audit::Requester;
use super::perform::perform;
use super::write::{Change, Writing};
use super::{accounts, respond};
use crate::resources::draft::id_of;
use crate::resources::query::{self, LARGEST_LIMIT, Path, Query};
use crate::resources::{Created, Resource, Verb};
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::rest::request::malformed;
use crate::store::{StoreError, objects};

/// How many objects one request may change.
const STEPS: usize = 1_000;

const FORM: &str = "send {\"objects\": [...], \"deleted_objects\": [URI, ...]}";

/// What a request asks for one object.
#[derive(Debug)]
enum Step {
    Create(Map<String, Value>),
    Change(i64, Map<String, Value>),
    Remove(i64),
}

/// Changes many objects: `deleted_objects` are deleted first, then those in `objects` are changed, or created when they
/// have no URI.
pub(super) async fn change_many(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    mut body: Map<String, Value>,
) -> Result<Response, Refusal> {
    let (deleted, given) = (entries(&mut body, "deleted_objects")?, entries(&mut body, "objects")?);
    if deleted.is_none() && given.is_none() {
        return Err(malformed("the request has neither objects nor deleted_objects", FORM));
    }
    let (deleted, given) = (deleted.unwrap_or_default(), given.unwrap_or_default());
    check_count(of, deleted.len() + given.len())?;
    let mut all =
        deleted.iter().map(|uri| named(of, uri).map(Step::Remove)).collect::<Result<Vec<_>, _>>()?;
    let before = all.len();
    all.extend(given_steps(api, of, given).await?);
    take(api, by, of, (all, before), |_| Ok(Vec::new())).await?;
    Ok(respond::changed(Verb::Patch))
}

/// Makes the objects of the request the only ones: those that it does not name are deleted.
pub(super) async fn replace_all(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    mut body: Map<String, Value>,
) -> Result<Response, Refusal> {
    // Without the list nothing would be left.
    let given =
        entries(&mut body, "objects")?.ok_or_else(|| malformed("the request has no objects", FORM))?;
    check_count(of, given.len())?;
    let all = given_steps(api, of, given).await?;
    let kept: BTreeSet<i64> = all.iter().filter_map(Step::id).collect();
    let everything = query::read(of, &[("limit".into(), "0".into())])?;
    let gone = move |writing: &Writing<'_>| {
        let present = matching(writing, of, &everything)?;
        Ok(present.into_iter().filter(|id| !kept.contains(id)).collect())
    };
    take(api, by, of, (all, 0), gone).await?;
    Ok(respond::changed(Verb::Put))
}

/// Deletes the objects that match a query: all of them, unless it has a limit.
pub(super) async fn remove_many(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    pairs: &[(String, String)],
) -> Result<Response, Refusal> {
    let mut asked = query::read(of, pairs)?;
    if !pairs.iter().any(|(key, _)| key == "limit") {
        asked.limit = LARGEST_LIMIT;
    }
    take(api, by, of, (Vec::new(), 0), move |writing| matching(writing, of, &asked)).await?;
    Ok(respond::changed(Verb::Delete))
}

/// The ids of the objects that match a query.
fn matching(
    writing: &Writing<'_>,
    of: &'static Resource,
    asked: &Query<Path>,
) -> Result<Vec<i64>, StoreError> {
    let (_, found) = objects::select(writing.tx, of, asked, &writing.core)?;
    Ok(found.iter().map(|object| object.id).collect())
}

/// The entries of a list in the body; none when it is absent.
fn entries(body: &mut Map<String, Value>, key: &str) -> Result<Option<Vec<Value>>, Refusal> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(entries)) => Ok(Some(entries)),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            Err(malformed(&format!("{key} is not a list"), FORM))
        }
    }
}

fn check_count(of: &Resource, count: usize) -> Result<(), Refusal> {
    if count <= STEPS {
        return Ok(());
    }
    let error = format!("the request changes {count} {}, more than {STEPS}", of.plural);
    Err(malformed(&error, "send them in several requests; a deletion may have a limit"))
}

/// What is asked for the entries of `objects`.
async fn given_steps(api: &Api, of: &'static Resource, given: Vec<Value>) -> Result<Vec<Step>, Refusal> {
    let mut all = Vec::new();
    for (at, entry) in given.into_iter().enumerate() {
        all.push(step(api, of, entry).await.map_err(|refusal| refusal.with("object", json!(at)))?);
    }
    Ok(all)
}

async fn step(api: &Api, of: &'static Resource, entry: Value) -> Result<Step, Refusal> {
    let Value::Object(mut body) = entry else {
        return Err(malformed("an entry of objects is not an object", "send each one as {\"field\": value}"));
    };
    accounts::hash_passwords(api, of, &mut body).await?;
    let uri = body.get("resource_uri").or(body.get("id"));
    match uri.filter(|uri| !uri.is_null() && uri.as_str() != Some("")) {
        Some(uri) => Ok(Step::Change(named(of, uri)?, body)),
        None if of.created == Created::OAuthClient => Err(malformed(
            &format!("one {} is created in a request, whose answer has its key", of.called),
            "send it by itself with POST",
        )),
        None => Ok(Step::Create(body)),
    }
}

/// The object that a URI, or an id, names.
fn named(of: &'static Resource, uri: &Value) -> Result<i64, Refusal> {
    let id = uri.as_i64().or_else(|| uri.as_str().and_then(|uri| id_of(uri, &of.path())));
    let hint = format!("name each object by its URI, such as {}1/", of.path());
    id.ok_or_else(|| malformed(&format!("{uri} names no {}", of.called), &hint))
}

/// Takes all steps in one transaction, after the objects that `gone` finds there are deleted. A refusal names the entry of
/// `objects` that it is for; `before` steps come before the first of them.
async fn take(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    (all, before): (Vec<Step>, usize),
    gone: impl FnOnce(&Writing<'_>) -> Result<Vec<i64>, StoreError> + Send + 'static,
) -> Result<(), Refusal> {
    let ids: Vec<i64> = all.iter().filter_map(Step::id).collect();
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(malformed("the request names an object twice", "name each object once"));
    }
    let work = move |writing: &Writing<'_>, _| {
        let gone = gone(writing)?;
        check_count(of, gone.len() + all.len())?;
        let removed = all.iter().filter_map(Step::removed).chain(gone.iter().copied());
        let leaving: BTreeSet<i64> = removed.collect();
        let mut changes: Vec<Change> =
            gone.iter().map(|id| writing.remove(of, *id, &leaving)).collect::<Result<_, _>>()?;
        for (at, step) in all.iter().enumerate() {
            let taken = step.take(writing, of, &leaving);
            changes.extend(taken.map_err(|refusal| Refused { at: at.checked_sub(before), refusal })?);
        }
        Ok((changes, ()))
    };
    perform(api, by, of, work).await.map_err(|Refused { at, refusal }| match at {
        Some(entry) => refusal.with("object", json!(entry)),
        None => refusal,
    })
}

/// A refusal, with the position of the entry that it is for.
struct Refused {
    at: Option<usize>,
    refusal: Refusal,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { at: None, refusal }
    }
}

impl From<StoreError> for Refused {
    fn from(cause: StoreError) -> Self {
        Refusal::from(cause).into()
    }
}

impl Step {
    /// The object that it changes or deletes.
    fn id(&self) -> Option<i64> {
        match self {
            Self::Create(_) => None,
            Self::Change(id, _) | Self::Remove(id) => Some(*id),
        }
    }

    /// The object that it deletes.
    fn removed(&self) -> Option<i64> {
        match self {
            Self::Create(_) | Self::Change(..) => None,
            Self::Remove(id) => Some(*id),
        }
    }

    /// Takes the step; none if it changes nothing.
    fn take(
        &self,
        writing: &Writing<'_>,
        of: &'static Resource,
        leaving: &BTreeSet<i64>,
    ) -> Result<Option<Change>, Refusal> {
        match self {
            Self::Create(body) => writing.create(of, body).map(Some),
            Self::Change(id, body) => writing.change(of, *id, body),
            Self::Remove(id) => writing.remove(of, *id, leaving).map(Some),
        }
    }
}
