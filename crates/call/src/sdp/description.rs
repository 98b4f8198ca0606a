//! A description of the far end, read within limits.
//!
//! Only what is used is parsed: `v=`, `c=`, `m=` and `a=`. `sdp_types` refuses a whole description for a fault in
//! any line (an `o=` with a blank in the user's name, a `b=` without a number, a session name that is not UTF-8),
//! and such lines are sent by phones and say nothing to this node. They become empty lines, which keeps the line
//! numbers in errors.

use sdp_types::{Attribute, Media, Session};

use super::unacceptable::Unacceptable;

/// The longest description that is read, in bytes. Browsers' are under 8 KiB; phones' under 2.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// The most lines that are read.
pub(super) const MAX_LINES: usize = 400;
/// The most media lines that are answered.
pub(super) const MAX_MEDIA: usize = 16;
/// The most attributes of a media line. A browser's video has about 150.
pub(super) const MAX_ATTRIBUTES: usize = 256;
/// The most formats of a media line: as many as there are payload types.
pub(super) const MAX_FORMATS: usize = 128;

/// Stands for the formats of a media line that names none. RFC 8866 wants one; phones leave them out of a line that
/// they refuse.
const NO_FORMAT: &str = "-";

/// A description within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    session: Session,
}

/// A media line with what applies to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Medium<'d> {
    pub(super) session: &'d Session,
    pub(super) media: &'d Media,
}

/// Reads a description.
///
/// # Errors
/// It is over the limits, or a line that is used has a fault.
pub(super) fn read(text: &[u8]) -> Result<Description, Unacceptable> {
    within("bytes", text.len(), MAX_BYTES)?;
    within("lines", text.iter().filter(|byte| **byte == b'\n').count(), MAX_LINES)?;
    let session = Session::parse(readable(text).as_bytes())
        .map_err(|error| Unacceptable::Unreadable(error.to_string()))?;
    within("media lines", session.medias.len(), MAX_MEDIA)?;
    for media in &session.medias {
        within("attributes of a media line", media.attributes.len(), MAX_ATTRIBUTES)?;
        within("formats of a media line", media.fmt.split(' ').count(), MAX_FORMATS)?;
    }
    Ok(Description { session })
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), Unacceptable> {
    if found > limit { Err(Unacceptable::TooLong { what, found, limit }) } else { Ok(()) }
}

/// The lines that are used, as `sdp_types` wants them: without blanks at the end, a media line with single blanks
/// and nothing but printable ASCII, because its fields are copied into our own text.
fn readable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        match line.get(..2) {
            Some("m=") => lines.push_str(&media_line(line)),
            Some("v=" | "c=" | "a=") => lines.push_str(line.trim_end()),
            Some(_) | None => {}
        }
        lines.push('\n');
    }
    lines
}

fn media_line(line: &str) -> String {
    let plain = |c: char| match c {
        '!'..='~' => c,
        c if c.is_ascii() => ' ',
        _ => '_',
    };
    let plain: String = line.chars().map(plain).collect();
    let mut fields: Vec<&str> = plain.split_ascii_whitespace().collect();
    if fields.len() == 3 {
        fields.push(NO_FORMAT);
    }
    fields.join(" ")
}

impl Description {
    /// The media lines in order.
    pub(super) fn media(&self) -> impl Iterator<Item = Medium<'_>> {
        self.session.medias.iter().map(|media| Medium { session: &self.session, media })
    }

    /// The media line at a place.
    pub(super) fn medium(&self, index: usize) -> Option<Medium<'_>> {
        self.session.medias.get(index).map(|media| Medium { session: &self.session, media })
    }
}

impl<'d> Medium<'d> {
    /// The values of an attribute of the media line. Names are compared without case, as phones write them.
    pub(super) fn values(self, name: &str) -> impl Iterator<Item = &'d str> {
        let named = move |a: &&'d Attribute| a.attribute.eq_ignore_ascii_case(name);
        self.media.attributes.iter().filter(named).filter_map(|a| a.value.as_deref()).map(str::trim)
    }

    /// The values of an attribute of the media line, or else of the session.
    pub(super) fn inherited(self, name: &str) -> impl Iterator<Item = &'d str> {
        let of_session = self.session.attributes.iter().filter(move |_| !self.has(name));
        let named = move |a: &&'d Attribute| a.attribute.eq_ignore_ascii_case(name);
        let of_session = of_session.filter(named).filter_map(|a| a.value.as_deref()).map(str::trim);
        self.values(name).chain(of_session)
    }

    /// Whether the media line has an attribute.
    pub(super) fn has(self, name: &str) -> bool {
        self.media.attributes.iter().any(|a| a.attribute.eq_ignore_ascii_case(name))
    }
}
