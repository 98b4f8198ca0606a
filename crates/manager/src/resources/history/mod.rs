//! What has happened. Each file declares one resource.

pub(crate) mod audit;
pub(crate) mod calls;
