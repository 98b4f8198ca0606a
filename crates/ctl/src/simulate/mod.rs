//! `pitlane simulate`: how a run would go. Pure: what was given becomes a plan, and what the forecast
//! says becomes lines, an object or a picture. The forecast itself is the crate `sim`'s.

pub(crate) mod arguments;
pub(crate) mod plan;
pub(crate) mod platform;

pub(crate) mod json;
pub(crate) mod moments;
pub(crate) mod table;

pub(crate) mod svg;
