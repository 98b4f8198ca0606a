//! Creates, changes and deletes objects of declared resources. One request is one transaction: all of it is done, or
//! nothing.

use std::collections::BTreeSet;

use crate::store::Transaction;
use axum::response::Response;
use fleet::platform::Fleet;
use fleet::time::Time;
use serde_json::{Map, Value, json};

use super::audit::{self, Requester};
use super::children::{self, Wanted};
use super::read::ids_of;
use super::{accounts, clients, nodes, respond, rooms};
use crate::resources::configuration::worker_vm;
use crate::resources::draft::{draft, id_of};
use crate::resources::query::{self, LARGEST_LIMIT};
use crate::resources::{
    ALL, Affects, CoreFacts, Created, Field, FieldErrors, Kind, Object, OnDelete, Related, Relation,
    Resource, configured,
};
use crate::rest::Api;
use crate::rest::error::{Kind as RefusalKind, Refusal};
use crate::rest::request::malformed;
use crate::store::enrolments;
use crate::store::{StoreError, objects};

/// How many objects one request may change.
const STEPS: usize = 1_000;

/// A change of one object, as it was written.
#[derive(Debug)]
pub(super) enum Change {
    /// It is new.
    Created(Object),
    /// Its values differ.
    Changed {
        /// As it was.
        from: Object,
        /// As it is.
        to: Object,
        /// The changes of its children, for the audit.
        children: Vec<Value>,
    },
    /// It is gone.
    Removed(Object),
}

/// What a request asks for one object.
#[derive(Debug)]
enum Step {
    Create(Map<String, Value>),
    Change(i64, Map<String, Value>),
    Remove(i64),
}

/// A transaction in which objects are written.
#[derive(Debug)]
pub(super) struct Writing<'t> {
    /// The transaction.
    pub(super) tx: &'t Transaction<'t>,
    /// What the state of the platform says.
    core: CoreFacts,
    /// The time, in milliseconds since 1970-01-01 UTC.
    pub(super) now: i64,
}

/// Creates an object.
pub(super) async fn create(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    mut body: Map<String, Value>,
) -> Result<Response, Refusal> {
    accounts::hash_passwords(of, &mut body).await?;
    match of.created {
        Created::Empty => {
            let create = move |writing: &Writing<'_>, _| {
                let change = writing.create(of, &body)?;
                let id = change.object().id;
                Ok::<_, Refusal>((vec![change], id))
            };
            Ok(respond::created(of, perform(api, by, of, create).await?))
        }
        Created::EnrolmentFile => {
            let create = move |writing: &Writing<'_>, now| {
                let change = writing.create(of, &body)?;
                let (id, name) = (change.object().id, change.object().text(&worker_vm::NAME).to_string());
                let token = enrolments::issue(writing.tx, nodes::node_id(id)?, now)?;
                Ok::<_, Refusal>((vec![change], (id, name, token)))
            };
            let (id, name, token) = perform(api, by, of, create).await?;
            Ok(respond::enrolment_file(api, id, &name, token))
        }
        Created::OAuthClient => clients::create(api, by, of, body).await,
    }
}

