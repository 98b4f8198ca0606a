//! Messages out of a stream (RFC 3261 section 18.3), which comes in any portions.
//!
//! A message that is wrong does not end the stream as long as its end is known: other calls may live on the
//! connection. One whose end cannot be known does. Every limit holds before a message is complete: what is buffered
//! is never more than [`limits::MESSAGE`] and the last portion.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::{Fault, FieldError, Malformed};
use crate::head::{Declared, Head};
use crate::limits::{self, Limit};
use crate::message::{self, Message};
use crate::name::Name;
use crate::refused::Refused;
use crate::start_line::StartLine;
use crate::steps;

/// Memory that is kept for the next portion, in bytes: enough for a usual message, and little for each of thousands
/// of idle connections.
const KEPT: usize = 4 * 1024;

/// What a stream has brought.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A message that cannot be used. The stream goes on behind it.
    Refused(Box<Refused>),
    /// A message that cannot be used and whose end cannot be known: answer if something is owed, and close the
    /// connection. Nothing follows.
    Lost(Box<Refused>),
    /// A double CRLF between messages, which is answered with a CRLF (RFC 5626 section 4.4.1). Several that came at
    /// once are one.
    Ping,
    /// A CRLF between messages: the answer to a ping, or the first half of one, which is then reported as well.
    Pong,
}

/// Cuts a stream into messages. Call [`Self::push`] with what came, then [`Self::next_frame`] until it returns
/// nothing.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where in the buffer the present message begins.
    from: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between two messages; `half` when a CRLF has been reported that may be the first of two.
    Between { half: bool },
    /// In a head, of which so many bytes have been searched for its end.
    Head { searched: usize },
    /// In the body of a message.
    Body { head: Head, length: usize },
    /// In the body of a message that is too large, of which so many bytes are left to drop.
    Dropping { left: usize },
    /// Behind the last message whose end was known.
    Lost,
}

impl Default for State {
    fn default() -> Self {
        Self::Between { half: false }
    }
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a portion of the stream. After [`Frame::Lost`] it is dropped.
    pub fn push(&mut self, portion: &[u8]) {
        if matches!(self.state, State::Lost) {
            return;
        }
        self.buffer.drain(..self.from);
        self.from = 0;
        self.buffer.extend_from_slice(portion);
        steps::count(self.buffer.len().min(portion.len()));
    }

    /// Whether the stream is between two messages: a connection that ends here ends nothing half way.
    pub const fn is_between(&self) -> bool {
        matches!(self.state, State::Between { .. })
    }

    /// What comes next, `None` when more of the stream is needed.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let state = core::mem::take(&mut self.state);
            let (state, step) = match state {
                State::Between { half } => self.between(half),
                State::Head { searched } => self.head(searched),
                State::Body { head, length } => self.body(head, length),
                State::Dropping { left } => self.drop_body(left),
                State::Lost => (State::Lost, Step::Wait),
            };
            self.state = state;
            match step {
                Step::On => {}
                Step::Wait => return None,
                Step::Is(frame) => return Some(frame),
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.from..]
    }

    fn consume(&mut self, bytes: usize) {
        self.from += bytes;
        if self.from == self.buffer.len() {
            self.buffer.clear();
            self.buffer.shrink_to(KEPT);
            self.from = 0;
        }
    }

    fn between(&mut self, half: bool) -> (State, Step) {
        let breaks = self.rest().chunks_exact(2).take_while(|pair| pair == b"\r\n").count();
        steps::count(breaks * 2);
        self.consume(breaks * 2);
        let total = breaks + usize::from(half);
        match (breaks, self.rest()) {
            (1.., _) if total > 1 => (State::Between { half: total % 2 == 1 }, Step::Is(Frame::Ping)),
            (1.., _) => (State::Between { half: true }, Step::Is(Frame::Pong)),
            (0, [] | [b'\r']) => (State::Between { half }, Step::Wait),
            (0, _) => (State::Head { searched: 0 }, Step::On),
        }
    }

    fn head(&mut self, searched: usize) -> (State, Step) {
        let within = &self.rest()[..self.rest().len().min(limits::HEAD)];
        // The end of a head may have come in two portions.
        let from = searched.saturating_sub(3);
        steps::count(within.len() - from);
        let end = within[from..].windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            return self.head_is_complete(from + end + 4);
        }
        if self.rest().len() > limits::HEAD {
            return self.lost(Fault::TooLarge(Limit::Head));
        }
        (State::Head { searched: within.len() }, Step::Wait)
    }

    /// Decides where the message ends whose head has `length` bytes.
    fn head_is_complete(&mut self, length: usize) -> (State, Step) {
        let bytes = &self.rest()[..length];
        let head = Head::read(bytes);
        let is_sip = !matches!(StartLine::read(head.start_line.of(bytes)), Err((_, Fault::NotSip)));
        let has_body = head.entries.iter().any(|entry| entry.known == Some(Name::ContentType));
        let body = match head.declared {
            // Whatever is no SIP message says nothing that can be relied on.
            _ if !is_sip => return self.lost(Fault::NotSip),
            Declared::Is(length) => usize::try_from(length).unwrap_or(usize::MAX),
            // A body has a type (section 20.15), so that a message without either header ends here: if every header
            // was read.
            Declared::Absent if !has_body && head.fault.is_none() => 0,
            Declared::Absent => return self.lost(Fault::UnknownLength),
            Declared::Wrong => return self.lost(WRONG_LENGTH),
        };
        if head.length.saturating_add(body) > limits::MESSAGE {
            let refused = message::refused(bytes, head, Fault::TooLarge(Limit::Message));
            self.consume(length);
            return (State::Dropping { left: body }, Step::Is(Frame::Refused(refused)));
        }
        (State::Body { head, length: body }, Step::On)
    }

    fn body(&mut self, head: Head, length: usize) -> (State, Step) {
        let total = head.length + length;
        if self.rest().len() < total {
            return (State::Body { head, length }, Step::Wait);
        }
        let read = message::read(&self.rest()[..total], head);
        self.consume(total);
        let frame = read.map_or_else(Frame::Refused, Frame::Message);
        (State::Between { half: false }, Step::Is(frame))
    }

    fn drop_body(&mut self, left: usize) -> (State, Step) {
        let now = left.min(self.rest().len());
        self.consume(now);
        if now == left {
            (State::Between { half: false }, Step::On)
        } else {
            (State::Dropping { left: left - now }, Step::Wait)
        }
    }

    /// The stream ends with the message that begins here.
    fn lost(&mut self, fault: Fault) -> (State, Step) {
        let head = Head::read(self.rest());
        let refused = message::refused(self.rest(), head, fault);
        self.buffer = Vec::new();
        self.from = 0;
        (State::Lost, Step::Is(Frame::Lost(refused)))
    }
}

const WRONG_LENGTH: Fault =
    Fault::Field(FieldError { name: Name::ContentLength, why: Malformed("it is not one number of 32 bits") });

enum Step {
    /// Go on in the new state.
    On,
    /// Wait for more of the stream.
    Wait,
    Is(Frame),
}
