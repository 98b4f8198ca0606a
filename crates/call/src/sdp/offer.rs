//! An offer of the far end, and which of its media lines is answered.

use super::codecs::Content;
use super::description::{self, Description, Medium};
use super::formats::{self, Format};
use super::unacceptable::Unacceptable;

/// An offer that can be answered: one of its audio lines is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(super) description: Description,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// It is over the limits, malformed, or without audio that this node supports.
    pub(crate) fn read(offer: &[u8]) -> Result<Offer, Unacceptable> {
        let description = description::read(offer)?;
        if description.media().any(|medium| usable(medium).is_ok()) {
            return Ok(Offer { description });
        }
        let nearest = description.media().filter_map(|medium| usable(medium).err()).max_by_key(nearness);
        Err(nearest.unwrap_or(Unacceptable::NoAudio))
    }

    /// The line that is answered, and its formats: the one that carries the call's audio already, if it is still
    /// usable, else the first that is.
    pub(super) fn audio(&self, current: Option<usize>) -> Option<(usize, Medium<'_>, Vec<Format>)> {
        let usable_at = |index: usize| {
            let medium = self.description.medium(index)?;
            usable(medium).ok().map(|formats| (index, medium, formats))
        };
        current.and_then(usable_at).or_else(|| (0..self.description.media().count()).find_map(usable_at))
    }
}

/// The formats of a media line that can carry the call's audio.
///
/// # Errors
/// It is not audio, is disabled (port 0), is encrypted, or has no codec of ours.
pub(super) fn usable(medium: Medium<'_>) -> Result<Vec<Format>, Unacceptable> {
    let formats = formats::known(medium);
    check(medium, &formats)?;
    Ok(formats)
}

/// As [`usable`], with the formats read by the caller.
pub(super) fn check(medium: Medium<'_>, formats: &[Format]) -> Result<(), Unacceptable> {
    let media = medium.media;
    if !media.media.eq_ignore_ascii_case("audio") || media.port == 0 {
        return Err(Unacceptable::NoAudio);
    }
    if !["RTP/AVP", "RTP/AVPF"].iter().any(|profile| media.proto.eq_ignore_ascii_case(profile)) {
        return Err(Unacceptable::Transport(media.proto.clone()));
    }
    if !formats.iter().any(|format| matches!(format.content, Content::Sound(_))) {
        return Err(Unacceptable::NoCodec { offered: formats::names(medium) });
    }
    Ok(())
}

/// How near a line with this fault is to a usable one: of several, the nearest is named.
fn nearness(fault: &Unacceptable) -> u8 {
    match fault {
        Unacceptable::NoCodec { .. } => 2,
        Unacceptable::Transport(_) => 1,
        Unacceptable::NoAudio
        | Unacceptable::TooLong { .. }
        | Unacceptable::Unreadable(_)
        | Unacceptable::NotOffered
        | Unacceptable::Body(_)
        | Unacceptable::Multipart(_) => 0,
    }
}