/// Changes an object. What the request does not say keeps its value.
pub(super) async fn change(
    api: &Api,
    by: Requester,
    (of, id): (&'static Resource, i64),
    mut body: Map<String, Value>,
) -> Result<(), Refusal> {
    accounts::hash_passwords(of, &mut body).await?;
    steps(api, by, of, vec![Step::Change(id, body)]).await.map_err(|refused| refused.refusal)
}

/// Deletes an object.
pub(super) async fn remove(
    api: &Api,
    by: Requester,
    (of, id): (&'static Resource, i64),
) -> Result<(), Refusal> {
    steps(api, by, of, vec![Step::Remove(id)]).await.map_err(|refused| refused.refusal)
}

/// Changes many objects: `deleted_objects` are deleted first, then those in `objects` are changed, or created when they
/// have no URI.
pub(super) async fn change_many(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    mut body: Map<String, Value>,
) -> Result<Response, Refusal> {
    let deleted = entries(&mut body, "deleted_objects")?;
    let given = entries(&mut body, "objects")?;
    let removals = deleted.iter().map(|uri| named(of, uri).map(Step::Remove));
    let mut all = removals.collect::<Result<Vec<_>, _>>()?;
    let before = all.len();
    for object in given {
        all.push(step_of(of, object).await?);
    }
    in_order(api, by, of, all, before).await?;
    Ok(respond::changed(crate::resources::Verb::Patch))
}

/// Makes the objects of the request the only ones: those that it does not name are deleted.
pub(super) async fn replace_all(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    mut body: Map<String, Value>,
) -> Result<Response, Refusal> {
    let given = entries(&mut body, "objects")?;
    let mut all = Vec::new();
    for object in given {
        all.push(step_of(of, object).await?);
    }
    let kept: BTreeSet<i64> = all.iter().filter_map(Step::id).collect();
    let present = matching(api, of, &[]).await?;
    let gone: Vec<Step> = present.into_iter().filter(|id| !kept.contains(id)).map(Step::Remove).collect();
    let before = gone.len();
    all.splice(0..0, gone);
    in_order(api, by, of, all, before).await?;
    Ok(respond::changed(crate::resources::Verb::Put))
}

/// Deletes the objects that match a query.
pub(super) async fn remove_many(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    query: &[(String, String)],
) -> Result<Response, Refusal> {
    let found = matching(api, of, query).await?;
    in_order(api, by, of, found.into_iter().map(Step::Remove).collect(), 0).await?;
    Ok(respond::changed(crate::resources::Verb::Delete))
}

/// The ids of the objects that match a query, whatever page it asks for.
async fn matching(api: &Api, of: &'static Resource, pairs: &[(String, String)]) -> Result<Vec<i64>, Refusal> {
    let mut asked = query::read(of, pairs)?;
    (asked.limit, asked.offset) = (LARGEST_LIMIT, 0);
    let core = super::read::core_facts(api, of);
    let read = move |connection: &crate::store::Connection| {
        let (_, found) = objects::select(connection, of, &asked, &core)?;
        Ok::<_, StoreError>(found.iter().map(|object| object.id).collect())
    };
    Ok(api.committer().store().read(read).await?)
}

/// The entries of a list in the body; none when it is absent.
fn entries(body: &mut Map<String, Value>, key: &str) -> Result<Vec<Value>, Refusal> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => Err(malformed(
            &format!("{key} is not a list"),
            "send {\"objects\": [...], \"deleted_objects\": [URI, ...]}",
        )),
    }
}

/// What is asked for an entry of `objects`.
async fn step_of(of: &'static Resource, entry: Value) -> Result<Step, Refusal> {
    let Value::Object(mut body) = entry else {
        return Err(malformed("an entry of objects is not an object", "send each one as {\"field\": value}"));
    };
    accounts::hash_passwords(of, &mut body).await?;
    let uri = body.get("resource_uri").or(body.get("id"));
    match uri.filter(|uri| !uri.is_null() && uri.as_str() != Some("")) {
        None => Ok(Step::Create(body)),
        Some(uri) => Ok(Step::Change(named(of, uri)?, body)),
    }
}

/// The object that a URI, or an id, names.
fn named(of: &'static Resource, uri: &Value) -> Result<i64, Refusal> {
    let id = uri.as_i64().or_else(|| uri.as_str().and_then(|uri| id_of(uri, &of.path())));
    let hint = format!("name each object by its URI, such as {}1/", of.path());
    id.ok_or_else(|| malformed(&format!("{uri} names no {}", of.called), &hint))
}

/// Takes all steps in one transaction. A refusal names the entry of `objects` that it is for; `before` steps come before
/// the first of them.
async fn in_order(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    all: Vec<Step>,
    before: usize,
) -> Result<(), Refusal> {
    if all.len() > STEPS {
        let error = format!("the request changes {} {}, more than {STEPS}", all.len(), of.plural);
        return Err(malformed(&error, "send them in several requests"));
    }
    let ids: Vec<i64> = all.iter().filter_map(Step::id).collect();
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(malformed("the request names an object twice", "name each object once"));
    }
    steps(api, by, of, all).await.map_err(|Refused { at, refusal }| {
        match at.and_then(|at| at.checked_sub(before)) {
            Some(entry) => refusal.with("object", json!(entry)),
            None => refusal,
        }
    })
}

