//! Creates OAuth2 clients: each has a key of its own, whose private half only the answer to its creation has.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::audit::Requester;
use super::perform::perform;
use super::read;
use super::write::Writing;
use crate::auth::oauth::{NewClientKey, TokenKey};
use crate::resources::Resource;
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::rest::json::Json;
use crate::rest::route::location;
use crate::store::oauth::complete;

/// Creates a client, and shows it with its private key.
pub(super) async fn create(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    body: Map<String, Value>,
) -> Result<Response, Refusal> {
    let NewClientKey { key, private } = NewClientKey::make().map_err(|cause| Refusal::internal(&cause))?;
    let create = move |writing: &Writing<'_>, _| {
        let change = writing.create(of, &body)?;
        let id = change.object().id;
        complete(writing.tx, id, Uuid::new_v4(), &key, &TokenKey::make())?;
        Ok::<_, Refusal>((vec![change], id))
    };
    let id = perform(api, by, of, create).await?;
    let mut shown = read::detail(api, of, &id.to_string()).await?;
    shown["private_key_jwt"] = private.to_pem().into();
    Ok((StatusCode::CREATED, [(header::LOCATION, location(&of.uri(id)))], Json(shown)).into_response())
}
