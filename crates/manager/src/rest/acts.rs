//! Notes requests that change something and are no change of a declared object: commands, uploads, removed packages. Those
//! of declared objects are noted in their own transaction, by the engine.

use axum::extract::{Extension, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use edge::error_chain::chain;
use tracing::error;

use super::Api;
use super::engine::Requester;
use super::engine::path::{Target, target};
use crate::store::audit::{AuditEntry, note};
use crate::store::{StoreError, Transaction};

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Act {
    action: String,
    resource: String,
    path: String,
}

/// The act of a request; none if it only reads, asks, sends bytes of an upload, or changes a declared object.
pub(super) fn act_of(method: &Method, path: &str) -> Option<Act> {
    let declared = matches!(target(path), Some(Target::List(_) | Target::Detail(..) | Target::Action(..)));
    let below = path.strip_prefix("/api/admin/")?.trim_end_matches('/');
    if declared || method == Method::GET || method == Method::HEAD {
        return None;
    }
    let parts: Vec<&str> = below.split('/').collect();
    let (resource, action) = match parts.as_slice() {
        [_, _, _, .., "upload"] | ["command", _, _, "upgrade_check"] => return None,
        ["command", _, scope, name] => (*scope, (*name).to_string()),
        [_, _, resource] => (*resource, method.as_str().to_lowercase()),
        [_, _, resource, _] if method == Method::DELETE => (*resource, "deleted".into()),
        [_, _, resource, _, name] => (*resource, (*name).to_string()),
        _ => return None,
    };
    Some(Act { action, resource: resource.into(), path: path.into() })
}

/// Notes what a request has done: also when its sender is gone, and when nobody knows whether it was done.
pub(super) async fn note_acts(
    State(api): State<Api>,
    Extension(by): Extension<Requester>,
    request: Request,
    next: Next,
) -> Response {
    let act = act_of(request.method(), request.uri().path());
    let response = next.run(request).await;
    let perhaps_done = response.status().is_success() || response.status() == StatusCode::GATEWAY_TIMEOUT;
    if let Some(act) = act.filter(|_| perhaps_done)
        && let Err(cause) = noted(&api, by, act).await
    {
        error!(error = %chain(&cause), "a request that was carried out could not be noted");
    }
    response
}

async fn noted(api: &Api, by: Requester, act: Act) -> Result<(), StoreError> {
    let time = i64::try_from(api.committer().wall().0).unwrap_or(i64::MAX);
    let write = move |tx: &Transaction<'_>| {
        let Act { action, resource, path } = act;
        let entry = AuditEntry {
            time,
            account: &by.account,
            source: by.source.to_string(),
            action: &action,
            resource: &resource,
            object: path,
            name: String::new(),
            changes: Vec::new(),
        };
        note(tx, entry)
    };
    api.committer().store().write(write).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn act_is_named_by_its_path() {
        let check = |method: Method, path: &str, expected: Option<(&str, &str)>| {
            let found = act_of(&method, &format!("/api/admin/{path}"));
            let found = found.as_ref().map(|act| (act.resource.as_str(), act.action.as_str()));
            assert_eq!(found, expected, "{method} {path}");
        };
        check(Method::POST, "command/v1/platform/upgrade_start/", Some(("platform", "upgrade_start")));
        check(Method::POST, "command/v1/participant/mute", Some(("participant", "mute")));
        check(Method::POST, "command/v1/account/password/", Some(("account", "password")));
        check(Method::POST, "command/v1/platform/upgrade_check/", None);
        check(Method::POST, "configuration/v1/upgrade/", Some(("upgrade", "post")));
        check(Method::POST, "configuration/v1/upgrade_request/x/upload/", None);
        check(
            Method::POST,
            "configuration/v1/upgrade_request/x/finish/",
            Some(("upgrade_request", "finish")),
        );
        check(Method::DELETE, "configuration/v1/upgrade_package/x/", Some(("upgrade_package", "deleted")));
        check(Method::PATCH, "configuration/v1/worker_vm/1/", None);
        check(Method::GET, "command/v1/platform/upgrade_start/", None);
    }
}
