//! Lists and details of declared resources.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::Value;

use crate::resources::query::{self, Query};
use crate::resources::shown::{Nested, shown};
use crate::resources::{Affects, CoreFacts, Kind, Object, Resource, configured};
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::rest::list::envelope;
use crate::store::{StoreError, objects};

/// A page of the objects of a resource.
pub(super) async fn list(
    api: &Api,
    of: &'static Resource,
    pairs: &[(String, String)],
) -> Result<Value, Refusal> {
    let asked = query::read(of, pairs)?;
    let core = core_facts(api, of);
    let Query { limit, offset, .. } = asked;
    let read = move |connection: &Connection| {
        let (total, objects) = objects::select(connection, of, &asked, &core)?;
        Ok::<_, StoreError>((total, shown_all(connection, &objects)?))
    };
    let (total, objects) = api.committer().store().read(read).await?;
    Ok(envelope(&of.path(), pairs, (limit, offset), total, objects))
}

/// One object.
pub(super) async fn detail(api: &Api, of: &'static Resource, id: i64) -> Result<Value, Refusal> {
    let core = core_facts(api, of);
    let read = move |connection: &Connection| {
        let found = objects::find(connection, of, id, &core)?;
        found.map(|object| shown_all(connection, &[object])).transpose()
    };
    let shown = api.committer().store().read::<_, StoreError>(read).await?;
    shown.and_then(|mut shown| shown.pop()).ok_or_else(|| Refusal::no_such(of.name, id))
}

/// What the state of the platform says about the objects of a resource.
pub(super) fn core_facts(api: &Api, of: &Resource) -> CoreFacts {
    match of.affects {
        Affects::Fleet => api.committer().read(|fleet, _| super::nodes::facts(fleet)),
        Affects::Store | Affects::Rooms | Affects::Accounts => CoreFacts::default(),
    }
}

/// The objects as they are shown, with the objects inside them.
fn shown_all(connection: &Connection, all: &[Object]) -> Result<Vec<Value>, StoreError> {
    let mut nested = Nested::new();
    let ids: Vec<i64> = all.iter().map(|object| object.id).collect();
    for field in all.first().map_or(&[][..], |object| object.of.fields) {
        match field.kind {
            Kind::Children(children) => {
                let by = configured(children.of).field(children.by);
                for child in objects::children_of(connection, children, &ids)? {
                    let owner = by.and_then(|by| child.get(by).as_i64()).unwrap_or(0);
                    nested.entry((field.name, owner)).or_default().push(shown(&child, &mut Nested::new()));
                }
            }
            Kind::ToMany(relation) => {
                let wanted: Vec<i64> = all.iter().flat_map(|object| ids_of(object.get(field))).collect();
                let found = objects::with_ids(connection, configured(relation.of), &wanted)?;
                let found: BTreeMap<i64, Object> =
                    found.into_iter().map(|object| (object.id, object)).collect();
                for object in all {
                    let related = ids_of(object.get(field)).filter_map(|id| found.get(&id));
                    let related = related.map(|object| shown(object, &mut Nested::new())).collect();
                    nested.insert((field.name, object.id), related);
                }
            }
            Kind::Text(_)
            | Kind::Choice(_)
            | Kind::Whole(..)
            | Kind::Boolean
            | Kind::Password
            | Kind::List
            | Kind::Moment
            | Kind::ToOne(_) => {}
        }
    }
    Ok(all.iter().map(|object| shown(object, &mut nested)).collect())
}

/// The ids of a relation with any number of objects.
pub(super) fn ids_of(value: &Value) -> impl Iterator<Item = i64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_i64)
}
