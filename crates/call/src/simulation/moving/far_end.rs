//! A far end whose call moves between nodes: it answers whoever asks within its dialog, follows the Contact of a
//! re-INVITE, and refuses a CSeq that is not beyond the last one. By the text of messages alone.

use std::net::SocketAddr;

use crate::signalling::kit::{Phone, SDP, header, response};

/// T1 and 64 × T1, in milliseconds.
const T1: u64 = 500;
const LIMIT: u64 = 64 * T1;

pub(super) struct FarEnd {
    pub(super) number: usize,
    phone: Phone,
    /// Where its requests go.
    pub(super) target: SocketAddr,
    pub(super) is_up: bool,
    /// Whether a node has ended its call.
    pub(super) is_ended_by_node: bool,
    /// The highest CSeq of the nodes, and what it was answered with.
    last: u32,
    answer: Option<String>,
    /// Its BYE: the text, when it is repeated, the pause behind that, and when it is given up.
    bye: Option<(String, u64, u64, u64)>,
}

impl FarEnd {
    pub(super) fn new(number: usize, target: SocketAddr) -> FarEnd {
        let mut phone = Phone::new(&format!("mover{number}"));
        let here = address(number);
        phone.contact = format!("<sip:phone@{here}>");
        phone.via = format!("SIP/2.0/UDP {here}");
        FarEnd {
            number,
            phone,
            target,
            is_up: false,
            is_ended_by_node: false,
            last: 0,
            answer: None,
            bye: None,
        }
    }

    pub(super) fn call_id(&self) -> String {
        self.phone.call_id.clone()
    }

    pub(super) fn dial(&self) -> String {
        self.phone.invite(SDP)
    }

    /// Hangs up, if it is in a call.
    pub(super) fn hang_up(&mut self, now: u64) -> Option<String> {
        if !std::mem::take(&mut self.is_up) {
            return None;
        }
        let text = self.phone.next("BYE", "");
        self.bye = Some((text.clone(), now + T1, 2 * T1, now + LIMIT));
        Some(text)
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.bye.as_ref().map(|(_, next, _, give_up)| *next.min(give_up))
    }

    /// Repeats its BYE when that is due.
    pub(super) fn pass_time(&mut self, now: u64) -> Option<String> {
        self.bye.take_if(|(_, _, _, give_up)| *give_up <= now);
        let (text, next, pause, _) = self.bye.as_mut().filter(|(_, next, _, _)| *next <= now)?;
        *next = now + *pause;
        *pause = (*pause * 2).min(8 * T1);
        Some(text.clone())
    }

    /// Takes in a message of a node; returns what it answers.
    pub(super) fn receive(&mut self, text: &str) -> Option<String> {
        if text.starts_with("SIP/2.0 ") { self.answered(text) } else { self.asked(text) }
    }

    fn answered(&mut self, text: &str) -> Option<String> {
        match header(text, "CSeq").split_once(' ') {
            Some((_, "INVITE")) if text.starts_with("SIP/2.0 200") && !self.is_up && self.bye.is_none() => {
                self.phone.answered(text);
                self.is_up = true;
                Some(self.phone.ack(""))
            }
            Some((_, "BYE")) => {
                self.bye = None;
                None
            }
            _ => None,
        }
    }

    fn asked(&mut self, text: &str) -> Option<String> {
        let (sequence, method) = header(text, "CSeq").split_once(' ')?;
        let sequence: u32 = sequence.parse().ok()?;
        if method == "ACK" {
            return None;
        }
        if sequence == self.last {
            // It has come again, or two nodes have used one CSeq.
            return self.answer.clone().filter(|answer| header(answer, "Via") == header(text, "Via"));
        }
        if sequence < self.last {
            return Some(response(text, "500 Out of Order", "", ""));
        }
        self.last = sequence;
        self.answer = Some(self.accept(method, text));
        self.answer.clone()
    }

    fn accept(&mut self, method: &str, text: &str) -> String {
        match method {
            _ if !self.is_up => response(text, "481 Gone", "", ""),
            "BYE" => {
                self.is_up = false;
                self.is_ended_by_node = true;
                response(text, "200 OK", "", "")
            }
            "INVITE" => {
                let contact = header(text, "Contact").trim_start_matches("<sip:");
                let target = contact.split(';').next().and_then(|address| address.parse().ok());
                self.target = target.unwrap_or(self.target);
                let contact = format!("Contact: {}\r\n", self.phone.contact);
                response(text, "200 OK", &contact, SDP)
            }
            _ => response(text, "200 OK", "", ""),
        }
    }
}

/// Where a far end is called.
pub(super) fn address(number: usize) -> SocketAddr {
    ([192, 0, 2, 20 + number as u8], 5062).into()
}
