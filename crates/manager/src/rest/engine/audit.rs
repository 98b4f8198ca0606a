//! Notes who changed what, in the transaction of the change.

use std::net::IpAddr;

use crate::store::Transaction;
use serde_json::{Value, json};

use super::write::Change;
use crate::resources::draft::HIDDEN;
use crate::resources::{Access, Field, Object};
use crate::store::StoreError;
use crate::store::audit::{AuditEntry, note};

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The account.
    pub(crate) account: String,
    /// The address from which it is made.
    pub(crate) source: IpAddr,
}

/// How many characters of a value an entry contains.
const VALUE: usize = 500;

/// Notes the change of an object.
pub(super) fn changed(
    tx: &Transaction<'_>,
    by: &Requester,
    now: i64,
    change: &Change,
) -> Result<(), StoreError> {
    let (action, object, changes) = match change {
        Change::Created(object) => ("created", object, differences(None, Some(object))),
        Change::Changed { from, to, children } => {
            let fields = differences(Some(from), Some(to));
            ("changed", to, fields.into_iter().chain(children.iter().cloned()).collect())
        }
        Change::Removed(object) => ("deleted", object, differences(Some(object), None)),
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

/// The fields whose values differ, each with its value before and after.
fn differences(from: Option<&Object>, to: Option<&Object>) -> Vec<Value> {
    let Some(any) = to.or(from) else { return Vec::new() };
    let value = |object: Option<&Object>, field: &Field| {
        object.map_or(Value::Null, |object| object.get(field).clone())
    };
    let pairs = any.of.fields.iter().map(|field| (field, value(from, field), value(to, field)));
    pairs.filter(|(_, from, to)| from != to).map(|(field, from, to)| difference(field, from, to)).collect()
}

/// The change of one field. A secret is not shown.
fn difference(field: &Field, from: Value, to: Value) -> Value {
    let seen = |value: Value| match (field.access, value) {
        (Access::Secret, Value::Null) => Value::Null,
        (Access::Secret, _) => HIDDEN.into(),
        (Access::Written | Access::ReadOnly, Value::String(text)) => {
            text.chars().take(VALUE).collect::<String>().into()
        }
        (Access::Written | Access::ReadOnly, value) => value,
    };
    json!({"field": field.name, "from": seen(from), "to": seen(to)})
}
