//! Lists and details of declared resources.

use std::collections::BTreeMap;

use crate::store::Connection;
use serde_json::{Value, json};

use crate::resources::query::{self, Query};
use crate::resources::shown::{Nested, shown};
use crate::resources::{Affects, CoreFacts, Kind, Object, Related, Resource, Rows, Served, configured};
use crate::rest::error::Refusal;
use crate::rest::list::{envelope, page};
use crate::rest::{Api, licences, status};
use crate::store::{StoreError, objects};

/// A page of the objects of a resource.
pub(super) async fn list(
    api: &Api,
    of: &'static Resource,
    pairs: &[(String, String)],
) -> Result<Value, Refusal> {
    if let Served::Rows(rows) = of.served {
        return page(of, pairs, self::rows(api, rows).await?);
    }
    let asked = query::read(of, pairs)?;
    let core = core_facts(api, of);
    let Query { limit, offset, .. } = asked;
    let _turn = api.lists.acquire().await;
    let read = move |connection: &Connection| {
        objects::in_one_state(connection, |connection| {
            let (total, objects) = objects::select(connection, of, &asked, &core)?;
            Ok((total, shown_all(connection, &objects)?))
        })
    };
    let (total, objects) = api.committer().store().read::<_, StoreError>(read).await?;
    Ok(envelope(&of.path(), pairs, (limit, offset), total, objects))
}

/// The objects of a resource that are made from the state of the platform.
async fn rows(api: &Api, rows: Rows) -> Result<Vec<Value>, Refusal> {
    match rows {
        Rows::Licensing => Ok(vec![licences::used(api)]),
        Rows::ManagementVm => Ok(vec![json!(status::manager(api))]),
        Rows::OwnMachine => Ok(vec![status::configured_manager(&api.context.name)]),
        Rows::SystemLocation => status::locations(api).await,
    }
}

/// One object, by the text in its path.
pub(super) async fn detail(api: &Api, of: &'static Resource, id: &str) -> Result<Value, Refusal> {
    if let Served::Rows(rows) = of.served {
        let mut all = self::rows(api, rows).await?.into_iter();
        let found = all.find(|object| object["id"].to_string().trim_matches('"') == id);
        return found.ok_or_else(|| Refusal::no_such(of.name, id));
    }
    let id = super::number(of, id)?;
    let core = core_facts(api, of);
    let read = move |connection: &Connection| {
        objects::in_one_state(connection, |connection| {
            let found = objects::find(connection, of, id, &core)?;
            found.map(|object| shown_all(connection, &[object])).transpose()
        })
    };
    let shown = api.committer().store().read::<_, StoreError>(read).await?;
    shown.and_then(|mut shown| shown.pop()).ok_or_else(|| Refusal::no_such(of.name, id))
}

/// What the state of the platform says about the objects of a resource.
pub(super) fn core_facts(api: &Api, of: &Resource) -> CoreFacts {
    match of.affects {
        Affects::Fleet => api.committer().read(|fleet, _| super::nodes::facts(fleet)),
        Affects::Store | Affects::Rooms | Affects::Accounts | Affects::Certificates => CoreFacts::default(),
    }
}

/// The objects as they are shown, with the objects inside them.
fn shown_all(connection: &Connection, all: &[Object]) -> Result<Vec<Value>, StoreError> {
    let mut nested = Nested::new();
    let ids: Vec<i64> = all.iter().map(|object| object.id).collect();
    for field in all.first().map_or(&[][..], |object| object.of.fields) {
        let Kind::Related(related) = field.kind else { continue };
        match related {
            Related::One(_) => {}
            Related::Children(children) => {
                let by = configured(children.of).field(children.by);
                for child in objects::children_of(connection, children, &ids)? {
                    let owner = by.and_then(|by| child.get(by).as_i64()).unwrap_or(0);
                    nested.entry((field.name, owner)).or_default().push(shown(&child, &mut Nested::new()));
                }
            }
            Related::Many(relation) => {
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
        }
    }
    Ok(all.iter().map(|object| shown(object, &mut nested)).collect())
}

/// The ids of a relation with any number of objects.
pub(super) fn ids_of(value: &Value) -> impl Iterator<Item = i64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_i64)
}
