//! The formats of a media line: payload types, and what they carry by `rtpmap` (RFC 8866 section 6.6) or by
//! RFC 3551.

use std::collections::BTreeSet;

use super::codecs::{Content, LAST, LIKE_RTCP};
use super::description::Medium;

/// A payload type and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) payload_type: u8,
    pub(crate) content: Content,
}

/// The formats of the far end that this node knows, in the far end's order, which is that of its preference.
pub(super) fn known(medium: Medium<'_>) -> Vec<Format> {
    known_or(medium, |_| None)
}

/// As [`known`]; `ours` says what a payload type without `rtpmap` carries in the offer that is answered.
pub(super) fn known_or(medium: Medium<'_>, ours: impl Fn(u8) -> Option<Content>) -> Vec<Format> {
    let mut seen = BTreeSet::new();
    let new = payload_types(medium).filter(|payload_type| seen.insert(*payload_type));
    let format = |payload_type| {
        let fixed = Content::of_static(payload_type);
        let content = match rtpmap(medium, payload_type) {
            None => fixed.or_else(|| ours(payload_type)),
            // A static payload type is what it is; a description that says otherwise is not to be relied on.
            Some(encoding) => {
                Content::named(encoding).filter(|named| fixed.is_none_or(|fixed| fixed == *named))
            }
        };
        content.map(|content| Format { payload_type, content })
    };
    new.filter_map(format).collect()
}

/// The formats of the far end in words, for whoever reads a refusal.
pub(super) fn names(medium: Medium<'_>) -> String {
    let name = |format: &str| {
        let payload_type = format.parse().ok();
        payload_type.and_then(|payload_type| rtpmap(medium, payload_type)).unwrap_or(format).to_owned()
    };
    let names: Vec<String> = medium.media.fmt.split(' ').take(MOST_NAMES).map(name).collect();
    names.join(", ")
}

/// The most formats that a refusal names.
const MOST_NAMES: usize = 8;

fn payload_types(medium: Medium<'_>) -> impl Iterator<Item = u8> {
    let types = medium.media.fmt.split(' ').filter_map(|format| format.parse().ok());
    types.filter(|payload_type| *payload_type <= LAST && !LIKE_RTCP.contains(payload_type))
}

fn rtpmap(medium: Medium<'_>, payload_type: u8) -> Option<&str> {
    medium.values("rtpmap").find_map(|value| {
        let (number, encoding) = value.split_once([' ', '\t'])?;
        (number.parse() == Ok(payload_type)).then_some(encoding.trim())
    })
}
