//! Reads and writes the objects of every declared resource: one table for each, with its columns and a JSON of the
//! other fields.
//!
//! It relies on the declaration for names, and on the caller for values that are valid; the writer checks through it
//! what only the store can know: that a value is unique, that a related object exists, who refers to an object.

mod functions;
mod sql;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeSet;

use rusqlite::types::{Value as Bound, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};
use serde_json::{Map, Value};

use super::StoreError;
use crate::resources::draft::initial;
use crate::resources::query::{Path, Query};
use crate::resources::{Case, Children, CoreFacts, Field, Kind, Object, Place, Related, Resource};

pub(crate) use functions::add as add_functions;
use sql::Sql;
pub(crate) use texts::{find_shown, select_shown};

/// Reads several times, always the same state. In the writer there is a transaction already.
///
/// # Errors
/// What `read` returns, or that the database reports an error.
pub(crate) fn in_one_state<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if !connection.is_autocommit() {
        return read(connection);
    }
    let tx = connection.unchecked_transaction()?;
    read(&tx)
}

/// A page of objects, and how many match in all.
///
/// # Errors
/// The database reports an error.
pub(crate) fn select(
    connection: &Connection,
    of: &'static Resource,
    query: &Query<Path>,
    core: &CoreFacts,
) -> Result<(usize, Vec<Object>), StoreError> {
    let (count, page) = statements(of, query, core);
    in_one_state(connection, |connection| {
        Ok((total(connection, &count)?, objects(connection, of, &page.text, page.values, core)?))
    })
}

/// The statements of a query: one that counts what matches, and one that reads a page of it.
fn statements<'c>(of: &'static Resource, query: &Query<Path>, core: &'c CoreFacts) -> (Sql<'c>, Sql<'c>) {
    let mut count = Sql::new(core);
    count.add(&format!("SELECT count(*) FROM {} t", of.table));
    count.matching(query);
    let mut page = Sql::new(core);
    page.add(&selection(of));
    page.matching(query);
    page.ordered(of, query);
    page.add(" LIMIT ");
    page.bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
    page.add(" OFFSET ");
    page.bind(i64::try_from(query.offset).unwrap_or(i64::MAX));
    (count, page)
}

fn total(connection: &Connection, count: &Sql<'_>) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(&count.text)?;
    let total: i64 = statement.query_row(params_from_iter(&count.values), |row| row.get(0))?;
    Ok(usize::try_from(total).unwrap_or(0))
}

/// One object.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find(
    connection: &Connection,
    of: &'static Resource,
    id: i64,
    core: &CoreFacts,
) -> Result<Option<Object>, StoreError> {
    let text = format!("{} WHERE t.id = ?1", selection(of));
    Ok(objects(connection, of, &text, vec![Bound::Integer(id)], core)?.pop())
}

/// The objects with these ids, in the order of their ids.
///
/// # Errors
/// The database reports an error.
pub(crate) fn with_ids(
    connection: &Connection,
    of: &'static Resource,
    ids: &[i64],
) -> Result<Vec<Object>, StoreError> {
    let text = format!("{} WHERE t.id IN (SELECT value FROM json_each(?1)) ORDER BY t.id", selection(of));
    objects(connection, of, &text, vec![Bound::Text(serde_json::to_string(ids)?)], &CoreFacts::default())
}

/// The objects that belong to these owners, in the order of their ids.
///
/// # Errors
/// The database reports an error.
pub(crate) fn children_of(
    connection: &Connection,
    children: Children,
    owners: &[i64],
) -> Result<Vec<Object>, StoreError> {
    let of = crate::resources::configured(children.of);
    let by = children.by;
    let text = format!("{} WHERE t.{by} IN (SELECT value FROM json_each(?1)) ORDER BY t.id", selection(of));
    objects(connection, of, &text, vec![Bound::Text(serde_json::to_string(owners)?)], &CoreFacts::default())
}

/// How many objects there are.
///
/// # Errors
/// The database reports an error.
pub(crate) fn count(connection: &Connection, of: &Resource) -> Result<i64, StoreError> {
    Ok(connection.query_row(&format!("SELECT count(*) FROM {}", of.table), [], |row| row.get(0))?)
}

