//! What the management API serves: a declaration for each resource, from which the engine in `rest` makes lists,
//! details, filters, validation, schemas and documentation, and `store` its statements.
//!
//! Pure: declarations, and functions over them and over values. It relies on the caller for everything that is
//! stored, and never reads or writes it.

mod errors;
mod field;
mod object;
mod permission;
mod resource;
mod shape;

pub(crate) mod draft;
pub(crate) mod filter;
pub(crate) mod query;
pub(crate) mod shown;
pub(crate) mod time;
pub(crate) mod typed;

pub(crate) mod backup;
pub(crate) mod command;
pub(crate) mod configuration;
pub(crate) mod history;
pub(crate) mod status;
pub(crate) mod upgrade;

pub(crate) use errors::FieldErrors;
pub(crate) use field::{
    Access, Case, Children, Field, ID, Initial, KEPT, Kind, OnDelete, Place, Related, Relation, Support,
};
pub(crate) use object::{CoreFacts, Object};
pub(crate) use permission::Permission;
pub(crate) use resource::{Action, Affects, Area, Created, Key, Resource, Rows, Served, Verb};
pub(crate) use shape::{Shape, validate};

/// Every resource.
pub(crate) static ALL: &[&Resource] = &[
    &configuration::account::ACCOUNT,
    &configuration::authentication::AUTHENTICATION,
    &configuration::companion_system::COMPANION_SYSTEM,
    &configuration::autobackup::AUTOBACKUP,
    &configuration::ca_certificate::CA_CERTIFICATE,
    &configuration::certificate_signing_request::CERTIFICATE_SIGNING_REQUEST,
    &configuration::conference::CONFERENCE,
    &configuration::conference_alias::CONFERENCE_ALIAS,
    &configuration::global::GLOBAL,
    &configuration::management_vm::MANAGEMENT_VM,
    &configuration::licence::LICENCE,
    &configuration::oauth2_client::OAUTH2_CLIENT,
    &configuration::permission::PERMISSION,
    &configuration::role::ROLE,
    &configuration::system_location::SYSTEM_LOCATION,
    &configuration::tls_certificate::TLS_CERTIFICATE,
    &configuration::worker_vm::WORKER_VM,
    &upgrade::UPGRADE,
    &upgrade::UPGRADE_REQUEST,
    &upgrade::UPGRADE_PACKAGE,
    &backup::SYSTEM_BACKUP,
    &backup::BACKUP_REQUEST,
    &status::alarm::ALARM,
    &status::calls::CONFERENCE,
    &status::calls::CONFERENCE_SHARD,
    &status::calls::PARTICIPANT,
    &status::licensing::LICENSING,
    &status::management_vm::MANAGEMENT_VM,
    &status::system_location::SYSTEM_LOCATION,
    &status::worker_vm::WORKER_VM,
    &history::alarm::ALARM,
    &history::audit::AUDIT,
    &history::calls::CONFERENCE,
    &history::calls::PARTICIPANT,
    &history::workervm_status_event::WORKERVM_STATUS_EVENT,
    &upgrade::HISTORY,
    &command::PASSWORD,
    &command::calls::DISCONNECT_ALL,
    &command::calls::LOCK,
    &command::calls::UNLOCK,
    &command::calls::DIAL,
    &command::calls::DISCONNECT,
    &command::calls::MUTE,
    &command::calls::UNMUTE,
    &command::CERTIFICATES_IMPORT,
    &backup::CREATE,
    &backup::RESTORE,
    &command::UPGRADE,
    &command::UPGRADE_CHECK,
    &command::UPGRADE_START,
    &command::UPGRADE_PAUSE,
    &command::UPGRADE_RESUME,
    &command::UPGRADE_STOP,
];

/// The resource of this name in a part of the API.
pub(crate) fn find(area: Area, name: &str) -> Option<&'static Resource> {
    ALL.iter().copied().find(|resource| resource.area == area && resource.name == name)
}

/// The resource of the configuration with this name.
///
/// # Panics
/// There is none. Names in declarations are checked by a test.
pub(crate) fn configured(name: &'static str) -> &'static Resource {
    find(Area::Configuration, name).unwrap_or_else(|| panic!("no resource is called {name}"))
}

#[cfg(test)]
mod tests;
