//! What has happened. Each file declares one resource.

pub(crate) mod alarm;
pub(crate) mod audit;
pub(crate) mod calls;
pub(crate) mod workervm_status_event;
