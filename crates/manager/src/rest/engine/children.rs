//! Objects that belong to another one and are written with it: the aliases of a Virtual Meeting Room.
//!
//! The list in a request is the list afterwards: those that stay keep their ids, the others are deleted. An entry means
//! the child that it names by `id` or URI, and else the one with the same text.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::write::Writing;
use crate::resources::draft::{draft, id_of};
use crate::resources::{Children, Field, FieldErrors, Kind, Object, Related, Resource, configured};
use crate::store::{StoreError, Transaction, objects};

/// The children that an object shall have.
#[derive(Debug)]
pub(super) struct Wanted {
    field: &'static str,
    children: Children,
    /// Those that it has.
    present: Vec<Object>,
    /// Those that it shall have; the id of one that is not stored yet is 0.
    objects: Vec<Object>,
}

impl Wanted {
    /// The change of the list for the audit, if it is one.
    pub(super) fn difference(&self) -> Option<Value> {
        let same = self.present.len() == self.objects.len()
            && self
                .present
                .iter()
                .zip(&self.objects)
                .all(|(one, other)| one.id == other.id && one.has_values_of(other));
        (!same).then(|| listed(self.field, &self.present, &self.objects))
    }
}

/// A list of children before and after, for the audit.
fn listed(field: &str, from: &[Object], to: &[Object]) -> Value {
    let names = |all: &[Object]| all.iter().map(described).collect::<Vec<_>>();
    json!({"field": field, "from": names(from), "to": names(to)})
}

/// A child by its text, with its description.
fn described(child: &Object) -> String {
    let text = |name: &str| child.of.field(name).map_or("", |field| child.text(field));
    match (text(child.of.natural.unwrap_or_default()), text("description")) {
        (name, "") => name.into(),
        (name, description) => format!("{name} ({description})"),
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

/// The children of an object that is about to be deleted, for the audit.
pub(super) fn removed(tx: &Transaction<'_>, owner: &Object) -> Result<Vec<Value>, StoreError> {
    let mut all = Vec::new();
    for field in owner.of.fields {
        if let Kind::Related(Related::Children(children)) = field.kind {
            let present = objects::children_of(tx, children, &[owner.id])?;
            all.extend((!present.is_empty()).then(|| listed(field.name, &present, &[])));
        }
    }
    Ok(all)
}

/// Stores the children of an object.
pub(super) fn write(tx: &Transaction<'_>, owner: i64, all: Vec<Wanted>) -> Result<(), StoreError> {
    for Wanted { field: _, children, present, objects } in all {
        let of = configured(children.of);
        let stay: BTreeSet<i64> = objects.iter().map(|object| object.id).collect();
        for child in &present {
            if !stay.contains(&child.id) {
                objects::delete(tx, of, child.id)?;
            } else if objects.iter().any(|object| object.id == child.id && !object.has_values_of(child)) {
                set_aside(tx, child)?;
            }
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

/// Gives a child that is changed a text that no object can have, for another child may get its own before it has its new
/// one.
fn set_aside(tx: &Transaction<'_>, child: &Object) -> Result<(), StoreError> {
    let mut aside = child.clone();
    if let Some(natural) = child.of.natural.and_then(|name| child.of.field(name)) {
        aside.set(natural, format!("\u{1}{}", child.id).into());
    }
    objects::update(tx, &aside)
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

/// An entry of the list: its fields, and the child that it names.
struct Entry {
    body: Map<String, Value>,
    id: Option<i64>,
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
        let mut entries = Vec::new();
        for given in given {
            match self.entry(given) {
                Ok(entry) => entries.push(entry),
                Err(message) => errors.add(self.field.name, message),
            }
        }
        self.assign_by_text(&mut entries);
        let ids: Vec<i64> = entries.iter().filter_map(|entry| entry.id).collect();
        if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
            errors.add(self.field.name, "Two entries name the same object.");
        }
        let (mut objects, mut seen) = (Vec::new(), BTreeSet::new());
        for Entry { body, id } in entries {
            let kept = self.present.iter().find(|child| Some(child.id) == id);
            let (child, mut wrong) = draft(self.of, &body, kept, self.writing.now);
            wrong.0.remove(self.children.by);
            self.check(&child, &mut seen, &mut wrong)?;
            for message in wrong.0.into_values().flatten() {
                errors.add(self.field.name, format!("{}: {message}", self.name(&child)));
            }
            objects.push(child);
        }
        Ok(Wanted { field: self.field.name, children: self.children, present: self.present, objects })
    }

    /// The fields of an entry, and the child that it names by `id` or URI.
    fn entry(&self, given: &Value) -> Result<Entry, String> {
        let list = self.of.path();
        let uri = |text: &str| if text.contains(&list) { id_of(text, &list) } else { None };
        let (mut body, id) = match given {
            Value::Object(body) => {
                let named = body.get("resource_uri").and_then(Value::as_str).and_then(uri);
                (body.clone(), body.get("id").and_then(Value::as_i64).or(named))
            }
            Value::String(text) if text.contains(&list) => (Map::new(), Some(uri(text).unwrap_or(0))),
            Value::String(text) => (Map::from_iter([(self.natural.to_string(), text.as_str().into())]), None),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err(format!("Enter each one as {{\"{}\": text}}.", self.natural));
            }
        };
        // The owner is the object that is written, whatever the entry says.
        body.remove(self.children.by);
        match id {
            Some(id) if self.present.iter().all(|child| child.id != id) => {
                Err(format!("There is no such {} here: {}.", self.of.called, self.of.uri(id)))
            }
            id => Ok(Entry { body, id }),
        }
    }

    /// Lets the entries that name no child mean the one with the same text, unless another entry names it.
    fn assign_by_text(&self, entries: &mut [Entry]) {
        let mut taken: BTreeSet<i64> = entries.iter().filter_map(|entry| entry.id).collect();
        for entry in entries.iter_mut().filter(|entry| entry.id.is_none()) {
            let text =
                entry.body.get(self.natural).and_then(Value::as_str).unwrap_or("").trim().to_lowercase();
            let same =
                |child: &&Object| self.name(child).to_lowercase() == text && !taken.contains(&child.id);
            entry.id = self.present.iter().find(same).map(|child| child.id);
            taken.extend(entry.id);
        }
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
