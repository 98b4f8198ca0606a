//! Lists: several headers of a name and one header with commas are the same (RFC 3261 section 7.3.1).

use core::marker::PhantomData;

use crate::error::{FieldError, Malformed};
use crate::fields::Fields;
use crate::lex::Cursor;
use crate::limits;
use crate::name::Name;
use crate::value::Value;

/// The elements of all headers of a name, in order. It ends behind the first element that is wrong.
#[derive(Clone, Debug)]
pub struct List<'a, T> {
    fields: &'a Fields,
    name: Name,
    /// The entry to look at next.
    next: usize,
    /// The value that is being read, behind the last element.
    value: Option<Cursor<'a>>,
    count: usize,
    element: PhantomData<T>,
}

impl<'a, T: Value<'a>> List<'a, T> {
    pub(crate) const fn new(fields: &'a Fields, name: Name) -> Self {
        Self { fields, name, next: 0, value: None, count: 0, element: PhantomData }
    }

    /// All elements, at most [`limits::ELEMENTS`].
    ///
    /// # Errors
    /// The first element that is wrong.
    pub fn all(self) -> Result<alloc::vec::Vec<T>, FieldError> {
        self.collect()
    }

    /// The place of the next element: behind a comma, or at the start of the next header. A header without an element
    /// is gone over where the grammar has room for it; elsewhere the element is missing.
    fn place(&mut self) -> Result<Option<Cursor<'a>>, Malformed> {
        if let Some(mut value) = self.value.take() {
            if value.separator(b',') {
                return Ok(Some(value));
            }
            value.end()?;
        }
        while let Some((next, text)) = self.fields.value_from(self.next, self.name) {
            self.next = next;
            if !(text.is_empty() && may_be_empty(self.name)) {
                return Ok(Some(Cursor::new(text)));
            }
        }
        Ok(None)
    }

    fn read(&mut self) -> Result<Option<T>, Malformed> {
        let Some(mut cursor) = self.place()? else {
            return Ok(None);
        };
        self.count += 1;
        if self.count > limits::ELEMENTS {
            return Err(Malformed::ELEMENTS);
        }
        let element = T::read(&mut cursor)?;
        self.value = Some(cursor);
        Ok(Some(element))
    }
}

/// Whether the elements of a list stand in brackets in its grammar (RFC 3261 section 25.1).
const fn may_be_empty(name: Name) -> bool {
    matches!(name, Name::Accept | Name::Allow | Name::Supported)
}

impl<'a, T: Value<'a>> Iterator for List<'a, T> {
    type Item = Result<T, FieldError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(element) => element.map(Ok),
            Err(why) => {
                self.next = usize::MAX;
                Some(Err(FieldError { name: self.name, why }))
            }
        }
    }
}
