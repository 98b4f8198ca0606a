//! What has to hold for certificates that are shown, by the pages and by Conferencing Nodes, and what follows from a
//! change: they are used at once.

use crate::store::Transaction;

use super::write::Change;
use crate::operator_certificate;
use crate::resources::configuration::tls_certificate::{CERTIFICATE, NODES, PRIVATE_KEY, TLS_CERTIFICATE};
use crate::resources::configuration::worker_vm::{self, WORKER_VM};
use crate::resources::{CoreFacts, FieldErrors, Object};
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::store::{StoreError, certificates, objects};

/// Whether a change concerns who shows which certificate.
pub(super) fn concerns(change: &Change) -> bool {
    match change {
        // A new node may be named already, and one that is gone shows nothing.
        Change::Created { .. } | Change::Removed { .. } => true,
        Change::Changed { from, to, children: _ } => {
            let names = ["name", "hostname", "domain", worker_vm::TLS_CERTIFICATE.name];
            let fields = names.map(|name| to.of.field(name));
            to.of.name != WORKER_VM.name
                || fields.into_iter().flatten().any(|field| from.get(field) != to.get(field))
        }
    }
}

/// Refuses a certificate for a machine that there is not, one that TLS cannot use, and a second one for one machine.
pub(super) fn check(tx: &Transaction<'_>, change: &Change, manager: &str) -> Result<(), Refusal> {
    let (object, named) = match change {
        Change::Created { object, children: _ } => (object, true),
        Change::Changed { from, to, children: _ } => (to, from.get(&NODES) != to.get(&NODES)),
        Change::Removed { .. } => return Ok(()),
    };
    let mut errors = FieldErrors::default();
    if object.of.name == TLS_CERTIFICATE.name {
        if named {
            check_names(tx, object, manager, &mut errors)?;
        }
        check_use(tx, object, manager, &mut errors)?;
    } else if object.of.name == WORKER_VM.name && concerns(change) {
        check_node(tx, object, &mut errors)?;
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.refusal(object.of.name, Kind::Invalid)) }
}

/// Checks that there is a machine of each name.
fn check_names(
    tx: &Transaction<'_>,
    object: &Object,
    manager: &str,
    errors: &mut FieldErrors,
) -> Result<(), StoreError> {
    let names = object.get(&NODES).as_array().into_iter().flatten().filter_map(|name| name.as_str());
    for name in names.filter(|name| !name.eq_ignore_ascii_case(manager)) {
        if !certificates::is_node(tx, name)? {
            errors.add(
                NODES.name,
                format!(
                    "Neither the Management Node, {manager}, nor a Conferencing Node is called {name}; enter the name \
                     of a node, alone or with its domain."
                ),
            );
        }
    }
    Ok(())
}

/// Checks that whoever shows a certificate can, and shows no other.
fn check_use(
    tx: &Transaction<'_>,
    object: &Object,
    manager: &str,
    errors: &mut FieldErrors,
) -> Result<(), StoreError> {
    let of_nodes = certificates::of_nodes(tx)?;
    let by_nodes = of_nodes.iter().any(|of_one| of_one.certificates.contains(&object.id));
    let has_names = object.get(&NODES).as_array().is_some_and(|names| !names.is_empty());
    if (by_nodes || has_names)
        && let Some(why) = unusable(object)
    {
        errors.add(CERTIFICATE.name, why);
    }
    let names = object.get(&NODES).as_array().into_iter().flatten().filter_map(|name| name.as_str());
    let by_manager = names.into_iter().any(|name| name.eq_ignore_ascii_case(manager));
    let second = by_manager && certificates::shown_by(tx, manager)?.len() > 1;
    if let Some(name) = second.then_some(manager).or_else(|| with_two(&of_nodes, object.id)) {
        errors.add(
            NODES.name,
            format!("Another certificate is shown by {name}; take the name out of that one first."),
        );
    }
    Ok(())
}

/// The name of a node that would show this certificate and another one.
fn with_two(of_nodes: &[certificates::OfNode], id: i64) -> Option<&str> {
    let two =
        |of_one: &&certificates::OfNode| of_one.certificates.len() > 1 && of_one.certificates.contains(&id);
    of_nodes.iter().find(two).map(|of_one| of_one.name.as_str())
}

/// Checks that the certificate that a node names can be used, and that no other one names the node.
fn check_node(tx: &Transaction<'_>, node: &Object, errors: &mut FieldErrors) -> Result<(), StoreError> {
    let field = worker_vm::TLS_CERTIFICATE.name;
    if let Some(id) = node.get(&worker_vm::TLS_CERTIFICATE).as_i64()
        && let Some(certificate) = objects::find(tx, &TLS_CERTIFICATE, id, &CoreFacts::default())?
        && let Some(why) = unusable(&certificate)
    {
        errors.add(field, why);
    }
    let of_nodes = certificates::of_nodes(tx)?;
    let own = of_nodes.iter().find(|of_one| i64::from(of_one.node.0) == node.id);
    if own.is_some_and(|own| own.certificates.len() > 1) {
        errors.add(field, "Another certificate names this node in its field nodes; take it out there first.");
    }
    Ok(())
}

/// What keeps TLS from using a certificate, if anything does.
fn unusable(certificate: &Object) -> Option<String> {
    operator_certificate::check(certificate.text(&CERTIFICATE), certificate.text(&PRIVATE_KEY)).err()
}

/// Shows what is stored now.
pub(super) async fn shown(api: &Api) -> Result<(), Refusal> {
    let (store, name) = (api.committer().store(), &api.context.name);
    api.context.certificate.reload(store, name).await?;
    Ok(api.committer().reload_certificates().await?)
}