/// Whether there is an object with this id.
///
/// # Errors
/// The database reports an error.
pub(crate) fn exists(connection: &Connection, of: &Resource, id: i64) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM {} WHERE id = ?1", of.table);
    Ok(connection.prepare_cached(&sql)?.exists([id])?)
}

/// The object that has this value in a field of which every value is unique.
///
/// # Errors
/// The database reports an error.
pub(crate) fn holder(
    connection: &Connection,
    of: &Resource,
    field: &Field,
    value: &str,
) -> Result<Option<i64>, StoreError> {
    let case = field.unique.map_or(Case::Sensitive, |unique| unique.case);
    let sql = format!("SELECT id FROM {} WHERE {}", of.table, equality(field, case, value));
    let folded = value.to_lowercase();
    let value = if value.is_ascii() { value } else { &folded };
    Ok(connection.prepare_cached(&sql)?.query_row([value], |row| row.get(0)).optional()?)
}

/// The condition that a stored text is a given one. It uses the index of the field, but for a text that is not ASCII
/// alone, because the database ignores case for ASCII only.
fn equality(field: &Field, case: Case, value: &str) -> String {
    let name = field.name;
    match (field.place, case, value.is_ascii()) {
        (Place::Column, Case::Sensitive, _) => format!("{name} = ?1 COLLATE BINARY"),
        (Place::Column, Case::Insensitive, true) => format!("{name} = ?1 COLLATE NOCASE"),
        (Place::Column, Case::Insensitive, false) => format!("folded({name}) = ?1"),
        (Place::Body | Place::Core | Place::Nowhere, Case::Sensitive, _) => format!("body ->> '{name}' = ?1"),
        (Place::Body | Place::Core | Place::Nowhere, Case::Insensitive, true) => {
            format!("lower(body ->> '{name}') = lower(?1)")
        }
        (Place::Body | Place::Core | Place::Nowhere, Case::Insensitive, false) => {
            format!("folded(body ->> '{name}') = ?1")
        }
    }
}

/// How many objects of a resource refer to an object by this field, without some of them.
///
/// # Errors
/// The database reports an error.
pub(crate) fn referring(
    connection: &Connection,
    of: &Resource,
    field: &Field,
    (id, without): (i64, &BTreeSet<i64>),
) -> Result<i64, StoreError> {
    let name = field.name;
    let condition = match (field.kind, field.place) {
        (Kind::Related(Related::Many(_)), _) => {
            format!("EXISTS (SELECT 1 FROM json_each(t.body, '$.{name}') WHERE value = ?1)")
        }
        (_, Place::Column) => format!("t.{name} = ?1"),
        (_, Place::Body | Place::Core | Place::Nowhere) => format!("t.body ->> '{name}' = ?1"),
    };
    let sql = format!(
        "SELECT count(*) FROM {} t WHERE {condition} AND t.id NOT IN (SELECT value FROM json_each(?2))",
        of.table
    );
    let without = serde_json::to_string(without)?;
    Ok(connection.prepare_cached(&sql)?.query_row(params![id, without], |row| row.get(0))?)
}

/// Stores a new object and returns its id.
///
/// # Errors
/// The database reports an error.
pub(crate) fn insert(connection: &Connection, object: &Object) -> Result<i64, StoreError> {
    let columns: Vec<_> = columns(object.of).collect();
    let names: String = columns.iter().map(|field| format!("{}, ", field.name)).collect();
    let marks = "?, ".repeat(columns.len());
    let sql = format!("INSERT INTO {} ({names}body) VALUES ({marks}?)", object.of.table);
    connection.prepare_cached(&sql)?.execute(params_from_iter(stored(object)?))?;
    Ok(connection.last_insert_rowid())
}

