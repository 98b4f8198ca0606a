//! `GET /node/v1/packages/<manifest>/<file>`: the files of a package that a node needs, with ranges.
//!
//! The node verifies every piece itself and keeps to the rate that it was given; nothing is verified or
//! limited here.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fleet::version::Sha256;
use package::{MANIFEST_FILE, SIGNATURE_FILE};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::Link;
use super::caller::Caller;
use crate::packages::NODE_PAYLOAD_FILE;

/// The name under which a node requests its payload.
const PAYLOAD: &str = "payload";

pub(crate) async fn file(
    _: Caller,
    State(link): State<Link>,
    Path((manifest, file)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    let name = match file.as_str() {
        MANIFEST_FILE => MANIFEST_FILE,
        SIGNATURE_FILE => SIGNATURE_FILE,
        PAYLOAD => NODE_PAYLOAD_FILE,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Ok(manifest) = manifest.parse::<Sha256>() else { return StatusCode::NOT_FOUND.into_response() };
    let path = link.layout.package(manifest).join(name);
    match ServeFile::new(path).oneshot(request).await {
        Ok(answer) => answer.into_response(),
        Err(never) => match never {},
    }
}
