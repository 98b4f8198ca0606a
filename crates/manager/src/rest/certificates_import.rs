//! `command/v1/platform/certificates_import/`: a bundle of certificates and their key becomes a TLS certificate.

use axum::Router;
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Map, Value, json};

use super::engine::{Requester, create};
use super::error::{FieldErrors, Kind, Refusal};
use super::request::Fields;
use super::route::both;
use super::{Api, calls};
use crate::resources::configuration::tls_certificate::TLS_CERTIFICATE;
use crate::trust::{Given, Identity};

const IMPORT: &str = "/api/admin/command/v1/platform/certificates_import/";

const RESOURCE: &str = "certificates_import";

pub(super) fn routes() -> Router<Api> {
    both(IMPORT, post(import))
}

async fn import(
    State(api): State<Api>,
    Extension(by): Extension<Requester>,
    Fields(body): Fields,
) -> Result<Response, Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let passphrase = text("private_key_passphrase");
    let read = match text("bundle") {
        "" => Identity::read(&Given {
            certificate: text("certificate"),
            private_key: text("private_key"),
            passphrase,
        }),
        bundle => Identity::read_bundle(bundle, passphrase),
    };
    let identity =
        read.map_err(|fault| FieldErrors::one("bundle", fault.to_string()).refusal(RESOURCE, Kind::Invalid))?;
    let fields = Map::from_iter([
        ("certificate".to_string(), identity.chain_pem().into()),
        ("private_key".to_string(), identity.key().to_pem().into()),
    ]);
    let uri = create(&api, by, &TLS_CERTIFICATE, fields).await?;
    Ok(calls::success(&json!({"tls_certificate": uri})))
}
