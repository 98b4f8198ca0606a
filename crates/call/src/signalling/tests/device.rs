//! A device that registers: its REGISTER requests, and its user, who answers their challenges.

use super::kit::{PHONE, World};
use super::user::User;

#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) user: User,
    /// Where its requests come from.
    pub(crate) from: String,
    pub(crate) via: String,
    pub(crate) alias: String,
    pub(crate) call_id: String,
    pub(crate) sequence: u32,
    /// The challenge that it answers.
    pub(crate) challenge: Option<String>,
    /// Headers of all its requests.
    pub(crate) extra: String,
}

const DOMAIN: &str = "sip:192.0.2.1";

impl Device {
    pub(crate) fn new(user: &str) -> Device {
        Device {
            user: User::new(user),
            from: PHONE.into(),
            via: format!("SIP/2.0/UDP {PHONE}"),
            alias: format!("{user}@192.0.2.1"),
            call_id: user.into(),
            sequence: 1,
            challenge: None,
            extra: String::new(),
        }
    }

    /// A REGISTER with these headers, such as its contacts.
    pub(crate) fn request(&mut self, headers: &str) -> String {
        let credentials = match &self.challenge {
            Some(challenge) => {
                let line = challenge.lines().find_map(|line| line.strip_prefix("WWW-Authenticate: "));
                self.user.answer_to(line.expect("a challenge"), "REGISTER", DOMAIN)
            }
            None => String::new(),
        };
        let Device { via, alias, call_id, sequence, extra, .. } = self;
        let request = format!(
            "REGISTER {DOMAIN} SIP/2.0\r\nVia: {via};branch=z9hG4bK{call_id}r{sequence}\r\nMax-Forwards: 70\r\n\
             From: <sip:{alias}>;tag={call_id}\r\nTo: <sip:{alias}>\r\nCall-ID: {call_id}\r\n\
             CSeq: {sequence} REGISTER\r\n{headers}{extra}{credentials}Content-Length: 0\r\n\r\n"
        );
        self.sequence += 1;
        request
    }

    /// The answer to a REGISTER with these headers, after its challenge.
    pub(crate) fn register(&mut self, world: &mut World, headers: &str) -> String {
        let request = self.request(headers);
        let answer = world.exchange(&self.from, &request);
        if !answer.starts_with("SIP/2.0 401") {
            return answer;
        }
        (self.challenge, self.user.count) = (Some(answer), 0);
        let request = self.request(headers);
        world.exchange(&self.from, &request)
    }
}

/// The contacts of an answer, each with what is behind it.
pub(crate) fn contacts(answer: &str) -> Vec<&str> {
    answer.lines().filter_map(|line| line.strip_prefix("Contact: ")).collect()
}
