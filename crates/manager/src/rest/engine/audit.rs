//! Notes who changed what, in the transaction of the change.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::store::Transaction;
use fleet::time::Wall;
use serde_json::{Value, json};

use super::write::Change;
use crate::resources::draft::{HIDDEN, initial};
use crate::resources::{Access, Field, Kind, Object, Permission, Place, Related, configured, time};
use crate::store::StoreError;
use crate::store::audit::{AuditEntry, note};

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The account.
    pub(crate) account: String,
    /// The address from which it is made.
    pub(crate) source: IpAddr,
    /// What the account may do.
    pub(crate) permissions: BTreeSet<Permission>,
}

/// How many characters of a value an entry contains.
const VALUE: usize = 500;

/// How many values of a list an entry contains.
const VALUES: usize = 40;

/// Notes the change of an object.
pub(super) fn changed(
    tx: &Transaction<'_>,
    by: &Requester,
    now: i64,
    change: &Change,
) -> Result<(), StoreError> {
    let (action, object, changes) = match change {
        Change::Created { object, children } => ("created", object, with(created(object), children)),
        Change::Changed { from, to, children } => ("changed", to, with(differences(from, to), children)),
        Change::Removed { object, children } => ("deleted", object, with(removed(object), children)),
    };
    note(tx, entry(by, now, action, object, changes))
}

/// Notes what was asked of an object without a change of its fields.
pub(super) fn asked(
    tx: &Transaction<'_>,
    by: &Requester,
    now: i64,
    action: &str,
    object: &Object,
) -> Result<(), StoreError> {
    note(tx, entry(by, now, action, object, Vec::new()))
}

fn entry<'e>(
    by: &'e Requester,
    now: i64,
    action: &'e str,
    object: &Object,
    changes: Vec<Value>,
) -> AuditEntry<'e> {
    AuditEntry {
        time: now,
        account: &by.account,
        source: by.source.to_string(),
        action,
        resource: object.of.name,
        object: object.of.uri(object.id),
        name: name(object),
        changes,
    }
}

/// The name of an object: the value of its first field, which is what people know it by.
fn name(object: &Object) -> String {
    object.values.first().and_then(Value::as_str).unwrap_or_default().to_string()
}

fn with(mut fields: Vec<Value>, children: &[Value]) -> Vec<Value> {
    fields.extend(children.iter().map(|change| {
        json!({"field": change["field"], "from": seen(change["from"].clone()), "to": seen(change["to"].clone())})
    }));
    fields
}

/// The fields whose values differ, each with its value before and after.
fn differences(from: &Object, to: &Object) -> Vec<Value> {
    let pairs = stored(to).map(|field| (field, from.get(field), to.get(field)));
    pairs.filter(|(_, from, to)| from != to).map(|(field, from, to)| difference(field, from, to)).collect()
}

/// The fields of a new object that have another value than every new object has.
fn created(object: &Object) -> Vec<Value> {
    let said = stored(object).filter(|field| Some(object.get(field)) != initial(field, 0).as_ref());
    said.map(|field| difference(field, &Value::Null, object.get(field))).collect()
}

fn removed(object: &Object) -> Vec<Value> {
    stored(object).map(|field| difference(field, object.get(field), &Value::Null)).collect()
}

/// The fields that are stored somewhere.
fn stored(object: &Object) -> impl Iterator<Item = &'static Field> {
    object.of.fields.iter().filter(|field| field.place != Place::Nowhere)
}

/// The change of one field. A secret is not shown.
fn difference(field: &Field, from: &Value, to: &Value) -> Value {
    let value = |value: &Value| match (field.access, field.kind, value) {
        (Access::Secret, _, Value::Null) => Value::Null,
        (Access::Secret, ..) => HIDDEN.into(),
        (_, Kind::Related(Related::One(relation)), Value::Number(id)) => {
            configured(relation.of).uri(id.as_i64().unwrap_or(0)).into()
        }
        (_, Kind::Moment, Value::Number(at)) => time::text(Wall(at.as_u64().unwrap_or(0))).into(),
        (Access::Written | Access::ReadOnly, _, value) => seen(value.clone()),
    };
    json!({"field": field.name, "from": value(from), "to": value(to)})
}

/// A value within the bounds of an entry.
fn seen(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > VALUE => {
            format!("{}… ({} characters)", text.chars().take(VALUE).collect::<String>(), text.chars().count())
                .into()
        }
        Value::Array(all) if all.len() > VALUES => {
            let more = json!(format!("… ({} in all)", all.len()));
            all.into_iter().take(VALUES).chain([more]).collect()
        }
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => other,
    }
}
