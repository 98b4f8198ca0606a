//! What has to hold for certificates that are shown, and what follows from a change: they are used at once.

use crate::store::Transaction;

use super::write::Change;
use crate::operator_certificate;
use crate::resources::FieldErrors;
use crate::resources::configuration::tls_certificate::{CERTIFICATE, NODES, PRIVATE_KEY, TLS_CERTIFICATE};
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::store::certificates;

/// Refuses a certificate for a machine that cannot show one, or a second one for the same machine.
pub(super) fn check(tx: &Transaction<'_>, change: &Change, manager: &str) -> Result<(), Refusal> {
    let (Change::Created { object, children: _ } | Change::Changed { from: _, to: object, children: _ }) =
        change
    else {
        return Ok(());
    };
    if object.of.name != TLS_CERTIFICATE.name {
        return Ok(());
    }
    let mut errors = FieldErrors::default();
    let names = object.get(&NODES).as_array().into_iter().flatten().filter_map(|name| name.as_str());
    if names.clone().any(|name| !name.eq_ignore_ascii_case(manager)) {
        errors.add(
            NODES.name,
            format!("Only the Management Node shows a certificate of yours: enter {manager}."),
        );
    }
    if names.count() > 0 {
        if let Err(why) = operator_certificate::check(object.text(&CERTIFICATE), object.text(&PRIVATE_KEY)) {
            errors.add(CERTIFICATE.name, why);
        }
        if certificates::shown_by(tx, manager)?.len() > 1 {
            errors
                .add(NODES.name, "Another certificate is shown there; take the name out of that one first.");
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.refusal(TLS_CERTIFICATE.name, Kind::Invalid)) }
}

/// Shows what is stored now.
pub(super) async fn shown(api: &Api) -> Result<(), Refusal> {
    let (store, name) = (api.committer().store(), &api.context.name);
    Ok(api.context.certificate.reload(store, name).await?)
}
