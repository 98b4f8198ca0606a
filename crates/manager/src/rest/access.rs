//! What an account needs for a request. Pure.

use axum::http::Method;

use super::engine::path::{Target, target};
use super::error::{Kind, Refusal};
use crate::resources::Permission;
use crate::store::accounts::Account;

/// What the paths need that are not declared: the beginning of a path, what reading needs, and what everything else
/// needs. The first one counts.
const OWN: [(&str, Permission, Permission); 18] = [
    ("schema/", Permission::UseApi, Permission::UseApi),
    ("/admin/platform/schema", Permission::UseApi, Permission::UseApi),
    ("command/v1/platform/certificates_import", Permission::ChangeTrust, Permission::ChangeTrust),
    ("command/v1/platform/backup_", Permission::Backup, Permission::Backup),
    ("configuration/v1/system_backup", Permission::Backup, Permission::Backup),
    ("status/v1/backup_request", Permission::Backup, Permission::Backup),
    ("openapi.json", Permission::UseApi, Permission::UseApi),
    ("command/v1/account/", Permission::UseApi, Permission::UseApi),
    ("command/v1/conference/", Permission::ViewCalls, Permission::ControlCalls),
    ("command/v1/participant/", Permission::ViewCalls, Permission::ControlCalls),
    ("status/v1/conference", Permission::ViewCalls, Permission::ControlCalls),
    ("status/v1/participant", Permission::ViewCalls, Permission::ControlCalls),
    ("history/v1/conference", Permission::ViewCalls, Permission::ChangePlatform),
    ("history/v1/participant", Permission::ViewCalls, Permission::ChangePlatform),
    ("command/v1/platform/upgrade", Permission::ViewPlatform, Permission::Upgrade),
    ("configuration/v1/upgrade", Permission::ViewPlatform, Permission::Upgrade),
    ("configuration/v1/licence", Permission::ViewPlatform, Permission::ChangeTrust),
    ("", Permission::ViewPlatform, Permission::ChangePlatform),
];

/// What a request needs beside [`Permission::UseApi`].
pub(super) fn needed(method: &Method, path: &str) -> Permission {
    let reads = method == Method::GET || method == Method::HEAD;
    match target(path) {
        Some(Target::Directory(_) | Target::Schema(_)) => Permission::UseApi,
        Some(Target::List(of) | Target::Detail(of, _) | Target::Action(of, ..)) => {
            if reads {
                of.view
            } else {
                of.change
            }
        }
        None => {
            let below = path.strip_prefix("/api/admin/").unwrap_or(path);
            let own = OWN.iter().find(|(beginning, ..)| below.starts_with(beginning));
            own.map_or(Permission::ChangePlatform, |(_, view, change)| if reads { *view } else { *change })
        }
    }
}

/// Refuses a request of an account that may not make it.
pub(super) fn permit(user: &str, account: &Account, method: &Method, path: &str) -> Result<(), Refusal> {
    let wanted = [Permission::UseApi, needed(method, path)];
    match wanted.into_iter().find(|permission| !account.permissions.contains(permission)) {
        None => Ok(()),
        Some(missing) => Err(Refusal::new(
            Kind::Forbidden,
            format!(
                "the account {user} has no permission for this: its role lacks {} ({})",
                missing.codename(),
                missing.name()
            ),
            "ask somebody who manages the accounts for a role with this permission",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_needs_a_permission() {
        let check = |method: Method, path: &str, expected: Permission| {
            assert_eq!(needed(&method, &format!("/api/admin/{path}")), expected, "{method} {path}");
        };
        check(Method::GET, "configuration/v1/worker_vm/", Permission::ViewPlatform);
        check(Method::HEAD, "configuration/v1/worker_vm/1", Permission::ViewPlatform);
        check(Method::PATCH, "configuration/v1/worker_vm/1/", Permission::ChangePlatform);
        check(Method::POST, "configuration/v1/worker_vm/1/enrolment/", Permission::ChangePlatform);
        check(Method::GET, "configuration/v1/account/", Permission::Accounts);
        check(Method::GET, "configuration/v1/role/schema/", Permission::UseApi);
        check(Method::GET, "configuration/v1/", Permission::UseApi);
        check(Method::GET, "history/v1/audit/", Permission::Audit);
        check(Method::GET, "history/v1/participant/x/media_stream/", Permission::ViewCalls);
        check(Method::DELETE, "history/v1/conference/x/", Permission::ChangePlatform);
        check(Method::GET, "configuration/v1/upgrade_package/", Permission::ViewPlatform);
        check(Method::DELETE, "configuration/v1/upgrade_package/x/", Permission::Upgrade);
        check(Method::POST, "configuration/v1/upgrade_request/x/upload/", Permission::Upgrade);
        check(Method::POST, "configuration/v1/licence/", Permission::ChangeTrust);
        check(Method::POST, "configuration/v1/licence", Permission::ChangeTrust);
        check(Method::DELETE, "configuration/v1/licence/1/", Permission::ChangeTrust);
        check(Method::GET, "configuration/v1/licence/1/", Permission::ViewPlatform);
        check(Method::POST, "command/v1/platform/upgrade_start/", Permission::Upgrade);
        check(Method::POST, "command/v1/account/password/", Permission::UseApi);
        check(Method::GET, "schema/", Permission::UseApi);
        check(Method::GET, "status/v1/upgrade/", Permission::ViewPlatform);
        check(Method::GET, "configuration/v1/system_backup/x/", Permission::Backup);
        check(Method::GET, "status/v1/backup_request/", Permission::Backup);
        check(Method::POST, "command/v1/platform/backup_restore/", Permission::Backup);
        check(Method::GET, "status/v1/participant/", Permission::ViewCalls);
        check(Method::POST, "command/v1/participant/disconnect/", Permission::ControlCalls);
        check(Method::POST, "command/v1/platform/unknown/", Permission::ChangePlatform);
    }
}