/// Takes all steps in one transaction.
async fn steps(api: &Api, by: Requester, of: &'static Resource, all: Vec<Step>) -> Result<(), Refused> {
    let take = move |writing: &Writing<'_>, _| {
        let mut changes = Vec::new();
        for (at, step) in all.iter().enumerate() {
            let taken = writing.take(of, step).map_err(|refusal| Refused { at: Some(at), refusal })?;
            changes.extend(taken);
        }
        Ok((changes, ()))
    };
    perform(api, by, of, take).await
}

/// A refusal, with the position of the step that it is for.
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

/// The time, in milliseconds since 1970-01-01 UTC.
pub(super) fn milliseconds(api: &Api) -> i64 {
    i64::try_from(api.committer().wall().0).unwrap_or(i64::MAX)
}

/// Writes in a transaction, with what has to follow from the changes.
pub(super) async fn perform<T: Send + 'static, E: From<Refusal> + From<StoreError> + Send + 'static>(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    work: impl FnOnce(&Writing<'_>, Time) -> Result<(Vec<Change>, T), E> + Send + 'static,
) -> Result<T, E> {
    let (committer, wall, now) = (api.committer(), milliseconds(api), api.committer().now());
    let write = move |tx: &Transaction<'_>, core: CoreFacts| {
        let (changes, answer) = work(&Writing { tx, core, now: wall }, now)?;
        for change in &changes {
            audit::changed(tx, &by, wall, change)?;
        }
        match of.affects {
            Affects::Store | Affects::Fleet => {}
            Affects::Rooms => rooms::check_size(tx)?,
            Affects::Accounts => accounts::check_manageable(tx)?,
        }
        Ok::<_, E>((changes, answer))
    };
    match of.affects {
        Affects::Store | Affects::Accounts => {
            let write = move |tx: &Transaction<'_>| write(tx, CoreFacts::default()).map(|(_, answer)| answer);
            committer.store().write(write).await
        }
        Affects::Rooms => {
            let write = move |tx: &Transaction<'_>| write(tx, CoreFacts::default()).map(|(_, answer)| answer);
            committer.change_rooms(write).await
        }
        Affects::Fleet => {
            let write = move |tx: &Transaction<'_>, fleet: &Fleet, _| {
                let (changes, answer) = write(tx, nodes::facts(fleet))?;
                let events = changes.iter().map(|change| nodes::events(tx, fleet, change));
                let events = events.collect::<Result<Vec<_>, _>>()?;
                Ok((events.into_iter().flatten().collect(), answer))
            };
            committer.change(write).await
        }
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
}

impl Change {
    /// The object as it is, or was before it was deleted.
    pub(super) fn object(&self) -> &Object {
        match self {
            Self::Created(object)
            | Self::Changed { from: _, to: object, children: _ }
            | Self::Removed(object) => object,
        }
    }
}

