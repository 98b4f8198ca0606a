//! Answers without an object.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::resources::configuration::worker_vm::WORKER_VM;
use crate::resources::{Resource, Verb};
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::rest::route::location;

/// A new object: its address.
pub(super) fn created(of: &Resource, id: i64) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, location(&of.uri(id)))]).into_response()
}

/// The answer with the enrolment file of a Conferencing Node, which is given only this once.
pub(super) fn enrolment_file(api: &Api, id: i64, name: &str, token: String) -> Response {
    let file = api.context.nodes.file(name, token).to_text();
    let headers = [
        (header::LOCATION, location(&WORKER_VM.uri(id))),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/toml")),
    ];
    (StatusCode::CREATED, headers, file).into_response()
}

/// A change that was made.
pub(super) fn changed(verb: Verb) -> Response {
    match verb {
        Verb::Patch => StatusCode::ACCEPTED.into_response(),
        Verb::Get | Verb::Post | Verb::Put | Verb::Delete => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A method that the path does not know, with those that it knows.
pub(super) fn method_not_allowed(known: &[Verb]) -> Response {
    let refusal = Refusal::new(
        Kind::MethodNotAllowed,
        "the resource does not know this method",
        "use one of the methods that the header Allow of this answer names",
    );
    let mut response = refusal.into_response();
    let names: Vec<&str> = known.iter().map(|verb| verb.text()).collect();
    if let Ok(allow) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
