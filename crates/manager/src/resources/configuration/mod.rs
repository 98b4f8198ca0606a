//! What the operator configures. Each file declares one resource.

pub(crate) mod account;
pub(crate) mod authentication;
pub(crate) mod autobackup;
pub(crate) mod ca_certificate;
mod certificate_fields;
pub(crate) mod certificate_signing_request;
pub(crate) mod companion_system;
pub(crate) mod conference;
pub(crate) mod conference_alias;
pub(crate) mod global;
pub(crate) mod licence;
pub(crate) mod management_vm;
pub(crate) mod oauth2_client;
pub(crate) mod permission;
pub(crate) mod role;
pub(crate) mod system_location;
pub(crate) mod tls_certificate;
pub(crate) mod worker_vm;

/// The choices of a setting that a resource may leave to the platform.
const GLOBAL_OFF_ON: &[&str] = &["GLOBAL", "OFF", "ON"];

/// The choices of a setting that may be left as it is for all.
const DEFAULT_YES_NO: &[&str] = &["default", "yes", "no"];
