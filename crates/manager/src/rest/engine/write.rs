//! Creates, changes and deletes single objects of declared resources, each in a transaction.

use std::collections::BTreeSet;

use crate::store::Transaction;
use axum::response::Response;
use serde_json::{Map, Value};

use super::audit::Requester;
use super::children::{self, Wanted};
use super::perform::perform;
use super::read::ids_of;
use super::{accounts, clients, nodes, respond, signing_requests};
use crate::resources::configuration::worker_vm;
use crate::resources::draft::draft;
use crate::resources::{
    ALL, CoreFacts, Created, Field, FieldErrors, Kind, Object, OnDelete, Related, Relation, Resource,
    configured,
};
use crate::rest::Api;
use crate::rest::error::{Kind as RefusalKind, Refusal};
use crate::store::enrolments;
use crate::store::{StoreError, objects};

/// A change of one object, as it was written.
#[derive(Debug)]
pub(super) enum Change {
    /// It is new.
    Created {
        /// As it is.
        object: Object,
        /// Its children, for the audit.
        children: Vec<Value>,
    },
    /// Its values differ.
    Changed {
        /// As it was.
        from: Object,
        /// As it is.
        to: Object,
        /// The changes of its children, for the audit.
        children: Vec<Value>,
    },
    /// It is gone.
    Removed {
        /// As it was.
        object: Object,
        /// Its children, for the audit.
        children: Vec<Value>,
    },
}

/// A transaction in which objects are written.
#[derive(Debug)]
pub(super) struct Writing<'t> {
    /// The transaction.
    pub(super) tx: &'t Transaction<'t>,
    /// What the state of the platform says.
    pub(super) core: CoreFacts,
    /// The time, in milliseconds since 1970-01-01 UTC.
    pub(super) now: i64,
}

/// Creates an object.
pub(super) async fn create(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    mut body: Map<String, Value>,
) -> Result<Response, Refusal> {
    accounts::hash_passwords(api, of, &mut body).await?;
    signing_requests::make_key(api, of, &mut body).await?;
    match of.created {
        Created::Empty => Ok(respond::created(of, create_plainly(api, by, of, body).await?)),
        Created::EnrolmentFile => {
            let create = move |writing: &Writing<'_>, now| {
                let change = writing.create(of, &body)?;
                let (id, name) = (change.object().id, change.object().text(&worker_vm::NAME).to_string());
                let token = enrolments::issue(writing.tx, nodes::node_id(id)?, now)?;
                Ok::<_, Refusal>((vec![change], (id, name, token)))
            };
            let (id, name, token) = perform(api, by, of, create).await?;
            Ok(respond::enrolment_file(api, id, &name, token))
        }
        Created::OAuthClient => clients::create(api, by, of, body).await,
    }
}

/// Creates an object of which nothing but its number has to be said; returns that.
pub(super) async fn create_plainly(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    body: Map<String, Value>,
) -> Result<i64, Refusal> {
    let create = move |writing: &Writing<'_>, _| {
        let change = writing.create(of, &body)?;
        let id = change.object().id;
        Ok::<_, Refusal>((vec![change], id))
    };
    perform(api, by, of, create).await
}

/// Changes an object. What the request does not say keeps its value.
pub(super) async fn change(
    api: &Api,
    by: Requester,
    (of, id): (&'static Resource, i64),
    mut body: Map<String, Value>,
) -> Result<(), Refusal> {
    body.insert("id".into(), id.into());
    accounts::hash_passwords(api, of, &mut body).await?;
    let change = move |writing: &Writing<'_>, _| {
        Ok::<_, Refusal>((writing.change(of, id, &body)?.into_iter().collect(), ()))
    };
    perform(api, by, of, change).await
}

/// Deletes an object.
pub(super) async fn remove(
    api: &Api,
    by: Requester,
    (of, id): (&'static Resource, i64),
) -> Result<(), Refusal> {
    let remove = move |writing: &Writing<'_>, _| {
        Ok::<_, Refusal>((vec![writing.remove(of, id, &BTreeSet::from([id]))?], ()))
    };
    perform(api, by, of, remove).await
}

impl Change {
    /// The object as it is, or was before it was deleted.
    pub(super) fn object(&self) -> &Object {
        match self {
            Self::Created { object, children: _ }
            | Self::Changed { from: _, to: object, children: _ }
            | Self::Removed { object, children: _ } => object,
        }
    }
}

