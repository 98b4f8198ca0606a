//! The requests of a caller that have no final response, and their repetition (RFC 3261 section 17.1).

/// T1 and 64 × T1, in milliseconds.
const T1: u64 = 500;
const LIMIT: u64 = 64 * T1;

/// A request without a final response.
pub(super) struct Pending {
    pub(super) method: &'static str,
    pub(super) sequence: u32,
    pub(super) text: String,
    /// It has a provisional response, and is repeated no more.
    pub(super) is_heard: bool,
    /// It was sent again over another connection, where the node may take it for a new one.
    pub(super) is_sent_again: bool,
    next: u64,
    pause: u64,
    give_up: u64,
}

/// Whether requests are repeated by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Datagrams,
    /// They arrive, or their connection breaks.
    Connection,
}

/// The requests.
pub(super) struct Requests {
    transport: Transport,
    all: Vec<Pending>,
}

impl Requests {
    pub(super) fn new(transport: Transport) -> Requests {
        Requests { transport, all: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn of(&self, method: &str) -> Option<&Pending> {
        self.all.iter().find(|pending| pending.method == method)
    }

    /// A request is sent.
    pub(super) fn add(&mut self, now: u64, method: &'static str, sequence: u32, text: String) {
        let next = if self.transport == Transport::Datagrams { now + T1 } else { u64::MAX };
        self.all.push(Pending {
            method,
            sequence,
            text,
            is_heard: false,
            is_sent_again: false,
            next,
            pause: T1,
            give_up: now + LIMIT,
        });
    }

    /// A provisional response has come.
    pub(super) fn heard(&mut self, method: &str, sequence: u32) {
        let heard = |pending: &&mut Pending| pending.method == method && pending.sequence == sequence;
        self.all.iter_mut().filter(heard).for_each(|pending| pending.is_heard = true);
    }

    /// A final response has come. `None` when the request has one already.
    pub(super) fn answered(&mut self, method: &str, sequence: u32) -> Option<Pending> {
        let place = self.all.iter().position(|p| p.method == method && p.sequence == sequence)?;
        Some(self.all.remove(place))
    }

    /// Nobody waits for the responses any more.
    pub(super) fn forget(&mut self) {
        self.all.clear();
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.all.iter().map(|pending| pending.next.min(pending.give_up)).min()
    }

    /// What is to be sent again by now.
    pub(super) fn due(&mut self, now: u64) -> Vec<String> {
        let mut due = Vec::new();
        for pending in self.all.iter_mut().filter(|pending| pending.next <= now) {
            pending.pause = (pending.pause * 2).min(8 * T1);
            pending.next = now + pending.pause;
            due.extend((!pending.is_heard).then(|| pending.text.clone()));
        }
        due
    }

    /// A request that was in vain for 64 × T1.
    pub(super) fn given_up(&mut self, now: u64) -> Option<Pending> {
        let place = self.all.iter().position(|pending| pending.give_up <= now)?;
        Some(self.all.remove(place))
    }

    /// Everything again, over another connection.
    pub(super) fn again(&mut self) -> Vec<String> {
        self.all.iter_mut().for_each(|pending| pending.is_sent_again = true);
        self.all.iter().map(|pending| pending.text.clone()).collect()
    }
}
