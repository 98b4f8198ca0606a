//! What follows from certificate signing requests: a key is made for a new one, and the certificate that an authority has
//! issued becomes a TLS certificate.

use serde_json::{Map, Value};

use super::write::{Change, Writing};
use crate::resources::configuration::certificate_signing_request::{
    ASKED, CERTIFICATE, CERTIFICATE_SIGNING_REQUEST, KEY_KINDS, KEY_TYPE, PRIVATE_KEY, TLS_CERTIFICATE,
};
use crate::resources::configuration::tls_certificate;
use crate::resources::draft::HIDDEN;
use crate::resources::{FieldErrors, Object, Resource};
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::trust::{KeyKind, PrivateKey};

/// Puts the key that a request for a new object asks for into it. A key of 4096 bits takes seconds, so it is made before
/// the transaction, and one at a time: whoever may make requests must not be able to occupy the machine with it.
pub(super) async fn make_key(api: &Api, of: &Resource, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(kind) = kind_to_make(of, body) else { return Ok(()) };
    if text(body, PRIVATE_KEY.name).is_some_and(|key| !key.is_empty() && key != HIDDEN) {
        let message = "Choose UPLOAD for a key that is given, or leave it out and one is made.";
        return Err(FieldErrors::one(PRIVATE_KEY.name, message).refusal(of.name, Kind::Invalid));
    }
    let _one_at_a_time = api.hashing.lock().await;
    let made = tokio::task::spawn_blocking(move || PrivateKey::make(kind)).await;
    let key = made.map_err(|cause| Refusal::internal(&cause))?.map_err(|cause| Refusal::internal(&cause))?;
    body.insert(PRIVATE_KEY.name.into(), key.to_pem().into());
    Ok(())
}

fn kind_to_make(of: &Resource, body: &Map<String, Value>) -> Option<KeyKind> {
    let wanted = text(body, KEY_TYPE.name).filter(|_| of.name == CERTIFICATE_SIGNING_REQUEST.name)?;
    KEY_KINDS.iter().find(|(name, _)| *name == wanted).and_then(|(_, kind)| *kind)
}

fn text<'b>(body: &'b Map<String, Value>, name: &str) -> Option<&'b str> {
    body.get(name).and_then(Value::as_str).map(str::trim)
}

/// Refuses another request under the number of one that an authority may have by now.
pub(super) fn check(change: &Change) -> Result<(), Refusal> {
    let Change::Changed { from, to, children: _ } = change else { return Ok(()) };
    let mut errors = FieldErrors::default();
    if to.of.name == CERTIFICATE_SIGNING_REQUEST.name {
        for field in ASKED.iter().filter(|field| from.get(field) != to.get(field)) {
            errors.add(field.name, "A request stays as it was made; delete it, and make another one.");
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.refusal(to.of.name, Kind::Invalid)) }
}

/// Makes TLS certificates of those that authorities have issued, and returns the changes.
pub(super) fn complete(writing: &Writing<'_>, changes: &[Change]) -> Result<Vec<Change>, Refusal> {
    let mut more = Vec::new();
    for request in changes.iter().filter_map(newly_issued) {
        more.extend(use_issued(writing, request)?);
    }
    Ok(more)
}

/// The request, if this change gives it an issued certificate.
fn newly_issued(change: &Change) -> Option<&Object> {
    let (before, request) = match change {
        Change::Created { object, children: _ } => ("", object),
        Change::Changed { from, to, children: _ } => (from.text(&CERTIFICATE), to),
        Change::Removed { .. } => return None,
    };
    let is_request = request.of.name == CERTIFICATE_SIGNING_REQUEST.name;
    let issued = Some(request.text(&CERTIFICATE)).filter(|issued| is_request && !issued.is_empty());
    issued.filter(|issued| *issued != before).map(|_| request)
}

fn use_issued(writing: &Writing<'_>, request: &Object) -> Result<Vec<Change>, Refusal> {
    let pair = Map::from_iter([
        (tls_certificate::CERTIFICATE.name.into(), request.get(&CERTIFICATE).clone()),
        (tls_certificate::PRIVATE_KEY.name.into(), request.get(&PRIVATE_KEY).clone()),
    ]);
    let of = &tls_certificate::TLS_CERTIFICATE;
    if let Some(present) = request.get(&TLS_CERTIFICATE).as_i64() {
        return Ok(writing.change(of, present, &pair)?.into_iter().collect());
    }
    let made = writing.create(of, &pair)?;
    let named = Map::from_iter([(TLS_CERTIFICATE.name.into(), made.object().id.into())]);
    let named = writing.change(&CERTIFICATE_SIGNING_REQUEST, request.id, &named)?;
    Ok(std::iter::once(made).chain(named).collect())
}
