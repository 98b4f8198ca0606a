//! The answer to a request (RFC 3261 section 8.2.6), as far as it follows from the request.

use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::Address;
use crate::draft::{Draft, Unwritable};
use crate::fields::Fields;
use crate::lex::Cursor;
use crate::message::Request;
use crate::name::Name;
use crate::refused::Refused;
use crate::status::Status;
use crate::value::{Token, Value};
use crate::via::Via;

/// Where a request came from, as its receiver adds it to the topmost Via (section 18.2.1, RFC 3581 section 4). What is
/// not given stays as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source {
    /// `received`, instead of any that the sender has written.
    pub received: Option<IpAddr>,
    /// The value of `rport`, when the sender requests it.
    pub rport: Option<u16>,
}

impl Source {
    const fn is_some(self) -> bool {
        self.received.is_some() || self.rport.is_some()
    }
}

/// An answer that is being written.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    fields: &'a Fields,
    status: Status,
    source: Source,
    tag: Option<Token<'a>>,
}

impl<'a> Reply<'a> {
    /// The answer to a request.
    pub fn to(request: &'a Request, status: Status) -> Self {
        Self { fields: request.headers(), status, source: Source::default(), tag: None }
    }

    /// The answer that is owed for a message that was refused: `None` when nothing is owed. It has those headers that
    /// could be read; one without a Via can only go back to where the request came from.
    pub fn refusing(refused: &'a Refused) -> Option<Self> {
        let status = refused.status()?;
        Some(Self { fields: refused.fields(), status, source: Source::default(), tag: None })
    }

    /// Where the request came from.
    #[must_use]
    pub const fn seen_from(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The tag for To, used when the request has none there. Every answer but 100 needs one.
    #[must_use]
    pub const fn tagged(self, tag: Token<'a>) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Writes the start line with the registered reason and the headers that are copied, in the order of the request.
    pub fn draft(self) -> Draft {
        let reason = self.status.reason();
        self.draft_with(reason).expect("a registered reason has no control character")
    }

    /// As [`Self::draft`], with a reason phrase of one's own.
    ///
    /// # Errors
    /// The reason phrase has a control character.
    pub fn draft_with(self, reason: &str) -> Result<Draft, Unwritable> {
        let mut draft = Draft::response(self.status, reason)?;
        let mut written = Vec::new();
        for field in self.fields.iter() {
            let Some(name) = field.known.filter(|name| self.copies(*name)) else {
                continue;
            };
            let is_first = !written.contains(&name);
            if is_first {
                written.push(name);
            }
            if is_first && name == Name::Via {
                self.top_via(&mut draft, field.value);
            } else if is_first && name == Name::To {
                self.tagged_to(&mut draft, field.value);
            } else if is_first || matches!(name, Name::Via | Name::RecordRoute) {
                draft.copied(name, &[field.value]);
            }
            // What may stand once stands once in the answer, even if the request was wrong about it.
        }
        Ok(draft)
    }

    /// Whether the answer has a header of the request: Record-Route where a dialog may begin (section 12.1.1),
    /// Timestamp in a 100 (section 8.2.6.1).
    fn copies(&self, name: Name) -> bool {
        let begins_dialog = (101..300).contains(&self.status.code());
        matches!(name, Name::Via | Name::From | Name::To | Name::CallId | Name::CSeq)
            || (name == Name::RecordRoute && begins_dialog)
            || (name == Name::Timestamp && self.status == Status::TRYING)
    }

    /// The value of the first Via, with the source in its first element.
    fn top_via(&self, draft: &mut Draft, value: &[u8]) {
        let mut cursor = Cursor::new(value);
        let via = Via::read(&mut cursor).ok().filter(|_| matches!(cursor.peek(), None | Some(b',')));
        match via {
            Some(via) if self.source.is_some() => {
                let filled = self.via_with_source(&via);
                draft.copied(Name::Via, &[&filled, &value[via.text().len()..]]);
            }
            Some(_) | None => draft.copied(Name::Via, &[value]),
        }
    }

    fn via_with_source(&self, via: &Via<'_>) -> Vec<u8> {
        let mut text = via.text()[..via.text().len() - via.params.0.len()].to_vec();
        for param in via.params.iter() {
            let is = |name: &str| param.name.eq_ignore_ascii_case(name);
            if is("received") && self.source.received.is_some() {
                continue;
            }
            text.push(b';');
            text.extend_from_slice(param.name.as_bytes());
            match (self.source.rport, param.value) {
                (Some(port), _) if is("rport") => text.extend_from_slice(format!("={port}").as_bytes()),
                (_, Some(value)) => text.extend([b"=", value].concat()),
                (_, None) => {}
            }
        }
        if let Some(address) = self.source.received {
            text.extend_from_slice(format!(";received={address}").as_bytes());
        }
        text
    }

    fn tagged_to(&self, draft: &mut Draft, value: &[u8]) {
        let untagged = Address::whole(value).is_ok_and(|to| to.tag().is_none());
        match self.tag.filter(|_| untagged && self.status != Status::TRYING) {
            Some(tag) => draft.copied(Name::To, &[value, b";tag=", tag.as_str().as_bytes()]),
            None => draft.copied(Name::To, &[value]),
        }
    }
}
