//! Objects as the management API shows them.

use std::collections::BTreeMap;

use fleet::time::Wall;
use serde_json::{Map, Value};

use super::draft::{HIDDEN, initial};
use super::field::{Access, Field, ID, Kind, Place, Related};
use super::object::Object;
use super::time;

/// The objects that are shown inside others: by the name of the field and the id of the object that has it.
pub(crate) type Nested = BTreeMap<(&'static str, i64), Vec<Value>>;

/// The object in an answer.
pub(crate) fn shown(object: &Object, nested: &mut Nested) -> Value {
    let mut all = Map::new();
    all.insert(ID.name.into(), object.id.into());
    for (field, value) in object.of.fields.iter().zip(&object.values) {
        let value = if let Kind::Related(Related::Many(_) | Related::Children(_)) = field.kind {
            nested.remove(&(field.name, object.id)).unwrap_or_default().into()
        } else {
            single(field, value)
        };
        all.insert(field.name.into(), value);
    }
    all.insert("resource_uri".into(), object.of.uri(object.id).into());
    Value::Object(all)
}

fn single(field: &Field, value: &Value) -> Value {
    if field.place == Place::Nowhere {
        return initial(field, 0).unwrap_or(Value::Null);
    }
    match (field.access, field.kind, value.as_i64()) {
        (Access::Secret, ..) => match value.as_str() {
            None | Some("") => "".into(),
            Some(_) => HIDDEN.into(),
        },
        (_, Kind::Moment, Some(milliseconds)) => {
            time::text(Wall(u64::try_from(milliseconds).unwrap_or(0))).into()
        }
        (_, Kind::Related(Related::One(relation)), Some(id)) => super::configured(relation.of).uri(id).into(),
        (Access::Written | Access::ReadOnly, ..) => value.clone(),
    }
}
