//! Reads the objects of tables whose rows are identified by a text: what nodes have named. They are only shown, so they
//! are read as they are shown.

use rusqlite::{Connection, Row, params_from_iter};
use serde_json::Value;

use super::{in_one_state, selection, statements, total, values};
use crate::resources::query::{Path, Query};
use crate::resources::shown::{Nested, shown};
use crate::resources::{CoreFacts, ID, Object, Resource};
use crate::store::StoreError;

/// A page of objects as they are shown, and how many match in all.
///
/// # Errors
/// The database reports an error.
pub(crate) fn select_shown(
    connection: &Connection,
    of: &'static Resource,
    query: &Query<Path>,
) -> Result<(usize, Vec<Value>), StoreError> {
    let core = CoreFacts::default();
    let (count, page) = statements(of, query, &core);
    in_one_state(connection, |connection| {
        let mut statement = connection.prepare_cached(&page.text)?;
        let mut rows = statement.query(params_from_iter(&page.values))?;
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            objects.push(object(of, row)?);
        }
        Ok((total(connection, &count)?, objects))
    })
}

/// One object as it is shown.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find_shown(
    connection: &Connection,
    of: &'static Resource,
    id: &str,
) -> Result<Option<Value>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{} WHERE t.id = ?1", selection(of)))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(|row| object(of, row)).transpose()
}

fn object(of: &'static Resource, row: &Row<'_>) -> Result<Value, StoreError> {
    let id: String = row.get(0)?;
    let read = Object { of, id: 0, values: values(of, row, false)? };
    let mut shown = shown(&read, &mut Nested::new());
    shown["resource_uri"] = format!("{}{id}/", of.path()).into();
    shown[ID.name] = id.into();
    Ok(shown)
}