/// Stores the values of an object that is stored already.
///
/// # Errors
/// The database reports an error.
pub(crate) fn update(connection: &Connection, object: &Object) -> Result<(), StoreError> {
    let sets: String = columns(object.of).map(|field| format!("{} = ?, ", field.name)).collect();
    let sql = format!("UPDATE {} SET {sets}body = ? WHERE id = ?", object.of.table);
    let mut values = stored(object)?;
    values.push(Bound::Integer(object.id));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// Deletes an object, with those that belong to it.
///
/// # Errors
/// The database reports an error.
pub(crate) fn delete(connection: &Connection, of: &Resource, id: i64) -> Result<(), StoreError> {
    for field in of.fields {
        if let Kind::Related(Related::Children(Children { of, by, .. })) = field.kind {
            connection.prepare_cached(&format!("DELETE FROM {of} WHERE {by} = ?1"))?.execute(params![id])?;
        }
    }
    connection.prepare_cached(&format!("DELETE FROM {} WHERE id = ?1", of.table))?.execute(params![id])?;
    Ok(())
}

fn columns(of: &'static Resource) -> impl Iterator<Item = &'static Field> {
    of.fields.iter().filter(|field| field.place == Place::Column)
}

fn selection(of: &'static Resource) -> String {
    let names: String = columns(of).map(|field| format!("t.{}, ", field.name)).collect();
    format!("SELECT t.id, {names}t.body FROM {} t", of.table)
}

/// The values of the columns, and the body.
fn stored(object: &Object) -> Result<Vec<Bound>, StoreError> {
    let (mut values, mut body) = (Vec::new(), Map::new());
    for (field, value) in object.of.fields.iter().zip(&object.values) {
        match field.place {
            Place::Column => values.push(bound(value)),
            Place::Body => _ = body.insert(field.name.into(), value.clone()),
            Place::Core | Place::Nowhere => {}
        }
    }
    values.push(Bound::Text(serde_json::to_string(&body)?));
    Ok(values)
}

fn bound(value: &Value) -> Bound {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => Bound::Null,
        Value::Bool(value) => Bound::Integer((*value).into()),
        Value::Number(number) => Bound::Integer(number.as_i64().unwrap_or(i64::MAX)),
        Value::String(text) => Bound::Text(text.clone()),
    }
}

fn objects(
    connection: &Connection,
    of: &'static Resource,
    sql: &str,
    values: Vec<Bound>,
    core: &CoreFacts,
) -> Result<Vec<Object>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut objects = Vec::new();
    while let Some(row) = rows.next()? {
        objects.push(object(of, row, core)?);
    }
    Ok(objects)
}

/// Reads a row of [`selection`]. A field that the row is older than has the value of a new object.
fn object(of: &'static Resource, row: &Row<'_>, core: &CoreFacts) -> Result<Object, StoreError> {
    let id = row.get(0)?;
    Ok(Object { of, id, values: values(of, row, core.in_maintenance.contains(&id))? })
}

/// The values of a row. `in_core` is the value of fields that are stored in the state of the platform.
fn values(of: &'static Resource, row: &Row<'_>, in_core: bool) -> Result<Vec<Value>, StoreError> {
    let mut body: Map<String, Value> = serde_json::from_str(&row.get::<_, String>(1 + columns(of).count())?)?;
    let mut column = 0;
    let mut value = |field: &Field| {
        let absent = || initial(field, 0).unwrap_or(Value::Null);
        Ok::<_, rusqlite::Error>(match field.place {
            Place::Column => {
                column += 1;
                read(field, row.get_ref(column)?)
            }
            Place::Body => body.remove(field.name).unwrap_or_else(absent),
            Place::Core => in_core.into(),
            Place::Nowhere => absent(),
        })
    };
    Ok(of.fields.iter().map(&mut value).collect::<Result<_, _>>()?)
}

fn read(field: &Field, value: ValueRef<'_>) -> Value {
    match (value, field.kind) {
        (ValueRef::Integer(number), Kind::Boolean) => (number != 0).into(),
        (ValueRef::Integer(number), _) => number.into(),
        (ValueRef::Real(number), _) => number.into(),
        (ValueRef::Text(text) | ValueRef::Blob(text), _) => String::from_utf8_lossy(text).into(),
        (ValueRef::Null, _) => Value::Null,
    }
}
