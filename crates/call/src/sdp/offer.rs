//! An offer of the far end, and which of its media lines is answered.

use std::net::SocketAddr;

use super::address::{self, Family};
use super::codecs::Content;
use super::description::{self, Description, Medium};
use super::formats::{self, Format};
use super::security::{self, Means};
use super::unacceptable::Unacceptable;

/// An offer that can be answered: one of its audio lines is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(super) description: Description,
}

/// A media line that can carry the call's audio.
pub(super) struct Audio<'o> {
    /// Its place among the media lines.
    pub(super) index: usize,
    pub(super) medium: Medium<'o>,
    /// Those of its formats that this node knows.
    pub(super) formats: Vec<Format>,
    pub(super) means: Means,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// It is over the limits, malformed, or without audio that this node supports.
    pub(crate) fn read(offer: &[u8]) -> Result<Offer, Unacceptable> {
        let description = description::read(offer)?;
        if description.media().any(|medium| usable(0, medium).is_ok()) {
            return Ok(Offer { description });
        }
        let nearest = description.media().filter_map(|medium| usable(0, medium).err()).max_by_key(nearness);
        Err(nearest.unwrap_or(Unacceptable::NoAudio))
    }

    /// The line that is answered by a node at this address: the one that carries the call's audio already, if it is still
    /// usable, else the first that is protected, else the first that is usable; lines that are reachable come first.
    pub(super) fn audio(&self, current: Option<usize>, ours: SocketAddr) -> Option<Audio<'_>> {
        let current = current.and_then(|index| self.usable_at(index));
        let unreachable = |audio: &Audio<'_>| !address::is_reachable(audio.medium, ours);
        let first = || self.usable().min_by_key(|audio| (unreachable(audio), audio.means == Means::Plain));
        current.or_else(first)
    }

    /// The families of the addresses of all lines that are usable, in the order in which the lines are preferred. None when
    /// one of them may be of any.
    pub(crate) fn families(&self) -> Vec<Family> {
        let (plain, protected): (Vec<_>, Vec<_>) =
            self.usable().partition(|audio| audio.means == Means::Plain);
        let families = |audio: &Audio<'_>| address::families(audio.medium).collect::<Vec<_>>();
        let all: Vec<_> = protected.iter().chain(&plain).map(families).collect();
        if all.iter().any(Vec::is_empty) { Vec::new() } else { all.concat() }
    }

    fn usable(&self) -> impl Iterator<Item = Audio<'_>> {
        (0..self.description.media().count()).filter_map(|index| self.usable_at(index))
    }

    fn usable_at(&self, index: usize) -> Option<Audio<'_>> {
        usable(index, self.description.medium(index)?).ok()
    }
}

/// The media line at a place, if it can carry the call's audio.
///
/// # Errors
/// It is not audio, is disabled (port 0), has a transport or a protection that is not supported, or no codec of ours.
fn usable(index: usize, medium: Medium<'_>) -> Result<Audio<'_>, Unacceptable> {
    check_kind(medium)?;
    let means = security::offered(medium)?;
    let formats = formats::known(medium);
    check_codec(medium, &formats)?;
    Ok(Audio { index, medium, formats, means })
}

/// Whether a media line is audio with a port.
pub(super) fn check_kind(medium: Medium<'_>) -> Result<(), Unacceptable> {
    let media = medium.media;
    let is_audio = media.media.eq_ignore_ascii_case("audio") && media.port != 0;
    is_audio.then_some(()).ok_or(Unacceptable::NoAudio)
}

/// Whether a media line may be reached from an address of ours.
pub(super) fn check_family(medium: Medium<'_>, ours: SocketAddr) -> Result<(), Unacceptable> {
    let other = address::families(medium).next().filter(|_| !address::is_reachable(medium, ours));
    other.map_or(Ok(()), |family| Err(Unacceptable::Family(family)))
}

/// Whether one of the formats of a media line is a codec.
pub(super) fn check_codec(medium: Medium<'_>, formats: &[Format]) -> Result<(), Unacceptable> {
    let has_codec = formats.iter().any(|format| matches!(format.content, Content::Sound(_)));
    has_codec.then_some(()).ok_or_else(|| Unacceptable::NoCodec { offered: formats::names(medium) })
}

/// How near a line with this fault is to a usable one: of several, the nearest is named.
fn nearness(fault: &Unacceptable) -> u8 {
    match fault {
        Unacceptable::NoCodec { .. } => 3,
        Unacceptable::NoSuite { .. } | Unacceptable::NoFingerprint => 2,
        Unacceptable::Transport(_) => 1,
        Unacceptable::NoAudio
        | Unacceptable::TooLong { .. }
        | Unacceptable::Unreadable(_)
        | Unacceptable::Family(_)
        | Unacceptable::NotOffered
        | Unacceptable::Body(_)
        | Unacceptable::Multipart(_) => 0,
    }
}
