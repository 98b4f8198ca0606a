//! The form of a path: every one is served with and without its trailing slash.

use axum::Router;
use axum::http::HeaderValue;
use axum::routing::MethodRouter;

/// The address of an object as a header.
pub(super) fn location(uri: &str) -> HeaderValue {
    HeaderValue::from_str(uri).unwrap_or(HeaderValue::from_static("/"))
}

/// A route with and without its trailing slash. `NormalizePathLayer` of tower-http would also accept several
/// slashes, and its path would be the one in the answer to an unknown path.
pub(super) fn both<S: Clone + Send + Sync + 'static>(path: &str, methods: MethodRouter<S>) -> Router<S> {
    Router::new().route(path, methods.clone()).route(path.trim_end_matches('/'), methods)
}