impl Writing<'_> {
    /// Creates an object.
    pub(super) fn create(&self, of: &'static Resource, body: &Map<String, Value>) -> Result<Change, Refusal> {
        if objects::count(self.tx, of)? >= of.most {
            return Err(full(of));
        }
        let (mut object, wanted) = self.drafted(of, body, None)?;
        object.id = objects::insert(self.tx, &object)?;
        let children = wanted.iter().filter_map(Wanted::difference).collect();
        children::write(self.tx, object.id, wanted)?;
        Ok(Change::Created { object, children })
    }

    /// Changes an object; none if nothing of it differs.
    pub(super) fn change(
        &self,
        of: &'static Resource,
        id: i64,
        body: &Map<String, Value>,
    ) -> Result<Option<Change>, Refusal> {
        let from = self.found(of, id)?;
        let (to, wanted) = self.drafted(of, body, Some(&from))?;
        let children: Vec<Value> = wanted.iter().filter_map(Wanted::difference).collect();
        children::write(self.tx, id, wanted)?;
        if to.has_values_of(&from) && children.is_empty() {
            return Ok(None);
        }
        objects::update(self.tx, &to)?;
        Ok(Some(Change::Changed { from, to, children }))
    }

    /// Deletes an object. Those in `leaving`, of the same resource, are deleted by the same request.
    pub(super) fn remove(
        &self,
        of: &'static Resource,
        id: i64,
        leaving: &BTreeSet<i64>,
    ) -> Result<Change, Refusal> {
        let object = self.found(of, id)?;
        self.refuse_in_use(of, id, leaving)?;
        let children = children::removed(self.tx, &object)?;
        objects::delete(self.tx, of, id)?;
        Ok(Change::Removed { object, children })
    }

    fn found(&self, of: &'static Resource, id: i64) -> Result<Object, Refusal> {
        objects::find(self.tx, of, id, &self.core)?.ok_or_else(|| Refusal::no_such(of.name, id))
    }

    /// Refuses the deletion of an object that others need.
    fn refuse_in_use(&self, of: &Resource, id: i64, leaving: &BTreeSet<i64>) -> Result<(), Refusal> {
        let none = BTreeSet::new();
        for other in ALL {
            let without = if other.name == of.name { leaving } else { &none };
            for field in other.fields {
                let Kind::Related(Related::One(relation) | Related::Many(relation)) = field.kind else {
                    continue;
                };
                if relation == (Relation { of: of.name, on_delete: OnDelete::Refuse }) {
                    let count = objects::referring(self.tx, other, field, (id, without))?;
                    if count > 0 {
                        return Err(in_use(of, other, field.name, count));
                    }
                }
            }
        }
        Ok(())
    }

    /// The object that a request describes, valid in all its fields, and the children that it shall have.
    fn drafted(
        &self,
        of: &'static Resource,
        body: &Map<String, Value>,
        kept: Option<&Object>,
    ) -> Result<(Object, Vec<Wanted>), Refusal> {
        let (mut object, mut errors) = draft(of, body, kept, self.now);
        self.check(&mut object, &mut errors)?;
        let wanted = children::read(self, &mut object, body, &mut errors)?;
        errors.into_result(of.name)?;
        Ok((object, wanted))
    }

    /// Checks what only the store knows, and what has to hold between the fields.
    pub(super) fn check(&self, object: &mut Object, errors: &mut FieldErrors) -> Result<(), StoreError> {
        for field in object.of.fields {
            self.check_unique(object, field, errors)?;
            self.check_related(object, field, errors)?;
            self.check_owner(object, field, errors)?;
        }
        if errors.is_empty() {
            (object.of.check)(object, errors);
        }
        Ok(())
    }

    fn check_unique(
        &self,
        object: &Object,
        field: &Field,
        errors: &mut FieldErrors,
    ) -> Result<(), StoreError> {
        let text = object.text(field);
        let Some(unique) = field.unique.filter(|_| !text.is_empty()) else { return Ok(()) };
        if objects::holder(self.tx, object.of, field, text)?.is_some_and(|holder| holder != object.id) {
            errors.add(field.name, unique.taken);
        }
        Ok(())
    }

    /// Checks that an owner gets no more children than it may have, whichever way they come.
    fn check_owner(
        &self,
        object: &Object,
        field: &Field,
        errors: &mut FieldErrors,
    ) -> Result<(), StoreError> {
        let (Kind::Related(Related::One(relation)), Some(owner)) = (field.kind, object.get(field).as_i64())
        else {
            return Ok(());
        };
        for list in configured(relation.of).fields {
            let Kind::Related(Related::Children(children)) = list.kind else { continue };
            if children.of == object.of.name && children.by == field.name {
                let present = objects::children_of(self.tx, children, &[owner])?;
                if present.len() >= children.most && present.iter().all(|child| child.id != object.id) {
                    errors.add(field.name, format!("It has {} {} already.", children.most, object.of.plural));
                }
            }
        }
        Ok(())
    }

    fn check_related(
        &self,
        object: &Object,
        field: &Field,
        errors: &mut FieldErrors,
    ) -> Result<(), StoreError> {
        let value = object.get(field);
        let Kind::Related(Related::One(relation) | Related::Many(relation)) = field.kind else {
            return Ok(());
        };
        let ids: Vec<i64> = value.as_i64().into_iter().chain(ids_of(value)).collect();
        let far = configured(relation.of);
        for id in ids {
            if !objects::exists(self.tx, far, id)? {
                errors.add(field.name, format!("There is no such {}.", far.called));
            }
        }
        Ok(())
    }
}

fn full(of: &Resource) -> Refusal {
    Refusal::new(
        RefusalKind::Conflict,
        format!("there are {} {}, no more are allowed", of.most, of.plural),
        "delete those that are not in use",
    )
}

fn in_use(of: &Resource, by: &Resource, field: &str, count: i64) -> Refusal {
    Refusal::new(
        RefusalKind::Conflict,
        format!("this {} is in use: the field {field} of {count} {} names it", of.called, by.plural),
        format!("change or delete these first; list them with GET {}?{field}=ID", by.path()),
    )
}
