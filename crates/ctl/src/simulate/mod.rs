//! The input and output of `pitlane simulate`. Pure: arguments or a platform's status become a plan, and a forecast
//! becomes lines, an object or a picture. The forecast itself is computed by crate `sim`.

pub(crate) mod plan;
pub(crate) mod platform;

pub(crate) mod json;
pub(crate) mod moments;
pub(crate) mod table;

pub(crate) mod svg;
