//! Nobody gives permissions that he does not have, and nobody changes who has more of them than he does: whoever may manage
//! the accounts would otherwise be able to do everything.

use std::collections::BTreeSet;

use super::audit::Requester;
use super::read::ids_of;
use super::write::Change;
use crate::resources::configuration::account::{self, ACCOUNT};
use crate::resources::configuration::oauth2_client::{self, OAUTH2_CLIENT};
use crate::resources::configuration::role::{PERMISSIONS, ROLE};
use crate::resources::{Field, Object, Permission};
use crate::rest::error::{Kind, Refusal};
use crate::store::accounts::permissions_of;
use crate::store::{StoreError, Transaction};

/// Refuses a change that needs more than its requester may do.
pub(super) fn check(tx: &Transaction<'_>, by: &Requester, change: &Change) -> Result<(), Refusal> {
    let mut needed: BTreeSet<Permission> = of_fields(change).collect();
    match change {
        Change::Created { object, children: _ } | Change::Removed { object, children: _ } => {
            needed.extend(given(tx, object)?);
        }
        Change::Changed { from, to, children: _ } => {
            needed.extend(given(tx, from)?);
            needed.extend(given(tx, to)?);
        }
    }
    match needed.difference(&by.permissions).next() {
        None => Ok(()),
        Some(missing) => Err(Refusal::new(
            Kind::Forbidden,
            format!(
                "the account {} cannot change what needs or gives a permission that it does not have: {} ({})",
                by.account,
                missing.codename(),
                missing.name()
            ),
            "ask somebody who has this permission and manages the accounts",
        )),
    }
}

/// What the fields need that have another value now, or a value in a new object.
fn of_fields(change: &Change) -> impl Iterator<Item = Permission> {
    let (from, to) = match change {
        Change::Created { object, children: _ } => (None, Some(object)),
        Change::Changed { from, to, children: _ } => (Some(from), Some(to)),
        Change::Removed { object: _, children: _ } => (None, None),
    };
    let differs = move |field: &Field, to: &Object| match from {
        None => !to.get(field).is_null(),
        Some(from) => from.get(field) != to.get(field),
    };
    let fields = to.into_iter().flat_map(|to| to.of.fields.iter().map(move |field| (field, to)));
    fields.filter(move |(field, to)| differs(field, to)).filter_map(|(field, _)| field.needs)
}

/// The permissions that a role has, or an account or client by its role. Roles are as they are after the change.
fn given(tx: &Transaction<'_>, object: &Object) -> Result<BTreeSet<Permission>, StoreError> {
    let role = match object.of.name {
        name if name == ROLE.name => {
            let ids: BTreeSet<i64> = ids_of(object.get(&PERMISSIONS)).collect();
            return Ok(Permission::ALL
                .into_iter()
                .filter(|permission| ids.contains(&permission.id()))
                .collect());
        }
        name if name == ACCOUNT.name => object.get(&account::ROLE),
        name if name == OAUTH2_CLIENT.name => object.get(&oauth2_client::ROLE),
        _ => return Ok(BTreeSet::new()),
    };
    role.as_i64().map_or(Ok(BTreeSet::new()), |role| permissions_of(tx, role))
}
