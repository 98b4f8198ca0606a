//! The payload types that this node has given in a call. One never changes its meaning (RFC 3264 section 8.3.2): a
//! packet that was under way while the ends agreed anew would be decoded as something else.

use std::collections::BTreeMap;

use super::codecs::{Content, FIRST_DYNAMIC, LAST};
use super::formats::Format;

/// What each payload type of ours carries, for as long as the call lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers(BTreeMap<u8, Content>);

impl Numbers {
    /// The numbers that another process has given.
    pub(super) fn of(given: &[Format]) -> Numbers {
        Numbers(given.iter().map(|format| (format.payload_type, format.content)).collect())
    }

    /// All numbers that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = Format> {
        self.0.iter().map(|(payload_type, content)| Format { payload_type: *payload_type, content: *content })
    }

    /// The payload type by which the far end is to send `content`: `wanted`, which is the far end's own number, unless
    /// that has another meaning here.
    pub(super) fn give(&mut self, wanted: u8, content: Content) -> Format {
        if !self.is_free(wanted, content) {
            return self.offer(content);
        }
        self.0.insert(wanted, content);
        Format { payload_type: wanted, content }
    }

    /// The payload type by which we offer `content`: the one that it has already, else its usual one, else a free one.
    pub(super) fn offer(&mut self, content: Content) -> Format {
        let had = self.0.iter().find(|(_, given)| **given == content).map(|(number, _)| *number);
        let usual = content.usual_payload_type();
        let mut candidates = std::iter::once(usual).chain(FIRST_DYNAMIC..=LAST);
        let number = had.or_else(|| candidates.find(|number| self.is_free(*number, content)));
        let payload_type = number.unwrap_or_else(|| {
            // All numbers are taken, which no far end does but on purpose: their meanings begin anew.
            self.0.clear();
            usual
        });
        self.0.insert(payload_type, content);
        Format { payload_type, content }
    }

    /// A static payload type is kept for what it means by itself.
    fn is_free(&self, number: u8, content: Content) -> bool {
        let meaning = self.0.get(&number).copied().or_else(|| Content::of_static(number));
        meaning.is_none_or(|meaning| meaning == content)
    }
}