impl Writing<'_> {
    /// Takes a step; none if it changes nothing of the object itself.
    fn take(&self, of: &'static Resource, step: &Step) -> Result<Option<Change>, Refusal> {
        match step {
            Step::Create(body) => self.create(of, body).map(Some),
            Step::Change(id, body) => self.change(of, *id, body),
            Step::Remove(id) => self.remove(of, *id).map(Some),
        }
    }

    /// Creates an object.
    pub(super) fn create(&self, of: &'static Resource, body: &Map<String, Value>) -> Result<Change, Refusal> {
        if objects::count(self.tx, of)? >= of.most {
            return Err(full(of));
        }
        let (mut object, wanted) = self.drafted(of, body, None)?;
        object.id = objects::insert(self.tx, &object)?;
        children::write(self.tx, object.id, wanted)?;
        Ok(Change::Created(object))
    }

    fn change(
        &self,
        of: &'static Resource,
        id: i64,
        body: &Map<String, Value>,
    ) -> Result<Option<Change>, Refusal> {
        let from = self.found(of, id)?;
        let (to, wanted) = self.drafted(of, body, Some(&from))?;
        let children: Vec<Value> = wanted.iter().filter_map(Wanted::difference).collect();
        children::write(self.tx, id, wanted)?;
        if to.has_values_of(&from) && children.is_empty() {
            return Ok(None);
        }
        objects::update(self.tx, &to)?;
        Ok(Some(Change::Changed { from, to, children }))
    }

    fn remove(&self, of: &'static Resource, id: i64) -> Result<Change, Refusal> {
        let object = self.found(of, id)?;
        self.refuse_in_use(of, id)?;
        objects::delete(self.tx, of, id)?;
        Ok(Change::Removed(object))
    }

    fn found(&self, of: &'static Resource, id: i64) -> Result<Object, Refusal> {
        objects::find(self.tx, of, id, &self.core)?.ok_or_else(|| Refusal::no_such(of.name, id))
    }

    /// Refuses the deletion of an object that others need.
    fn refuse_in_use(&self, of: &Resource, id: i64) -> Result<(), Refusal> {
        for other in ALL {
            for field in other.fields {
                let Kind::Related(Related::One(relation) | Related::Many(relation)) = field.kind else {
                    continue;
                };
                if relation == (Relation { of: of.name, on_delete: OnDelete::Refuse }) {
                    let count = objects::referring(self.tx, other, field, id)?;
                    if count > 0 {
                        return Err(in_use(of, other, field.name, count));
                    }
                }
            }
        }
        Ok(())
    }

    /// The object that a request describes, valid in all its fields, and the children that it shall have.
    fn drafted(
        &self,
        of: &'static Resource,
        body: &Map<String, Value>,
        kept: Option<&Object>,
    ) -> Result<(Object, Vec<Wanted>), Refusal> {
        let (mut object, mut errors) = draft(of, body, kept, self.now);
        self.check(&object, &mut errors)?;
        let wanted = children::read(self, &mut object, body, &mut errors)?;
        errors.into_result(of.name)?;
        Ok((object, wanted))
    }

    /// Checks what only the store knows, and what has to hold between the fields.
    pub(super) fn check(&self, object: &Object, errors: &mut FieldErrors) -> Result<(), StoreError> {
        for field in object.of.fields {
            self.check_unique(object, field, errors)?;
            self.check_related(object, field, errors)?;
        }
        if errors.is_empty() {
            (object.of.check)(object, errors);
        }
        Ok(())
    }

    fn check_unique(
        &self,
        object: &Object,
        field: &Field,
        errors: &mut FieldErrors,
    ) -> Result<(), StoreError> {
        let text = object.text(field);
        let Some(unique) = field.unique.filter(|_| !text.is_empty()) else { return Ok(()) };
        if objects::holder(self.tx, object.of, field, text)?.is_some_and(|holder| holder != object.id) {
            errors.add(field.name, unique.taken);
        }
        Ok(())
    }

    fn check_related(
        &self,
        object: &Object,
        field: &Field,
        errors: &mut FieldErrors,
    ) -> Result<(), StoreError> {
        let value = object.get(field);
        let Kind::Related(Related::One(relation) | Related::Many(relation)) = field.kind else {
            return Ok(());
        };
        let ids: Vec<i64> = value.as_i64().into_iter().chain(ids_of(value)).collect();
        let far = configured(relation.of);
        for id in ids {
            if !objects::exists(self.tx, far, id)? {
                errors.add(field.name, format!("There is no such {}.", far.called));
            }
        }
        Ok(())
    }
}

fn full(of: &Resource) -> Refusal {
    Refusal::new(
        RefusalKind::Conflict,
        format!("there are {} {}, no more are allowed", of.most, of.plural),
        "delete those that are not in use",
    )
}

fn in_use(of: &Resource, by: &Resource, field: &str, count: i64) -> Refusal {
    Refusal::new(
        RefusalKind::Conflict,
        format!("this {} is in use: the field {field} of {count} {} names it", of.called, by.plural),
        format!("change or delete these first; list them with GET {}?{field}=ID", by.path()),
    )
}
