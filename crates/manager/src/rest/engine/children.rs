//! Objects that belong to another one and are written with it: the aliases of a Virtual Meeting Room.
//!
//! The list in a request is the list afterwards: those that stay keep their ids, the others are deleted.

use std::collections::BTreeSet;

use crate::store::Transaction;
use serde_json::{Map, Value, json};

use super::write::Writing;
use crate::resources::draft::{draft, id_of};
use crate::resources::{Children, Field, FieldErrors, Kind, Object, Related, Resource, configured};
use crate::store::{StoreError, objects};

/// The children that an object shall have.
#[derive(Debug)]
pub(super) struct Wanted {
    field: &'static str,
    children: Children,
    /// The names of those that it had.
    before: Vec<String>,
    /// Those that it had and shall not have any more.
    gone: Vec<i64>,
    /// The others; the id of one that is not stored yet is 0.
    objects: Vec<Object>,
}

impl Wanted {
    /// The change of the list for the audit, if it is one.
    pub(super) fn difference(&self) -> Option<Value> {
        let natural =
            configured(self.children.of).natural.and_then(|name| configured(self.children.of).field(name))?;
        let after: Vec<&str> = self.objects.iter().map(|object| object.text(natural)).collect();
        (after != self.before).then(|| json!({"field": self.field, "from": self.before, "to": after}))
    }
}

/// Reads the children in a request for an object. They are objects of their own and no value of this one.
pub(super) fn read(
    writing: &Writing<'_>,
    owner: &mut Object,
    body: &Map<String, Value>,
    errors: &mut FieldErrors,
) -> Result<Vec<Wanted>, StoreError> {
    let mut all = Vec::new();
    for field in owner.of.fields {
        if let Kind::Related(Related::Children(children)) = field.kind
            && let Some(Value::Array(given)) = body.get(field.name)
            && given.len() <= children.most
        {
            all.push(List::new(writing, owner, field, children)?.read(given, errors)?);
            owner.set(field, Value::Array(Vec::new()));
        }
    }
    Ok(all)
}

/// Stores the children of an object.
pub(super) fn write(tx: &Transaction<'_>, owner: i64, all: Vec<Wanted>) -> Result<(), StoreError> {
    for Wanted { field: _, before: _, children, gone, objects } in all {
        let of = configured(children.of);
        for id in gone {
            objects::delete(tx, of, id)?;
        }
        for mut object in objects {
            if let Some(by) = of.field(children.by) {
                object.set(by, owner.into());
            }
            match object.id {
                0 => _ = objects::insert(tx, &object)?,
                _ => objects::update(tx, &object)?,
            }
        }
    }
    Ok(())
}

/// A list of children that is read.
struct List<'w> {
    writing: &'w Writing<'w>,
    field: &'static Field,
    children: Children,
    of: &'static Resource,
    natural: &'static str,
    /// Those that the owner has.
    present: Vec<Object>,
}

impl<'w> List<'w> {
    fn new(
        writing: &'w Writing<'w>,
        owner: &Object,
        field: &'static Field,
        children: Children,
    ) -> Result<Self, StoreError> {
        let of = configured(children.of);
        let present = objects::children_of(writing.tx, children, &[owner.id])?;
        Ok(Self { writing, field, children, of, natural: of.natural.unwrap_or_default(), present })
    }

    fn read(self, given: &[Value], errors: &mut FieldErrors) -> Result<Wanted, StoreError> {
        let (mut objects, mut seen) = (Vec::new(), BTreeSet::new());
        for given in given {
            let Some((body, kept)) = self.entry(given) else {
                errors.add(self.field.name, format!("Enter each one as {{\"{}\": text}}.", self.natural));
                continue;
            };
            let (child, mut wrong) = draft(self.of, &body, kept, self.writing.now);
            wrong.0.remove(self.children.by);
            self.check(&child, &mut seen, &mut wrong)?;
            for message in wrong.0.into_values().flatten() {
                errors.add(self.field.name, format!("{}: {message}", self.name(&child)));
            }
            objects.push(child);
        }
        let stay: BTreeSet<i64> = objects.iter().map(|object| object.id).collect();
        let gone = self.present.iter().map(|object| object.id).filter(|id| !stay.contains(id)).collect();
        let before = self.present.iter().map(|child| self.name(child).to_string()).collect();
        Ok(Wanted { field: self.field.name, children: self.children, before, gone, objects })
    }

    /// The fields of an entry, and the child that it means, if the owner has it already: by its own text first, so that
    /// two that exchange their texts do not take each other's place.
    fn entry(&self, given: &Value) -> Option<(Map<String, Value>, Option<&Object>)> {
        let mut body = match given {
            Value::Object(body) => body.clone(),
            Value::String(text) => Map::from_iter([(self.natural.to_string(), text.as_str().into())]),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
        };
        // The owner is the object that is written, whatever the entry says.
        body.remove(self.children.by);
        let text = body.get(self.natural).and_then(Value::as_str).unwrap_or("").trim().to_lowercase();
        let by_text = self.present.iter().find(|child| self.name(child).to_lowercase() == text);
        let uri = body.get("resource_uri").and_then(Value::as_str).unwrap_or(&text);
        let id = body.get("id").and_then(Value::as_i64).or_else(|| id_of(uri, &self.of.path()));
        let by_id = self.present.iter().find(|child| Some(child.id) == id);
        if by_text.is_none() && by_id.is_some() && given.is_string() {
            body.clear();
        }
        Some((body, by_text.or(by_id)))
    }

    fn name<'c>(&self, child: &'c Object) -> &'c str {
        self.of.field(self.natural).map_or("", |field| child.text(field))
    }

    /// Checks that no other object has a value that has to be unique; those of the same owner are replaced.
    fn check(
        &self,
        child: &Object,
        seen: &mut BTreeSet<String>,
        wrong: &mut FieldErrors,
    ) -> Result<(), StoreError> {
        for field in self.of.fields.iter().filter(|field| field.unique.is_some()) {
            let text = child.text(field);
            let taken = field.unique.map_or("", |unique| unique.taken);
            let holder =
                if text.is_empty() { None } else { objects::holder(self.writing.tx, self.of, field, text)? };
            let of_another = holder.is_some_and(|id| self.present.iter().all(|child| child.id != id));
            if of_another || !seen.insert(format!("{}\n{}", field.name, text.to_lowercase())) {
                wrong.add(field.name, taken);
            }
        }
        Ok(())
    }
}
