//! The head of a message: its lines, from the start line to the empty line. Reading never fails: it goes on behind a
//! fault, so that the headers that an answer needs are found, and keeps the first.

use alloc::vec::Vec;

use crate::error::{Fault, Malformed};
use crate::fields::{Entry, Span};
use crate::lex::{Cursor, is_space, is_token, trimmed};
use crate::limits::{self, Limit};
use crate::name::Name;
use crate::steps;
use crate::value::{Number, Value};

/// What Content-Length says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// There is none.
    Absent,
    /// So many bytes.
    Is(u32),
    /// It is no number, or says two different things.
    Wrong,
}

/// The lines of a head, as ranges of the bytes that it was read from.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start_line: Span,
    pub(crate) entries: Vec<Entry>,
    /// Its length with the empty line: where the body begins.
    pub(crate) length: usize,
    pub(crate) declared: Declared,
    pub(crate) fault: Option<Fault>,
}

/// A line with the lines that continue it.
struct Line {
    start: usize,
    end: usize,
    /// Where the next line begins, if this one ends.
    next: Option<usize>,
    /// Whether there is a CR or LF in it that neither ends nor folds it.
    stray: bool,
}

/// The line that begins at `start`.
fn line(bytes: &[u8], start: usize, may_fold: bool) -> Line {
    let (mut at, mut stray) = (start, false);
    loop {
        let rest = &bytes[at..];
        let Some(length) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            steps::count(rest.len());
            return Line { start, end: bytes.len(), next: None, stray };
        };
        steps::count(length + 1);
        let end = at + length;
        match &bytes[end..] {
            [b'\r', b'\n', b' ' | b'\t', ..] if may_fold => at = end + 3,
            [b'\r', b'\n', ..] => return Line { start, end, next: Some(end + 2), stray },
            _ => (at, stray) = (end + 1, true),
        }
    }
}

impl Head {
    /// Reads the head at the start of `bytes`, which are not empty and begin with no line break.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let within = &bytes[..bytes.len().min(limits::HEAD)];
        let start = line(within, 0, false);
        let mut head = Self {
            start_line: Span::new(0..start.end),
            entries: Vec::new(),
            length: within.len(),
            declared: Declared::Absent,
            fault: None,
        };
        if start.end > limits::START_LINE {
            head.fault(Fault::TooLarge(Limit::StartLine));
        }
        if start.stray {
            head.fault(STRAY);
        }
        let mut next = start.next;
        while let Some(at) = next {
            if within[at..].starts_with(b"\r\n") {
                head.length = at + 2;
                return head;
            }
            let line = line(within, at, true);
            next = line.next;
            // A line without an end was cut off: by the limit, or by whoever sent it.
            if next.is_some() {
                head.line(within, &line);
            }
        }
        let cut = bytes.len() > limits::HEAD;
        head.fault(if cut { Fault::TooLarge(Limit::Head) } else { Fault::NoEmptyLine });
        head
    }

    /// Keeps a fault, unless there was one before.
    fn fault(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn line(&mut self, bytes: &[u8], line: &Line) {
        if line.end - line.start > limits::FIELD {
            return self.fault(Fault::TooLarge(Limit::Field));
        }
        if line.stray {
            return self.fault(STRAY);
        }
        match entry(bytes, line) {
            Ok(entry) => self.entry(bytes, entry),
            Err(why) => self.fault(Fault::Line(why)),
        }
    }

    fn entry(&mut self, bytes: &[u8], entry: Entry) {
        if entry.known == Some(Name::ContentLength) {
            let found = Number::whole(entry.value.of(bytes));
            self.declared = match (self.declared, found) {
                (Declared::Absent, Ok(Number(length))) => Declared::Is(length),
                (Declared::Is(before), Ok(Number(length))) if before == length => Declared::Is(length),
                (Declared::Absent | Declared::Is(_) | Declared::Wrong, _) => Declared::Wrong,
            };
        }
        if self.entries.len() == limits::FIELDS {
            return self.fault(Fault::TooLarge(Limit::Fields));
        }
        if self.entries.is_empty() {
            self.entries.reserve(USUAL_FIELDS);
        }
        self.entries.push(entry);
    }
}

/// Room for the headers of a usual message, so that it takes one allocation. More take a few.
const USUAL_FIELDS: usize = 24;

const STRAY: Fault = Fault::Line(Malformed("it has a CR or LF that does not end it"));

/// `token HCOLON value`.
fn entry(bytes: &[u8], line: &Line) -> Result<Entry, Malformed> {
    let mut cursor = Cursor::new(&bytes[line.start..line.end]);
    let name = cursor.over(is_token);
    if name.is_empty() {
        return Err(Malformed("it has no name"));
    }
    cursor.over(|byte| matches!(byte, b' ' | b'\t'));
    if !cursor.take(b':') {
        return Err(Malformed("no colon follows its name"));
    }
    cursor.over(is_space);
    let from = line.start + cursor.mark();
    let value = from..from + trimmed(cursor.rest()).len();
    let known = Name::of(name);
    Ok(Entry { known, name: Span::new(line.start..line.start + name.len()), value: Span::new(value) })
}
