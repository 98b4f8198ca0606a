//! An object of a resource as it is stored.

use std::collections::BTreeSet;

use serde_json::Value;

use super::field::Field;
use super::resource::Resource;

/// An object of a resource: a value for each field, in the order of the declaration. A relation is an id, several are
/// a list of ids, a time is milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its resource.
    pub(crate) of: &'static Resource,
    /// Its number; 0 when it is not stored yet.
    pub(crate) id: i64,
    /// Its values.
    pub(crate) values: Vec<Value>,
}

/// What the state of the platform says about objects, for fields in [`super::field::Place::Core`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoreFacts {
    /// The Conferencing Nodes in the operator's maintenance mode.
    pub(crate) in_maintenance: BTreeSet<i64>,
}

impl Object {
    /// The value of a field of its resource.
    pub(crate) fn get(&self, field: &Field) -> &Value {
        let position = self.of.position(field.name);
        position.and_then(|position| self.values.get(position)).unwrap_or(&Value::Null)
    }

    /// Sets the value of a field of its resource.
    pub(crate) fn set(&mut self, field: &Field, value: Value) {
        if let Some(place) = self.of.position(field.name).and_then(|position| self.values.get_mut(position)) {
            *place = value;
        }
    }

    /// A text; empty if it is null.
    pub(crate) fn text(&self, field: &Field) -> &str {
        self.get(field).as_str().unwrap_or_default()
    }

    /// Whether a field is true.
    pub(crate) fn is(&self, field: &Field) -> bool {
        self.get(field) == &Value::Bool(true)
    }

    /// Whether all values are those of another object.
    pub(crate) fn has_values_of(&self, other: &Self) -> bool {
        self.values == other.values
    }
}
